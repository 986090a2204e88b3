"""The stage `mosaic`."""

from collections.abc import Callable
from typing import Any

def build(options: str, *, progress: Callable[[int, int], object] | None = None) -> dict[str, Any]: ...
