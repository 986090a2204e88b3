"""Flux scale and astrometry of an image against a catalogue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dsa110_contimg.plots.figure import INK, figure, png


def matches_png(matches: Sequence[Mapping[str, Any]], *, title: str = "") -> bytes:
    """Measured over catalogue flux, and offsets on the sky, of the matches of :func:`dsa110_contimg.qa.check_image`, with errors."""
    with figure(7.6, 3.4) as fig:
        flux, place = fig.subplots(1, 2)
        expected = [m["expected_jy"] for m in matches]
        style: dict[str, Any] = {"fmt": "o", "ms": 4, "color": INK["data"], "elinewidth": 0.6}
        errors = [m["noise_jy"] / m["expected_jy"] for m in matches]
        flux.errorbar(expected, [m["measured_jy"] / m["expected_jy"] for m in matches], yerr=errors, **style)
        flux.set_xscale("log")
        flux.axhline(1.0, color=INK["baseline"], lw=0.8)
        flux.set_xlabel("catalogue flux [Jy]")
        flux.set_ylabel("measured / catalogue")
        east, north = ([m[f"{axis}_arcsec"] for m in matches] for axis in ("east", "north"))
        wide, high = ([m[f"{axis}_error_arcsec"] for m in matches] for axis in ("east", "north"))
        place.errorbar(east, north, xerr=wide, yerr=high, **style)
        place.axhline(0.0, color=INK["baseline"], lw=0.8)
        place.axvline(0.0, color=INK["baseline"], lw=0.8)
        place.set_aspect("equal", adjustable="datalim")
        place.invert_xaxis()
        place.set_xlabel("offset east [arcsec]")
        place.set_ylabel("offset north [arcsec]")
        if title:
            fig.suptitle(title, fontsize=10)
        return png(fig)
