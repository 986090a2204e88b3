"""Pointing of a time, and of a UVH5 file."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dsa110_contimg import DataError
from dsa110_contimg._core import coords, uvh5
from dsa110_contimg.utils.site import SECONDS_PER_DAY, mjd_s_of, site_of

if TYPE_CHECKING:
    from astropy.coordinates import EarthLocation
    from astropy.time import Time


@dataclass(frozen=True)
class Pointing:
    """The meridian at one moment.

    Attributes
    ----------
    mjd : float
        UTC [days].
    lst_deg : float
        Local apparent sidereal time [degrees], the right ascension of date of the meridian.
    app_dec_deg : float
        Declination of date [degrees]: the dishes' setting.
    ra_deg, dec_deg : float
        The same direction in ICRS [degrees].
    """

    mjd: float
    lst_deg: float
    app_dec_deg: float
    ra_deg: float
    dec_deg: float


def pointing_at(time: Time | str | float, dec_deg: float, *, location: EarthLocation | None = None) -> Pointing:
    """Where the array looks at a time.

    Parameters
    ----------
    time : Time, datetime, str or float
        UTC; a number is an MJD.
    dec_deg : float
        Declination of date [degrees].
    location : EarthLocation, optional
        The array's site when left out.

    Returns
    -------
    Pointing

    Raises
    ------
    ValueError
        A declination beyond the poles or a time outside 1972..2100.
    """
    return _pointing(mjd_s_of(time), math.radians(dec_deg), site_of(location))


def pointing_of_file(path: str | Path) -> Pointing:
    """Where the array looked at the middle of a UVH5 file.

    Parameters
    ----------
    path : path
        A UVH5 file of the correlator.

    Returns
    -------
    Pointing

    Raises
    ------
    DataError
        The file names no declination, or is no UVH5 file.
    """
    header: dict[str, Any] = uvh5.read_header(path)
    dec_rad = header["phase_center_dec_rad"]
    if dec_rad is None:
        raise DataError(f"{path}: expected a phase_center_dec in the header, found none")
    site = (math.radians(header["longitude_deg"]), math.radians(header["latitude_deg"]), header["altitude_m"])
    return _pointing(header["mid_mjd_s"], dec_rad, site)


def _pointing(time_mjd_s: float, dec_rad: float, site: tuple[float, float, float] | None) -> Pointing:
    if not abs(dec_rad) <= math.pi / 2:
        raise ValueError(f"dec_deg: expected a declination in [-90, 90], found {math.degrees(dec_rad)}")
    time = np.array([time_mjd_s])
    ra, dec = coords.meridian_icrs(time, dec_rad, site=site)
    return Pointing(
        mjd=time_mjd_s / SECONDS_PER_DAY,
        lst_deg=math.degrees(coords.lst_rad(time, site=site)[0]),
        app_dec_deg=math.degrees(dec_rad),
        ra_deg=math.degrees(ra[0]),
        dec_deg=math.degrees(dec[0]),
    )
