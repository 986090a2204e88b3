"""Small light curves for tables and reports."""

from __future__ import annotations

from collections.abc import Sequence

from dsa110_contimg.plots.figure import INK, figure, png


def light_curve_png(
    title: str,
    mjd: Sequence[float],
    flux_jy: Sequence[float],
    flux_err_jy: Sequence[float],
    *,
    baseline_epochs: int = 10,
    verdict: str = "steady",
    truth: tuple[Sequence[float], Sequence[float]] | None = None,
    size_in: tuple[float, float] = (3.6, 2.3),
) -> bytes:
    """Draw one light curve with its errors, the median of the baseline epochs and, if known, the injected truth.

    Parameters
    ----------
    title : str
        Title.
    mjd, flux_jy, flux_err_jy : sequence of float
        Epochs [MJD days], fluxes and errors [Jy].
    baseline_epochs : int
        Epochs shaded as the baseline.
    verdict : str
        Chooses the colour.
    truth : (mjd, flux_jy), optional
        Injected light curve.
    size_in : (float, float)
        Width and height [inches].

    Returns
    -------
    bytes
        PNG.
    """
    import numpy as np

    colour = {"candidate": INK["lens"], "variable": INK["flare"]}.get(verdict, INK["data"])
    times = np.asarray(mjd, dtype=float)
    flux = 1e3 * np.asarray(flux_jy, dtype=float)
    err = 1e3 * np.asarray(flux_err_jy, dtype=float)
    with figure(*size_in) as fig:
        axes = fig.add_subplot()
        axes.set_title(title, color=colour if verdict in ("candidate", "variable") else "black")
        axes.set_ylabel("flux [mJy]")
        if times.size:
            origin = np.floor(times[0])
            first = times[:baseline_epochs] - origin
            axes.axvspan(first[0] - 0.5, first[-1] + 0.5, color=INK["baseline"], alpha=0.08, lw=0)
            axes.axhline(float(np.median(flux[:baseline_epochs])), color=INK["baseline"], lw=1, ls="--")
            axes.errorbar(times - origin, flux, err, fmt="o", ms=3, lw=0.9, color=colour)
            if truth is not None:
                axes.plot(
                    np.asarray(truth[0]) - origin, 1e3 * np.asarray(truth[1]), color=INK["quiet"], lw=0.9, zorder=0
                )
            low, high = float(np.min(flux - err)), float(np.max(flux + err))
            # A quiet source should look quiet: at least +-15 % of the level is shown.
            level = float(np.median(flux))
            margin = 0.15 * abs(level)
            axes.set_ylim(min(low, level - margin) - 0.05 * margin, max(high, level + margin) + 0.05 * margin)
            axes.set_xlabel(f"MJD - {origin:.0f} [days]")
        return png(fig)
