"""Normalisation by a field of gains: position in the beam and frequency, robust, each reference judged by the others."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import dsa110_contimg._core as _compiled
from dsa110_contimg.utils.columns import column

if TYPE_CHECKING:
    import pandas as pd

    from dsa110_contimg.database import Database

#: Signal-to-noise ratio (median over epochs) of a source that may be a reference when none were named.
MIN_REFERENCE_SNR = 20.0
#: A source further than this from every reference has no gain of its own [degrees].
MAX_REFERENCE_SEP_DEG = 1.0


def normalise_field(
    db: Database,
    references: Iterable[str] | None = None,
    *,
    options: Mapping[str, Any] | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> list[dict[str, Any]]:
    """Normalise every epoch by its field of gains, in the band and in each part of it, and record what was done.

    Epochs that failed the flux-scale gate (``epoch_scale.verdict`` ``fail``) take no part and get no normalised flux. Sources more than
    a degree from every reference, or whose gain is uncertain by more than 5 %, are flagged ``NO_REFERENCE``.

    Parameters
    ----------
    references : iterable of str, optional
        Their names; when left out the sources without quality flags and a median signal-to-noise ratio of 20 or more.
    options : mapping, optional
        Of the fit: radius_deg, baseline_epochs, min_references, prior, huber, floor, max_chi2, passes.

    Returns
    -------
    list of dict
        One an epoch, as in ``epoch_gains``.
    """

    frame = epoch_points(db)
    if frame.empty:
        return []
    epochs = frame.drop_duplicates("image_path")[["image_path", "mjd"]].reset_index(drop=True)
    names = sorted(frame["source_id"].unique())
    cells = (
        frame["source_id"].map({n: i for i, n in enumerate(names)}).to_numpy(),
        frame["image_path"].map({p: i for i, p in enumerate(epochs["image_path"])}).to_numpy(),
    )
    shape = (len(names), len(epochs))
    flux, err = (_grid(shape, cells, frame[c]) for c in ("peak_jyb", "peak_err_jyb"))
    x, y = (_grid(shape, cells, frame[c].fillna(0.0)) for c in ("x_deg", "y_deg"))
    chosen = _references(names, flux, err, frame, references)
    place = (x, y)
    band = _fit(flux[:, :, None], err[:, :, None], place, [1.4e9], chosen, options, progress)
    parts = band_cubes(db, frame, shape, cells)
    sub = None
    if parts is not None:
        freq, flux_f, err_f = parts
        sub = _fit(flux_f, err_f, place, freq, band["reference"].tolist(), options, progress)
    rows = _epoch_rows(epochs, names, band, chosen)
    db.insert_columns([_series(frame, cells, band, sub)])
    db.insert_all([("epoch_gains", rows, ("image_path",)), ("epoch_corrections", _corrections(rows), ("image_path",))])
    return rows


def epoch_points(db: Database) -> pd.DataFrame:
    """Points of all light curves with what was measured beside them; epochs that failed the gate are left out."""
    import pandas as pd

    frame = db.frame("photometry_timeseries")
    if frame.empty:
        return frame
    frame = frame.sort_values(["mjd", "image_path", "source_id"], ignore_index=True)
    failed = {r["image_path"] for r in db.select("epoch_scale", ("verdict", "=", "fail"), columns=["image_path"])}
    _withdraw(db, frame[frame["image_path"].isin(failed) & frame["peak_norm"].notna()])
    frame = frame[~frame["image_path"].isin(failed)].reset_index(drop=True)
    columns = ["image_path", "source_id", "x_deg", "y_deg", "band_flux_ujy", "band_err_ujy"]
    about = db.frame("photometry", columns=columns)
    if about.empty:
        about = pd.DataFrame({c: pd.Series(dtype=object if "path" in c or "id" in c else float) for c in columns})
    joined = frame.merge(about, on=["image_path", "source_id"], how="left")
    for name in ("x_deg", "y_deg"):
        joined[name] = pd.to_numeric(joined[name])
    return joined


def _withdraw(db: Database, frame: pd.DataFrame) -> None:
    """Take back what an earlier normalisation gave to epochs that have failed since."""
    nothing = dict.fromkeys(("peak_norm", "peak_norm_err", "gain", "gain_err", "band_norm_ujy", "band_norm_err_ujy"))
    for path in sorted(frame["image_path"].unique()):
        db.update("photometry_timeseries", nothing, ("image_path", "=", path))
        for table in ("epoch_gains", "epoch_corrections"):
            db.delete(table, ("image_path", "=", path))


def _grid(shape: tuple[int, int], cells: tuple[Any, Any], values: object) -> Any:
    import numpy as np

    grid = np.full(shape, np.nan)
    grid[cells] = column(values)
    return grid


def _references(
    names: Sequence[str], flux: Any, err: Any, frame: pd.DataFrame, wanted: Iterable[str] | None
) -> list[bool]:
    import numpy as np

    if wanted is not None:
        known = set(wanted)
        return [n in known for n in names]
    with np.errstate(invalid="ignore", divide="ignore"):
        snr = flux / err
    flagged = frame.groupby("source_id")["flags"].agg(lambda f: float((f != 0).mean()))
    middle = [float(np.median(s[np.isfinite(s)])) if np.isfinite(s).any() else 0.0 for s in snr]
    return [m >= MIN_REFERENCE_SNR and flagged[n] < 0.5 for n, m in zip(names, middle, strict=True)]


def _fit(
    flux: Any,
    err: Any,
    place: tuple[Any, Any],
    freq: Sequence[float],
    chosen: Sequence[bool],
    options: Mapping[str, Any] | None,
    progress: Callable[[int, int], object] | None,
) -> dict[str, Any]:
    import numpy as np

    flux, err, x, y = (np.ascontiguousarray(v) for v in (flux, err, *place))
    return _compiled.photometry.gain_field(
        flux, err, x, y, column(freq), list(chosen), options=dict(options or {}), progress=progress
    )


def band_cubes(db: Database, frame: pd.DataFrame, shape: tuple[int, int], cells: tuple[Any, Any]) -> Any:
    """Frequencies, fluxes and errors of the parts of the band; None when no epoch has any."""
    import numpy as np

    packed = frame["band_flux_ujy"].notna().to_numpy()
    if not packed.any():
        return None
    rows = db.select("image_bands", columns=["band", "freq_hz"], order_by=["band"])
    freq: dict[int, float] = {int(r["band"]): float(r["freq_hz"]) for r in rows}
    width = len(freq)
    flux, err = (np.full((*shape, width), np.nan) for _ in range(2))
    for cube, name in ((flux, "band_flux_ujy"), (err, "band_err_ujy")):
        lists = [json.loads(text) for text in frame.loc[packed, name]]
        values = np.array([r if len(r) == width else [None] * width for r in lists], dtype=float)
        cube[cells[0][packed], cells[1][packed]] = values * 1e-6
    return [freq[k] for k in sorted(freq)], flux, err


def _epoch_rows(
    epochs: pd.DataFrame, names: Sequence[str], band: Mapping[str, Any], chosen: Sequence[bool]
) -> list[dict[str, Any]]:
    stayed = band["reference"].tolist()
    dropped = json.dumps([n for n, c, s in zip(names, chosen, stayed, strict=True) if c and not s])
    now = time.time()
    rows = []
    for epoch, fit in zip(epochs.to_dict("records"), band["epochs"], strict=True):
        floor = fit["floor"] or {}
        rows.append(
            {
                **epoch,
                "method": "field",
                "n_references": fit["n_references"],
                "params": json.dumps(fit["params"]),
                "covariance": json.dumps(fit["covariance"]),
                "residual_rms": fit["residual_rms"],
                "floor": floor.get("value"),
                "floor_low": floor.get("low"),
                "floor_high": floor.get("high"),
                "excluded": dropped,
                "created_at": now,
            }
        )
    return [{str(k): v for k, v in row.items()} for row in rows]


def _corrections(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The gain at the beam's centre, where the ensemble's one figure is looked for."""
    import math

    out = []
    for row in rows:
        params, covariance = json.loads(row["params"]), json.loads(row["covariance"])
        known = bool(params)
        out.append(
            {
                "image_path": row["image_path"],
                "mjd": row["mjd"],
                "correction": math.exp(params[0]) if known else None,
                "correction_rms": row["residual_rms"],
                "correction_err": math.sqrt(covariance[0]) if known else None,
                "n_references": row["n_references"],
                "excluded": row["excluded"],
                "phase": "normalised" if known else "unnormalised",
                "created_at": row["created_at"],
            }
        )
    return out


