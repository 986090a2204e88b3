"""Conversion of small groups: contents, layout, bad input, nothing half-written."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from dsa110_contimg import DataError, _core
from dsa110_contimg.conversion import convert_directory, convert_group
from dsa110_contimg.conversion.strategies.hdf5_orchestrator import convert_subband_groups_to_ms
from support.uvh5_groups import station_positions, write_group, write_subband


@pytest.fixture(scope="module")
def group(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("group")
    write_group(directory, subbands=range(3))
    return directory


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_contents(group: Path, tmp_path: Path) -> None:
    out = tmp_path / "x.ms"
    result = convert_group(sorted(group.glob("*.hdf5")), out, expected_subbands=3)
    assert result.status == "converted"
    assert all(v["ok"] for v in result.report["verdicts"]), result.report["verdicts"]
    meta = _core.ms.meta(out)
    assert [spw["freq_hz"][0] for spw in meta["spws"]] == sorted(spw["freq_hz"][0] for spw in meta["spws"])
    assert len(meta["antennas"]) == 117
    assert meta["antennas"][102]["name"] == "103"
    assert [field["name"] for field in meta["fields"]] == [f"meridian_icrs_t{t}" for t in range(3)]
    assert {len(item["sha256"]) for item in meta["provenance"]["inputs"]} == {64}
    # Window 0 is the highest subband number; MS visibilities are the conjugates, channels the other way round.
    block = _core.ms.read(out, 0)
    with h5py.File(next(group.glob("*_sb02.hdf5"))) as file:
        stored = file["Data/visdata"][:][:, 0, ::-1].conj()
        pairs = {
            (a, b, t): i
            for i, (a, b, t) in enumerate(
                zip(file["Header/ant_1_array"], file["Header/ant_2_array"], np.repeat(range(3), 15), strict=True)
            )
        }
    for row in range(len(block["antenna1"])):
        key = (block["antenna1"][row], block["antenna2"][row], row // 15)
        assert np.array_equal(block["vis_rfp"][row], stored[pairs[key]])
    # |uvw| is the baseline of the station list; the file's positions have another origin.
    positions = station_positions()
    baseline = positions[block["antenna1"]] - positions[block["antenna2"]]
    difference = np.linalg.norm(block["uvw_m"], axis=1) - np.linalg.norm(baseline, axis=1)
    assert np.abs(difference).max() < 1e-6  # a rotation in double precision


def test_shared_centre_turns_visibilities_by_w(group: Path, tmp_path: Path) -> None:
    files = sorted(group.glob("*.hdf5"))
    convert_group(files, tmp_path / "a.ms", expected_subbands=3)
    report = convert_group(files, tmp_path / "b.ms", expected_subbands=3, phase_center="shared").report
    assert report["fields"] == 1
    assert report["rotated"]
    a, b = (_core.ms.read(tmp_path / f"{name}.ms", 1) for name in "ab")
    w = (b["uvw_m"] - a["uvw_m"])[:, 2]
    turn = np.exp(-2j * np.pi * w[:, None] * a["freq_hz"] / 299792458.0)
    # Single-precision storage of visibilities of order one.
    np.testing.assert_allclose(b["vis_rfp"], a["vis_rfp"] * turn[..., None], atol=2e-6)


def test_missing_subbands_are_flagged_at_true_frequencies(tmp_path: Path) -> None:
    write_group(tmp_path / "in", subbands=[s for s in range(16) if s not in (0, 7)], channels=2, times=1)
    [result] = convert_directory(tmp_path / "in", tmp_path / "out")
    assert result.status == "converted"
    assert result.report["missing_subbands"] == [7, 0]
    assert result.ms == tmp_path / "out/science/2026-01-25/2026-01-25T22:26:05.ms"
    block = _core.ms.read(result.ms, 15)
    assert block["flag_rfp"].all()
    assert block["freq_hz"][-1] == 1498643188.4765625


def test_merged_windows_hold_the_same(group: Path, tmp_path: Path) -> None:
    files = sorted(group.glob("*.hdf5"))
    convert_group(files, tmp_path / "a.ms", expected_subbands=3)
    convert_group(files, tmp_path / "b.ms", expected_subbands=3, merge_spws=True)
    merged = _core.ms.read(tmp_path / "b.ms", 0)
    parts = [_core.ms.read(tmp_path / "a.ms", spw) for spw in range(3)]
    for key in ("vis_rfp", "flag_rfp", "weight_rfp"):
        assert np.array_equal(merged[key], np.concatenate([part[key] for part in parts], axis=1))


def test_model_and_corrected_cost_no_disk(group: Path, tmp_path: Path) -> None:
    out = tmp_path / "x.ms"
    convert_group(sorted(group.glob("*.hdf5")), out, expected_subbands=3)
    block = _core.ms.read(out, 0, column="corrected", with_model=True)
    assert not block["vis_rfp"].any()
    assert not block["model_rfp"].any()
    holes = [p for p in out.glob("table.f*_TSM0") if p.stat().st_blocks == 0]
    assert len(holes) == 2


def test_skip_existing_looks_inside(tmp_path: Path) -> None:
    source, out = tmp_path / "in", tmp_path / "out"
    write_group(source, channels=2, times=1)
    assert [r.status for r in convert_directory(source, out)] == ["converted"]
    assert [r.status for r in convert_directory(source, out)] == ["failed"]
    assert [r.status for r in convert_directory(source, out, skip_existing=True)] == ["skipped"]
    [result] = convert_directory(source, out, overwrite=True)
    assert result.ms is not None
    (result.ms / "FIELD" / "table.dat").unlink()
    assert [r.status for r in convert_directory(source, out, skip_existing=True)] == ["converted"]


def test_a_failed_group_does_not_keep_the_others(tmp_path: Path) -> None:
    source = tmp_path / "in"
    first = write_group(source, channels=2, times=1)
    write_group(source, start="2026-01-25T22:31:14", channels=2, times=1)
    write_group(source, start="2026-01-25T22:36:23", subbands=range(4), channels=2, times=1)
    first[5].write_bytes(first[5].read_bytes()[:3000])
    results = convert_subband_groups_to_ms(source, tmp_path / "out", "2026-01-25", "2026-01-26")
    assert {key: len(value) for key, value in results.items()} == {
        "converted": 1,
        "skipped": 0,
        "incomplete": 1,
        "failed": 1,
    }
    assert first[5].name in results["failed"][0]["reason"]
    # Nothing of the failed group is left, hidden or not.
    assert names(tmp_path / "out/science/2026-01-25") == ["2026-01-25T22:31:14.ms"]


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"telescope_name": np.bytes_("OVRO_MMA"), "latitude": 37.3}, "latitude"),
        ({"channels": 24}, "channels"),
        ({"stations": (1, 25, 70)}, "times and baselines"),
    ],
)
def test_inconsistent_files_are_named(tmp_path: Path, change: dict, word: str) -> None:
    good = write_subband(tmp_path / "2026-01-25T22:26:05_sb01.hdf5", 1)
    # The first file in frequency sets the rows: the odd one comes second.
    odd = write_subband(tmp_path / "2026-01-25T22:26:05_sb00.hdf5", 0, **change)
    if word == "times and baselines":
        good, odd = (
            write_subband(tmp_path / f"2026-01-25T22:26:05_sb0{s}.hdf5", s, **c) for s, c in ((1, change), (0, {}))
        )
    with pytest.raises(DataError, match=word) as caught:
        convert_group([good, odd], tmp_path / "x.ms", expected_subbands=2)
    assert odd.name in str(caught.value)
    assert not list(tmp_path.glob("*.ms")) + list(tmp_path.glob(".x*"))


def test_two_files_of_one_subband(tmp_path: Path) -> None:
    files = [write_subband(tmp_path / f"{n}_sb00.hdf5", 0) for n in "ab"]
    with pytest.raises(DataError, match="frequencies of its own"):
        convert_group(files, tmp_path / "x.ms")


def test_unknown_option_suggests_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="did you mean phase_center"):
        convert_group([], tmp_path / "x.ms", phase_centre="shared")


def test_scratch_is_left_empty(group: Path, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    out = tmp_path / "x.ms"
    convert_group(sorted(group.glob("*.hdf5")), out, expected_subbands=3, scratch_dir=scratch)
    assert _core.ms.verify(out)["ok"]
    assert not list(scratch.iterdir())
    assert sum(p.stat().st_blocks == 0 for p in out.glob("table.f*_TSM0")) == 2


def test_command_line_json(group: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "dsa110_contimg", "convert", str(group), str(tmp_path / "out"), "--expected", "3"]
    done = subprocess.run([*command, "--json"], capture_output=True, text=True, check=True)
    [entry] = json.loads(done.stdout)["groups"]
    assert {"group_id", "status", "ms", "reason"} <= set(entry)
    command = [sys.executable, "-m", "dsa110_contimg", "ms", "verify", entry["ms"], "--json"]
    assert json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)["ok"]
    again = [sys.executable, "-m", "dsa110_contimg.conversion.cli", "verify-ms", "--ms", entry["ms"]]
    assert subprocess.run(again, capture_output=True, check=False).returncode == 0
