from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

def rows(
    sources: str,
    rows: dict[str, NDArray[Any]],
    freq_hz: NDArray[np.float64],
    width_hz: NDArray[np.float64],
    fields_rad: NDArray[np.float64],
    *,
    dec_deg: float | None = None,
    beam: str = "airy",
    smear: bool = True,
    accuracy: float = 1e-4,
    site: tuple[float, float, float] | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> NDArray[np.complex64]: ...