def _series(frame: pd.DataFrame, cells: tuple[Any, Any], band: Mapping[str, Any], sub: Mapping[str, Any] | None) -> Any:
    import numpy as np

    s, e = cells
    norm, norm_err, gain, gain_err = (
        column(band[k][s, e, 0]) for k in ("norm_sef", "norm_err_sef", "gain_sef", "gain_err_sef")
    )
    sep = column(band["reference_sep_se"][s, e])
    far = (sep > MAX_REFERENCE_SEP_DEG) | (gain_err > 0.05)
    flags = frame["flags"].to_numpy(dtype=np.int64) & ~np.int64(_compiled.photometry.NO_REFERENCE)
    columns: dict[str, Any] = {
        **{k: frame[k].astype(str).tolist() for k in ("source_id", "image_path")},
        "mjd": column(frame["mjd"]),
        "peak_norm": norm,
        "peak_norm_err": norm_err,
        "gain": gain,
        "gain_err": gain_err,
        "reference_sep_deg": column(np.where(np.isfinite(sep), sep, np.nan)),
        "is_reference": np.ascontiguousarray(band["reference"][s], dtype=np.int64),
        "flags": np.ascontiguousarray(flags | np.where(far, np.int64(_compiled.photometry.NO_REFERENCE), np.int64(0))),
    }
    if sub is not None:
        for name, key in (("band_norm_ujy", "norm_sef"), ("band_norm_err_ujy", "norm_err_sef")):
            columns[name] = np.ascontiguousarray(sub[key][s, e] * 1e6)
    return "photometry_timeseries", columns, ("source_id", "mjd", "image_path")
