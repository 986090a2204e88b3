"""Killed in the middle, or the disk full: whole images or none, and running again gives what an undisturbed run gives."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from dsa110_contimg.database import open_database
from dsa110_contimg.database.handle import query
from support.measured import SOURCES

KILLS = 6

#: What the killed process does: the same as `everything`, in a process of its own.
_WORK = "import sys; sys.path[:0] = sys.argv[3:]; from support.measured import limited; limited(sys.argv[1], int(sys.argv[2]))"


def content(path: Path) -> dict[str, list[str]]:
    """What does not depend on when it was written, row by row as text (so that NULL equals NULL)."""
    series = "SELECT source_id, mjd, image_path, peak_jyb, peak_norm, peak_norm_err, band_norm_ujy FROM photometry_timeseries"
    stats = "SELECT source_id, n_obs, eta_metric, v_metric, verdict, log_bf_lens FROM variability_stats"
    found = "SELECT source_id, significance, log_bf_lens, depth, lens FROM ese_candidates"
    tables = {"series": series, "stats": stats, "found": found}
    return {k: sorted(map(repr, query(path, sql).itertuples(index=False, name=None))) for k, sql in tables.items()}


@pytest.fixture(scope="module")
def truth(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, float]:
    """An undisturbed run, and the seconds that it takes."""
    path = tmp_path_factory.mktemp("whole") / "p.sqlite3"
    began = time.monotonic()
    assert finish(path) == 0
    return path, time.monotonic() - began


def start(path: Path, largest_file: int = 0) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", _WORK, str(path), str(largest_file), str(Path(__file__).parents[1])]
    with path.with_suffix(".log").open("wb") as log:
        return subprocess.Popen(command, stderr=log)


def finish(path: Path, largest_file: int = 0) -> int:
    """Run to the end; the exit code."""
    with start(path, largest_file) as process:
        return process.wait()


def whole(path: Path) -> None:
    """The database is sound, and no image is there in part."""
    assert open_database(path, "products").core.integrity_errors() == []
    for table in ("photometry", "photometry_timeseries"):
        counts = query(path, f"SELECT count(*) AS n FROM {table} GROUP BY image_path")  # noqa: S608
        assert counts.empty or (counts["n"] == SOURCES).all()
    seen = query(path, "SELECT count(DISTINCT peak_norm IS NULL) AS n FROM photometry_timeseries GROUP BY image_path")
    assert seen.empty or (seen["n"] == 1).all(), "an image is normalised in part"


@pytest.mark.slow
def test_a_killed_run_leaves_whole_images_and_is_made_good_by_the_next(
    tmp_path: Path, truth: tuple[Path, float]
) -> None:
    reference, seconds = truth
    path = tmp_path / "p.sqlite3"
    rng = np.random.default_rng(3)
    killed = 0
    for _ in range(KILLS):
        with start(path) as process:
            time.sleep(seconds * rng.uniform(0.1, 1.0))
            process.kill()
            killed += process.wait() == -signal.SIGKILL
        if path.exists() and path.stat().st_size:
            whole(path)
    assert killed >= KILLS // 2
    assert finish(path) == 0
    whole(path)
    ours, theirs = content(path), content(reference)
    assert len(ours["found"]) == 1
    assert "S03" in ours["found"][0]
    assert ours == theirs


def test_a_full_disk_is_one_error_and_leaves_what_was_there(tmp_path: Path, truth: tuple[Path, float]) -> None:
    path = tmp_path / "p.sqlite3"
    assert finish(path, largest_file=400_000) == 1
    last = path.with_suffix(".log").read_text().splitlines()[-1]
    assert last.startswith(("OSError", "dsa110_contimg.DataError", "dsa110_contimg._core.DataError"))
    assert "p.sqlite3" in last
    whole(path)
    assert finish(path) == 0
    assert content(path) == content(truth[0])
