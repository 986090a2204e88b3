"""Synthetic groups; parameters and truth cross as JSON text."""

from collections.abc import Callable
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

def group(
    params: str,
    out: str | PathLike[str],
    *,
    antennas: str | PathLike[str] | None = None,
    bandpass_apf: NDArray[np.complex128] | None = None,
    gain_apt: NDArray[np.complex128] | None = None,
    replace: bool = False,
    progress: Callable[[int, int], object] | None = None,
) -> dict[str, Any]: ...
def sky(params: str) -> str: ...
def sky_csv(text: str, origin: str) -> str: ...
def light_curve(variability: str, mjd: NDArray[np.float64], freq_hz: float) -> NDArray[np.float64]: ...
def utc_name(time_mjd_s: float) -> str: ...
