"""Reading UVH5: the correlator's layout and its quirks as h5py writes them, and files that are damaged or hostile."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from dsa110_contimg import DataError, _core
from dsa110_contimg.conversion import classify_groups, open_uvh5

TIMES = 3
NUMBERS = [0, 1, 2, 100, 114]
CHANNELS = 6
JD0 = 2461066.435
STEP_D = 12.884901888 / 86400
TOP_HZ = 1530e6 - (1024 + 3.5) * 250e6 / 8192
WIDTH_HZ = 244140.625
PRODUCTS = {-5: "XX", -6: "YY", -7: "XY", -8: "YX"}

Edit = Callable[[h5py.File], None]


def make(
    path: Path, edit: Edit | None = None, *, subband: int = 0, codes: tuple[int, ...] = (-5, -6)
) -> dict[str, Any]:
    """A small file in the correlator's layout: descending channels, int64 indices, float32 uvw, growing and chunked."""
    dice = np.random.default_rng(subband + 1)
    pairs = [(j, i) for i in NUMBERS for j in NUMBERS if j <= i]
    pairs = [
        (b, a) if 100 in (a, b) and a != b else (a, b) for a, b in pairs
    ]  # station 101 is stored the other way round
    rows = TIMES * len(pairs)
    shape = (rows, 1, CHANNELS, len(codes))
    truth = {
        "ant1": np.tile([a for a, _ in pairs], TIMES),
        "ant2": np.tile([b for _, b in pairs], TIMES),
        "vis": (dice.normal(size=shape) + 1j * dice.normal(size=shape)).astype(np.complex64),
        "count": dice.integers(1, 97, size=shape).astype(np.float32),
        "uvw": dice.normal(size=(rows, 3)).astype(np.float32),
        "jd": np.repeat(JD0 + STEP_D * np.arange(TIMES), len(pairs)),
        "freq": TOP_HZ - WIDTH_HZ * (48 * subband + np.arange(CHANNELS)),
    }
    with h5py.File(path, "w") as file:
        header = file.create_group("Header")
        for key, value in {
            "latitude": 37.2314, "longitude": -118.2817, "altitude": 1222.0, "telescope_name": np.bytes_("OVRO_MMA"),
            "instrument": np.bytes_("DSA"), "object_name": np.bytes_("search"), "history": np.bytes_("test"),
            "phase_type": np.bytes_("drift"), "Nants_data": len(NUMBERS), "Nants_telescope": 117, "Nbls": len(pairs),
            "Nblts": rows, "Ntimes": TIMES, "Nfreqs": CHANNELS, "Npols": len(codes), "Nspws": 1,
            "antenna_diameters": np.full(117, 4.65), "antenna_numbers": np.arange(117),
            "antenna_names": np.array([str(i + 1) for i in range(117)], "S4"), "antenna_positions": np.ones((117, 3)),
            "freq_array": truth["freq"][None], "channel_width": -WIDTH_HZ, "spw_array": [1],
            "polarization_array": codes,
        }.items():  # fmt: skip
            header[key] = value
        for key, value in {"ant_1_array": truth["ant1"], "ant_2_array": truth["ant2"], "uvw_array": truth["uvw"],
                           "time_array": truth["jd"], "integration_time": np.full(rows, 12.8849)}.items():  # fmt: skip
            header.create_dataset(key, data=value, maxshape=(None, *value.shape[1:]), chunks=True)
        extra = header.create_group("extra_keywords")
        extra["phase_center_dec"] = 0.5
        extra["ha_phase_center"] = 0.0
        extra["phase_center_epoch"] = "HADEC"
        extra["applied_delays_ns"] = np.bytes_(" ".join(["15000 0"] * 117))
        data = file.create_group("Data")
        growing = {"maxshape": (None, *shape[1:])}
        data.create_dataset("visdata", data=truth["vis"], chunks=(16, 1, 4, 1), **growing)
        data.create_dataset("flags", data=np.zeros(shape, bool), chunks=(32, 1, 4, 1), **growing)
        data.create_dataset("nsamples", data=truth["count"], chunks=(32, 1, 3, 1), **growing)
        if edit is not None:
            edit(file)
    return truth


