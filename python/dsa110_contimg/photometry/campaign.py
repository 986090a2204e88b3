"""Stages measure, normalise, vary and nominate over the products database.

Every function may be run again: the same measurements give the same rows.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dsa110_contimg import DataError
from dsa110_contimg._core import photometry as _core
from dsa110_contimg._core import variability as _statistics
from dsa110_contimg.photometry.forced import measure_positions
from dsa110_contimg.photometry.gains import band_cubes, epoch_points
from dsa110_contimg.photometry.nominate import light_curves, vary_and_nominate
from dsa110_contimg.photometry.rows import record
from dsa110_contimg.utils.columns import column

if TYPE_CHECKING:
    import pandas as pd

    from dsa110_contimg.database import Database

__all__ = ["light_curves", "measure_epoch", "normalise", "normalise_by", "record", "vary_and_nominate"]

#: Reduced chi-square above which a reference is no longer one.
MAX_REFERENCE_CHI2 = 2.0
#: Signal-to-noise ratio (median over epochs) of a source that may be a reference when none were named.
MIN_REFERENCE_SNR = 20.0
#: References an epoch from which a field of gains has a margin over its six parameters.
FIELD_REFERENCES = 8


def measure_epoch(
    db: Database,
    image: str | os.PathLike[str],
    sources: pd.DataFrame,
    *,
    mjd: float | None = None,
    progress: Callable[[int, int], object] | None = None,
    **options: Any,
) -> pd.DataFrame:
    """Measure `sources` on one image and record them.

    Parameters
    ----------
    db : Database
        Products database.
    sources : pandas.DataFrame
        Columns source_id, ra_deg, dec_deg and optionally flux_mjy (catalogue).
    mjd : float, optional
        Epoch; the image's mid time when left out.
    **options
        See `dsa110_contimg.photometry.forced.measure_positions`.

    Returns
    -------
    pandas.DataFrame
        The measurements, with source_id and mjd; those outside the image included, with NaN.
    """
    table, about = measure_positions(
        image, sources["ra_deg"].tolist(), sources["dec_deg"].tolist(), progress=progress, **options
    )
    table.insert(0, "source_id", sources["source_id"].astype(str).to_numpy())
    if "flux_mjy" in sources:
        table["nvss_flux_mjy"] = sources["flux_mjy"].to_numpy()
    table["mjd"] = about["mjd"] if mjd is None else mjd
    record(db, str(Path(image)), table, about)
    return table


def normalise(db: Database, references: Iterable[str] | None = None) -> list[dict[str, Any]]:
    """Normalise every epoch by the reference ensemble, and record the corrections.

    The baseline of a reference is the median of its first ten epochs; the correction of an epoch the clipped median
    ratio of the references; a reference itself is corrected by the others. References whose normalised flux is not
    steady (reduced chi-square above 2) are dropped, worst first, while four or more remain.

    Parameters
    ----------
    references : iterable of str, optional
        Their names; when left out the sources with a median signal-to-noise ratio of 20 or more.

    Returns
    -------
    list of dict
        One an epoch: image_path, mjd, correction, correction_rms, correction_err, n_references, excluded, phase.
    """
    import numpy as np

    frame = epoch_points(db)
    if frame.empty:
        return []
    epochs = frame.drop_duplicates("image_path")[["image_path", "mjd"]].reset_index(drop=True)
    names = sorted(frame["source_id"].unique())
    cells = (
        frame["source_id"].map({n: i for i, n in enumerate(names)}).to_numpy(),
        frame["image_path"].map({p: i for i, p in enumerate(epochs["image_path"])}).to_numpy(),
    )
    flux, err = (np.full((len(names), len(epochs)), np.nan) for _ in range(2))
    flux[cells], err[cells] = column(frame["peak_jyb"]), column(frame["peak_err_jyb"])
    mjd = column(epochs["mjd"])
    chosen = _references(names, flux, err, references)
    dropped: list[str] = []
    fewest = max(4, len(chosen) // 2)
    while True:
        norm, norm_err, corrections = _correct(flux, err, mjd, chosen)
        worst = _least_steady(norm, norm_err, chosen)
        if worst is None or len(chosen) <= fewest:
            break
        dropped.append(names[worst])
        chosen = [i for i in chosen if i != worst]
    rows = [
        {**epoch, **correction, "excluded": json.dumps(dropped), "created_at": time.time()}
        for epoch, correction in zip(epochs.to_dict("records"), corrections, strict=True)
    ]
    columns = {
        **{k: frame[k].astype(str).tolist() for k in ("source_id", "image_path")},
        "mjd": column(frame["mjd"]),
        "peak_norm": column(norm[cells]),
        "peak_norm_err": column(norm_err[cells]),
        "is_reference": np.ascontiguousarray(np.isin(cells[0], chosen), dtype=np.int64),
    }
    columns |= _normalised_bands(db, frame, flux.shape, cells, mjd, chosen)
    columns |= _gains(frame, rows, cells)
    db.insert_columns([("photometry_timeseries", columns, ("source_id", "mjd", "image_path"))])
    gains = [
        {key: row[key] for key in ("image_path", "mjd", "n_references", "excluded", "created_at")}
        | {"method": "ensemble", "residual_rms": row["correction_rms"]}
        | dict.fromkeys(("params", "covariance", "floor", "floor_low", "floor_high"))
        for row in rows
    ]
    db.insert_all([("epoch_corrections", rows, ("image_path",)), ("epoch_gains", gains, ("image_path",))])
    return rows


def _gains(frame: pd.DataFrame, rows: Sequence[dict[str, Any]], cells: tuple[Any, Any]) -> dict[str, Any]:
    """The ensemble's gain in the columns where the field's would be."""
    import numpy as np

    factor = np.array([np.nan if r["correction"] is None else r["correction"] for r in rows])
    error = np.array([np.nan if r["correction"] is None else r["correction_err"] / r["correction"] for r in rows])
    flags = frame["flags"].to_numpy(dtype=np.int64) & ~np.int64(_core.NO_REFERENCE)
    return {
        "gain": column(factor[cells[1]]),
        "gain_err": column(error[cells[1]]),
        "reference_sep_deg": np.full(len(frame), np.nan),
        "flags": np.ascontiguousarray(flags),
    }


def normalise_by(
    db: Database,
    method: str = "auto",
    *,
    references: Iterable[str] | None = None,
    gate: bool = True,
    max_rms_jy: float | None = None,
    options: Mapping[str, Any] | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> str:
    """Judge the epochs' flux scales, then normalise by a method; ``auto`` takes the field of gains where references suffice.

    They suffice when half of the epochs have `FIELD_REFERENCES` or more of them: the field's five slopes and curvatures are then told
    by the references and not by their priors. Otherwise the ensemble, which is one gain an epoch.

    Parameters
    ----------
    method : {'auto', 'ensemble', 'field'}
        Which.
    references : iterable of str, optional
        Their names; chosen by signal-to-noise ratio when left out.
    gate : bool
        Whether epochs that fail `dsa110_contimg.photometry.scale.check_epochs` take no part.
    max_rms_jy : float, optional
        The gate's limit of noise [Jy/beam].
    options, progress
        Of `dsa110_contimg.photometry.gains.normalise_field`.

    Returns
    -------
    str
        ``ensemble`` or ``field``: what was done.

    Raises
    ------
    ValueError
        Another method.
    """
    import numpy as np

    from dsa110_contimg.photometry.gains import normalise_field
    from dsa110_contimg.photometry.scale import ScaleLimits, check_epochs

    if method not in ("auto", "ensemble", "field"):
        raise ValueError(f"normalisation: expected auto, ensemble or field, found {method!r}")
    if gate:
        check_epochs(db, ScaleLimits() if max_rms_jy is None else ScaleLimits(max_rms_jy=max_rms_jy))
    if method != "ensemble":
        names = None if references is None else list(references)
        counts = [row["n_references"] for row in normalise_field(db, names, options=options, progress=progress)]
        if method == "field" or (counts and np.median(counts) >= FIELD_REFERENCES):
            return "field"
        references = names
    normalise(db, references)
    return "ensemble"


def _normalised_bands(
    db: Database, frame: pd.DataFrame, shape: tuple[int, int], cells: tuple[Any, Any], mjd: Any, chosen: Sequence[int]
) -> dict[str, Any]:
    """Fluxes of the parts of the band, each part corrected by the same references in that part."""
    import numpy as np

    parts = band_cubes(db, frame, shape, cells)
    if parts is None:
        return {}
    _, flux, err = parts
    done = [_correct(column(flux[:, :, k]), column(err[:, :, k]), mjd, chosen)[:2] for k in range(flux.shape[2])]
    columns = zip(*((norm[cells], error[cells]) for norm, error in done), strict=True)
    names = ("band_norm_ujy", "band_norm_err_ujy")
    return {n: np.ascontiguousarray(np.stack(c, axis=1) * 1e6) for n, c in zip(names, columns, strict=True)}


def _references(names: Sequence[str], flux: Any, err: Any, wanted: Iterable[str] | None) -> list[int]:
    import numpy as np

    if wanted is not None:
        known = {name: i for i, name in enumerate(names)}
        return [known[name] for name in wanted if name in known]
    with np.errstate(invalid="ignore", divide="ignore"):
        snr = flux / err
    return [i for i, s in enumerate(snr) if np.isfinite(s).any() and np.median(s[np.isfinite(s)]) >= MIN_REFERENCE_SNR]


def _correct(flux: Any, err: Any, mjd: Any, chosen: Sequence[int]) -> tuple[Any, Any, list[dict[str, Any]]]:
    import numpy as np

    found = [_core.baseline(mjd, column(flux[i])) for i in chosen]
    levels = column([np.nan if b is None else b[0] for b in found])
    norm, norm_err = np.full_like(flux, np.nan), np.full_like(flux, np.nan)
    rows = list(chosen)
    epochs: dict[int, tuple[Any, ...]] = {}
    for e in range(len(mjd)):
        ours = column(flux[rows, e])
        try:
            epochs[e] = (*_core.ensemble_correction(ours, levels), *_core.leave_one_out(ours, levels))
        except DataError:
            continue
    # The scatter of few ratios is itself uncertain: an epoch's is not taken below the typical one.
    floor = float(np.median([c[1] for c in epochs.values()])) if epochs else 0.0
    corrections = []
    for e in range(len(mjd)):
        if e not in epochs:
            corrections.append(_correction(None, None, None, 0, "unnormalised" if e >= 3 else "baseline"))
            continue
        factor, rms, factor_err, used, own, own_rms, _ = epochs[e]
        for which, c, r in ((slice(None), factor, max(rms, floor)), (rows, own, np.maximum(own_rms, floor))):
            norm[which, e] = flux[which, e] / c
            norm_err[which, e] = np.hypot(err[which, e] / c, flux[which, e] * r / c**2)
        corrections.append(_correction(factor, rms, factor_err, int(used.sum()), "normalised"))
    return norm, norm_err, corrections


def _correction(factor: Any, rms: Any, err: Any, n: int, phase: str) -> dict[str, Any]:
    return {"correction": factor, "correction_rms": rms, "correction_err": err, "n_references": n, "phase": phase}


def _least_steady(norm: Any, norm_err: Any, chosen: Sequence[int]) -> int | None:
    import numpy as np

    chi2 = {}
    for i in chosen:
        ok = np.isfinite(norm[i]) & np.isfinite(norm_err[i]) & (norm_err[i] > 0)
        if int(ok.sum()) >= 5:
            chi2[i] = _statistics.chi2_nu(column(norm[i][ok]), column(norm_err[i][ok]))
    if not chi2:
        return None
    worst = max(chi2, key=lambda i: chi2[i])
    # Where errors are too small all references look unsteady: one must stand out from the others as well.
    limit = max(MAX_REFERENCE_CHI2, 2.5 * float(np.median(list(chi2.values()))))
    return worst if chi2[worst] > limit else None
