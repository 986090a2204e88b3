"""Columns rewritten in place: after a kill or a failed write the old one, the new one, or a refusal that a re-run repairs."""

from __future__ import annotations

import errno
import random
import shutil
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from dsa110_contimg import DataError, _core
from support.faults import FaultServer, build_shim
from support.uvh5_groups import write_group

KILLS = 40
SUBBANDS = 2

_MODEL = """
from dsa110_contimg.calibration import sky, stages
def step(ms):
    stages.write_model(ms, sky.model([sky.source("s", 344.1, 16.1, 1.0)], beam="none"))
"""
_FLAG = """
from dsa110_contimg.calibration import stages
def step(ms):
    stages.flag(ms, [{"step": "manual", "antenna": "103"}])
"""
_CONFIGURE = """
def step(ms):
    _core.ms.configure(ms)
"""
STEPS = {"model": (_MODEL, "model_rfp"), "flag": (_FLAG, "flag_rfp"), "configure": (_CONFIGURE, "model_rfp")}


@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_shim(tmp_path_factory.mktemp("shim"))


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A Measurement Set for the steps that rewrite columns; ``configure`` begins with one that lacks some."""
    folder = tmp_path_factory.mktemp("ms")
    files = write_group(folder / "in", subbands=range(SUBBANDS), channels=4, times=2)
    _core.ms.convert(files, folder / "x.ms", expected_subbands=SUBBANDS)
    return {"model": folder / "x.ms", "flag": folder / "x.ms"}


# python-casacore takes the columns out for "configure".
@pytest.fixture(params=["model", "flag", pytest.param("configure", marks=pytest.mark.oracle)])
def case(request: pytest.FixtureRequest, originals: dict[str, Path], tmp_path: Path) -> tuple[str, str, Path]:
    """Source of a step, the column that it rewrites, and a Measurement Set to begin with."""
    name = str(request.param)
    if name in originals:
        return *STEPS[name], originals[name]
    bare = tmp_path / "bare.ms"
    shutil.copytree(originals["model"], bare)
    strip(bare)
    return *STEPS[name], bare


def strip(ms: Path) -> None:
    tables = pytest.importorskip("casacore.tables")
    with tables.table(str(ms), readonly=False, ack=False) as main:
        main.removecols(["MODEL_DATA", "CORRECTED_DATA"])


def content(ms: Path, what: str) -> np.ndarray | None:
    """The column over all windows; None when the Measurement Set does not have it. Raises DataError when refused."""
    if what == "model_rfp" and "MODEL_DATA" not in _core.ms.meta(ms)["columns"]:
        _core.ms.read(ms, 0)
        return None
    return np.concatenate([_core.ms.read(ms, w, with_model=what == "model_rfp")[what] for w in range(SUBBANDS)])


def check(ms: Path, what: str, old: np.ndarray | None, new: np.ndarray) -> bool:
    """Whether it was refused; the old or the new column otherwise."""
    try:
        found = content(ms, what)
    except DataError as error:
        if "again" not in str(error):
            raise
        return True
    assert (found is None and old is None) or (
        found is not None and ((old is not None and np.array_equal(found, old)) or np.array_equal(found, new))
    )
    return False


@pytest.mark.slow
def test_after_a_kill(shim: Path, case: tuple[str, str, Path], tmp_path: Path) -> None:
    step, what, original = case
    ms = tmp_path / "work" / "x.ms"
    rng = random.Random(2)  # noqa: S311 - moments of kills, no secrets
    shutil.copytree(original, ms)
    old = content(ms, what)
    killed = refused = 0
    with FaultServer(shim, step, [ms], ms.parent) as server:
        assert server.run()["exit"] == 0
        new = content(ms, what)
        assert new is not None
        assert old is None or not np.array_equal(old, new)
        shutil.rmtree(ms)
        shutil.copytree(original, ms)
        started = time.monotonic()
        server.run()
        whole = time.monotonic() - started
        for _ in range(KILLS):
            shutil.rmtree(ms)
            shutil.copytree(original, ms)
            killed += server.run(kill_after_s=rng.uniform(0.0, 1.2 * whole))["signal"] == signal.SIGKILL
            if check(ms, what, old, new):
                refused += 1
                again = server.run()
                assert again["exit"] == 0, again
                assert np.array_equal(content(ms, what), new)
    assert killed > KILLS // 4


@pytest.mark.slow
def test_after_a_failed_call(shim: Path, case: tuple[str, str, Path], tmp_path: Path) -> None:
    step, what, original = case
    ms = tmp_path / "work" / "x.ms"
    shutil.copytree(original, ms)
    old = content(ms, what)
    with FaultServer(shim, step, [ms], ms.parent) as server:
        done = server.run()
        assert done["exit"] == 0, done
        new = content(ms, what)
        assert new is not None
        total = done["count"]
        assert total > 10, "the shim saw no calls"
        for point in range(1, total + 1, max(1, total // 40)):
            shutil.rmtree(ms)
            shutil.copytree(original, ms)
            done = server.run(fail_at=point, error=errno.EIO if point % 2 else errno.ENOSPC)
            # One clear error, and the process lives.
            # Locks and the description's text may be swallowed: then the Measurement Set must be sound.
            harmless = done["failed"].endswith(("table.lock", "table.info")) or done["count"] < point
            assert done["exit"] == 3 or (done["exit"] == 0 and harmless), (point, done)
            if done["exit"] == 0:
                assert (ms / "table.info").read_text().startswith("Type = Measurement Set")
                assert not (ms / "table.dat_tmp").exists()
            if check(ms, what, old, new):
                again = server.run()
                assert again["exit"] == 0, (point, again)
                assert np.array_equal(content(ms, what), new)