def expected(truth: dict[str, Any], codes: tuple[int, ...] = (-5, -6)) -> dict[str, np.ndarray]:
    """The crate's convention from the file's, row by row."""
    order = [PRODUCTS[code] for code in codes]
    target = sorted(order, key=["XX", "XY", "YX", "YY"].index)
    swap = truth["ant1"] > truth["ant2"]
    vis = truth["vis"][:, 0, ::-1]
    out = np.empty_like(vis)
    for to, product in enumerate(target):
        out[~swap, :, to] = vis[~swap][:, :, order.index(product)].conj()
        out[swap, :, to] = vis[swap][:, :, order.index(product[::-1])]
    sign = np.where(swap, 1.0, -1.0)[:, None]
    return {
        "vis": out,
        "uvw": sign * truth["uvw"].astype(float),
        "a": np.minimum(truth["ant1"], truth["ant2"]),
        "b": np.maximum(truth["ant1"], truth["ant2"]),
    }


@pytest.mark.parametrize("codes", [(-5, -6), (-5, -7, -8, -6), (-5, -6, -7, -8)])
def test_the_correlators_layout_comes_into_our_convention(tmp_path: Path, codes: tuple[int, ...]) -> None:
    truth = make(tmp_path / "x.hdf5", codes=codes)
    block = open_uvh5(tmp_path / "x.hdf5").read()
    want = expected(truth, codes)
    np.testing.assert_array_equal(block["vis_rfp"], want["vis"])
    np.testing.assert_array_equal(block["uvw_m"], want["uvw"])
    np.testing.assert_array_equal(block["antenna1"], want["a"])
    np.testing.assert_array_equal(block["antenna2"], want["b"])
    np.testing.assert_array_equal(block["freq_hz"], truth["freq"][::-1])
    np.testing.assert_array_equal(block["width_hz"], WIDTH_HZ)
    assert not block["flag_rfp"].any()
    # A Julian Date in a double has steps of 0.04 ms.
    np.testing.assert_allclose(block["time_mjd_s"], (truth["jd"] - 2400000.5) * 86400, rtol=0, atol=5e-5)
    assert block["products"] == sorted((PRODUCTS[c] for c in codes), key=["XX", "XY", "YX", "YY"].index)


def test_the_header_says_what_the_file_says(tmp_path: Path) -> None:
    make(tmp_path / "x.hdf5", subband=5)
    header = open_uvh5(tmp_path / "x.hdf5").header
    assert (header["telescope_name"], header["instrument"], header["subband"]) == ("OVRO_MMA", "DSA", 5)
    assert (header["rows"], header["times"], header["baselines"]) == (45, 3, 15)
    assert header["fringe_stopped"] is True
    assert header["phase_center_dec_rad"] == 0.5
    assert header["phase_center_epoch"] == "HADEC"
    assert header["applied_delays_ns"] == [[15000, 0]] * 117
    assert header["placeholder"] is None
    middle = (JD0 + STEP_D - 2400000.5) * 86400
    assert header["mid_mjd_s"] == pytest.approx(middle, abs=1e-4)


def rechunk(**options: Any) -> Edit:
    """Store the data again in another way."""

    def edit(file: h5py.File) -> None:
        squeeze = options.pop("squeeze", False)
        for name in ("visdata", "flags", "nsamples"):
            values = file["Data"][name][()]
            del file["Data"][name]
            values = values[:, 0] if squeeze else values
            own = {key: value for key, value in options.items() if not (key == "chunks" and value is None)}
            file["Data"].create_dataset(name, data=values, **own)
        if squeeze:
            freq = file["Header/freq_array"][0]
            del file["Header/freq_array"]
            file["Header/freq_array"] = freq

    return edit


