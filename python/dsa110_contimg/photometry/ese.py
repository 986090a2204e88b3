"""Extreme scattering events: from light curves to verdicts with reasons."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dsa110_contimg._core import ese as _core
from dsa110_contimg.utils.columns import ragged

Curve = tuple[Sequence[float], Sequence[float], Sequence[float]]


def ese_score(chi2_nu: float, v: float, asymmetry: float, timescale_days: float, amplitude: float) -> dict[str, float]:
    """The original's score: parts ``statistical, fractional, asymmetry, timescale, amplitude`` and their weighted ``total``, all 0..1."""
    return _core.score(chi2_nu, v, asymmetry, timescale_days, amplitude)


def judge(
    curves: Mapping[str, Curve],
    *,
    options: Mapping[str, Any] | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> dict[str, dict[str, Any]]:
    """Judge light curves of one band each.

    Parameters
    ----------
    curves : mapping
        Source to ``(mjd, flux, err)``; any one unit of flux a source.
    options : mapping, optional
        Thresholds: min_score 0.6, min_epochs 20, min_dip_epochs 3, min_dip_snr 5, min_depth 0.05, variable_chi2_nu 3,
        variable_v 0.05, spike_sigma 5.

    Returns
    -------
    dict
        Source to ``verdict`` (candidate, variable, steady, insufficient), ``score``, ``summary``, ``baseline``, ``dip``, ``rise``,
        ``n_spikes`` and ``reasons``.
    """
    offsets, mjd, flux, err = ragged(list(curves.values()))
    found = _core.judge(offsets, mjd, flux, err, options=dict(options or {}), progress=progress)
    return dict(zip(curves, found, strict=True))
