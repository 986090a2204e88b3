from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

def vis2dirty(
    uvw_m: NDArray[np.float64],
    freq_hz: NDArray[np.float64],
    vis: NDArray[Any],
    wgt: NDArray[Any] | None,
    mask: NDArray[np.uint8] | None,
    options: dict[str, Any],
    *,
    progress: Callable[[int, int], object] | None = None,
) -> NDArray[Any]: ...
def dirty2vis(
    uvw_m: NDArray[np.float64],
    freq_hz: NDArray[np.float64],
    dirty: NDArray[Any],
    wgt: NDArray[Any] | None,
    mask: NDArray[np.uint8] | None,
    options: dict[str, Any],
    *,
    progress: Callable[[int, int], object] | None = None,
) -> NDArray[Any]: ...
def plan_summary(
    uvw_m: NDArray[np.float64], freq_hz: NDArray[np.float64], options: dict[str, Any]
) -> dict[str, Any]: ...
