"""Figures to look into with the mouse (bokeh), for notebooks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

_POINT, _EVENT = "#20507a", "#c1562b"


def lightcurve(mjd: Any, flux_jy: Any, err_jy: Any, *, title: str = "") -> Any:
    """A light curve with error bars; the pointer tells time, flux and error.

    Raises
    ------
    ModuleNotFoundError
        `bokeh` is not installed.
    """
    from bokeh.models import ColumnDataSource, HoverTool
    from bokeh.models.annotations import Whisker
    from bokeh.plotting import figure

    flux, err = 1e3 * flux_jy, 1e3 * err_jy
    data = ColumnDataSource({"mjd": mjd, "flux": flux, "err": err, "low": flux - err, "high": flux + err})
    plot = figure(
        title=title,
        height=320,
        width=760,
        x_axis_label="MJD [days]",
        y_axis_label="flux density [mJy]",
        tools="pan,wheel_zoom,box_zoom,reset,save",
    )
    plot.add_layout(Whisker(source=data, base="mjd", lower="low", upper="high", line_color=_POINT))
    points = plot.scatter("mjd", "flux", source=data, size=6, color=_POINT)
    tips = [("MJD", "@mjd{0.000}"), ("flux", "@flux{0.00} ± @err{0.00} mJy")]
    plot.add_tools(HoverTool(renderers=[points], tooltips=tips))
    return plot


def eta_v(table: pd.DataFrame, eta_cut: float, v_cut: float) -> Any:
    """The plane of eta and V with its cuts; the pointer tells the source.

    Raises
    ------
    ModuleNotFoundError
        `bokeh` is not installed.
    """
    from bokeh.models import ColumnDataSource, HoverTool
    from bokeh.models.annotations import Span
    from bokeh.plotting import figure

    good = table[(table["eta"] > 0) & (table["v"] > 0)]
    beyond = (good["eta"] > eta_cut) & (good["v"] > v_cut)
    data = ColumnDataSource(
        {
            "eta": good["eta"].to_numpy(),
            "v": good["v"].to_numpy(),
            "name": good["source_id"].astype(str).tolist(),
            "colour": [_EVENT if b else _POINT for b in beyond],
        }
    )
    # Above some thousands of points the canvas is drawn by the graphics card.
    plot = figure(
        height=460,
        width=560,
        x_axis_type="log",
        y_axis_type="log",
        x_axis_label="eta",
        y_axis_label="V",
        output_backend="webgl" if len(good) > 5000 else "canvas",
        tools="pan,wheel_zoom,box_zoom,reset,save,tap",
    )
    points = plot.scatter("eta", "v", source=data, size=6, color="colour", alpha=0.7)
    plot.add_layout(Span(location=eta_cut, dimension="height", line_dash="dashed", line_color="gray"))
    plot.add_layout(Span(location=v_cut, dimension="width", line_dash="dashed", line_color="gray"))
    plot.add_tools(
        HoverTool(renderers=[points], tooltips=[("source", "@name"), ("eta", "@eta{0.00}"), ("V", "@v{0.000}")])
    )
    return plot
