"""Sidereal time, apparent directions and uvw against astropy, pyerfa and pyuvdata, with the same Earth orientation."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from dsa110_contimg._core import array, coords
from dsa110_contimg._core import time as clock

pytestmark = pytest.mark.oracle
pytest.importorskip("pyuvdata")
erfa = pytest.importorskip("erfa")

from astropy import units as u  # noqa: E402
from astropy.coordinates import AltAz, EarthLocation, HADec, SkyCoord  # noqa: E402
from astropy.time import Time  # noqa: E402
from astropy.utils import iers  # noqa: E402
from pyuvdata import utils as uvutils  # noqa: E402

SITE_DEG = (-118.2817, 37.2314, 1222.0)
DATES = ("2019-03-01T05:00:00", "2020-12-31T23:59:50", "2023-06-21T12:00:00", "2026-01-25T22:26:05")
DECS = (-30.0, 0.0, 16.0, 33.0, 54.0, 89.0, 89.9)
RAS = (0.0, 123.4, 359.99)
UAS = np.radians(1e-6 / 3600)


@pytest.fixture(autouse=True)
def _same_earth_orientation() -> Iterator[None]:
    """Astropy reads the IERS file that its data package ships, never the network."""
    from astropy_iers_data import IERS_A_FILE

    with (
        iers.conf.set_temp("auto_download", False),
        iers.conf.set_temp("auto_max_age", None),
        iers.earth_orientation_table.set(iers.IERS_A.open(IERS_A_FILE)),
    ):
        yield


@pytest.fixture
def location() -> EarthLocation:
    lon, lat, height = SITE_DEG
    return EarthLocation.from_geodetic(lon * u.deg, lat * u.deg, height * u.m)


def _grid() -> tuple[Time, np.ndarray, np.ndarray, np.ndarray]:
    """Every date with every direction: astropy times, our times, ra and dec in radians."""
    date, ra, dec = np.meshgrid(np.arange(len(DATES)), RAS, DECS, indexing="ij")
    time = Time([DATES[i] for i in date.ravel()], scale="utc")
    day = np.floor(time.utc.mjd)
    mjd_s = ((time.utc.jd1 - 2400000.5) + time.utc.jd2) * 86400.0
    assert np.all(np.abs(mjd_s / 86400 - day) < 1.01)
    return time, mjd_s, np.radians(ra.ravel()), np.radians(dec.ravel())


def _wrapped(angle: np.ndarray) -> np.ndarray:
    return (angle + np.pi) % (2 * np.pi) - np.pi


def test_earth_orientation() -> None:
    time, mjd_s, _, _ = _grid()
    x, y = iers.earth_orientation_table.get().pm_xy(time)
    for i in range(0, len(time), 21):
        dut1, x_rad, y_rad, leap = clock.earth_orientation(mjd_s[i])
        # The table holds 0.1 microseconds and microarcseconds.
        assert dut1 == pytest.approx(time[i].delta_ut1_utc, abs=2e-7)
        assert x_rad == pytest.approx(x[i].to_value("rad"), abs=2 * UAS)
        assert y_rad == pytest.approx(y[i].to_value("rad"), abs=2 * UAS)
        assert leap == 37


def test_sidereal_time(location: EarthLocation) -> None:
    time, mjd_s, _, _ = _grid()
    ours = coords.lst_rad(mjd_s)
    astropy = Time(time, location=location).sidereal_time("apparent").rad
    pyuvdata = uvutils.get_lst_for_time(time.jd, telescope_loc=location)
    # A time in MJD seconds is good to 1 microsecond, which is 15 microarcseconds; a JD to 40.
    assert np.abs(_wrapped(ours - astropy)).max() < 20 * UAS
    assert np.abs(_wrapped(ours - pyuvdata)).max() < 650 * UAS


def test_hour_angle_azimuth_and_back(location: EarthLocation) -> None:
    time, mjd_s, ra, dec = _grid()
    sky = SkyCoord(ra * u.rad, dec * u.rad, frame="icrs")
    theirs = sky.transform_to(HADec(obstime=time, location=location, pressure=0 * u.hPa))
    ha, app_dec = coords.icrs_to_hadec(mjd_s, ra, dec)
    # 20 microarcseconds is 0.25 micrometres on the longest baseline; the clock's last digit is most of it.
    assert np.abs(_wrapped(ha - theirs.ha.rad) * np.cos(app_dec)).max() < 20 * UAS
    assert np.abs(app_dec - theirs.dec.rad).max() < 20 * UAS
    altaz = sky.transform_to(AltAz(obstime=time, location=location, pressure=0 * u.hPa))
    az, el = coords.icrs_to_azel(mjd_s, ra, dec)
    assert np.abs(_wrapped(az - altaz.az.rad) * np.cos(el)).max() < 20 * UAS
    assert np.abs(el - altaz.alt.rad).max() < 20 * UAS
    back = SkyCoord(theirs).transform_to("icrs")
    ra2, dec2 = coords.hadec_to_icrs(mjd_s, ha, app_dec)
    assert np.abs(_wrapped(ra2 - back.ra.rad) * np.cos(dec)).max() < 20 * UAS
    assert np.abs(dec2 - back.dec.rad).max() < 20 * UAS
    ra3, dec3 = coords.azel_to_icrs(mjd_s, az, el)
    assert np.abs(_wrapped(ra3 - ra) * np.cos(dec)).max() < UAS
    assert np.abs(dec3 - dec).max() < UAS


def test_meridian_centres(location: EarthLocation) -> None:
    time, mjd_s, _, _ = _grid()
    for dec_deg in DECS:
        frame = HADec(
            ha=np.zeros(len(time)) * u.rad, dec=np.full(len(time), dec_deg) * u.deg, obstime=time, location=location
        )
        theirs = SkyCoord(frame).transform_to("icrs")
        ra, dec = coords.meridian_icrs(mjd_s, np.radians(dec_deg))
        assert np.abs(_wrapped(ra - theirs.ra.rad) * np.cos(dec)).max() < 20 * UAS
        assert np.abs(dec - theirs.dec.rad).max() < 20 * UAS


def _pyuvdata_uvw(
    time: Time, ra: np.ndarray, dec: np.ndarray, itrf: np.ndarray, location: EarthLocation
) -> tuple[np.ndarray, np.ndarray]:
    """uvw (t, a, 3) of antennas about the first one, and the frame position angle, as pyuvdata phases."""
    uvws, angles = [], []
    n_ant = len(itrf)
    for i in range(len(time)):
        jd = np.array([time[i].jd])
        app_ra, app_dec = uvutils.phasing.calc_app_coords(
            lon_coord=ra[i],
            lat_coord=dec[i],
            coord_frame="icrs",
            coord_type="sidereal",
            coord_epoch=2000.0,
            time_array=jd,
            telescope_loc=location,
        )
        frame_pa = uvutils.phasing.calc_frame_pos_angle(
            time_array=jd, app_ra=app_ra, app_dec=app_dec, telescope_loc=location, ref_frame="icrs", ref_epoch=2000.0
        )
        lst = uvutils.get_lst_for_time(jd, telescope_loc=location)
        uvw = uvutils.phasing.calc_uvw(
            app_ra=np.repeat(app_ra, n_ant),
            app_dec=np.repeat(app_dec, n_ant),
            frame_pa=np.repeat(frame_pa, n_ant),
            lst_array=np.repeat(lst, n_ant),
            use_ant_pos=True,
            antenna_positions=itrf - itrf[0],
            antenna_numbers=np.arange(n_ant),
            ant_1_array=np.zeros(n_ant, dtype=int),
            ant_2_array=np.arange(n_ant),
            telescope_lat=location.lat.rad,
            telescope_lon=location.lon.rad,
        )
        uvws.append(uvw)
        angles.append(frame_pa[0])
    return np.array(uvws), np.array(angles)


def _roll(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """Angle of each time by which our (u, v) must be turned to meet theirs (least squares)."""
    a, b = ours[..., 0] + 1j * ours[..., 1], theirs[..., 0] + 1j * theirs[..., 1]
    return np.angle(np.sum(b * a.conj(), axis=1))


def test_uvw(location: EarthLocation) -> None:
    time, mjd_s, ra, dec = _grid()
    itrf = array.antennas()["itrf_m"]
    ours = coords.antenna_uvw(mjd_s, itrf, ra, dec)
    theirs, frame_pa = _pyuvdata_uvw(time, ra, dec, itrf, location)
    # The JD that pyuvdata takes is good to 40 microseconds: 0.008 mm on the longest baseline.
    assert np.abs(ours[..., 2] - theirs[..., 2]).max() < 0.1e-3
    roll = _roll(ours, theirs)
    turned = (ours[..., 0] + 1j * ours[..., 1]) * np.exp(1j * roll)[:, None]
    assert np.abs(turned.real - theirs[..., 0]).max() < 1e-3
    assert np.abs(turned.imag - theirs[..., 1]).max() < 1e-3
    # The roll is a convention: pyuvdata measures north at the southern end of a chord of one degree, we at the centre.
    near = np.abs(dec) < np.radians(60)
    expected = np.radians(0.5) * np.sin(frame_pa) * np.tan(dec)
    # To third order in the half chord and first in aberration: 0.03 arcsec.
    assert np.abs(roll + expected)[near].max() < np.radians(0.05 / 3600)


def test_v_points_to_icrs_north(location: EarthLocation) -> None:
    """A source 10 arcsec north of the centre has l = 0 in our frame, by astropy's directions alone."""
    time, mjd_s, ra, dec = _grid()
    keep = dec < np.radians(89.95)
    time, mjd_s, ra, dec = time[keep], mjd_s[keep], ra[keep], dec[keep]
    step = np.radians(10 / 3600)
    bases = coords.uvw_basis(mjd_s, ra, dec)

    def itrf_direction(ra: np.ndarray, dec: np.ndarray) -> np.ndarray:
        frame = HADec(obstime=time, location=location, pressure=0 * u.hPa)
        seen = SkyCoord(ra * u.rad, dec * u.rad).transform_to(frame)
        lon, lat = location.lon.rad - seen.ha.rad, seen.dec.rad
        return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=-1)

    offset = np.einsum("tij,tj->ti", bases, itrf_direction(ra, dec + step))
    # Aberration stretches by at most 1e-4; the rest is astropy's rounding of 1e-15 rad over the step of 5e-5.
    assert np.abs(offset[:, 0] / step).max() < 1e-7
    assert np.abs(offset[:, 1] / np.sin(step) - 1).max() < 1.1e-4
    east = np.einsum("tij,tj->ti", bases, itrf_direction(ra + step / np.cos(dec), dec))
    assert np.all(east[:, 0] > 0.99 * step)


