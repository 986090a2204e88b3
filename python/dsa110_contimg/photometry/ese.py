"""Extreme scattering events: from light curves to verdicts with reasons."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dsa110_contimg._core import ese as _core
from dsa110_contimg.utils.columns import ragged

Curve = tuple[Sequence[float], Sequence[float], Sequence[float]]


def ese_score(chi2_nu: float, v: float, asymmetry: float, timescale_days: float, amplitude: float) -> dict[str, float]:
    """The original's score: its parts and their weighted ``total``, all 0..1."""
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
        Thresholds: min_score 0.6, min_epochs 20, min_dip_epochs 3, min_dip_snr 5, min_depth 0.05,
        variable_chi2_nu 3, variable_v 0.05, spike_sigma 5.

    Returns
    -------
    dict
        Source to ``verdict`` (candidate, variable, steady, insufficient), ``score``, ``summary``, ``baseline``,
        ``dip``, ``rise``, ``n_spikes`` and ``reasons``.
    """
    offsets, mjd, flux, err = ragged(list(curves.values()))
    found = _core.judge(offsets, mjd, flux, err, options=dict(options or {}), progress=progress)
    return dict(zip(curves, found, strict=True))


def judge_bands(
    sources: Mapping[str, Sequence[tuple[float | None, Curve]]],
    *,
    min_log_bf: float | None = None,
    options: Mapping[str, Any] | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> dict[str, dict[str, Any]]:
    """Judge sources from all their bands: a plasma lens against everything else that makes a light curve.

    Parameters
    ----------
    sources : mapping
        Source to its bands ``(freq_hz, (mjd, flux, err))``.
    min_log_bf : float, optional
        Least ln Bayes factor of a candidate (default 7; with one band and a score above ``min_score``, 5).
    options : mapping, optional
        Thresholds, see `judge`.

    Returns
    -------
    dict
        Source to ``verdict``, ``score``, ``summary``, ``events``, ``lens`` (strength, crossing time, source size),
        ``alternatives`` (ln evidences), ``log_bf_lens``, ``in_progress``, ``trigger`` and ``reasons``.
    """
    first_band, freq, curves = [0], [], []
    for bands in sources.values():
        for freq_hz, curve in bands:
            freq.append(float("nan") if freq_hz is None else freq_hz)
            curves.append(curve)
        first_band.append(len(freq))
    offsets, *points = ragged(curves)
    found = _core.judge_bands(
        first_band,
        freq,
        offsets,
        (points[0], points[1], points[2]),
        min_log_bf=min_log_bf,
        options=dict(options or {}),
        progress=progress,
    )
    return dict(zip(sources, found, strict=True))
