"""Fixtures shared by all Python tests."""

from __future__ import annotations

import importlib.util
import os
import tempfile
from pathlib import Path

import pytest


def pytest_configure() -> None:
    """Let CASA, when it is installed, use the data of the casadata package and no network; read when CASA is imported."""
    spec = importlib.util.find_spec("casadata")
    if spec is None or spec.origin is None or "CASASITECONFIG" in os.environ:
        return
    data = Path(spec.origin).parent / "__data__"
    config = Path(tempfile.mkdtemp(prefix="contimg-casa-")) / "casasiteconfig.py"
    config.write_text(
        f"measurespath = {str(data)!r}\ndatapath = [measurespath]\nmeasures_auto_update = False\n"
        "data_auto_update = False\nnologger = True\nlog2term = False\nnogui = True\nagg = True\n"
    )
    os.environ["CASASITECONFIG"] = str(config)


@pytest.fixture(autouse=True)
def _no_surprises(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Tests see no configuration of the person who runs them, and leave no files in the working directory."""
    for name in list(os.environ):
        if name.startswith(("CONTIMG_", "PIPELINE_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("CONTIMG_DISABLE_PROGRESS", "1")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "xdg"))
