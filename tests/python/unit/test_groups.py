"""Grouping of subband files: laws over random campaigns, edges, duplicates, names of other kinds, the command."""

from __future__ import annotations

import json
import os
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsa110_contimg.cli.app import main
from dsa110_contimg.conversion import GroupStatus, classify_groups, normalise_names
from dsa110_contimg.conversion.strategies.hdf5_orchestrator import find_subband_groups

CADENCE_S = 309
START = datetime(2026, 1, 25, 22, 26, 5, tzinfo=UTC)


def name(at: datetime, subband: int) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S}_sb{subband:02d}.hdf5"


def make(directory: Path, at: datetime, subband: int, size: int = 10, mtime: float = 1e9) -> Path:
    path = directory / name(at, subband)
    path.write_bytes(b"x" * size)
    os.utime(path, (mtime, mtime))
    return path


def fill(directory: Path, at: datetime, subbands: range | list[int] = range(16)) -> list[Path]:
    return [make(directory, at, subband) for subband in subbands]


@st.composite
def campaigns(draw: st.DrawFn) -> list[list[tuple[int, int]]]:
    """For each observation its (subband, jitter in seconds); the first file of each has no jitter."""
    observations = []
    for _ in range(draw(st.integers(1, 5))):
        subbands = draw(st.lists(st.integers(0, 15), min_size=1, max_size=16, unique=True))
        jitter = draw(st.lists(st.integers(0, 60), min_size=len(subbands), max_size=len(subbands)))
        jitter[draw(st.integers(0, len(jitter) - 1))] = 0
        observations.append(list(zip(subbands, jitter, strict=True)))
    return observations


@settings(max_examples=60, deadline=None)
@given(campaigns(), st.integers(0, 86399), st.randoms(use_true_random=False))
def test_every_campaign_is_taken_apart_again(
    observations: list[list[tuple[int, int]]], second: int, dice: random.Random
) -> None:
    """Any start (so also across midnight and new year), any jitter within the window, any order of arrival."""
    start = datetime(2025, 12, 31, tzinfo=UTC) + timedelta(seconds=second)
    with TemporaryDirectory() as place:
        directory = Path(place)
        files = []
        for number, members in enumerate(observations):
            at = start + timedelta(seconds=CADENCE_S * number)
            files += [(at + timedelta(seconds=late), subband) for subband, late in members]
        (directory / "notes.txt").write_text("foreign")
        dice.shuffle(files)
        for at, subband in files:
            make(directory, at, subband)
        found = classify_groups(directory)
    assert [bad.path.name for bad in found.foreign] == ["notes.txt"]
    assert not found.duplicates
    assert len(found.groups) == len(observations)
    for number, (group, members) in enumerate(zip(found.groups, observations, strict=True)):
        assert group.start == start + timedelta(seconds=CADENCE_S * number)
        present = sorted((subband for subband, _ in members), reverse=True)
        assert [file.subband for file in group.files] == present
        assert sorted((*present, *group.missing)) == list(range(16))
        count = len(present)
        expected = "complete" if count == 16 else "semi_complete" if count >= 12 else "incomplete"
        assert group.status.value == expected


@settings(max_examples=20, deadline=None)
@given(st.permutations(range(18)))
def test_the_order_of_arrival_does_not_matter(order: list[int]) -> None:
    """Two subbands come twice, one of them with a cut-off file: the same is kept whoever came first."""
    files = [(START, s, 10) for s in range(16)] + [
        (START + timedelta(seconds=9), 3, 10),
        (START + timedelta(seconds=9), 4, 20),
    ]
    with TemporaryDirectory() as place:
        directory = Path(place)
        for at, subband, size in [files[i] for i in order]:
            make(directory, at, subband, size)
        found = classify_groups(directory)
    assert [d.dropped.name for d in found.duplicates] == [
        name(START + timedelta(seconds=9), 3),
        name(START, 4),
    ]
    assert "earlier" in found.duplicates[0].reason
    assert "larger (20 against 10 bytes)" in found.duplicates[1].reason
    assert [group.status for group in found.groups] == [GroupStatus.COMPLETE]