@pytest.mark.parametrize(
    "options",
    [
        {"chunks": None},
        {"chunks": None, "squeeze": True},
        {"chunks": True, "compression": "gzip"},
        {"chunks": True, "compression": "gzip", "shuffle": True},
        {"chunks": (7, 1, 5, 2), "compression": "lzf", "shuffle": True},
        {"chunks": (45, 6, 2), "squeeze": True, "compression": "lzf"},
        {"chunks": (10, 1, 6, 1), "fletcher32": True},
        {"chunks": (10, 1, 6, 1), "fletcher32": True, "compression": "gzip"},
        {"chunks": (10, 1, 6, 1), "maxshape": (None, None, None, None)},
    ],
    ids=str,
)
def test_every_way_of_storing_reads_the_same(tmp_path: Path, options: dict[str, Any]) -> None:
    make(tmp_path / "a.hdf5")
    make(tmp_path / "b.hdf5", rechunk(**options))
    one, two = (open_uvh5(tmp_path / name).read() for name in ("a.hdf5", "b.hdf5"))
    for key, value in one.items():
        np.testing.assert_array_equal(value, two[key], err_msg=key)


@pytest.mark.parametrize(("kind", "exact"), [("<c16", True), (">c8", True), ("fixed", False)])
def test_other_number_types(tmp_path: Path, kind: str, exact: bool) -> None:
    def edit(file: h5py.File) -> None:
        values = file["Data/visdata"][()]
        del file["Data/visdata"]
        if kind == "fixed":
            whole = np.zeros(values.shape, [("r", "<i4"), ("i", "<i4")])
            whole["r"], whole["i"] = np.round(1000 * values.real), np.round(1000 * values.imag)
            file["Data/visdata"] = whole
        else:
            file["Data/visdata"] = values.astype(kind)

    truth = make(tmp_path / "x.hdf5", edit)
    found = open_uvh5(tmp_path / "x.hdf5").read()["vis_rfp"]
    want = expected(truth)["vis"]
    if exact:
        np.testing.assert_array_equal(found, want)
    else:
        # Parts are rounded to whole numbers.
        np.testing.assert_allclose(found, 1000 * want, rtol=0, atol=0.75)


def test_rows_in_any_order_come_out_time_major(tmp_path: Path) -> None:
    """The rows of a file shuffled: the same visibilities for the same time and baseline, in one order at every time."""
    order = np.random.default_rng(5).permutation(45)

    def edit(file: h5py.File) -> None:
        for name in ("ant_1_array", "ant_2_array", "uvw_array", "time_array"):
            file["Header"][name][...] = file["Header"][name][()][order]
        for name in ("visdata", "nsamples"):
            file["Data"][name][...] = file["Data"][name][()][order]

    make(tmp_path / "a.hdf5")
    make(tmp_path / "b.hdf5", edit)
    one, two = (open_uvh5(tmp_path / name).read() for name in ("a.hdf5", "b.hdf5"))
    sort = np.lexsort((one["antenna2"], one["antenna1"], one["time_mjd_s"]))
    for key in ("time_mjd_s", "antenna1", "antenna2", "uvw_m", "vis_rfp", "weight_rfp"):
        np.testing.assert_array_equal(one[key][sort], two[key], err_msg=key)
    part = open_uvh5(tmp_path / "b.hdf5").read(times=(1, 3), channels=(2, 5), antennas=[0, 2, 114], autos=False)
    assert part["vis_rfp"].shape == (6, 3, 2)
    for row in range(6):
        same = (two["antenna1"] == part["antenna1"][row]) & (two["antenna2"] == part["antenna2"][row])
        same &= two["time_mjd_s"] == part["time_mjd_s"][row]
        np.testing.assert_array_equal(two["vis_rfp"][same][0, 2:5], part["vis_rfp"][row])


def test_flags_samples_and_unwritten_chunks(tmp_path: Path) -> None:
    def edit(file: h5py.File) -> None:
        file["Data/flags"][4, 0, 5, 1] = True
        file["Data/nsamples"][5, 0, 5, 0] = 0
        file["Data/visdata"][6, 0, 5, 0] = np.nan
        values = file["Data/visdata"][()]
        del file["Data/visdata"]
        new = file["Data"].create_dataset("visdata", values.shape, np.complex64, chunks=(15, 1, 6, 2))
        new[:30] = values[:30]

    make(tmp_path / "x.hdf5", edit)
    block = open_uvh5(tmp_path / "x.hdf5").read()
    flagged = np.zeros((45, 6, 2), bool)
    flagged[4, 0, 1] = flagged[5, 0, 0] = flagged[6, 0, 0] = True
    flagged[30:] = True  # never written
    np.testing.assert_array_equal(block["flag_rfp"], flagged)
    assert block["weight_rfp"][5, 0, 0] == 0
    assert np.isfinite(block["vis_rfp"]).all()
    assert not block["vis_rfp"][30:].any()