def test_apparent_offsets(location: EarthLocation) -> None:
    time, mjd_s, ra, dec = _grid()
    i = int(np.argmin(np.abs(dec - np.radians(54.0))))
    rng = np.random.default_rng(3)
    ra_s = ra[i] + rng.normal(0, 0.02, 50) / np.cos(dec[i])
    dec_s = dec[i] + rng.normal(0, 0.02, 50)
    lmn = coords.apparent_lmn(mjd_s[i], (ra[i], dec[i]), ra_s, dec_s)
    frame = HADec(obstime=time[i], location=location, pressure=0 * u.hPa)
    seen = SkyCoord(ra_s * u.rad, dec_s * u.rad).transform_to(frame)
    lon, lat = location.lon.rad - seen.ha.rad, seen.dec.rad
    direction = np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=-1)
    basis = coords.uvw_basis(mjd_s[i : i + 1], ra[i : i + 1], dec[i : i + 1])[0]
    expected = direction @ basis.T - [0, 0, 1]
    # As the directions: the clock's last digit.
    assert np.abs(lmn - expected).max() < 20 * UAS


def test_transit(location: EarthLocation) -> None:
    start = Time("2026-01-25T00:00:00", scale="utc")
    times = coords.transits(np.radians(130.0), start.mjd * 86400, 2, dec_rad=np.radians(55.57))
    time = Time(times / 86400, format="mjd", scale="utc", location=location)
    seen = SkyCoord(130.0 * u.deg, 55.57 * u.deg).transform_to(
        HADec(obstime=time, location=location, pressure=0 * u.hPa)
    )
    # A microsecond of time.
    assert np.abs(seen.ha.rad).max() < 20 * UAS
    mean = coords.transits(np.radians(130.0), start.mjd * 86400, 2)
    lst = Time(mean / 86400, format="mjd", scale="utc", location=location).sidereal_time("apparent")
    assert np.abs(_wrapped(lst.rad - np.radians(130.0))).max() < 20 * UAS
