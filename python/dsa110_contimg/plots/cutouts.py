"""Cutouts of one source on paper."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dsa110_contimg.plots.figure import shown

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def zscale(values: Any) -> tuple[float, float]:
    """Limits of the usual z-scale over all finite values; symmetric about zero for a constant image."""
    import numpy as np
    from astropy.visualization import ZScaleInterval

    finite = np.asarray(values)[np.isfinite(values)]
    if finite.size == 0:
        return 0.0, 1.0
    low, high = (float(v) for v in ZScaleInterval().get_limits(finite))
    return (low, high) if high > low else (low - 1.0, low + 1.0)


def plot_cutouts(
    cutouts: Sequence[Mapping[str, Any]], *, title: str = "", columns: int = 5, to_peak: bool = False
) -> Figure:
    """Draw cutouts on one grey scale, with the beam in a corner and a mark at the source.

    Parameters
    ----------
    cutouts : sequence of mapping
        As `dsa110_contimg.photometry.cutouts.cutout` makes them, with ``mjd``.
    title : str
        Over all.
    columns : int
        Panels a row.
    to_peak : bool
        Scale to the brightest pixel instead of the z-scale, which a bright source saturates.
    """
    import numpy as np
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.patches import Ellipse

    columns = max(1, min(columns, len(cutouts)))
    rows = math.ceil(len(cutouts) / columns)
    figure = Figure(figsize=(1.9 * columns + 0.9, 2.1 * rows + 0.5), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    values = np.concatenate([np.ravel(c["data_yx"]) for c in cutouts])
    low, high = zscale(values)
    if to_peak and np.isfinite(values).any():
        high = max(high, float(np.nanmax(values)))
    drawn = None
    for axes, piece in zip(grid.flat, cutouts, strict=False):
        east, west, south, north = piece["extent"]
        drawn = axes.imshow(
            1e3 * piece["data_yx"],
            origin="lower",
            extent=(east, west, south, north),
            vmin=1e3 * low,
            vmax=1e3 * high,
            cmap="gray_r",
            interpolation="nearest",
        )
        arm = 0.08 * (north - south)
        for dx, dy in ((1, 0), (0, 1)):
            axes.plot([dx * arm, 2.2 * dx * arm], [dy * arm, 2.2 * dy * arm], color="#c1562b", lw=1.2)
        if piece["beam_arcmin"] is not None:
            major, minor, pa = piece["beam_arcmin"]
            place = (east - 0.12 * (north - south), south + 0.12 * (north - south))
            # East is to the left: the angle grows the same way as on paper from the vertical.
            axes.add_patch(Ellipse(place, minor, major, angle=-pa, fc="none", ec="#20507a", lw=1.0))
        axes.set_title(f"MJD {piece['mjd']:.2f}", fontsize=8)
        axes.tick_params(labelsize=7)
    for axes in list(grid.flat)[len(cutouts) :]:
        axes.set_visible(False)
    for axes in grid[-2][len(cutouts) - columns * (rows - 1) :] if rows > 1 else []:
        axes.tick_params(labelbottom=True)
    if drawn is not None:
        bar = figure.colorbar(drawn, ax=grid, shrink=0.8, pad=0.01)
        bar.set_label("mJy/beam", fontsize=8)
        bar.ax.tick_params(labelsize=7)
    figure.suptitle(title, fontsize=10)
    figure.supxlabel("offset east [arcmin]", fontsize=8)
    figure.supylabel("offset north [arcmin]", fontsize=8)
    return shown(figure)
