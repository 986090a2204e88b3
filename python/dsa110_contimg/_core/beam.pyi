from collections.abc import Callable
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

_F8 = NDArray[np.float64]

def airy_power(theta_rad: _F8, freq_hz: float, *, diameter_m: float | None = None) -> _F8: ...
def airy_fwhm_rad(freq_hz: float, *, diameter_m: float | None = None) -> float: ...
def radial_power(
    table_freq_hz: _F8, table_radius_rad: _F8, table_power_fs: _F8, theta_rad: _F8, freq_hz: float
) -> _F8: ...
def describe_file(path: str | PathLike[str]) -> dict[str, Any]: ...
def tile_power(
    telescope: str,
    pointing_rad: _F8,
    weights: _F8,
    freq_hz: _F8,
    freq_weights: _F8,
    direction_rad: _F8,
    *,
    progress: Callable[[int, int], object] | None = None,
) -> _F8: ...
