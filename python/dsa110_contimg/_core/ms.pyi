"""Measurement Sets through the core."""

from collections.abc import Sequence
from os import PathLike
from typing import Any

def meta(path: str | PathLike[str]) -> dict[str, Any]: ...
def read(
    path: str | PathLike[str],
    spw: int = 0,
    *,
    column: str = "data",
    rows: tuple[int, int] | None = None,
    fields: Sequence[int] | None = None,
    time_range_mjd_s: tuple[float, float] | None = None,
    without_autos: bool = False,
    with_model: bool = False,
    data_description: int | None = None,
) -> dict[str, Any]: ...
