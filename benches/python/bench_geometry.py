"""Geometry against astropy and pyuvdata: apparent directions, and the uvw of one file (24 times, 4560 baselines).

Run ``python benches/python/bench_geometry.py``; prints CPU milliseconds, best of three. Needs the extra ``oracle``.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from astropy import units as u
from astropy.coordinates import EarthLocation, HADec, SkyCoord
from astropy.time import Time
from astropy.utils import iers
from pyuvdata import utils as uvutils

from dsa110_contimg._core import array, coords
from dsa110_contimg.utils.site import dsa110_location

N_DIRECTIONS = 100_000


def _cpu_ms(work: Callable[[], object]) -> float:
    best = float("inf")
    for _ in range(3):
        start = time.process_time()
        work()
        best = min(best, time.process_time() - start)
    return 1e3 * best


def _pyuvdata_uvw(times: Time, location: EarthLocation, itrf: np.ndarray, ra: float, dec: float) -> np.ndarray:
    i, j = np.triu_indices(len(itrf), 1)
    app_ra, app_dec = uvutils.phasing.calc_app_coords(
        lon_coord=ra, lat_coord=dec, coord_frame="icrs", coord_type="sidereal", coord_epoch=2000.0,
        time_array=times.jd, telescope_loc=location,
    )  # fmt: skip
    frame_pa = uvutils.phasing.calc_frame_pos_angle(
        time_array=times.jd, app_ra=app_ra, app_dec=app_dec, telescope_loc=location, ref_frame="icrs", ref_epoch=2000.0
    )
    lst = uvutils.get_lst_for_time(times.jd, telescope_loc=location)
    rows = len(i)
    return uvutils.phasing.calc_uvw(
        app_ra=np.repeat(app_ra, rows), app_dec=np.repeat(app_dec, rows), frame_pa=np.repeat(frame_pa, rows),
        lst_array=np.repeat(lst, rows), use_ant_pos=True, antenna_positions=itrf - itrf[0],
        antenna_numbers=np.arange(len(itrf)), ant_1_array=np.tile(i, len(times)), ant_2_array=np.tile(j, len(times)),
        telescope_lat=location.lat.rad, telescope_lon=location.lon.rad,
    )  # fmt: skip


def _our_uvw(mjd_s: np.ndarray, itrf: np.ndarray, ra: float, dec: float) -> np.ndarray:
    i, j = np.triu_indices(len(itrf), 1)
    antennas = coords.antenna_uvw(mjd_s, itrf, np.full(len(mjd_s), ra), np.full(len(mjd_s), dec))
    return antennas[:, i] - antennas[:, j]


def main() -> None:
    """Print the table."""
    iers.conf.auto_download = False
    iers.conf.auto_max_age = None
    location = dsa110_location()
    table = array.antennas()
    itrf = table["itrf_m"][table["active"]]
    mjd_s = 61065.935 * 86400 + 12.884901888 * np.arange(24)
    times = Time(mjd_s / 86400, format="mjd", scale="utc")
    rng = np.random.default_rng(1)
    ra, dec = rng.uniform(0, 6.28, N_DIRECTIONS), rng.uniform(-0.5, 1.5, N_DIRECTIONS)
    now = np.full(N_DIRECTIONS, mjd_s[0])
    sky = SkyCoord(ra * u.rad, dec * u.rad)
    frame = HADec(obstime=times[0], location=location, pressure=0 * u.hPa)
    rows = [
        (
            f"{N_DIRECTIONS} directions to HA, Dec",
            _cpu_ms(lambda: coords.icrs_to_hadec(now, ra, dec)),
            _cpu_ms(lambda: sky.transform_to(frame)),
            "astropy",
        ),
        (
            f"uvw of {len(itrf)} antennas, 24 times",
            _cpu_ms(lambda: _our_uvw(mjd_s, itrf, 1.0, 0.9)),
            _cpu_ms(lambda: _pyuvdata_uvw(times, location, itrf, 1.0, 0.9)),
            "pyuvdata",
        ),
    ]
    print(f"{'':34s}{'ours [ms]':>12s}{'peer [ms]':>12s}")
    for name, ours, peer, whose in rows:
        print(f"{name:34s}{ours:12.1f}{peer:12.1f}  {whose} ({peer / ours:.0f} times ours)")


if __name__ == "__main__":
    main()
