"""Catalogue files into databases with a HEALPix index."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dsa110_contimg._core as _compiled
from dsa110_contimg import DataError
from dsa110_contimg.catalog.loaders import load_catalog
from dsa110_contimg.catalog.names import unique_names
from dsa110_contimg.utils.columns import column

if TYPE_CHECKING:
    import pandas as pd

StrPath = str | os.PathLike[str]
#: Declinations that the surveys cover [degrees].
COVERAGE = {
    "nvss": (-40.0, 90.0),
    "first": (-10.0, 57.0),
    "rax": (-90.0, 49.9),
    "racs": (-90.0, 49.9),
    "vlass": (-40.0, 90.0),
}
_OPTIONAL = ("alpha", "maj_arcsec", "min_arcsec", "pa_deg", "flux_err_mjy", "peak_mjy")


def ingest(
    table: pd.DataFrame, path: StrPath, *, meta: Mapping[str, Any] | None = None, extra: Mapping[str, Any] | None = None
) -> int:
    """Write a table with ra_deg, dec_deg, flux_mjy into a catalogue database with its HEALPix index.

    Sources of one name are told apart by a letter, in order: ``J000102+030405``, ``J000102+030405b``.

    Parameters
    ----------
    table : pandas.DataFrame
        As `load_catalog` gives it.
    path : path
        Database; rows of the same source_id are updated.
    meta : mapping, optional
        What the table ``meta`` shall say beside the build time and number of sources.
    extra : mapping, optional
        Further columns of ``sources`` as arrays.

    Returns
    -------
    int
        Rows written.
    """
    import numpy as np

    from dsa110_contimg.database import open_database

    ra, dec, flux = (column(table[name]) for name in ("ra_deg", "dec_deg", "flux_mjy"))
    snr = column(table["snr"]) if "snr" in table else np.full(len(ra), np.nan)
    if "flux_err_mjy" in table:
        err = column(table["flux_err_mjy"])
        with np.errstate(divide="ignore", invalid="ignore"):
            snr = np.where(np.isfinite(snr), snr, np.where(err > 0, flux / err, np.nan))
    columns: dict[str, Any] = {
        "source_id": unique_names(table.get("source_id"), ra, dec),
        "ra_deg": ra,
        "dec_deg": dec,
        "healpix": _compiled.catalog.healpix(ra, dec),
        "flux_mjy": flux,
        "s_nvss": flux / 1e3,
        "snr_nvss": column(snr),
        **{name: column(table[name]) for name in _OPTIONAL if name in table},
        **(extra or {}),
    }
    entries = {"build_time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "n_sources": len(ra), **(meta or {})}
    keys = {"key": list(entries), "value": [str(v) for v in entries.values()]}
    db = open_database(path, "catalog")
    if len(ra) == 0:
        return 0
    db.insert_columns([("sources", columns, ["source_id"]), ("meta", keys, ["key"])])
    return len(ra)


def ingest_file(
    source: StrPath,
    output: StrPath,
    *,
    survey: str = "nvss",
    dec_strip: float | None = None,
    dec_range: float = 6.0,
    min_flux_mjy: float | None = None,
) -> dict[str, Any]:
    """Build a catalogue's database, whole or a strip of declination, from its published file.

    The database is built beside its place and renamed when it is whole; one that exists is replaced.

    Returns
    -------
    dict
        ``output``, ``survey``, ``rows``, ``read``, ``dec_strip``.

    Raises
    ------
    ValueError
        An unknown survey, or a strip outside what it covers.
    DataError
        No source is left.
    """
    if survey not in COVERAGE:
        raise ValueError(f"survey: expected one of {', '.join(COVERAGE)}, found {survey!r}")
    low, high = COVERAGE[survey]
    if dec_strip is not None and not low - dec_range <= dec_strip <= high + dec_range:
        raise ValueError(f"declination: expected {low} to {high} degrees, what {survey} covers, found {dec_strip}")
    table = load_catalog(source)
    read = len(table)
    if dec_strip is not None:
        table = table[(table["dec_deg"] - dec_strip).abs() <= dec_range]
    if min_flux_mjy is not None:
        table = table[table["flux_mjy"] >= min_flux_mjy]
    if table.empty:
        raise DataError(f"{source}: expected sources in the strip and above the limit, found none of {read}")
    meta: dict[str, Any] = {"survey": survey, "source_file": Path(source).name}
    if dec_strip is not None:
        meta |= {"dec_strip": dec_strip, "dec_range": dec_range}
    target = Path(output)
    partial = target.with_name(f".{target.name}.partial")
    _remove(partial)
    try:
        rows = ingest(table.reset_index(drop=True), partial, meta=meta)
        _settle(partial)
        partial.replace(target)
    finally:
        _remove(partial)
    return {"output": str(target), "survey": survey, "rows": rows, "read": read, "dec_strip": dec_strip}


def _settle(path: Path) -> None:
    """All of a database in its one file, so that it can be renamed."""
    from dsa110_contimg.database import open_database

    whole = path.with_name(f"{path.name}.whole")
    _remove(whole)
    open_database(path, "catalog").backup(whole)
    _remove(path)
    whole.replace(path)


def _remove(path: Path) -> None:
    for ending in ("", "-wal", "-shm"):
        path.with_name(path.name + ending).unlink(missing_ok=True)
