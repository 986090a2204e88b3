"""Our Measurement Set read back by pyuvdata: what it finds is what the correlator's files hold."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from dsa110_contimg import _core
from support.uvh5_groups import START_JD, station_positions, write_group

pytestmark = pytest.mark.oracle

STATIONS = (1, 25, 70, 103, 110)
SUBBANDS, CHANNELS, TIMES = 3, 4, 2


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_group(
        tmp_path_factory.mktemp("group"), subbands=range(SUBBANDS), channels=CHANNELS, times=TIMES, stations=STATIONS
    )


@pytest.fixture
def offline_site(monkeypatch: pytest.MonkeyPatch) -> None:
    """Astropy would look the telescope's name up on the network."""
    coordinates = pytest.importorskip("astropy.coordinates")
    from astropy.coordinates.sites import SiteRegistry

    registry = SiteRegistry()
    place = coordinates.EarthLocation.from_geodetic(-118.2817, 37.2314, 1222.0)
    registry.add_site(["OVRO_MMA", "DSA_110"], place)
    monkeypatch.setattr(coordinates.EarthLocation, "_site_registry", registry, raising=False)


def read_back(path: Path) -> Any:
    pyuvdata = pytest.importorskip("pyuvdata")
    uv = pyuvdata.UVData()
    with warnings.catch_warnings():
        # It says that the telescope's place comes from its own list, and that uvw may have been rounded.
        warnings.simplefilter("ignore", UserWarning)
        uv.read_ms(str(path), ignore_single_chan=False)
    # Its own checks: shapes, types, uvw against antenna positions and phase centres.
    assert uv.check(check_extra=True, run_check_acceptability=True, strict_uvw_antpos_check=True)
    return uv


def stored(files: list[Path]) -> tuple[dict[tuple[int, int, int], np.ndarray], np.ndarray]:
    """Visibilities of (antenna numbers, integration) over all channels, ascending, as the files hold them."""
    blocks, freqs = [], []
    for name in files:
        with h5py.File(name) as file:
            blocks.append(file["Data/visdata"][:, 0])
            freqs.append(file["Header/freq_array"][0])
            ant1, ant2 = file["Header/ant_1_array"][:], file["Header/ant_2_array"][:]
            jd = file["Header/time_array"][:]
    freq = np.concatenate(freqs)
    order = np.argsort(freq)
    vis = np.concatenate(blocks, axis=1)[:, order]
    integration = np.searchsorted(np.unique(jd), jd)
    return {(int(a), int(b), int(t)): v for a, b, t, v in zip(ant1, ant2, integration, vis, strict=True)}, freq[order]


@pytest.mark.usefixtures("offline_site")
@pytest.mark.parametrize("telescope", ["OVRO_MMA", None])
@pytest.mark.parametrize("merged", [False, True])
def test_the_same_data(files: list[Path], tmp_path: Path, telescope: str | None, merged: bool) -> None:
    path = tmp_path / "x.ms"
    _core.ms.convert(files, path, expected_subbands=SUBBANDS, telescope_name=telescope, merge_spws=merged)
    uv = read_back(path)
    assert uv.telescope.name == (telescope or "DSA_110")
    expected, freq = stored(files)
    assert np.array_equal(np.unique(uv.freq_array), freq)
    assert np.all(uv.channel_width == 244140.625)
    assert list(uv.polarization_array) == [-5, -6]
    assert list(uv.telescope.antenna_names) == [str(n) for n in range(1, 118)]
    # Antenna positions are relative to the site's ITRF position.
    site = np.array([uv.telescope.location.x.value, uv.telescope.location.y.value, uv.telescope.location.z.value])
    # A double in ITRF metres holds a nanometre.
    np.testing.assert_allclose(uv.telescope.antenna_positions + site, station_positions(), atol=1e-6)
    assert not uv.flag_array.any()
    times = np.unique(uv.time_array)
    # Julian Dates hold 0.04 ms, and the MS's seconds of MJD 0.5 us.
    np.testing.assert_allclose(times, START_JD + (np.arange(TIMES) + 0.5) * 12.884901888 / 86400, atol=1e-9, rtol=0)
    columns = np.argsort(uv.freq_array)
    seen = set()
    for row in range(uv.Nblts):
        a, b = int(uv.ant_1_array[row]), int(uv.ant_2_array[row])
        t = int(np.searchsorted(times, uv.time_array[row]))
        key = (a, b, t) if (a, b, t) in expected else (b, a, t)
        # UVH5's own sense of a baseline comes back from the MS's conjugated one.
        wanted = expected[key] if key == (a, b, t) else expected[key].conj()
        if a == b:
            # pyuvdata takes the modulus of autocorrelations, in single precision.
            np.testing.assert_allclose(uv.data_array[row][columns], np.abs(wanted), rtol=1e-6)
        else:
            assert np.array_equal(uv.data_array[row][columns], wanted)
        seen.add(key)
    assert seen == set(expected)
    assert np.all(uv.nsample_array == 768.0)


@pytest.mark.usefixtures("offline_site")
@pytest.mark.parametrize("mode", ["per-integration", "shared"])
def test_uvw_are_pyuvdatas_own(files: list[Path], tmp_path: Path, mode: str) -> None:
    path = tmp_path / "x.ms"
    _core.ms.convert(files, path, expected_subbands=SUBBANDS, phase_center=mode, telescope_name="OVRO_MMA")
    uv = read_back(path)
    assert len(uv.phase_center_catalog) == (1 if mode == "shared" else TIMES)
    ours = uv.uvw_array.copy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that visibilities are left alone is what is wanted
        uv.set_uvws_from_antenna_positions(update_vis=False)
    # w: 0.1 mm as promised; u and v: 15 mm, for the roll of the frame is a convention to an arcsecond.
    assert np.abs(ours[:, 2] - uv.uvw_array[:, 2]).max() < 1e-4
    assert np.abs(ours[:, :2] - uv.uvw_array[:, :2]).max() < 15e-3
    # That these are not zeros, and of the array's size.
    assert np.abs(ours).max() > 500


@pytest.mark.usefixtures("offline_site")
def test_a_missing_subband_is_flagged_there_too(files: list[Path], tmp_path: Path) -> None:
    path = tmp_path / "x.ms"
    _core.ms.convert([files[0], files[2]], path, expected_subbands=SUBBANDS, telescope_name="OVRO_MMA")
    uv = read_back(path)
    assert uv.Nfreqs == SUBBANDS * CHANNELS
    whole = np.unique(uv.freq_array[uv.flag_array.all(axis=(0, 2))])
    with h5py.File(files[1]) as file:
        assert np.array_equal(whole, np.sort(file["Header/freq_array"][0]))
    assert uv.flag_array.mean() == pytest.approx(1 / SUBBANDS)
