"""ESE score and verdicts."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

_Column = NDArray[np.float64]

FLAG_SCORE: float

def score(chi2_nu: float, v: float, asymmetry: float, timescale_days: float, amplitude: float) -> dict[str, float]: ...
def judge(
    offsets: Sequence[int],
    mjd: _Column,
    flux: _Column,
    err: _Column,
    *,
    options: dict[str, Any] | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> list[dict[str, Any]]: ...
def judge_bands(
    first_band: Sequence[int],
    freq_hz: Sequence[float],
    offsets: Sequence[int],
    points: tuple[_Column, _Column, _Column],
    *,
    min_log_bf: float | None = None,
    options: dict[str, Any] | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> list[dict[str, Any]]: ...