def put(name: str, value: Any) -> Edit:
    def edit(file: h5py.File) -> None:
        if name in file:
            del file[name]
        if value is not None:
            file[name] = value

    return edit


def old_integration_time(file: h5py.File) -> None:
    file["Header/integration_time"][...] = 0.134217728


@pytest.mark.parametrize(
    ("edit", "stopped"),
    [
        (put("Header/extra_keywords/ha_phase_center", None), True),  # instrument DSA
        (put("Header/extra_keywords/phase_center_epoch", 2000), True),
        (put("Header/instrument", np.bytes_("HERA")), True),  # has ha_phase_center
        (put("Header/phase_type", np.bytes_("phased")), None),
        (put("Header/extra_keywords/ha_phase_center", 0.2), None),
    ],
)
def test_fringe_stopped_or_not(tmp_path: Path, edit: Edit, stopped: bool | None) -> None:
    make(tmp_path / "x.hdf5", edit)
    header = open_uvh5(tmp_path / "x.hdf5").header
    assert header["fringe_stopped"] is stopped
    assert (header["fringe_stopped_reason"] is None) == (stopped is not None)


def test_plain_drift_and_unprojected_data_are_not_fringe_stopped(tmp_path: Path) -> None:
    def drift(file: h5py.File) -> None:
        del file["Header/extra_keywords/ha_phase_center"]
        put("Header/instrument", np.bytes_("HERA"))(file)

    def unprojected(file: h5py.File) -> None:
        drift(file)
        del file["Header/phase_type"]
        file["Header/phase_center_catalog/0/cat_type"] = np.bytes_("unprojected")
        file["Header/phase_center_catalog/0/cat_epoch"] = h5py.Empty("f")

    for name, edit in (("drift", drift), ("unprojected", unprojected)):
        make(tmp_path / name, edit)
        assert open_uvh5(tmp_path / name).header["fringe_stopped"] is False


def test_an_integration_time_of_one_raw_sample_is_not_believed(tmp_path: Path) -> None:
    make(tmp_path / "x.hdf5", old_integration_time)
    interval = open_uvh5(tmp_path / "x.hdf5").read()["interval_s"]
    np.testing.assert_allclose(interval, 12.884901888, atol=1e-4)  # a difference of Julian Dates


def test_a_placeholder_is_recognised(tmp_path: Path) -> None:
    def edit(file: h5py.File) -> None:
        file["Header/extra_keywords/IS_PLACEHOLDER"] = np.bytes_("True")
        file["Header/extra_keywords/PLACEHOLDER_REASON"] = np.bytes_("missing")

    make(tmp_path / "x.hdf5", edit)
    assert open_uvh5(tmp_path / "x.hdf5").header["placeholder"] == "missing"


def external_link(file: h5py.File) -> None:
    del file["Data/visdata"]
    file["Data/visdata"] = h5py.ExternalLink("/etc/hostname", "/x")


def soft_link(file: h5py.File) -> None:
    file.move("Data/visdata", "elsewhere")
    file["Data/visdata"] = h5py.SoftLink("/elsewhere")


def external_storage(file: h5py.File) -> None:
    del file["Data/visdata"]
    shape = (45, 1, CHANNELS, 2)
    file["Data"].create_dataset("visdata", shape, np.complex64, external=[("/etc/passwd", 0, h5py.h5f.UNLIMITED)])


def virtual(file: h5py.File) -> None:
    del file["Data/visdata"]
    layout = h5py.VirtualLayout((45, 1, CHANNELS, 2), np.complex64)
    layout[:] = h5py.VirtualSource("other.hdf5", "x", (45, 1, CHANNELS, 2))
    file["Data"].create_virtual_dataset("visdata", layout)


