"""pyuvdata and our reader agree on each other's files, and on the turn into the Measurement Set's convention."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dsa110_contimg import _core
from dsa110_contimg.conversion import open_uvh5

pytestmark = pytest.mark.oracle
pyuvdata = pytest.importorskip("pyuvdata")
h5py = pytest.importorskip("h5py")

HERA = Path(__file__).parents[2] / "data" / "hera"
PRODUCTS = {-5: "XX", -6: "YY", -7: "XY", -8: "YX"}


def load(path: Path) -> Any:
    """By pyuvdata, with its judgement of correlator files switched off."""
    uv = pyuvdata.UVData()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        uv.read(path, file_type="uvh5", run_check=False, run_check_acceptability=False, check_extra=False)
    return uv


def store(uv: Any, path: Path, **options: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        uv.write_uvh5(str(path), run_check=False, check_extra=False, run_check_acceptability=False, **options)


def assert_agree(uv: Any, path: Path) -> None:
    """Ours against pyuvdata's with every baseline turned to ant1 < ant2, conjugated as its write_ms does."""
    block = open_uvh5(path).read()
    header = open_uvh5(path).header
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        uv.conjugate_bls("ant1<ant2", use_enu=False)
    entry = {number: index for index, number in enumerate(header["antenna_numbers"])}
    times = (uv.time_array - 2400000.5) * 86400
    order = np.lexsort(([entry[n] for n in uv.ant_2_array], [entry[n] for n in uv.ant_1_array], times))
    ours = np.lexsort((block["antenna2"], block["antenna1"], block["time_mjd_s"]))
    assert len(ours) == uv.Nblts
    channels = np.argsort(uv.freq_array.ravel())
    shape = (uv.Nblts, uv.Nfreqs, uv.Npols)
    for column, product in enumerate(header["products"]):
        theirs = [PRODUCTS[code] for code in uv.polarization_array].index(product)
        vis = uv.data_array.reshape(shape)[order][:, channels, theirs].conj().astype(np.complex64)
        count = uv.nsample_array.reshape(shape)[order][:, channels, theirs]
        flag = uv.flag_array.reshape(shape)[order][:, channels, theirs] | (count == 0)
        np.testing.assert_array_equal(block["vis_rfp"][ours][:, :, column], vis)
        np.testing.assert_array_equal(block["weight_rfp"][ours][:, :, column], count)
        np.testing.assert_array_equal(block["flag_rfp"][ours][:, :, column], flag)
    np.testing.assert_array_equal(block["uvw_m"][ours], -uv.uvw_array[order])
    # A Julian Date in a double has steps of 0.04 ms.
    np.testing.assert_allclose(block["time_mjd_s"][ours], times[order], rtol=0, atol=5e-5)


@pytest.mark.parametrize("name", ["zen.2458432.34569.uvh5", "zen.2458661.23480.HH.uvh5"])
def test_real_files(name: str) -> None:
    path = HERA / name
    assert_agree(load(path), path)
    assert open_uvh5(path).header["fringe_stopped"] is False


@pytest.fixture
def simulated(tmp_path: Path) -> Path:
    """Our writer's file: 5 antennas of a table of 7, 4 products, 3 times, the correlator's descending channels."""
    dice = np.random.default_rng(2)
    pairs = np.array([(j, i) for i in (0, 1, 3, 4, 6) for j in (0, 1, 3, 4, 6) if j <= i])
    rows = 3 * len(pairs)
    shape = (rows, 8, 4)
    header = {
        "telescope_name": "OVRO_MMA", "instrument": "DSA", "object_name": "search", "history": "test",
        "latitude_deg": 37.2314, "longitude_deg": -118.2817, "altitude_m": 1222.0,
        "antenna_names": [str(i + 1) for i in range(7)], "antenna_numbers": np.arange(7),
        "antenna_position_m": dice.normal(size=(7, 3)) * 100, "antenna_diameter_m": np.full(7, 4.65),
        "phase_center_dec_rad": 0.3, "extra_keywords": {"seed": 4.0},
    }  # fmt: skip
    block = {
        "time_mjd_s": 5.2757e9 + 12.884901888 * np.repeat(np.arange(3), len(pairs)),
        "interval_s": np.full(rows, 12.884901888),
        "antenna1": np.tile(pairs[:, 0], 3), "antenna2": np.tile(pairs[:, 1], 3),
        "uvw_m": dice.normal(size=(rows, 3)), "freq_hz": 1.4e9 + 244140.625 * np.arange(8),
        "width_hz": np.full(8, 244140.625), "products": ["XX", "XY", "YX", "YY"],
        "vis_rfp": (dice.normal(size=shape) + 1j * dice.normal(size=shape)).astype(np.complex64),
        "weight_rfp": dice.integers(0, 5, shape).astype(np.float32), "flag_rfp": dice.random(shape) < 0.1,
    }  # fmt: skip
    path = tmp_path / "ours.hdf5"
    _core.uvh5.write(path, header, block)
    return path


def test_pyuvdata_reads_what_we_write(simulated: Path) -> None:
    uv = load(simulated)
    assert (uv.Nblts, uv.Nfreqs, uv.Npols, uv.Ntimes, uv.Nants_data) == (45, 8, 4, 3, 5)
    assert uv.telescope.name == "OVRO_MMA"
    assert uv.extra_keywords["phase_center_dec"] == 0.3
    assert_agree(uv, simulated)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"chunks": (10, 4, 2)},
        {"data_compression": "gzip", "flags_compression": "gzip", "nsample_compression": "gzip", "chunks": (9, 8, 1)},
        {"data_compression": "lzf"},
        {"data_write_dtype": np.dtype("c16")},
    ],
    ids=str,
)
def test_we_read_what_pyuvdata_writes_today(simulated: Path, tmp_path: Path, options: dict[str, Any]) -> None:
    """Without spectral-window axis, with a phase-centre catalogue; still fringe-stopped, as keywords say."""
    path = tmp_path / "theirs.uvh5"
    store(load(simulated), path, **options)
    header = open_uvh5(path).header
    assert header["phase_center_kinds"] == ["unprojected"]
    assert header["fringe_stopped"] is True
    assert_agree(load(path), path)


@pytest.mark.parametrize("order", ["baseline", "ant2"])
def test_other_row_orders_and_turned_baselines(simulated: Path, tmp_path: Path, order: str) -> None:
    uv = load(simulated)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        uv.reorder_blts(order=order, conj_convention="ant2<ant1", run_check=False)
    path = tmp_path / "theirs.uvh5"
    store(uv, path)
    assert (uv.ant_1_array > uv.ant_2_array).any()
    assert_agree(load(path), path)
    one, two = open_uvh5(simulated).read(), open_uvh5(path).read()
    sort = np.lexsort((one["antenna2"], one["antenna1"], one["time_mjd_s"]))
    np.testing.assert_array_equal(one["vis_rfp"][sort], two["vis_rfp"])
