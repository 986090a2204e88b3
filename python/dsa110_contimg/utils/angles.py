"""Angles brought into their range."""

from __future__ import annotations

from typing import Any, overload

import numpy as np
from numpy.typing import NDArray


@overload
def wrap_phase_deg(angles_deg: float) -> float: ...
@overload
def wrap_phase_deg(angles_deg: NDArray[Any]) -> NDArray[np.float64]: ...
def wrap_phase_deg(angles_deg: float | NDArray[Any]) -> float | NDArray[np.float64]:
    """Wrap angles to [-180, 180).

    Parameters
    ----------
    angles_deg : float or array
        Angles [degrees]; NaN stays NaN.

    Returns
    -------
    float or array of float64
        The same angles [degrees]; a number for a number.
    """
    # The second remainder takes back the rounding of tiny negative angles up to a full turn.
    wrapped = np.mod(np.mod(np.asarray(angles_deg, dtype=np.float64) + 180.0, 360.0), 360.0) - 180.0
    return wrapped if wrapped.ndim else float(wrapped)


@overload
def wrap_0_360_deg(angles_deg: float) -> float: ...
@overload
def wrap_0_360_deg(angles_deg: NDArray[Any]) -> NDArray[np.float64]: ...
def wrap_0_360_deg(angles_deg: float | NDArray[Any]) -> float | NDArray[np.float64]:
    """Wrap angles to [0, 360).

    Parameters
    ----------
    angles_deg : float or array
        Angles [degrees]; NaN stays NaN.

    Returns
    -------
    float or array of float64
        The same angles [degrees]; a number for a number.
    """
    wrapped = np.mod(np.mod(np.asarray(angles_deg, dtype=np.float64), 360.0), 360.0)
    return wrapped if wrapped.ndim else float(wrapped)