def test_the_window_includes_its_end_and_nothing_after(tmp_path: Path) -> None:
    fill(tmp_path, START, [0])
    make(tmp_path, START + timedelta(seconds=60), 1)
    make(tmp_path, START + timedelta(seconds=61), 2)
    assert [len(group.files) for group in classify_groups(tmp_path).groups] == [2, 1]
    assert [len(group.files) for group in classify_groups(tmp_path, window_s=61).groups] == [3]
    assert [len(group.files) for group in classify_groups(tmp_path, window_s=0).groups] == [1, 1, 1]


def test_start_and_end_choose_whole_groups(tmp_path: Path) -> None:
    """The second group has names before and after the limit: it is in or out by its own name's time, never split."""
    fill(tmp_path, START)
    second = START + timedelta(seconds=CADENCE_S)
    fill(tmp_path, second, range(8))
    fill(tmp_path, second + timedelta(seconds=1), range(8, 16))
    limit = f"{second:%Y-%m-%d %H:%M:%S}"
    assert [len(g.files) for g in classify_groups(tmp_path, start=limit).groups] == [16]
    assert [len(g.files) for g in classify_groups(tmp_path, end=limit).groups] == [16, 16]
    inside = second + timedelta(seconds=1)
    assert classify_groups(tmp_path, start=inside).groups == ()
    assert len(classify_groups(tmp_path, end=START).groups) == 1


def test_foreign_files_are_named_with_their_reason(tmp_path: Path) -> None:
    fill(tmp_path, START)
    reasons = {
        "2026-02-30T00:00:00_sb00.hdf5": "calendar",
        name(START, 16): "sb00 to sb15",
        "2026-01-25T22:26:05_incomplete.hdf5": "not a name",
        "." + name(START, 1) + ".77-0.tmp": "not a name",
        name(START + timedelta(seconds=2), 5): "empty",
        name(START + timedelta(seconds=3), 6): "cannot be looked at",
        name(START + timedelta(seconds=4), 7): "not a regular file",
    }
    for file, reason in reasons.items():
        if reason == "cannot be looked at":
            (tmp_path / file).symlink_to("nowhere")
        elif reason == "not a regular file":
            (tmp_path / file).mkdir()
        else:
            (tmp_path / file).write_bytes(b"" if reason == "empty" else b"x")
    (tmp_path / "a directory").mkdir()
    found = classify_groups(tmp_path)
    assert {bad.path.name for bad in found.foreign} == set(reasons)
    for bad in found.foreign:
        assert reasons[bad.path.name] in bad.reason
    assert [group.status for group in found.groups] == [GroupStatus.COMPLETE]


def test_late_files_are_members_and_listed_apart(tmp_path: Path) -> None:
    fill(tmp_path, START)
    late = make(tmp_path, START, 7, mtime=1e9 + 601)
    make(tmp_path, START, 8, mtime=1e9 + 600)
    found = classify_groups(tmp_path)
    assert found.late == [late]
    assert found.complete[0].late == (late,)


@pytest.mark.parametrize("arguments", [{"window_s": -1}, {"window_s": float("nan")}, {"expected_subbands": 0}])
def test_wrong_limits_are_refused(tmp_path: Path, arguments: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(arguments))):
        classify_groups(tmp_path, **arguments)


def test_an_empty_directory_has_no_groups_and_a_missing_one_is_an_error(tmp_path: Path) -> None:
    assert classify_groups(tmp_path).groups == ()
    with pytest.raises(FileNotFoundError):
        classify_groups(tmp_path / "missing")
    with pytest.raises(ValueError, match="start: expected a UTC time"):
        classify_groups(tmp_path, start="yesterday")


