"""When a source crosses the meridian.

A transit is the moment when local apparent sidereal time equals the right ascension given. Catalogue positions are
of J2000, some 80 s of time away from those of date in the 2020s: give the declination too, and the apparent hour
angle of the ICRS direction is zero.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dsa110_contimg._core import coords
from dsa110_contimg.utils.site import dsa110_location, mjd_s_of, site_of, time_of

if TYPE_CHECKING:
    from astropy.coordinates import EarthLocation
    from astropy.time import Time

    DSA110_LOCATION: EarthLocation


def __getattr__(name: str) -> Any:
    # astropy is loaded only when somebody asks for the place itself.
    if name == "DSA110_LOCATION":
        globals()[name] = dsa110_location()
        return globals()[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def previous_transits(
    ra_deg: float,
    *,
    start_time: Time | str | float | None = None,
    n: int = 3,
    location: EarthLocation | None = None,
    dec_deg: float | None = None,
) -> list[Time]:
    """Upper transits at or before a time.

    Parameters
    ----------
    ra_deg : float
        Right ascension [degrees].
    start_time : Time, datetime, str or float, optional
        UTC; a number is an MJD; now when left out.
    n : int
        How many.
    location : EarthLocation, optional
        The array's site (`DSA110_LOCATION`) when left out.
    dec_deg : float, optional
        ICRS declination [degrees]; then `ra_deg` is ICRS too and precession is accounted for.

    Returns
    -------
    list of Time
        The latest first, UTC.

    Raises
    ------
    ValueError
        A right ascension that is not finite, a time outside 1972..2100, or a negative number of transits.
    """
    return _transits(ra_deg, start_time, n, location, dec_deg, previous=True)


def next_transits(
    ra_deg: float,
    *,
    start_time: Time | str | float | None = None,
    n: int = 3,
    location: EarthLocation | None = None,
    dec_deg: float | None = None,
) -> list[Time]:
    """Upper transits at or after a time, the earliest first; arguments as `previous_transits`."""
    return _transits(ra_deg, start_time, n, location, dec_deg, previous=False)


def next_transit_time(
    ra_deg: float,
    start_time_mjd: float,
    location: EarthLocation | None = None,
    *,
    dec_deg: float | None = None,
) -> Time:
    """The next upper transit at or after an MJD (UTC, days); other arguments as `previous_transits`."""
    return _transits(ra_deg, float(start_time_mjd), 1, location, dec_deg, previous=False)[0]


def _transits(
    ra_deg: float, start: Any, n: int, location: EarthLocation | None, dec_deg: float | None, *, previous: bool
) -> list[Time]:
    if n < 0:
        raise ValueError(f"n: expected a number of transits, found {n}")
    times = coords.transits(
        float(np.radians(ra_deg)),
        _now() if start is None else mjd_s_of(start),
        n,
        dec_rad=None if dec_deg is None else float(np.radians(dec_deg)),
        previous=previous,
        site=site_of(location),
    )
    return [time_of(time, location) for time in times]


def _now() -> float:
    from astropy.time import Time

    return mjd_s_of(Time.now())