def huge(file: h5py.File) -> None:
    del file["Data/visdata"]
    shape = (1 << 40, 1, CHANNELS, 2)
    file["Data"].create_dataset("visdata", shape, np.complex64, chunks=(1024, 1, CHANNELS, 2))


def huge_index(file: h5py.File) -> None:
    put("Header/Nblts", 1 << 30)(file)
    del file["Header/time_array"]
    file["Header"].create_dataset("time_array", (1 << 30,), "f8", chunks=(1024,))


def foreign_filter(file: h5py.File) -> None:
    """A dataset that claims filter 32008 (bitshuffle), which this library does not have and must not load."""
    del file["Data/visdata"]
    create = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    create.set_chunk((45, 1, CHANNELS, 2))
    create.set_filter(32008, h5py.h5z.FLAG_OPTIONAL)
    space = h5py.h5s.create_simple((45, 1, CHANNELS, 2))
    kind = h5py.h5t.py_create(np.dtype(np.complex64))
    h5py.h5d.create(file["Data"].id, b"visdata", kind, space, create)


def nan_time(file: h5py.File) -> None:
    file["Header/time_array"][7] = np.nan


def negative_time(file: h5py.File) -> None:
    file["Header/time_array"][...] = -1.0


def unknown_antenna(file: h5py.File) -> None:
    file["Header/ant_2_array"][3] = 117


def twice(file: h5py.File) -> None:
    file["Header/ant_1_array"][1] = file["Header/ant_1_array"][2]
    file["Header/ant_2_array"][1] = file["Header/ant_2_array"][2]


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (put("Header", None), ["Header", "missing"]),
        (put("Data", None), ["Data", "missing"]),
        (put("Data/visdata", None), ["Data/visdata", "missing"]),
        (put("Header/ant_1_array", None), ["Header/ant_1_array", "missing"]),
        (put("Header/freq_array", None), ["Header/freq_array", "missing"]),
        (external_link, ["Data/visdata", "points elsewhere"]),
        (soft_link, ["Data/visdata", "points elsewhere"]),
        (external_storage, ["Data/visdata", "external storage"]),
        (virtual, ["Data/visdata", "virtual"]),
        (huge, ["Data/visdata", "a claim of"]),
        (huge_index, ["Header/time_array", "a claim of"]),
        (foreign_filter, ["Data/visdata", "32008"]),
        (nan_time, ["Header/time_array", "NaN in row 7"]),
        (negative_time, ["Header/time_array", "-1"]),
        (unknown_antenna, ["Header/ant_2_array", "antenna 117"]),
        (twice, ["baseline", "twice"]),
        (put("Data/visdata", np.zeros((45, 1, CHANNELS, 2))), ["Data/visdata", "complex"]),
        (put("Data/visdata", np.zeros((45, 1, CHANNELS), np.complex64)), ["Data/visdata", "[45, 1, 6]"]),
        (put("Data/visdata", np.zeros((44, 1, CHANNELS, 2), np.complex64)), ["Data/visdata", "[44, 6, 2]"]),
        (put("Data/visdata", np.zeros((45, 2, CHANNELS, 2), np.complex64)), ["Data/visdata", "shape"]),
        (put("Data/flags", np.zeros((45, 1, CHANNELS, 2), "f4")), ["Data/flags", "booleans"]),
        (put("Data/nsamples", np.zeros((45, 1, CHANNELS, 2), "i4")), ["Data/nsamples", "floats"]),
        (put("Header/Nblts", 44), ["shape [44]", "[45]"]),
        (put("Header/Nblts", 0), ["Header/Nblts", "at least one row"]),
        (put("Header/Nblts", -3), ["Header/Nblts", "a count"]),
        (put("Header/Nblts", np.bytes_("many")), ["Header/Nblts", "numbers"]),
        (put("Header/Nspws", 2), ["Header/Nspws", "one spectral window"]),
        (put("Header/freq_array", np.full((1, CHANNELS), np.nan)), ["Header/freq_array", "finite"]),
        (put("Header/freq_array", np.full((1, CHANNELS), 1e9)), ["Header/freq_array", "twice"]),
        (put("Header/freq_array", np.empty((1, 0))), ["Header/freq_array", "shape"]),
        (put("Header/channel_width", 0.0), ["Header/channel_width", "not zero"]),
        (put("Header/polarization_array", [1, 2]), ["Header/polarization_array", "products"]),
        (put("Header/polarization_array", [-5, -7]), ["Header/polarization_array", "pairs"]),
        (put("Header/latitude", np.nan), ["Header/latitude", "NaN"]),
        (put("Header/latitude", [1.0, 2.0]), ["Header/latitude", "one number"]),
        (put("Header/antenna_numbers", np.zeros(117, int)), ["Header/antenna_numbers", "twice"]),
        (put("Header/antenna_names", np.array(["1"], "S4")), ["Header/antenna_names", "117 names"]),
        (put("Header/integration_time", np.zeros(45)), ["Header/integration_time", "positive"]),
        (put("Header/extra_keywords/phase_center_dec", 54.6), ["phase_center_dec", "radians"]),
        (put("Header/extra_keywords/ha_phase_center", np.bytes_("x")), ["ha_phase_center", "a finite number"]),
    ],
)
def test_bad_files_give_one_clear_error(tmp_path: Path, edit: Edit, words: list[str]) -> None:
    path = tmp_path / "bad.hdf5"
    make(path, edit)
    with pytest.raises(DataError) as error:
        open_uvh5(path).read()
    for word in (*words, str(path), "expected", "found"):
        assert word in str(error.value)


