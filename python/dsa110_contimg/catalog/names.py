"""Names of sources."""

from __future__ import annotations

import math


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
