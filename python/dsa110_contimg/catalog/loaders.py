"""Catalogue files as tables with the columns ra_deg, dec_deg, flux_mjy."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from dsa110_contimg import DataError

if TYPE_CHECKING:
    import pandas as pd

#: Names under which published tables keep a column; the first that is there is taken.
_ALIASES = {
    "ra_deg": ("ra_deg", "ra", "raj2000", "_raj2000", "ra_j2000"),
    "dec_deg": ("dec_deg", "dec", "dej2000", "decj2000", "_dej2000", "dec_j2000"),
    "flux_mjy": ("flux_mjy", "nvss_flux_mjy", "s1.4", "s1_4", "total_flux", "fint", "fpeak", "flux"),
    "flux_jy": ("flux_jy", "s_nvss", "flux_20_cm"),
    "source_id": ("source_id", "name", "nvss", "id"),
    "alpha": ("alpha", "spectral_index", "spidx"),
    "snr": ("snr", "snr_nvss"),
    "maj_arcsec": ("maj_arcsec", "majaxis", "maj"),
    "min_arcsec": ("min_arcsec", "minaxis", "min"),
}


def load_catalog(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Read a catalogue: CSV, or anything astropy's tables read (FITS, VOTable), by the file's ending.

    Returns
    -------
    pandas.DataFrame
        ra_deg (0..360), dec_deg, flux_mjy and whichever of source_id, alpha, snr, maj_arcsec, min_arcsec the file has.

    Raises
    ------
    OSError
        The file does not exist.
    DataError
        No position or flux columns, or positions that are none.
    """
    import numpy as np
    import pandas as pd

    file = Path(path)
    if not file.is_file():
        raise FileNotFoundError(f"{file}: expected a catalogue file, found none")
    try:
        raw = pd.read_csv(file, comment="#") if file.suffix.lower() in {".csv", ".txt"} else _table(file)
    except (pd.errors.ParserError, UnicodeDecodeError, pd.errors.EmptyDataError) as error:
        raise DataError(f"{file}: expected a table with a header line, found: {error}") from error
    by_name = {str(name).strip().lower(): name for name in raw.columns}
    columns = {}
    for ours, theirs in _ALIASES.items():
        name = next((by_name[alias] for alias in theirs if alias in by_name), None)
        if name is not None:
            columns[ours] = raw[name]
    if "flux_mjy" not in columns and "flux_jy" in columns:
        columns["flux_mjy"] = columns["flux_jy"] * 1e3
    columns.pop("flux_jy", None)
    missing = [name for name in ("ra_deg", "dec_deg", "flux_mjy") if name not in columns]
    if missing:
        raise DataError(f"{file}: expected columns for {', '.join(missing)}, found {', '.join(map(str, raw.columns))}")
    table = pd.DataFrame(columns).reset_index(drop=True)
    for name in table.columns.difference(["source_id"]):
        table[name] = pd.to_numeric(table[name], errors="coerce").astype(np.float64)
    bad = ~(np.isfinite(table["ra_deg"]) & (table["dec_deg"].abs() <= 90.0))
    if bool(bad.any()):
        raise DataError(f"{file}: expected positions in degrees, found none in row {int(np.flatnonzero(bad)[0])}")
    table["ra_deg"] = np.mod(table["ra_deg"], 360.0)
    return table


def _table(file: Path) -> pd.DataFrame:
    from astropy.table import Table

    frame: pd.DataFrame = Table.read(file).to_pandas()
    return frame
