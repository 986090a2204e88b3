"""The gate of an epoch: its flux scale, noise and completeness against the catalogue."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from dsa110_contimg import DataError
from dsa110_contimg._core import photometry as _core
from dsa110_contimg.utils.columns import column

if TYPE_CHECKING:
    import pandas as pd

    from dsa110_contimg.database import Database


@dataclass(frozen=True)
class ScaleLimits:
    """Limits of the gate.

    Attributes
    ----------
    ratio : tuple of float
        Slope of measured against catalogue flux.
    min_snr : float
        Sources below this ratio of catalogue flux to noise are not compared.
    min_sources : int
        Fewer are no test: the verdict is ``untested``, and the epoch goes on.
    completeness : float
        Least fraction of bright sources that are detected.
    bright_mjy, bright_sigma : float
        Which those are: catalogue flux, and its ratio to the local noise.
    max_rms_jy : float
        Largest median local noise [Jy/beam].
    """

    ratio: tuple[float, float] = (0.8, 1.2)
    min_snr: float = 20.0
    min_sources: int = 3
    completeness: float = 0.6
    bright_mjy: float = 50.0
    bright_sigma: float = 5.0
    max_rms_jy: float = 0.0171


@dataclass(frozen=True)
class ScaleVerdict:
    """What the gate found.

    Attributes
    ----------
    verdict : str
        ``pass``, ``fail`` or ``untested``.
    reasons : list of str
        Why, in words.
    slope, slope_err, offset_jy, offset_err_jy, scatter : float
        The robust line ``measured = slope * catalogue + offset``.
    n_sources : int
        Sources of the line.
    completeness : float
        Fraction of the bright sources detected; NaN with fewer than five.
    n_expected : int
        Bright sources.
    rms_jy : float
        Median local noise [Jy/beam].
    """

    verdict: str
    reasons: list[str] = field(default_factory=list)
    slope: float = float("nan")
    slope_err: float = float("nan")
    offset_jy: float = float("nan")
    offset_err_jy: float = float("nan")
    scatter: float = float("nan")
    n_sources: int = 0
    completeness: float = float("nan")
    n_expected: int = 0
    rms_jy: float = float("nan")


def check_scale(table: pd.DataFrame, limits: ScaleLimits | None = None) -> ScaleVerdict:
    """Compare the measurements of one image with the catalogue's fluxes.

    Parameters
    ----------
    table : pandas.DataFrame
        flux_jy, flux_err_jy, local_rms_jy, flags and nvss_flux_mjy (catalogue, at the band's frequency).
    limits : ScaleLimits, optional
        Limits.
    """
    import numpy as np

    limits = limits or ScaleLimits()
    bad = _core.OUTSIDE | _core.EDGE | _core.RESOLVED | _core.BLEND
    table = table[np.isfinite(column(table["flux_jy"]))]
    flux, err, rms = (column(table[c]) for c in ("flux_jy", "flux_err_jy", "local_rms_jy"))
    known = column(table["nvss_flux_mjy"]) / 1e3
    clean = (table["flags"].to_numpy(dtype=np.int64) & bad) == 0
    usable = clean & (known >= limits.min_snr * err) & (err > 0)
    bright = clean & (known * 1e3 >= limits.bright_mjy) & (known >= limits.bright_sigma * rms)
    noise = float(np.nanmedian(rms)) if len(rms) else float("nan")
    n_expected = int(bright.sum())
    complete = float((flux[bright] >= limits.bright_sigma * err[bright]).mean()) if n_expected >= 5 else float("nan")
    reasons = []
    if complete < limits.completeness:
        reasons.append(f"completeness {complete:.2f} below {limits.completeness:g} of {n_expected} bright sources")
    if noise > limits.max_rms_jy:
        reasons.append(f"noise {1e3 * noise:.2f} mJy/beam above {1e3 * limits.max_rms_jy:g}")
    shared: dict[str, Any] = {"completeness": complete, "n_expected": n_expected, "rms_jy": noise}
    try:
        columns = (column(v[usable]) for v in (flux, err, known))
        line = _core.flux_scale(*columns, min_sources=limits.min_sources)
    except DataError as error:
        reasons.append(f"flux scale not tested: {error}")
        failed = len(reasons) > 1
        return ScaleVerdict("fail" if failed else "untested", reasons, **shared)
    if not limits.ratio[0] <= line["slope"] <= limits.ratio[1]:
        reasons.append(f"flux scale {line['slope']:.3f} outside {limits.ratio[0]:g} to {limits.ratio[1]:g}")
    fit = {k: line[k] for k in ("slope", "slope_err", "offset_jy", "offset_err_jy", "scatter")}
    return ScaleVerdict("fail" if reasons else "pass", reasons, **fit, n_sources=line["n"], **shared)


def record_scale(db: Database, image_path: str, mjd: float, verdict: ScaleVerdict) -> None:
    """Write a verdict into ``epoch_scale``; that of the same image is updated."""
    row = asdict(verdict) | {"reasons": json.dumps(verdict.reasons)}
    db.upsert("epoch_scale", {"image_path": image_path, "mjd": mjd, **row, "created_at": time.time()}, "image_path")


def check_epochs(db: Database, limits: ScaleLimits | None = None) -> dict[str, ScaleVerdict]:
    """Judge every image with measurements, record the verdicts, and return them by image."""
    frame = db.frame("photometry", order_by=["mjd"])
    out: dict[str, ScaleVerdict] = {}
    if frame.empty:
        return out
    frame = frame.rename(columns={"local_rms": "local_rms_jy"})
    for path, part in frame.groupby("image_path", sort=False):
        out[str(path)] = check_scale(part, limits)
        record_scale(db, str(path), float(part["mjd"].iloc[0]), out[str(path)])
    return out
