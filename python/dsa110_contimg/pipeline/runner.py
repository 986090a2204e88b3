"""Runs the stages of one group, remembers what is done, and reacts to what goes wrong.

The only place of the package that catches every exception: here a failure becomes a record.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dsa110_contimg import ConvergenceError, DataError, __version__
from dsa110_contimg.database import Database
from dsa110_contimg.pipeline.meter import metered
from dsa110_contimg.pipeline.stage import Outputs, Stage, check_order

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class RetryPolicy:
    """How often and how patiently a stage is tried again after an I/O error.

    Attributes
    ----------
    attempts : int
        Tries in all.
    first_wait_s, longest_wait_s : float
        Exponential back-off between tries [s].
    """

    attempts: int = 3
    first_wait_s: float = 1.0
    longest_wait_s: float = 60.0


@dataclass
class GroupResult:
    """What became of one group.

    Attributes
    ----------
    group_id : str
        Group.
    status : {'done', 'failed', 'degraded'}
        `degraded` has products that did not converge.
    outputs : dict
        Outputs of all stages.
    stages : list of dict
        Per stage: ``name``, ``status`` (``done``, ``skipped``, ``failed``), ``wall_s``, ``cpu_s``, ``peak_rss_mb``.
    error : str or None
        Reason of the failure.
    """

    group_id: str
    status: str = "done"
    outputs: Outputs = field(default_factory=dict)
    stages: list[dict[str, Any]] = field(default_factory=list)
    error: str | None = None


class Runner:
    """Runs groups through stages.

    Parameters
    ----------
    queue : Database
        Where finished stages are remembered (schema ``queue``).
    retry : RetryPolicy
        Reaction to I/O errors.
    """

    def __init__(self, queue: Database, retry: RetryPolicy | None = None) -> None:
        self._queue = queue
        self._retry = retry or RetryPolicy()

    def run(
        self,
        group_id: str,
        stages: Sequence[Stage],
        given: Outputs,
        *,
        on_stage: Callable[[str], None] = lambda _name: None,
    ) -> GroupResult:
        """Take one group through the stages; a stage that is done and whose files exist is skipped.

        Parameters
        ----------
        group_id : str
            Group.
        stages : sequence of Stage
            In order.
        given : dict
            Outputs known at the start.
        on_stage : callable
            Called with each stage's name as it begins.

        Returns
        -------
        GroupResult
            Never raises for a failing stage; interrupts go through.
        """
        check_order(stages, tuple(given))
        result = GroupResult(group_id, outputs=dict(given))
        redo = False
        for stage in stages:
            if not stage.applies(result.outputs):
                continue
            fingerprint = _fingerprint(stage, result.outputs)
            finished = None if redo else self._finished(group_id, stage, fingerprint)
            if finished is not None:
                result.outputs.update(finished)
                result.stages.append({"name": stage.name, "status": "skipped"})
                continue
            # What is downstream of new work is new work too.
            redo = True
            on_stage(stage.name)
            if not self._run_stage(result, stage, fingerprint):
                break
        return result

    def _finished(self, group_id: str, stage: Stage, fingerprint: str) -> Outputs | None:
        rows = self._queue.select("stage_runs", ("group_id", "=", group_id), ("stage", "=", stage.name))
        if not rows or rows[0]["status"] != "done" or rows[0]["fingerprint"] != fingerprint:
            return None
        outputs: Outputs = json.loads(rows[0]["outputs"])
        if any(not Path(name).exists() for name in stage.files(outputs)):
            return None
        return outputs

    def _run_stage(self, result: GroupResult, stage: Stage, fingerprint: str) -> bool:
        record: dict[str, Any] = {"group_id": result.group_id, "stage": stage.name, "started_at": time.time()}
        self._queue.upsert(
            "stage_runs", {**record, "status": "running", "fingerprint": fingerprint}, "group_id", "stage"
        )
        error: Exception | None = None
        outputs: Outputs = {}
        with metered() as cost:
            try:
                outputs = self._attempt(stage, result.outputs)
            except Exception as caught:  # noqa: BLE001 - the one place where every failure becomes a record
                error = caught
        figures = {"wall_s": cost.wall_s, "cpu_s": cost.cpu_s, "peak_rss_mb": cost.peak_rss_mb}
        status = "done" if error is None else "failed"
        result.stages.append({"name": stage.name, "status": status, **figures})
        record.update(
            status=status,
            fingerprint=fingerprint,
            finished_at=time.time(),
            **figures,
            outputs=json.dumps(outputs),
            error=str(error) if error else None,
        )
        self._queue.upsert("stage_runs", record, "group_id", "stage")
        if error is None:
            result.outputs.update(outputs)
            if outputs.get("degraded"):
                result.status = "degraded"
            return True
        self._record_failure(result, stage, error)
        return False

    def _attempt(self, stage: Stage, outputs: Outputs) -> Outputs:
        wait_s = self._retry.first_wait_s
        for attempt in range(1, self._retry.attempts + 1):
            try:
                return stage.run(outputs)
            except (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError, FileExistsError):
                # A wrong path does not heal by waiting.
                raise
            except OSError as error:
                if attempt == self._retry.attempts:
                    raise
                logger.warning("%s: %s; trying again in %.0f s", stage.name, error, wait_s)
                time.sleep(wait_s)
                wait_s = min(2 * wait_s, self._retry.longest_wait_s)
        raise AssertionError("a retry policy allows at least one attempt")

    def _record_failure(self, result: GroupResult, stage: Stage, error: Exception) -> None:
        result.status = "degraded" if isinstance(error, ConvergenceError) else "failed"
        result.error = f"{stage.name}: {error}"
        expected = isinstance(error, DataError | ConvergenceError | ValueError | OSError)
        log = logger.warning if expected else logger.exception
        log("%s: %s: %s", result.group_id, stage.name, error)
        context = {"group_id": result.group_id, "version": __version__, "traceback": traceback.format_exception(error)}
        self._queue.insert(
            "dead_letter_queue",
            [
                {
                    "component": stage.name,
                    "operation": result.group_id,
                    "error_type": type(error).__name__,
                    "error_message": str(error),
                    "context_json": json.dumps(context),
                    "created_at": time.time(),
                }
            ],
        )


def _fingerprint(stage: Stage, outputs: Outputs) -> str:
    """Hash of what the stage's result depends on: its parameters and the outputs it reads."""
    needs = {key: outputs[key] for key in stage.needs}
    text = json.dumps([stage.name, dict(stage.fingerprint), needs], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
