"""Synthetic files against pyuvdata, and their visibilities against a direct sum on astropy's geometry."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dsa110_contimg import _core
from dsa110_contimg.simulation import Source, simulate_group

pytestmark = pytest.mark.oracle

STATIONS = [1, 31, 51, 80, 102, 108, 116]
SOURCES = [Source("A", 343.45, 16.3, 3.0, -0.6), Source("B", 342.7, 15.5, 1.0, 0.2)]


def test_pyuvdata_reads_the_files(tmp_path: Path) -> None:
    pyuvdata = pytest.importorskip("pyuvdata")
    made = simulate_group(tmp_path, sources=SOURCES, stations=STATIONS, integrations=2, subbands=(4,), channels=48)
    data = pyuvdata.UVData()
    data.read(
        made.files[0],
        file_type="uvh5",
        run_check=False,
        run_check_acceptability=False,
        strict_uvw_antpos_check=False,
        check_extra=False,
    )
    assert (data.Nbls, data.Ntimes, data.Nfreqs, data.Npols) == (28, 2, 48, 2)
    assert data.telescope.name == "OVRO_MMA"
    assert data.telescope.Nants == 117
    assert sorted(set(data.ant_1_array)) == [s - 1 for s in STATIONS]
    assert np.all(np.diff(data.freq_array) < 0)
    assert list(data.polarization_array) == [-5, -6]
    uvw = data.telescope.antenna_positions[data.ant_2_array] - data.telescope.antenna_positions[data.ant_1_array]
    # uvw is the baseline turned: float32 metres at up to 2 km.
    assert np.allclose(np.linalg.norm(uvw, axis=1), np.linalg.norm(data.uvw_array, axis=1), atol=5e-4)


@pytest.mark.parametrize(("dec_deg", "start"), [(16.15, "2026-01-25T22:26:05"), (71.0, "2025-06-03T08:12:40")])
def test_visibilities_equal_a_direct_sum_on_astropys_geometry(tmp_path: Path, dec_deg: float, start: str) -> None:
    pytest.importorskip("erfa")
    special = pytest.importorskip("scipy.special")
    from astropy import units as u
    from astropy.coordinates import EarthLocation, HADec, SkyCoord
    from astropy.time import Time
    from astropy.utils import iers

    site = EarthLocation.from_geodetic(-118.2817 * u.deg, 37.2314 * u.deg, 1222.0 * u.m)
    made = simulate_group(
        tmp_path / "empty", start=start, dec_deg=dec_deg, stations=STATIONS, integrations=1, subbands=(4,)
    )
    ra, dec = made.truth["pointing_ra_deg"], made.truth["pointing_dec_deg"]
    step = 0.4 / np.cos(np.radians(dec))
    sources = [Source("A", ra + step, dec + 0.3, 3.0, -0.6), Source("B", ra - 2 * step, dec - 0.5, 1.0, 0.2)]
    made = simulate_group(
        tmp_path / "two",
        start=start,
        dec_deg=dec_deg,
        sources=sources,
        stations=STATIONS,
        integrations=3,
        subbands=(4,),
        channels=12,
        smear=False,
    )
    block = _core.uvh5.read(made.files[0])
    table = _core.array.antennas(None, stations=STATIONS)
    position = dict(zip([int(s) - 1 for s in table["station"]], np.asarray(table["itrf_m"]), strict=True))
    longitude, delta = site.lon.rad, np.radians(dec_deg)
    w_axis = np.array([np.cos(delta) * np.cos(longitude), np.cos(delta) * np.sin(longitude), np.sin(delta)])
    freq = block["freq_hz"]
    worst = 0.0
    with iers.conf.set_temp("auto_download", False), iers.conf.set_temp("iers_degraded_accuracy", "warn"):
        for time in np.unique(block["time_mjd_s"]):
            when = Time(time / 86_400, format="mjd", scale="utc")
            sky = SkyCoord([s.ra_deg for s in sources] * u.deg, [s.dec_deg for s in sources] * u.deg)
            seen = sky.transform_to(HADec(obstime=when, location=site))
            ha, de = seen.ha.rad, seen.dec.rad
            direction = np.stack(
                [np.cos(de) * np.cos(longitude - ha), np.cos(de) * np.sin(longitude - ha), np.sin(de)], axis=1
            )
            for row in np.flatnonzero(block["time_mjd_s"] == time):
                baseline = position[int(block["antenna1"][row])] - position[int(block["antenna2"][row])]
                want = np.zeros(len(freq), complex)
                for source, s in zip(sources, direction, strict=True):
                    sin_theta = np.linalg.norm(np.cross(s, w_axis))
                    x = np.pi * 4.65 * sin_theta * freq / 299_792_458.0
                    flux = source.flux_jy * (freq / 1.4e9) ** source.alpha * (2 * special.j1(x) / x) ** 2
                    want += flux * np.exp(2j * np.pi * freq / 299_792_458.0 * (baseline @ (s - w_axis)))
                worst = max(worst, np.abs(block["vis_rfp"][row, :, 0] - want).max())
    # The simulator's stated agreement: 1e-4 of the peak (4 Jy).
    assert worst < 4e-4
