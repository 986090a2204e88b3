"""A test module's own pieces for another one: pytest imports tests by path, so they cannot import each other."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

_UNIT = Path(__file__).parents[1] / "unit"


def unit_test_module(name: str, *, called: str) -> ModuleType:
    """``tests/python/unit/NAME.py`` as a module of its own, free to be changed, under the name `called`."""
    spec = importlib.util.spec_from_file_location(called, _UNIT / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
