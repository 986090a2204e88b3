"""Variability statistics of light curves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from dsa110_contimg import DataError
from dsa110_contimg._core import variability as _core
from dsa110_contimg.utils.columns import column, ragged

if TYPE_CHECKING:
    import pandas as pd


def calculate_eta_metric(
    df: pd.DataFrame, flux_col: str = "normalized_flux_jy", err_col: str = "normalized_flux_err_jy"
) -> float:
    """Weighted reduced chi-square about the weighted mean; 0 with fewer than two usable points."""
    import numpy as np

    flux, err = column(df[flux_col]), column(df[err_col])
    usable = np.isfinite(flux) & np.isfinite(err) & (err > 0)
    if int(usable.sum()) < 2:
        return 0.0
    return _core.eta(column(flux[usable]), column(err[usable]))


def calculate_v_metric(fluxes: Sequence[float]) -> float:
    """Fractional standard deviation (ddof 1); NaN where it is undefined, points that are not finite left out."""
    import numpy as np

    flux = column(fluxes)
    try:
        return _core.fractional(column(flux[np.isfinite(flux)]))
    except DataError:
        return float("nan")


def calculate_vs_metric(flux_a: float, flux_b: float, flux_err_a: float, flux_err_b: float) -> float:
    """Two-epoch t statistic ``(a - b) / hypot(errors)``; NaN where it is undefined."""
    try:
        return _core.vs(flux_a, flux_b, flux_err_a, flux_err_b)
    except DataError:
        return float("nan")


def calculate_m_metric(flux_a: float, flux_b: float) -> float:
    """Two-epoch modulation index ``2 (a - b) / (a + b)``; NaN for fluxes of opposite sign, where it is undefined."""
    try:
        return _core.m(flux_a, flux_b)
    except DataError:
        return float("nan")


def summarise(
    curves: Mapping[str, tuple[Sequence[float], Sequence[float], Sequence[float]]],
    *,
    shape: bool = False,
    progress: Callable[[int, int], object] | None = None,
) -> pd.DataFrame:
    """All statistics of many light curves.

    Parameters
    ----------
    curves : mapping
        Source to ``(mjd, flux, err)``.
    shape : bool
        Also time scale, asymmetry and largest excursion, which take a fit.

    Returns
    -------
    pandas.DataFrame
        One row a source: n, n_bad, mean, weighted_mean, median, std, min, max, eta, v, vs_max, m_max, chi2_nu,
        significance, modulation_index, von_neumann, amplitude, sigma_deviation, timescale_days, asymmetry, excursion;
        NaN where a statistic is undefined.
    """
    import pandas as pd

    offsets, mjd, flux, err = ragged(list(curves.values()))
    found = _core.summarise(offsets, mjd, flux, err, shape=shape, progress=progress)
    return pd.DataFrame(found, index=pd.Index(list(curves), name="source_id"))
