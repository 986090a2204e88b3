"""Forced fluxes, noise maps, ensemble normalisation."""

from collections.abc import Callable
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

_Column = NDArray[np.float64]

OUTSIDE: int
EDGE: int
BLEND: int
RESOLVED: int
PEAK_IN_BOX: int
LOW_ELEVATION: int
BODY_NEAR: int
POLS_DIFFER: int
NO_REFERENCE: int

def measure_image(
    image: str | PathLike[str],
    ra_deg: _Column,
    dec_deg: _Column,
    *,
    options: dict[str, Any] | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> dict[str, Any]: ...
def measure_pixels(
    image_yx: NDArray[np.float32],
    pixel_xy: _Column,
    beam: tuple[float, float, float],
    *,
    noise: float | None = None,
    nbeam: float = 3.0,
    cluster_beams: float | None = None,
) -> list[_Column]: ...
def inject_source(
    image: str | PathLike[str],
    ra_deg: float,
    dec_deg: float,
    flux_jy: float,
    output: str | PathLike[str],
    *,
    nbeam: float = 15.0,
) -> None: ...
def background_maps(
    image_yx: NDArray[np.float32],
    *,
    box_px: int = 128,
    step_px: int = 64,
    clip_sigma: float = 3.0,
    samples: int = 48,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]: ...
def baseline(
    mjd: _Column, flux_jy: _Column, *, epochs: int = 10, min_epochs: int = 3
) -> tuple[float, float, int] | None: ...
def ensemble_correction(
    flux_jy: _Column, baseline_jy: _Column, *, clip_sigma: float = 3.0, min_references: int = 3
) -> tuple[float, float, float, NDArray[np.bool_]]: ...
def leave_one_out(
    flux_jy: _Column, baseline_jy: _Column, *, clip_sigma: float = 3.0, min_references: int = 3
) -> tuple[_Column, _Column, _Column]: ...
def normalise(flux_jy: float, flux_err_jy: float, factor: float, factor_err: float) -> tuple[float, float]: ...
def gain_field(
    flux_sef: NDArray[np.float64],
    err_sef: NDArray[np.float64],
    x_se: NDArray[np.float64],
    y_se: NDArray[np.float64],
    freq_hz: _Column,
    reference: list[bool],
    *,
    options: dict[str, Any] | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> dict[str, Any]: ...
def flux_scale(
    flux_jy: _Column, err_jy: _Column, catalog_jy: _Column, *, catalog_scatter: float = 0.1, min_sources: int = 3
) -> dict[str, Any]: ...
def fractional_floor(residual: _Column, sigma: _Column) -> dict[str, Any] | None: ...
def adaptive_bins(
    flux_jy: _Column, err_jy: _Column, *, target_snr: float = 5.0, max_width: int = 16
) -> list[dict[str, Any]]: ...
