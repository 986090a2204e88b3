"""The stage `image`."""

from collections.abc import Callable
from typing import Any

def image_ms(options: str, *, progress: Callable[[int, int], object] | None = None) -> dict[str, Any]: ...
def default_options() -> dict[str, Any]: ...
