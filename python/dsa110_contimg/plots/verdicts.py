"""Flux scale and astrometry of an image against a catalogue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dsa110_contimg.plots.figure import INK, figure, png


def matches_png(matches: Sequence[Mapping[str, Any]], *, title: str = "") -> bytes:
    """Measured over catalogue flux, and offsets on the sky, of the matches of :func:`dsa110_contimg.qa.check_image`."""
    with figure(7.6, 3.4) as fig:
        flux, place = fig.subplots(1, 2)
        expected = [m["expected_jy"] for m in matches]
        flux.semilogx(expected, [m["measured_jy"] / m["expected_jy"] for m in matches], "o", ms=4, color=INK["data"])
        flux.axhline(1.0, color=INK["baseline"], lw=0.8)
        flux.set_xlabel("catalogue flux [Jy]")
        flux.set_ylabel("measured / catalogue")
        place.plot(
            [m["east_arcsec"] for m in matches], [m["north_arcsec"] for m in matches], "o", ms=4, color=INK["data"]
        )
        place.axhline(0.0, color=INK["baseline"], lw=0.8)
        place.axvline(0.0, color=INK["baseline"], lw=0.8)
        place.set_aspect("equal", adjustable="datalim")
        place.invert_xaxis()
        place.set_xlabel("offset east [arcsec]")
        place.set_ylabel("offset north [arcsec]")
        if title:
            fig.suptitle(title, fontsize=10)
        return png(fig)
