"""ESE score and verdicts."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Column = NDArray[np.float64]

FLAG_SCORE: float

def score(chi2_nu: float, v: float, asymmetry: float, timescale_days: float, amplitude: float) -> dict[str, float]: ...
def judge(
    offsets: Sequence[int],
    mjd: Column,
    flux: Column,
    err: Column,
    *,
    options: dict[str, Any] | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> list[dict[str, Any]]: ...
