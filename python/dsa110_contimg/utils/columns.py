"""Columns of numbers as the core takes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Column = np.ndarray[Any, np.dtype[np.float64]]


def column(values: object) -> Column:
    """Values as a contiguous float64 array; what is no number becomes an error, None and NA become NaN."""
    import numpy as np

    if hasattr(values, "to_numpy"):
        values = values.to_numpy(dtype=np.float64, na_value=np.nan)
    return np.ascontiguousarray(values, dtype=np.float64)


def ragged(curves: Sequence[tuple[object, object, object]]) -> tuple[list[int], Column, Column, Column]:
    """Light curves ``(mjd, flux, err)`` as flat columns with offsets: ``(offsets, mjd, flux, err)``."""
    import numpy as np

    offsets = [0]
    parts: list[list[Column]] = [[np.zeros(0)], [np.zeros(0)], [np.zeros(0)]]
    for curve in curves:
        for into, values in zip(parts, curve, strict=True):
            into.append(column(values))
        offsets.append(offsets[-1] + len(parts[0][-1]))
    mjd, flux, err = (np.concatenate(p) for p in parts)
    return offsets, mjd, flux, err
