"""Inputs at the edge and beyond it: one clear error naming file and dataset, nothing left behind; edges convert."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from dsa110_contimg import DataError, _core
from dsa110_contimg.conversion import classify_groups, convert_directory
from support.uvh5_groups import START_JD, write_group

Edit = Callable[[h5py.File], object]


def put(name: str, value: object) -> Edit:
    def edit(file: h5py.File) -> None:
        if name in file:
            del file[name]
        file[name] = value

    return edit


def times(change: Callable[[np.ndarray], np.ndarray]) -> Edit:
    return lambda file: file["Header/time_array"].__setitem__(slice(None), change(file["Header/time_array"][:]))


def external(file: h5py.File) -> None:
    del file["Data/visdata"]
    file["Data/visdata"] = h5py.ExternalLink("/etc/passwd", "x")


def huge(file: h5py.File) -> None:
    del file["Data/visdata"]
    file["Data"].create_dataset("visdata", shape=(2**40, 1, 4, 2), dtype="c8", chunks=(128, 1, 4, 1))


def made(tmp_path: Path, edit: Edit, *, only: int | None = None, **settings: object) -> list[Path]:
    files = write_group(tmp_path / "in", subbands=range(2), **({"channels": 4, "times": 2} | settings))
    for index, name in enumerate(files):
        if only is None or index == only:
            with h5py.File(name, "r+") as file:
                edit(file)
    return files


@pytest.mark.parametrize(
    ("edit", "only", "word"),
    [
        (times(lambda t: np.where(np.arange(len(t)) == 3, np.nan, t)), None, "time_array"),
        (times(lambda t: -t), None, "time_array"),
        (times(lambda t: t + np.inf), None, "time_array"),
        # A subband a second away from its neighbours would be given their geometry.
        (times(lambda t: t + 1 / 86400), 1, "time_array"),
        (put("Header/longitude", 0.0), None, "km away"),
        (put("Header/latitude", float("nan")), None, "latitude"),
        (put("Header/extra_keywords/phase_center_dec", 1.6), None, "phase_center_dec"),
        (put("Header/Nblts", np.bytes_("lots")), None, "Nblts"),
        (put("Header/freq_array", np.full((1, 4), np.nan)), None, "freq_array"),
        (put("Header/antenna_names", np.array([f"{n + 2}" for n in range(117)], "S4")), None, "station list"),
        (lambda file: file["Data"].__delitem__("flags"), 0, "flags"),
        (lambda file: file["Header"].__delitem__("extra_keywords"), None, "phase_center_dec"),
        (external, 1, "visdata"),
        (huge, 1, "visdata"),
        (put("Data/visdata", h5py.SoftLink("/nowhere")), 1, "visdata"),
    ],
)
def test_one_clear_error_and_nothing_left(tmp_path: Path, edit: Edit, only: int | None, word: str) -> None:
    files = made(tmp_path, edit, only=only)
    out = tmp_path / "out" / "x.ms"
    with pytest.raises(DataError, match=word) as caught:
        _core.ms.convert(files, out, expected_subbands=2)
    assert str(tmp_path / "in") in str(caught.value)
    assert "expected" in str(caught.value)
    assert "found" in str(caught.value)
    assert not out.parent.exists() or not list(out.parent.iterdir())


@pytest.mark.parametrize("fraction", [0.0, 0.3, 0.999])
def test_other_groups_go_on_and_json_says_why(tmp_path: Path, fraction: float) -> None:
    write_group(tmp_path / "in", subbands=range(2), channels=4, times=2)
    bad = write_group(tmp_path / "in", start="2026-01-25T23:26:05", subbands=range(2), channels=4, times=2)
    os.truncate(bad[1], int(bad[1].stat().st_size * fraction))
    # An empty file is not a subband: the group has one then.
    command = [sys.executable, "-m", "dsa110_contimg", "convert", str(tmp_path / "in"), str(tmp_path / "out")]
    done = subprocess.run([*command, "--expected", "2", "--json"], capture_output=True, text=True, check=False)
    report = json.loads(done.stdout)["groups"]
    assert [g["status"] for g in report] == ["converted", "incomplete" if fraction == 0 else "failed"]
    assert fraction == 0 or bad[1].name in report[1]["reason"]
    assert done.returncode != 0 or fraction == 0
    assert "Traceback" not in done.stderr
    assert {p.name for p in (tmp_path / "out").rglob("*.ms")} == {"2026-01-25T22:26:05.ms"}
    assert not list((tmp_path / "out").rglob(".*"))


@pytest.mark.parametrize("mode", ["per-integration", "shared"])
@pytest.mark.parametrize(
    ("settings", "edit"),
    [
        ({"stations": (103,)}, None),
        ({"channels": 1}, None),
        ({"times": 1}, None),
        ({"stations": (103,), "channels": 1, "times": 1}, None),
        ({}, put("Header/extra_keywords/phase_center_dec", np.radians(89.0))),
        ({}, put("Header/extra_keywords/phase_center_dec", np.radians(-89.0))),
    ],
)
def test_edges_convert(tmp_path: Path, settings: dict[str, object], edit: Edit | None, mode: str) -> None:
    files = made(tmp_path, edit or (lambda _: None), **settings)
    out = tmp_path / "x.ms"
    _core.ms.convert(files, out, expected_subbands=2, phase_center=mode)
    report = _core.ms.verify(out)
    assert report["ok"], report


def test_right_ascension_through_0_h(tmp_path: Path) -> None:
    # The group begins at 344 degrees: a third of a sidereal day per 120 degrees later it crosses zero in its middle.
    later = 15.9 / 360 * 0.9972696
    files = made(tmp_path, times(lambda t: t + later), times=20, channels=1, stations=(1, 103))
    out = tmp_path / "x.ms"
    _core.ms.convert(files, out, expected_subbands=2)
    ra = np.degrees([field["centre"]["ra_rad"] for field in _core.ms.meta(out)["fields"]]) % 360.0
    assert ra.min() < 1.0
    assert ra.max() > 359.0
    steps = (np.diff(ra) + 180.0) % 360.0 - 180.0
    # 12.885 s of sidereal time; precession and nutation stand still.
    np.testing.assert_allclose(steps, 12.884901888 * 15.041067 / 3600, rtol=1e-3)
    assert _core.ms.verify(out)["ok"]


def test_another_arrays_data_keep_its_name(tmp_path: Path) -> None:
    def foreign(file: h5py.File) -> None:
        for name in ("telescope_name", "instrument"):
            put(f"Header/{name}", np.bytes_("ELSEWHERE"))(file)

    files = made(tmp_path, foreign)
    _core.ms.convert(files, tmp_path / "x.ms", expected_subbands=2)
    assert _core.ms.meta(tmp_path / "x.ms")["telescope"] == "ELSEWHERE"
    _core.ms.convert(files, tmp_path / "y.ms", expected_subbands=2, telescope_name="OTHER")
    assert _core.ms.meta(tmp_path / "y.ms")["telescope"] == "OTHER"


def test_a_missing_integration_leaves_the_interval(tmp_path: Path) -> None:
    files = made(tmp_path, times(lambda t: np.where(t > START_JD + 20 / 86400, t + 100 / 86400, t)), times=3)
    _core.ms.convert(files, tmp_path / "x.ms", expected_subbands=2)
    assert set(_core.ms.read(tmp_path / "x.ms", 0)["interval_s"]) == {12.884901888}


def test_a_read_only_directory_is_one_error(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write anywhere")
    files = made(tmp_path, lambda _: None)
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    with pytest.raises(PermissionError, match="locked"):
        _core.ms.convert(files, locked / "x.ms", expected_subbands=2)


def test_many_observations_are_classified(tmp_path: Path) -> None:
    # Only names and stat matter: contents are not looked at.
    from datetime import datetime, timedelta

    start = datetime(2026, 1, 1)
    for k in range(400):
        for sb in range(16):
            name = (start + timedelta(seconds=309 * k + (sb + k) % 2)).isoformat()
            (tmp_path / f"{name}_sb{sb:02d}.hdf5").write_bytes(b"x")
    found = classify_groups(tmp_path)
    assert len(found.complete) == 400
    assert not found.incomplete
    assert not convert_directory(tmp_path, tmp_path / "out", start="2027-01-01")
