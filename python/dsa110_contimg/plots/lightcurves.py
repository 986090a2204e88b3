"""Light curves on paper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dsa110_contimg.plots.figure import shown

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

_POINT, _LIMIT, _BASE, _EVENT = "#20507a", "#a0a8b0", "#3a8f5c", "#c1562b"
#: More bands than this are told by a colour bar, and their mean is drawn over them.
_FEW_BANDS = 6
#: Points of different bands within this time are one epoch [days].
_EPOCH_DAYS = 0.3


def plot_lightcurve(
    table: pd.DataFrame,
    *,
    title: str = "",
    baseline: float | None = None,
    baseline_epochs: int = 10,
    events: Sequence[Mapping[str, Any]] = (),
    detection_snr: float = 5.0,
    mjd: bool = True,
    grid: bool = True,
    yaxis_start: str = "auto",
    figsize: tuple[float, float] = (8.0, 4.0),
    unit: str = "mJy",
) -> Figure:
    """Draw one source's light curve.

    Parameters
    ----------
    table : pandas.DataFrame
        Columns ``mjd``, ``flux_jy``, ``flux_err_jy``; optionally ``freq_hz`` (one colour a frequency; of more than six bands the mean
        over them too). Points without a positive error are not drawn.
    baseline : float, optional
        Level drawn as a line [Jy]; the first `baseline_epochs` epochs are shaded.
    events : sequence of mapping
        ``mjd_start``, ``mjd_end``, ``depth`` of what is shaded as an event.
    detection_snr : float
        Points below are drawn open: forced fluxes, signed, not limits.
    mjd : bool
        Time axis in MJD; otherwise dates.
    yaxis_start : {'auto', '0'}
        Where the flux axis begins.

    Returns
    -------
    matplotlib.figure.Figure
        Not attached to any window; save it with ``figure.savefig``.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=figsize, layout="constrained")
    axes = figure.subplots()
    scale = {"mJy": 1e3, "Jy": 1.0}[unit]
    _shade(axes, table, baseline_epochs if baseline is not None else 0, events)
    table = table[(table["flux_err_jy"] > 0) & table["flux_jy"].notna()]
    bands = sorted(table["freq_hz"].dropna().unique()) if "freq_hz" in table else []
    if len(bands) > _FEW_BANDS:
        _many_bands(axes, table[table["freq_hz"].notna()], bands, scale)
    else:
        _points(axes, table, bands, scale, detection_snr)
    if baseline is not None:
        axes.axhline(scale * baseline, color=_BASE, lw=1.2, ls="--", label="baseline", zorder=1)
    axes.set_ylabel(f"peak flux density [{unit}/beam]")
    if yaxis_start == "0":
        axes.set_ylim(bottom=0.0)
    if mjd:
        axes.set_xlabel("MJD [days]")
        axes.ticklabel_format(axis="x", useOffset=False, style="plain")
    else:
        _dates(axes)
    if grid:
        axes.grid(alpha=0.25, lw=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title(title, loc="left", fontsize=11)
    handles, labels = axes.get_legend_handles_labels()
    if len(handles) > 1:
        unique = dict(zip(labels, handles, strict=True))
        figure.legend(
            unique.values(), unique.keys(), loc="outside lower center", frameon=False, fontsize=8, ncols=len(unique)
        )
    return shown(figure)


def _many_bands(axes: Any, table: pd.DataFrame, bands: Sequence[float], scale: float) -> None:
    """Points of every band, small and without error bars, and their mean at every epoch."""
    drawn = axes.scatter(
        table["mjd"],
        scale * table["flux_jy"],
        c=table["freq_hz"] / 1e6,
        cmap="viridis",
        s=5,
        alpha=0.35,
        lw=0,
        rasterized=True,
        zorder=2,
    )
    bar = axes.figure.colorbar(drawn, ax=axes, pad=0.01, label="frequency [MHz]")
    bar.solids.set_alpha(1.0)
    mean = _mean_of_bands(table)
    axes.errorbar(
        mean["mjd"],
        scale * mean["flux_jy"],
        scale * mean["flux_err_jy"],
        fmt="o",
        ms=2.5,
        lw=0.8,
        color="black",
        label=f"mean of {len(bands)} bands",
        zorder=3,
    )


def _mean_of_bands(table: pd.DataFrame) -> pd.DataFrame:
    """Weighted mean of the bands at every epoch, each brought to their common level first: which band is missing does not matter."""
    import numpy as np

    level = table.groupby("freq_hz")["flux_jy"].transform("median")
    common = float(level.median())
    factor = (common / level).where((level > 0) & (common > 0), 1.0)
    points = table.assign(y=table["flux_jy"] * factor, w=(table["flux_err_jy"] * factor) ** -2.0).sort_values("mjd")
    # A new epoch begins after a gap, as the tiles of a transit are minutes apart.
    points["epoch"] = np.cumsum(np.diff(points["mjd"], prepend=-np.inf) > _EPOCH_DAYS)
    points["wy"], points["wt"] = points["w"] * points["y"], points["w"] * points["mjd"]
    sums = points.groupby("epoch")[["w", "wy", "wt"]].sum()
    return sums.assign(mjd=sums["wt"] / sums["w"], flux_jy=sums["wy"] / sums["w"], flux_err_jy=sums["w"] ** -0.5)


def _points(axes: Any, table: pd.DataFrame, bands: Sequence[float], scale: float, detection_snr: float) -> None:
    import matplotlib as mpl

    groups = [(None, table)] if len(bands) < 2 else [(f, table[table["freq_hz"] == f]) for f in bands]
    colours = mpl.colormaps["viridis"]
    for i, (freq, part) in enumerate(groups):
        colour = _POINT if freq is None else colours(0.9 * i / max(len(groups) - 1, 1))
        seen = part["flux_jy"] >= detection_snr * part["flux_err_jy"]
        label = "measured" if freq is None else f"{freq / 1e6:.0f} MHz"
        for detected, face, name in ((True, colour, label), (False, "white", f"below {detection_snr:g} sigma")):
            rows = part[seen == detected]
            if len(rows):
                axes.errorbar(
                    rows["mjd"],
                    scale * rows["flux_jy"],
                    scale * rows["flux_err_jy"],
                    fmt="o",
                    ms=4,
                    lw=0.9,
                    color=colour if detected else _LIMIT,
                    mfc=face,
                    label=name,
                    zorder=3,
                )


def _shade(axes: Any, table: pd.DataFrame, epochs: int, events: Sequence[Mapping[str, Any]]) -> None:
    times = sorted(table["mjd"].dropna().unique())[:epochs]
    if times:
        axes.axvspan(times[0], times[-1], color=_BASE, alpha=0.10, lw=0, label="baseline epochs", zorder=0)
    for i, event in enumerate(events):
        depth = event.get("depth")
        name = "event" if depth is None else f"event, depth {100 * depth:.0f} %"
        label = name if i == 0 else None
        axes.axvspan(event["mjd_start"], event["mjd_end"], color=_EVENT, alpha=0.14, lw=0, label=label, zorder=0)


def _dates(axes: Any) -> None:
    from matplotlib.dates import num2date
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    # matplotlib counts days from 1970, which is MJD 40587.
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))

    def day(x: float, _position: int | None = None) -> str:
        return f"{num2date(x - 40587.0):%Y-%m-%d}"

    axes.xaxis.set_major_formatter(FuncFormatter(day))
    axes.set_xlabel("date (UTC)")


