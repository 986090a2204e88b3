"""Names of sources."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any


def source_name(ra_deg: float, dec_deg: float) -> str:
    """Name ``JHHMMSS+DDMMSS`` of a position, rounded to the second of time and of arc.

    Raises
    ------
    ValueError
        The position is not one.
    """
    if not (math.isfinite(ra_deg) and -90.0 <= dec_deg <= 90.0):
        raise ValueError(f"position: expected finite degrees with declination in -90..90, found ({ra_deg}, {dec_deg})")
    seconds = round((ra_deg % 360.0) * 240.0) % 86400
    arcsec = round(abs(dec_deg) * 3600.0)
    sign = "-" if dec_deg < 0 and arcsec > 0 else "+"
    hours, degrees = divmod(seconds, 3600), divmod(arcsec, 3600)
    return (
        f"J{hours[0]:02d}{hours[1] // 60:02d}{hours[1] % 60:02d}"
        f"{sign}{degrees[0]:02d}{degrees[1] // 60:02d}{degrees[1] % 60:02d}"
    )


def check_cone(ra_deg: float, dec_deg: float, radius_deg: float = 0.0) -> None:
    """Refuse what is no place on the sky: an empty answer would look like an empty sky.

    Raises
    ------
    ValueError
        Not finite, a declination beyond a pole, a negative radius.
    """
    if not (math.isfinite(ra_deg) and -90.0 <= dec_deg <= 90.0 and 0.0 <= radius_deg < math.inf):
        raise ValueError(
            f"cone: expected finite degrees, declination in -90..90 and a radius of 0 or more, found ({ra_deg}, {dec_deg}), {radius_deg}"
        )


def unique_names(given: Iterable[Any] | None, ra_deg: Iterable[float], dec_deg: Iterable[float]) -> list[str]:
    """One name a source of a whole catalogue: the given one, or where there is none `source_name`; the second of a name gets an
    ``a``, the third a ``b``, so that no two share a light curve."""
    made = [source_name(float(r), float(d)) for r, d in zip(ra_deg, dec_deg, strict=True)]
    names = made
    if given is not None:
        from pandas import isna

        plain = ["" if isna(g) else str(g).strip() for g in given]
        names = [g or m for g, m in zip(plain, made, strict=True)]
    seen: dict[str, int] = {}
    taken = set(names)
    out: list[str] = []
    for name in names:
        repeat = seen.get(name, -1) + 1
        new = name if repeat == 0 else f"{name}{_letters(repeat - 1)}"
        while repeat > 0 and new in taken:
            repeat += 1
            new = f"{name}{_letters(repeat - 1)}"
        seen[name] = repeat
        taken.add(new)
        out.append(new)
    return out


def _letters(k: int) -> str:
    text = ""
    while k >= 0:
        text = chr(ord("a") + k % 26) + text
        k = k // 26 - 1
    return text
