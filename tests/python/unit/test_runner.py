"""The runner: order, memory of what is done, reactions to failures."""

from __future__ import annotations

from pathlib import Path

import pytest

from dsa110_contimg import ConvergenceError, DataError
from dsa110_contimg.database import Database
from dsa110_contimg.pipeline.meter import metered
from dsa110_contimg.pipeline.runner import RetryPolicy, Runner
from dsa110_contimg.pipeline.stage import Outputs, Stage, check_order


@pytest.fixture
def queue(tmp_path: Path) -> Database:
    return Database(tmp_path / "ingest.sqlite3", "queue")


class Steps:
    """Two stages that write files and count their calls."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.calls: list[str] = []

    def _write(self, name: str, text: str) -> str:
        self.calls.append(name)
        path = self.directory / name
        path.write_text(text)
        return str(path)

    def stages(self, **parameters: object) -> list[Stage]:
        first = Stage(
            "first",
            lambda o: {"a": self._write("a", o["input"])},
            needs=("input",),
            provides=("a",),
            files=lambda o: [o["a"]],
            fingerprint=parameters,
        )
        second = Stage(
            "second",
            lambda o: {"b": self._write("b", Path(o["a"]).read_text() * 2)},
            needs=("a",),
            provides=("b",),
            files=lambda o: [o["b"]],
        )
        return [first, second]


def test_done_work_is_skipped_and_lost_files_are_made_again(queue: Database, tmp_path: Path) -> None:
    steps = Steps(tmp_path)
    runner = Runner(queue)
    first = runner.run("g", steps.stages(), {"input": "x"})
    again = runner.run("g", steps.stages(), {"input": "x"})
    assert steps.calls == ["a", "b"]
    assert again.outputs == first.outputs
    assert [s["status"] for s in again.stages] == ["skipped", "skipped"]
    (tmp_path / "b").unlink()
    assert runner.run("g", steps.stages(), {"input": "x"}).status == "done"
    assert steps.calls == ["a", "b", "b"]


def test_other_parameters_redo_the_stage_and_what_follows(queue: Database, tmp_path: Path) -> None:
    steps = Steps(tmp_path)
    runner = Runner(queue)
    runner.run("g", steps.stages(robust=0), {"input": "x"})
    runner.run("g", steps.stages(robust=1), {"input": "x"})
    assert steps.calls == ["a", "b", "a", "b"]


def _failing(error: Exception) -> Stage:
    def run(_outputs: Outputs) -> Outputs:
        raise error

    return Stage("breaks", run, needs=("input",))


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (DataError("bad"), "failed"),
        (ValueError("bad"), "failed"),
        (ConvergenceError("bad"), "degraded"),
        (RuntimeError("?"), "failed"),
    ],
)
def test_a_failure_becomes_a_record(queue: Database, error: Exception, status: str) -> None:
    result = Runner(queue).run("g", [_failing(error)], {"input": "x"})
    assert (result.status, result.error) == (status, f"breaks: {error}")
    (row,) = queue.select("stage_runs")
    assert (row["status"], row["error"]) == ("failed", str(error))
    (letter,) = queue.select("dead_letter_queue")
    assert letter["error_type"] == type(error).__name__


def test_io_errors_are_retried(queue: Database) -> None:
    tries = []

    def flaky(_outputs: Outputs) -> Outputs:
        tries.append(1)
        if len(tries) < 3:
            raise OSError(5, "Input/output error")
        return {}

    result = Runner(queue, RetryPolicy(first_wait_s=0.0)).run("g", [Stage("flaky", flaky)], {})
    assert (result.status, len(tries)) == ("done", 3)


def test_a_missing_file_is_not_retried(queue: Database) -> None:
    tries = []

    def missing(_outputs: Outputs) -> Outputs:
        tries.append(1)
        raise FileNotFoundError("x")

    assert Runner(queue, RetryPolicy(first_wait_s=0.0)).run("g", [Stage("missing", missing)], {}).status == "failed"
    assert len(tries) == 1


def test_interrupts_go_through(queue: Database) -> None:
    def interrupt(_outputs: Outputs) -> Outputs:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Runner(queue).run("g", [Stage("interrupted", interrupt)], {})
    assert queue.select("stage_runs")[0]["status"] == "running"


def test_a_stage_without_its_input_is_refused_before_anything_starts() -> None:
    with pytest.raises(ValueError, match="stage second: expected a"):
        check_order([Stage("second", lambda o: o, needs=("a",))], ["input"])


def test_memory_and_time_are_measured() -> None:
    with metered() as cost:
        block = bytearray(50_000_000)
        block[::4096] = b"x" * len(block[::4096])
    assert cost.peak_rss_mb > 50
    assert cost.wall_s >= 0
    assert cost.cpu_s >= 0