def test_truncation_anywhere_is_one_error(tmp_path: Path) -> None:
    path = tmp_path / "x.hdf5"
    make(path)
    whole = path.read_bytes()
    for size in [0, 7, 8, 100, 600, *range(2000, len(whole), 3001), len(whole) - 1]:
        path.write_bytes(whole[:size])
        with pytest.raises(DataError) as error:
            open_uvh5(path).read()
        assert "expected" in str(error.value)


def test_flipped_bytes_never_crash(tmp_path: Path) -> None:
    """Damage at random places: an error of ours or some numbers, nothing else."""
    path = tmp_path / "x.hdf5"
    make(path, rechunk(chunks=(10, 1, 6, 1), compression="gzip", shuffle=True))
    whole = np.fromfile(path, np.uint8)
    dice = np.random.default_rng(11)
    refused = 0
    for _ in range(150):
        damaged = whole.copy()
        damaged[dice.integers(0, whole.size, 40)] = dice.integers(0, 256, 40)
        damaged.tofile(path)
        try:
            block = open_uvh5(path).read()
        except DataError:
            refused += 1
        else:
            assert np.isfinite(block["vis_rfp"]).all()
    assert refused > 0


def test_what_is_not_a_file_of_ours(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"missing\.hdf5"):
        open_uvh5(tmp_path / "missing.hdf5")
    with pytest.raises((DataError, IsADirectoryError)):
        open_uvh5(tmp_path)
    (tmp_path / "text").write_text("SIMPLE  =                    T")
    with pytest.raises(DataError, match="expected an HDF5 file"):
        open_uvh5(tmp_path / "text")


def test_selections_beyond_the_file_are_refused(tmp_path: Path) -> None:
    make(tmp_path / "x.hdf5")
    file = open_uvh5(tmp_path / "x.hdf5")
    with pytest.raises(ValueError, match="times: expected a range within"):
        file.read(times=(0, 4))
    with pytest.raises(ValueError, match="antennas: expected indices"):
        file.read(antennas=[117])
    assert file.read(times=(1, 1))["vis_rfp"].shape == (0, CHANNELS, 2)