def test_the_original_interface_returns_complete_groups_from_sb15_to_sb00(tmp_path: Path) -> None:
    fill(tmp_path, START)
    fill(tmp_path, START + timedelta(seconds=CADENCE_S), range(15))
    limits = ("2026-01-25 00:00:00", "2026-01-26 00:00:00")
    assert find_subband_groups(tmp_path, *limits) == [[str(tmp_path / name(START, s)) for s in range(15, -1, -1)]]
    two = find_subband_groups(tmp_path, *limits, spw=["sb03", "sb01"])
    assert [[Path(path).name[-9:-5] for path in group] for group in two] == [["sb03", "sb01"]] * 2
    make(tmp_path, START + timedelta(seconds=2 * CADENCE_S), 0)
    fill(tmp_path, START + timedelta(seconds=2 * CADENCE_S + 31), range(1, 16))
    assert len(find_subband_groups(tmp_path, *limits)) == 1
    assert len(find_subband_groups(tmp_path, *limits, tolerance_s=31)) == 2
    with pytest.raises(ValueError, match="spw: expected codes"):
        find_subband_groups(tmp_path, *limits, spw=["sb16"])


def test_normalising_renames_to_the_earliest_name_and_is_idempotent(tmp_path: Path) -> None:
    fill(tmp_path, START, range(3))
    fill(tmp_path, START + timedelta(seconds=2), range(3, 6))
    (tmp_path / name(START, 6).replace("T", " ")).write_bytes(b"x")
    before = sorted(path.name for path in tmp_path.iterdir())
    assert len(normalise_names(tmp_path)) == 4
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    assert all(step.done for step in normalise_names(tmp_path, apply=True))
    assert sorted(path.name for path in tmp_path.iterdir()) == [name(START, s) for s in range(7)]
    assert normalise_names(tmp_path, apply=True) == []


def test_normalising_never_replaces_a_file(tmp_path: Path) -> None:
    """The larger of two files is the group's, but the smaller one has the canonical name already."""
    small = make(tmp_path, START, 0, size=3)
    large = make(tmp_path, START + timedelta(seconds=5), 0, size=30)
    steps = normalise_names(tmp_path, apply=True)
    assert [step.problem for step in steps] == ["a file of that name exists"]
    assert (small.stat().st_size, large.stat().st_size) == (3, 30)


def test_the_command_prints_one_json_object(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(tmp_path, START)
    fill(tmp_path, START + timedelta(seconds=CADENCE_S), range(13))
    assert main(["groups", str(tmp_path), "--json"]) == 0
    payload = json.loads(capsys.readouterr().out)
    assert payload["counts"]["complete"] == 1
    assert [group["status"] for group in payload["groups"]] == ["complete", "semi_complete"]
    assert payload["groups"][1]["missing"] == ["sb13", "sb14", "sb15"]
    assert main(["groups", str(tmp_path)]) == 0
    assert "2026-01-25T22:26:05" in capsys.readouterr().out
    assert main(["groups", str(tmp_path), "--apply"]) == 1
    assert main(["groups", str(tmp_path / "missing"), "--json"]) == 1


def test_the_command_normalises_only_when_told_to(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(tmp_path, START, [0])
    make(tmp_path, START + timedelta(seconds=1), 1)
    assert main(["groups", str(tmp_path), "--normalise", "--json"]) == 0
    assert [step["done"] for step in json.loads(capsys.readouterr().out)["renames"]] == [False]
    assert main(["groups", str(tmp_path), "--normalise", "--apply"]) == 0
    assert (tmp_path / name(START, 1)).exists()


def test_verification_rejects_what_is_not_uvh5(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(tmp_path, START)
    assert main(["groups", str(tmp_path), "--verify", "--json"]) == 1
    payload = json.loads(capsys.readouterr().out)
    assert payload["counts"]["rejected"] == 16
    assert payload["groups"][0]["status"] == "incomplete"
    assert "expected an HDF5 file" in payload["rejected"][0]["reason"]
