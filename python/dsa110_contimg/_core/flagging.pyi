from collections.abc import Callable
from typing import Any

def flag(params: str, *, progress: Callable[[int, int], object] | None = None) -> Any: ...
