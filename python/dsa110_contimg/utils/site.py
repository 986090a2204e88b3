"""The array's site, and astropy's places and times in the core's terms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from astropy.coordinates import EarthLocation
    from astropy.time import Time

#: East longitude [degrees], geodetic latitude [degrees], height [m]: as the UVH5 headers carry them.
SITE_DEG = (-118.2817, 37.2314, 1222.0)
SECONDS_PER_DAY = 86400.0


def dsa110_location() -> EarthLocation:
    """The site as an astropy `EarthLocation`."""
    from astropy import units
    from astropy.coordinates import EarthLocation

    longitude, latitude, height = SITE_DEG
    return EarthLocation.from_geodetic(longitude * units.deg, latitude * units.deg, height * units.m)


def site_of(location: EarthLocation | None) -> tuple[float, float, float] | None:
    """East longitude [rad], latitude [rad], height [m] of a location; `None` (the array's site) stays `None`."""
    if location is None:
        return None
    geodetic = location.geodetic
    return float(geodetic.lon.rad), float(geodetic.lat.rad), float(geodetic.height.to_value("m"))


def mjd_s_of(time: Any) -> float:
    """UTC [MJD s] of an astropy `Time`, a `datetime`, an ISO string, or a number (MJD in days).

    Raises
    ------
    ValueError
        When it is no time.
    """
    from astropy.time import Time

    if isinstance(time, int | float):
        return float(time) * SECONDS_PER_DAY
    try:
        utc = (time if isinstance(time, Time) else Time(time, scale="utc")).utc
    except (ValueError, TypeError) as problem:
        raise ValueError(f"time: expected UTC as 2026-01-25T22:26:05 or an MJD [days], found {time!r}") from problem
    if utc.ndim:
        raise ValueError(f"time: expected one time, found {utc.size}")
    # Both parts keep their digits: whole days first.
    return float((utc.jd1 - 2400000.5) * SECONDS_PER_DAY + utc.jd2 * SECONDS_PER_DAY)


def time_of(mjd_s: float, location: EarthLocation | None = None) -> Time:
    """Astropy UTC `Time` (format ``mjd``) of `mjd_s` [MJD s], at `location` (the array's site when left out)."""
    from astropy.time import Time

    day, rest = divmod(float(mjd_s), SECONDS_PER_DAY)
    return Time(
        day,
        rest / SECONDS_PER_DAY,
        format="mjd",
        scale="utc",
        location=dsa110_location() if location is None else location,
    )
