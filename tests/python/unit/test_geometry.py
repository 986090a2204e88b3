"""Angles, transits, pointing, antennas and the IERS commands, with astropy as witness where one is needed."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsa110_contimg import DataError
from dsa110_contimg._core import array, coords
from dsa110_contimg._core import time as clock
from dsa110_contimg.calibration import schedule
from dsa110_contimg.cli.app import main
from dsa110_contimg.pointing import pointing_at
from dsa110_contimg.utils.angles import wrap_0_360_deg, wrap_phase_deg
from dsa110_contimg.utils.site import mjd_s_of, time_of

MJD = 61065.93


@given(st.floats(-1e6, 1e6))
def test_wrapped_angles_are_in_range_and_congruent(angle: float) -> None:
    for wrap, low in ((wrap_phase_deg, -180.0), (wrap_0_360_deg, 0.0)):
        wrapped = wrap(angle)
        assert low <= wrapped < low + 360.0
        # Rounding of angles of 1e6 degrees, once for the sum and once for the remainder.
        turns = (angle - wrapped) / 360.0
        assert turns == pytest.approx(round(turns), abs=1e-9)


def test_wrapping_of_edges_arrays_and_nan() -> None:
    assert wrap_phase_deg(180.0) == -180.0
    assert wrap_phase_deg(-180.0) == -180.0
    assert wrap_0_360_deg(360.0) == 0.0
    assert wrap_0_360_deg(-1e-20) == 0.0
    assert wrap_phase_deg(-180.0 - 1e-20) == -180.0
    assert isinstance(wrap_phase_deg(3), float)
    np.testing.assert_array_equal(wrap_phase_deg(np.array([[190.0, -190.0]])), [[-170.0, 170.0]])
    assert np.isnan(wrap_phase_deg(np.nan))


def test_times_keep_their_microseconds() -> None:
    for mjd_s in (MJD * 86400.0, 5276114431.123456):
        assert mjd_s_of(time_of(mjd_s)) == pytest.approx(mjd_s, abs=1e-6)
    assert mjd_s_of("2026-01-25T00:00:00") == 61065 * 86400.0
    assert mjd_s_of(61065.5) == 61065.5 * 86400.0
    with pytest.raises(ValueError, match="one time"):
        mjd_s_of(["2026-01-25", "2026-01-26"])


@pytest.mark.parametrize("ra_deg", [0.0, 1e-9, 180.0, 359.999999])
def test_transits_are_when_sidereal_time_is_the_right_ascension(ra_deg: float) -> None:
    start = time_of(MJD * 86400)
    before = schedule.previous_transits(ra_deg, start_time=start, n=4)
    after = schedule.next_transits(ra_deg, start_time=start, n=4)
    assert len(before) == len(after) == 4
    assert all(a > b for a, b in pairwise(before))
    assert before[0] <= start <= after[0]
    for time in (*before, *after):
        lst_deg = np.degrees(coords.lst_rad(np.array([mjd_s_of(time)]))[0])
        # 10 microseconds of time.
        assert wrap_phase_deg(lst_deg - ra_deg) == pytest.approx(0, abs=4.2e-8)
    assert schedule.next_transit_time(ra_deg, MJD) == after[0]
    assert (after[0] - before[0]).to_value("s") == pytest.approx(86164.09, abs=0.1)


def test_transits_elsewhere_and_of_a_catalogue_position() -> None:
    from astropy import units as u
    from astropy.coordinates import EarthLocation

    greenwich = EarthLocation.from_geodetic(0 * u.deg, 51.5 * u.deg, 0 * u.m)
    there = schedule.next_transit_time(100.0, MJD, greenwich)
    here = schedule.next_transit_time(100.0, float(there.mjd), schedule.DSA110_LOCATION)
    # The sky needs 118.2817 / 15.041 hours to us.
    assert (here - there).to_value("h") == pytest.approx(118.2817 / 15.041067, abs=1e-3)
    of_date = schedule.next_transit_time(100.0, MJD)
    precessed = schedule.next_transit_time(100.0, MJD, dec_deg=30.0)
    # 26 years of precession in right ascension: 3.075 s + 1.336 s sin(ra) tan(dec) a year.
    expected = 26.07 * (3.075 + 1.336 * np.sin(np.radians(100)) * np.tan(np.radians(30)))
    assert (precessed - of_date).to_value("s") == pytest.approx(expected, abs=2.0)


def test_transits_refuse_nonsense() -> None:
    with pytest.raises(ValueError, match="number of transits"):
        schedule.previous_transits(1.0, start_time=MJD, n=-1)
    with pytest.raises(ValueError, match="finite"):
        schedule.previous_transits(np.nan, start_time=MJD)
    with pytest.raises(ValueError, match="1972"):
        schedule.next_transit_time(1.0, 1.0)
    assert schedule.previous_transits(1.0, start_time=MJD, n=0) == []
    with pytest.raises(AttributeError):
        _ = schedule.NO_SUCH_LOCATION


def test_pointing_is_the_meridian() -> None:
    pointing = pointing_at(MJD, 54.0)
    time = np.array([MJD * 86400.0])
    ha, dec = coords.icrs_to_hadec(time, np.radians([pointing.ra_deg]), np.radians([pointing.dec_deg]))
    assert np.degrees(ha[0]) == pytest.approx(0, abs=1e-11)
    assert np.degrees(dec[0]) == pytest.approx(54.0, abs=1e-11)
    assert pointing.app_dec_deg == 54.0
    # Of date and J2000 differ by precession only.
    assert abs(wrap_phase_deg(pointing.lst_deg - pointing.ra_deg)) < 0.6
    with pytest.raises(ValueError, match="dec_deg"):
        pointing_at(MJD, 91.0)


def test_frames_of_equal_times_are_shared_and_lengths_checked() -> None:
    time = np.full(1000, MJD * 86400.0)
    ra = np.radians(np.linspace(0, 359.99, 1000))
    dec = np.radians(np.linspace(-89.9, 89.9, 1000))
    back = coords.hadec_to_icrs(time, *coords.icrs_to_hadec(time, ra, dec))
    # 0.02 microarcseconds: rounding.
    assert np.abs((back[0] - ra + np.pi) % (2 * np.pi) - np.pi).max() * 1.0 < 1e-10
    assert np.abs(back[1] - dec).max() < 1e-13
    with pytest.raises(ValueError, match="1000 times"):
        coords.icrs_to_hadec(time, ra[1:], dec)
    with pytest.raises(TypeError, match="ra_rad"):
        coords.icrs_to_hadec(time, ra.astype(np.float32), dec)
    assert coords.lst_rad(np.array([])).shape == (0,)


def test_uvw_at_zenith_is_east_north_up() -> None:
    table = array.antennas(stations=[1, 51, 102, 103])
    time = np.array([MJD * 86400.0])
    ra, dec = coords.azel_to_icrs(time, np.zeros(1), np.full(1, np.pi / 2))
    uvw = coords.antenna_uvw(time, table["itrf_m"], ra, dec)[0]
    # East-west arm: station 51 lies east of station 1. The roll to ICRS north is 0.1 degree or so.
    assert uvw[1, 0] == pytest.approx(np.linalg.norm(uvw[1]), rel=1e-3)
    assert np.allclose(uvw[0], 0)


def test_reference_antennas() -> None:
    assert array.reference_ranking()[0] == 103
    assert array.reference_ranking(24, {103: 1.0})[0] == 24
    assert array.reference_ranking(None, {103: 1.0, 7: 0.0})[0] == 7


def test_an_antenna_list_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "antennas.csv"
    path.write_text("station,itrf_x_m,itrf_y_m,itrf_z_m,diameter_m\n2,1,2,3,5.5\nDSA-001,4,5,6,4.65\n")
    table = array.antennas(path)
    assert table["station"].tolist() == [1, 2]
    assert table["diameter_m"].tolist() == [4.65, 5.5]
    path.write_text("station,itrf_x_m\n1,2\n")
    with pytest.raises(DataError, match="itrf_y_m"):
        array.antennas(path)
    with pytest.raises(FileNotFoundError):
        array.antennas(tmp_path / "none.csv")


def _finals(path: Path, last_measured: int = 63000) -> Path:
    """A table in the columns of finals2000A, a hundred days long."""
    lines = []
    for mjd in range(last_measured - 80, last_measured + 20):
        flag = "I" if mjd <= last_measured else "P"
        line = f"{'26 1 1 '}{mjd:8.2f} {flag} {0.1:9.6f}{0:9.6f} {0.3:9.6f}{0:9.6f}".ljust(57)
        lines.append(f"{line}{flag}{-0.25:10.7f}{0:10.7f}".ljust(187))
    path.write_text("\n".join(lines) + "\n")
    return path


def _run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, object]]:
    code = main([*arguments, "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_iers_update_takes_effect_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = clock.iers_status()
    assert before["source"] == "table shipped with the package"
    code, report = _run(capsys, "iers", "update", str(_finals(tmp_path / "finals2000A.all")))
    assert (code, report["last_measured_mjd"], report["in_use"]) == (0, 63000, report["path"])
    assert clock.earth_orientation(62990.5 * 86400)[0] == -0.25
    code, report = _run(capsys, "iers", "status", "--date", "63100")
    assert (code, report["coverage"], report["days_outside"]) == (0, "outside", 81)
    assert report["dut1_error_ms"] > 100  # type: ignore[operator]
    older = _finals(tmp_path / "older.all", 62950)
    code, report = _run(capsys, "iers", "update", str(older))
    assert code == 1
    assert "63000" in str(report["error"])
    for text in ("", "<html>", "x" * 300):
        older.write_text(text)
        code, report = _run(capsys, "iers", "update", str(older))
        assert code == 1
        assert "older.all" in str(report["error"])
    assert clock.iers_status()["last_measured_mjd"] == 63000


def test_a_table_demanded_by_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONTIMG_IERS_FILE", str(_finals(tmp_path / "old.all", 59000)))
    assert clock.iers_status()["last_measured_mjd"] == 59000
    monkeypatch.setenv("CONTIMG_IERS_FILE", str(tmp_path / "none"))
    with pytest.raises(FileNotFoundError):
        coords.lst_rad(np.array([MJD * 86400.0]))


def test_dates_past_the_table_warn_once_a_call(caplog: pytest.LogCaptureFixture) -> None:
    last = clock.iers_status()["last_mjd"]
    times = (last + np.arange(1.0, 20.0)) * 86400.0
    with caplog.at_level("WARNING"):
        coords.lst_rad(times)
    assert len(caplog.records) == 1
    assert "UT1-UTC may be off by" in caplog.text
    coords.lst_rad(times)
    assert len(caplog.records) == 2


def test_transits_command(capsys: pytest.CaptureFixture[str]) -> None:
    code, report = _run(capsys, "transits", "123.4", "55", "--next", "--start", "2026-01-25", "-n", "2")
    assert code == 0
    mjds = [t["mjd"] for t in report["transits"]]  # type: ignore[attr-defined]
    expected = [t.mjd for t in schedule.next_transits(123.4, start_time="2026-01-25", n=2, dec_deg=55.0)]
    assert mjds == expected
    assert main(["transits", "1", "100"]) == 1
    assert "Dec in [-90, 90]" in capsys.readouterr().err