def plot_eta_v(
    table: pd.DataFrame, *, eta_cut: float, v_cut: float, figsize: tuple[float, float] = (5.5, 5.0)
) -> Figure:
    """Draw the plane of eta and V with the cuts.

    Parameters
    ----------
    table : pandas.DataFrame
        Columns ``eta`` and ``v``; optionally ``verdict``. Rows without a positive finite value of both are not drawn.
    eta_cut, v_cut : float
        Lines beyond which sources vary.
    """
    import numpy as np
    from matplotlib.figure import Figure

    figure = Figure(figsize=figsize, layout="constrained")
    axes = figure.subplots()
    drawn = table[(table["eta"] > 0) & (table["v"] > 0) & np.isfinite(table["eta"]) & np.isfinite(table["v"])]
    candidate = drawn["verdict"] == "candidate" if "verdict" in drawn else np.zeros(len(drawn), dtype=bool)
    axes.loglog(drawn["eta"][~candidate], drawn["v"][~candidate], ".", ms=4, color=_POINT, alpha=0.6)
    axes.loglog(drawn["eta"][candidate], drawn["v"][candidate], "o", ms=6, color=_EVENT, label="candidate")
    axes.axvline(eta_cut, color="0.5", lw=0.8, ls="--")
    axes.axhline(v_cut, color="0.5", lw=0.8, ls="--")
    # Those that stand out are in the corner: room for them.
    axes.margins(0.08)
    axes.set_xlabel("eta")
    axes.set_ylabel("V")
    axes.spines[["top", "right"]].set_visible(False)
    if bool(np.any(candidate)):
        axes.legend(frameon=False, fontsize=8)
    return shown(figure)


