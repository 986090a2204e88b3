"""Measurement Sets through the core."""

from collections.abc import Callable, Sequence
from os import PathLike
from typing import Any, Self, final

@final
class Lock:
    def __new__(cls, path: str | PathLike[str], wait_s: float = 60.0) -> Self: ...
    def __enter__(self) -> None: ...
    def __exit__(self, *exception: object) -> None: ...

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
def verify(path: str | PathLike[str], *, imaging_columns: bool = True) -> dict[str, Any]: ...
def convert(
    files: Sequence[str | PathLike[str]],
    output: str | PathLike[str],
    *,
    phase_center: str = "per-integration",
    merge_spws: bool = False,
    telescope_name: str | None = None,
    scratch: str | PathLike[str] | None = None,
    overwrite: bool = False,
    fringe_stopped: bool | None = None,
    antennas: str | PathLike[str] | None = None,
    expected_subbands: int | None = None,
    checksums: bool = True,
    model_flux_jy: float | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> dict[str, Any]: ...
def configure(
    path: str | PathLike[str],
    *,
    columns: bool = True,
    weights: bool = True,
    mount: str | None = None,
    telescope_name: str | None = None,
) -> list[str]: ...
