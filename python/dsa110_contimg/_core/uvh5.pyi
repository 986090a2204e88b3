"""UVH5 files through the core."""

from collections.abc import Callable, Mapping
from os import PathLike
from typing import Any

def read_header(path: str | PathLike[str]) -> dict[str, Any]: ...
def read(
    path: str | PathLike[str],
    *,
    times: tuple[int, int] | None = None,
    channels: tuple[int, int] | None = None,
    antennas: list[int] | None = None,
    baselines: list[tuple[int, int]] | None = None,
    no_autos: bool = False,
    progress: Callable[[int, int], object] | None = None,
) -> dict[str, Any]: ...
def write(
    path: str | PathLike[str],
    header: Mapping[str, Any],
    block: Mapping[str, Any],
    *,
    chunk: tuple[int, int, int] | None = None,
    replace: bool = False,
) -> None: ...
