"""Measurements into the products database: one row a source and image, the parts of the band packed in it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import dsa110_contimg._core as _compiled
from dsa110_contimg.utils.columns import column

if TYPE_CHECKING:
    import pandas as pd

    from dsa110_contimg.database import Database


def record(db: Database, image_path: str, table: pd.DataFrame, about: Mapping[str, Any] | None = None) -> int:
    """Write measurements of one image, all or none; positions outside it are left out. Returns the sources written.

    Parameters
    ----------
    db : Database
        Products database.
    image_path : str
        Image; a source measured in it again is updated.
    table : pandas.DataFrame
        As `measure_positions` gives it, with source_id and mjd.
    about : mapping, optional
        As `measure_positions` gives it: its ``bands`` are recorded too.
    """
    import numpy as np

    bands = list((about or {}).get("bands", []))
    inside = np.isfinite(column(table["flux_jy"]))
    packed = {
        name: np.ascontiguousarray(np.stack([column(b[key])[inside] * 1e6 for b in bands], axis=1))
        for name, key in (("band_flux_ujy", "flux_jy"), ("band_err_ujy", "flux_err_jy"))
        if bands
    }
    batches = _batches(image_path, table[inside], packed)
    if not batches:
        return 0
    if bands:
        columns = {
            "image_path": image_path,
            "band": np.arange(len(bands), dtype=np.int64),
            "path": [str(b["path"]) for b in bands],
            **{k: column([b[k] for b in bands]) for k in ("freq_hz", "bandwidth_hz", "noise_jy")},
            **_beams(bands),
        }
        batches.append(("image_bands", columns, ("image_path", "band")))
    db.insert_columns(batches)
    return int(inside.sum())


def _beams(bands: list[Mapping[str, Any]]) -> dict[str, Any]:
    import numpy as np

    axes = np.array([b["beam_deg"] if b["beam_deg"] is not None else [np.nan] * 3 for b in bands], dtype=float)
    names = ("beam_major_arcsec", "beam_minor_arcsec", "beam_pa_deg")
    return {n: column(axes[:, i] * f) for i, (n, f) in enumerate(zip(names, (3600.0, 3600.0, 1.0), strict=True))}


def _batches(image_path: str, table: pd.DataFrame, packed: Mapping[str, Any]) -> list[tuple[str, Any, tuple[str, ...]]]:
    import numpy as np

    if table.empty:
        return []
    names = table["source_id"].astype(str).tolist()
    ra, dec, mjd = (column(table[c]) for c in ("ra_deg", "dec_deg", "mjd"))
    ra = np.mod(ra, 360.0)
    flux, err = column(table["flux_jy"]), column(table["flux_err_jy"])
    flags = np.ascontiguousarray(table["flags"], dtype=np.int64)
    optional = {
        "nvss_flux_mjy": "nvss_flux_mjy",
        "pb": "pb_response",
        "local_rms_jy": "local_rms",
        "upper_limit_jy": "upper_limit_jy",
        "fit_err_jy": "peak_fit_err_jyb",
        "chi2": "chi2",
        "dof": "dof",
        "x_deg": "x_deg",
        "y_deg": "y_deg",
    }
    with np.errstate(divide="ignore", invalid="ignore"):
        snr = np.where(err > 0, flux / err, np.nan)
    common = {"source_id": names, "image_path": image_path, "mjd": mjd, "ra_deg": ra, "dec_deg": dec}
    series = {"peak_jyb": flux, "peak_err_jyb": err, "flags": flags}
    measured = {
        **common,
        **series,
        **{theirs: column(table[ours]) for ours, theirs in optional.items() if ours in table},
        **packed,
        "snr": column(snr),
        "flux_jy": flux,
        "flux_err_jy": err,
        "quality_flag": ["good" if f == 0 else "flagged" for f in flags.tolist()],
        "measured_at": time.time(),
    }
    if "cluster" in table:
        cluster = column(table["cluster"])
        measured["cluster_id"] = column(np.where(cluster >= 0, cluster, np.nan))
    catalog = column(table["nvss_flux_mjy"]) if "nvss_flux_mjy" in table else np.full(len(ra), np.nan)
    sources = {
        "source_id": names,
        "ra_deg": ra,
        "dec_deg": dec,
        "healpix": _compiled.catalog.healpix(ra, dec),
        "flux_mjy": catalog,
    }
    return [
        ("photometry", measured, ("image_path", "source_id")),
        ("photometry_timeseries", {**common, **series}, ("source_id", "mjd", "image_path")),
        ("sources", sources, ("source_id",)),
    ]


def sources_in_cone(db: Database, ra_deg: float, dec_deg: float, radius_deg: float) -> pd.DataFrame:
    """Measured sources within a cone, nearest first, with ``separation_deg``; right across RA 0 h and at the poles."""
    import numpy as np
    import pandas as pd

    rows: list[dict[str, Any]] = []
    for first, last in _compiled.catalog.cone_ranges(ra_deg, dec_deg, radius_deg):
        rows += db.select("sources", ("healpix", ">=", first), ("healpix", "<", last))
    table = pd.DataFrame(rows, columns=["source_id", "ra_deg", "dec_deg", "healpix", "flux_mjy", "origin", "first_mjd"])
    centre = (column([ra_deg]), column([dec_deg]))
    where = column(table["ra_deg"]), column(table["dec_deg"])
    _, index, separation = _compiled.catalog.match_pairs(*centre, *where, radius_deg * 3600.0)
    order = np.argsort(separation, kind="stable")
    return table.iloc[index[order]].assign(separation_deg=separation[order] / 3600.0).reset_index(drop=True)


def prune(db: Database, keep_days: float, *, now_mjd: float | None = None) -> int:
    """Delete the full rows of ``photometry`` older than `keep_days` before the newest; light curves stay.

    Returns
    -------
    int
        Rows deleted.
    """
    newest = db.select("photometry_timeseries", columns=["mjd"], order_by=[("mjd", True)], limit=1)
    if not newest or newest[0]["mjd"] is None:
        return 0
    last = newest[0]["mjd"] if now_mjd is None else now_mjd
    return db.delete("photometry", ("mjd", "<", last - keep_days))
