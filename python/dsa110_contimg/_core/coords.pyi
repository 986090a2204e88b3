import numpy as np
from numpy.typing import NDArray

_F8 = NDArray[np.float64]
_Site = tuple[float, float, float]

def lst_rad(time_mjd_s: _F8, *, site: _Site | None = None) -> _F8: ...
def icrs_to_hadec(
    time_mjd_s: _F8, ra_rad: _F8, dec_rad: _F8, *, site: _Site | None = None
) -> tuple[_F8, _F8]: ...
def hadec_to_icrs(
    time_mjd_s: _F8, ha_rad: _F8, dec_rad: _F8, *, site: _Site | None = None
) -> tuple[_F8, _F8]: ...
def icrs_to_azel(
    time_mjd_s: _F8, ra_rad: _F8, dec_rad: _F8, *, site: _Site | None = None
) -> tuple[_F8, _F8]: ...
def azel_to_icrs(
    time_mjd_s: _F8, az_rad: _F8, el_rad: _F8, *, site: _Site | None = None
) -> tuple[_F8, _F8]: ...
def icrs_to_apparent(
    time_mjd_s: _F8, ra_rad: _F8, dec_rad: _F8, *, site: _Site | None = None
) -> tuple[_F8, _F8]: ...
def meridian_icrs(time_mjd_s: _F8, dec_rad: float, *, site: _Site | None = None) -> tuple[_F8, _F8]: ...
def uvw_basis(time_mjd_s: _F8, ra_rad: _F8, dec_rad: _F8, *, site: _Site | None = None) -> _F8: ...
def antenna_uvw(
    time_mjd_s: _F8, itrf_m: _F8, ra_rad: _F8, dec_rad: _F8, *, site: _Site | None = None
) -> _F8: ...
def apparent_lmn(
    time_mjd_s: float,
    centre_rad: tuple[float, float],
    ra_rad: _F8,
    dec_rad: _F8,
    *,
    site: _Site | None = None,
) -> _F8: ...
def transits(
    ra_rad: float,
    start_mjd_s: float,
    count: int,
    *,
    dec_rad: float | None = None,
    previous: bool = False,
    site: _Site | None = None,
) -> _F8: ...