def test_h5py_reads_what_we_write_in_the_correlators_layout(tmp_path: Path) -> None:
    make(tmp_path / "a.hdf5")
    one = open_uvh5(tmp_path / "a.hdf5")
    block = one.read()
    _core.uvh5.write(tmp_path / "b.hdf5", one.header, block)
    with h5py.File(tmp_path / "a.hdf5") as old, h5py.File(tmp_path / "b.hdf5") as new:
        written: list[str] = []
        new.visit(written.append)
        missing: list[str] = []
        old.visit(lambda name: missing.append(name) if name not in written else None)
        assert missing == []
        for name in ("visdata", "flags", "nsamples"):
            assert new["Data"][name].dtype == old["Data"][name].dtype
            assert new["Data"][name].shape == old["Data"][name].shape
            assert new["Data"][name].maxshape == (None, 1, CHANNELS, 2)
        for name in ("ant_1_array", "uvw_array", "time_array", "freq_array", "antenna_numbers"):
            assert new["Header"][name].dtype == old["Header"][name].dtype
            assert new["Header"][name].shape == old["Header"][name].shape
        swap = old["Header/ant_1_array"][()] > old["Header/ant_2_array"][()]
        np.testing.assert_array_equal(new["Data/visdata"][~swap], old["Data/visdata"][~swap])
        np.testing.assert_array_equal(new["Header/uvw_array"][~swap], old["Header/uvw_array"][~swap])
    two = open_uvh5(tmp_path / "b.hdf5").read()
    for key, value in block.items():
        np.testing.assert_array_equal(value, two[key], err_msg=key)
    with pytest.raises(FileExistsError):
        _core.uvh5.write(tmp_path / "b.hdf5", one.header, block)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.hdf5", "b.hdf5"]


def test_verification_compares_names_contents_and_neighbours(tmp_path: Path) -> None:
    for subband in range(16):
        make(tmp_path / f"2026-01-25T22:26:05_sb{subband:02d}.hdf5", subband=0 if subband == 2 else subband)

    def shifted(file: h5py.File) -> None:
        file["Header/time_array"][...] += STEP_D

    make(tmp_path / "2026-01-25T22:26:05_sb09.hdf5", shifted, subband=9)
    found = classify_groups(tmp_path, verify=True)
    assert found.groups[0].status.value == "semi_complete"
    assert found.groups[0].missing == (2, 9)
    assert ["sb02, found those of sb00" in found.rejected[0].reason, "first time" in found.rejected[1].reason] == [
        True,
        True,
    ]


def test_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    """The file size is limited for a child process: every write beyond it fails as on a full disk."""
    make(tmp_path / "a.hdf5")
    script = (
        "import resource, signal, sys\n"
        "from dsa110_contimg import _core\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "header, block = _core.uvh5.read_header(sys.argv[1]), _core.uvh5.read(sys.argv[1])\n"
        "failed = 0\n"
        "for limit in (0, 100, 5000, 20000, 60000):\n"
        "    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))\n"
        "    try:\n"
        "        _core.uvh5.write(sys.argv[2], header, block)\n"
        "    except OSError as error:\n"
        "        assert sys.argv[2] in str(error), error\n"
        "        failed += 1\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))\n"
        "print(failed)\n"
    )
    out = tmp_path / "out"
    out.mkdir()
    command = [sys.executable, "-c", script, str(tmp_path / "a.hdf5"), str(out / "b.hdf5")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "5"), done.stderr
    assert list(out.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "products"),
    [("zen.2458432.34569.uvh5", ["XX", "XY", "YX", "YY"]), ("zen.2458661.23480.HH.uvh5", ["XX", "YY"])],
)
def test_real_hera_files_of_both_layouts(name: str, products: list[str]) -> None:
    path = Path(__file__).parents[2] / "data" / "hera" / name
    file = open_uvh5(path)
    block = file.read()
    assert file.header["products"] == products
    assert file.header["fringe_stopped"] is False
    assert file.header["subband"] is None
    with h5py.File(path) as raw:
        # The power of all unflagged data does not depend on order or sign.
        data = raw["Data/visdata"][()]
        power = (data["r"].astype(float) ** 2 + data["i"].astype(float) ** 2) if data.dtype.names else np.abs(data) ** 2
        assert np.sum(np.abs(block["vis_rfp"].astype(complex)) ** 2) == pytest.approx(np.sum(power), rel=1e-6)
        assert block["flag_rfp"].sum() == (raw["Data/flags"][()] | (raw["Data/nsamples"][()] == 0)).sum()
        assert sorted(np.unique(block["freq_hz"])) == sorted(raw["Header/freq_array"][()].ravel())
    assert (block["antenna1"] <= block["antenna2"]).all()
