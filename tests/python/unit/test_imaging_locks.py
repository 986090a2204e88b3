"""Other imagers work on a Measurement Set as the package's own steps do: one at a time."""

from __future__ import annotations

import fcntl
import os
import sys
import threading
import time
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from dsa110_contimg import _core, imaging


@pytest.fixture
def busy(tmp_path: Path) -> Any:
    """A directory that stands for a Measurement Set, and an open handle that has its lock."""
    ms = tmp_path / "a.ms"
    ms.mkdir()
    handle = os.open(ms, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    yield ms, handle
    os.close(handle)


@pytest.fixture
def wsclean(tmp_path: Path) -> Path:
    """A program that notes whether the Measurement Set was free while it ran, and makes an image."""
    program = tmp_path / "wsclean"
    program.write_text(
        f"#!{sys.executable}\n"
        "import fcntl, os, pathlib, sys\n"
        "if len(sys.argv) == 1: sys.exit('usage: -abs-threshold')\n"
        "name = sys.argv[sys.argv.index('-name') + 1]\n"
        "handle = os.open(sys.argv[-1], os.O_RDONLY)\n"
        "try: fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB); state = 'free'\n"
        "except BlockingIOError: state = 'held'\n"
        "pathlib.Path(name + '-image.fits').write_text(state)\n"
    )
    program.chmod(0o755)
    return program


def test_wsclean_waits_its_turn_and_keeps_others_away(busy: tuple[Path, int], wsclean: Path, tmp_path: Path) -> None:
    ms, handle = busy
    asked: dict[str, Any] = {"imsize": 64, "cell_arcsec": 5.0, "executable": wsclean}
    with pytest.raises(OSError, match=r"found it in use by .*(process \d+|thread)"):
        imaging.wsclean(ms, tmp_path / "x", lock_wait_s=0.1, **asked)
    assert not (tmp_path / "x-image.fits").exists()
    threading.Timer(0.3, lambda: fcntl.flock(handle, fcntl.LOCK_UN)).start()
    made = imaging.wsclean(ms, tmp_path / "x", lock_wait_s=60.0, **asked)
    assert Path(made["products"]["restored"]).read_text() == "held"
    # It lets go.
    with _core.ms.Lock(ms, 0.0):
        pass


def test_tclean_waits_its_turn(busy: tuple[Path, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ms, handle = busy
    seen: list[str] = []

    def tclean(**options: Any) -> None:
        other = os.open(ms, os.O_RDONLY)
        try:
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
            seen.append("free")
        except BlockingIOError:
            seen.append("held")
        os.close(other)

    fake = ModuleType("casatasks")
    fake.__dict__.update(tclean=tclean, exportfits=lambda **_: None)
    fake.__spec__ = SimpleNamespace(name="casatasks")  # type: ignore[assignment]
    monkeypatch.setitem(sys.modules, "casatasks", fake)
    with pytest.raises(OSError, match="in use by"):
        imaging.tclean(ms, tmp_path / "x", imsize=64, cell_arcsec=5.0, lock_wait_s=0.1)
    assert seen == []
    fcntl.flock(handle, fcntl.LOCK_UN)
    imaging.tclean(ms, tmp_path / "x", imsize=64, cell_arcsec=5.0)
    assert seen == ["held"]


def test_a_lock_is_let_go_when_the_work_fails(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="work"), _core.ms.Lock(tmp_path):
        raise RuntimeError("work")
    started = time.monotonic()
    with _core.ms.Lock(tmp_path, 60.0):
        # No wait of seconds: nobody has it.
        assert time.monotonic() - started < 30
    with pytest.raises(ValueError, match="wait_s"):
        _core.ms.Lock(tmp_path, -1.0)
    with pytest.raises(OSError, match="no-such"), _core.ms.Lock(tmp_path / "no-such"):
        pass
