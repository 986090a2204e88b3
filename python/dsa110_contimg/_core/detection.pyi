"""Sources found without a catalogue."""

from collections.abc import Callable
from os import PathLike
from typing import Any

def find_sources(
    image: str | PathLike[str],
    *,
    seed_sigma: float = 5.0,
    island_sigma: float = 3.0,
    mesh_beams: float = 20.0,
    progress: Callable[[int, int], object] | None = None,
) -> dict[str, Any]: ...