def plot_bands(
    table: pd.DataFrame,
    *,
    title: str = "",
    most: int = 8,
    events: Sequence[Mapping[str, Any]] = (),
    figsize: tuple[float, float] = (8.0, 5.0),
) -> Figure:
    """Draw light curves of the parts of the band, one panel each, as flux over the part's own level outside the events.

    Parameters
    ----------
    table : pandas.DataFrame
        Columns ``mjd``, ``freq_hz``, ``flux_jy``, ``flux_err_jy``.
    most : int
        Neighbouring parts are averaged down to at most so many panels.
    events : sequence of mapping
        ``mjd_start``, ``mjd_end`` of what is shaded.
    """
    import numpy as np
    from matplotlib.figure import Figure

    parts = np.sort(table["freq_hz"].dropna().unique())
    groups = np.array_split(parts, min(most, len(parts)))
    figure = Figure(figsize=figsize, layout="constrained")
    panels = figure.subplots(len(groups), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    for axes, group in zip(panels, groups[::-1], strict=True):
        rows = table[table["freq_hz"].isin(group) & (table["flux_err_jy"] > 0)].copy()
        level = rows["freq_hz"].map(_levels(rows, events))
        rows["r"], rows["w"] = rows["flux_jy"] / level, (level / rows["flux_err_jy"]) ** 2
        rows["rw"] = rows["r"] * rows["w"]
        sums = rows.groupby("mjd")[["rw", "w"]].sum()
        err = 1.0 / np.sqrt(sums["w"])
        axes.errorbar(sums.index, sums["rw"] / sums["w"], err, fmt="o", ms=3, lw=0.8, color=_POINT)
        axes.axhline(1.0, color=_BASE, lw=0.8, ls="--", zorder=0)
        for event in events:
            axes.axvspan(event["mjd_start"], event["mjd_end"], color=_EVENT, alpha=0.14, lw=0, zorder=0)
        # Beside the panel, where no point can be.
        axes.text(1.005, 0.5, f"{np.mean(group) / 1e6:.0f} MHz", transform=axes.transAxes, va="center", fontsize=7)
        axes.tick_params(labelsize=7)
        axes.spines[["top", "right"]].set_visible(False)
    panels[-1].ticklabel_format(axis="x", useOffset=False, style="plain")
    panels[-1].set_xlabel("MJD [days]")
    figure.supylabel("flux density over its level", fontsize=9)
    figure.suptitle(title, fontsize=10)
    return shown(figure)


def _levels(rows: pd.DataFrame, events: Sequence[Mapping[str, Any]]) -> pd.Series[Any]:
    """Median flux by frequency outside the events: a long dip draws the median of all points down."""
    outside = rows
    for event in events:
        outside = outside[(outside["mjd"] < event["mjd_start"]) | (outside["mjd"] > event["mjd_end"])]
    enough = outside["mjd"].nunique() >= 3
    return (outside if enough else rows).groupby("freq_hz")["flux_jy"].median()
