"""Compiled core: one submodule a room."""

from collections.abc import Callable

from . import (
    array as array,
    beam as beam,
    calibration as calibration,
    catalog as catalog,
    coords as coords,
    db as db,
    detection as detection,
    ese as ese,
    flagging as flagging,
    gridding as gridding,
    imaging as imaging,
    mosaic as mosaic,
    ms as ms,
    photometry as photometry,
    predict as predict,
    simulate as simulate,
    time as time,
    uvh5 as uvh5,
    variability as variability,
)

__version__: str

class ContimgError(Exception): ...
class DataError(ContimgError): ...
class ConvergenceError(ContimgError): ...

def set_threads(threads: int) -> None: ...
def get_threads() -> int: ...
def reset_logging() -> None: ...
def wait(seconds: float, *, progress: Callable[[int, int], object] | None = None) -> None: ...
