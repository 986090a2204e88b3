"""Declination against time."""

from __future__ import annotations

from collections.abc import Sequence

from dsa110_contimg.plots.figure import INK, figure, png


def timeline_png(mjd: Sequence[float], dec_deg: Sequence[float], jump_mjd: Sequence[float] = ()) -> bytes:
    """Draw the pointing's declination of date [degrees] at each observation [MJD days]; jumps are marked.

    Returns
    -------
    bytes
        PNG.
    """
    with figure(7.0, 3.0) as fig:
        axes = fig.subplots()
        axes.plot(list(mjd), list(dec_deg), ".", color=INK["data"], markersize=4, label="observation")
        for number, time in enumerate(jump_mjd):
            axes.axvline(time, color=INK["lens"], linewidth=0.8, label="change of strip" if number == 0 else None)
        axes.set_xlabel("MJD, UTC [days]")
        axes.set_ylabel("Declination of date [deg]")
        axes.set_title("Pointing")
        axes.ticklabel_format(useOffset=False)
        if len(mjd):
            axes.legend(loc="best")
        else:
            axes.text(0.5, 0.5, "no observations", ha="center", transform=axes.transAxes)
        return png(fig)
