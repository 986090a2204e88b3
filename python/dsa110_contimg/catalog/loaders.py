"""Catalogue files as tables with the columns ra_deg, dec_deg, flux_mjy."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dsa110_contimg import DataError

if TYPE_CHECKING:
    import pandas as pd

#: Names under which published tables keep a column; the first that is there is taken. NVSS (VizieR VIII/65, AIPS table, HEASARC),
#: FIRST (VIII/92 and the survey's own FITS), RACS (CASDA, VizieR), VLASS (CIRADA, VizieR), and plain tables.
_ALIASES = {
    "ra_deg": ("ra_deg", "_raj2000", "ra_icrs", "ra(2000)", "ra", "raj2000", "ra_j2000"),
    "dec_deg": ("dec_deg", "_dej2000", "de_icrs", "dec(2000)", "dec", "dej2000", "decj2000", "dec_j2000"),
    "flux_mjy": (
        *("flux_mjy", "nvss_flux_mjy", "s1.4", "s1_4", "total_flux_source", "total_flux_gaussian", "total_flux"),
        *("ftot", "fint", "s_total", "fpeak", "flux"),
    ),
    "flux_jy": ("flux_jy", "s_nvss", "flux_20_cm", "peak int"),
    "flux_err_mjy": (
        *("flux_err_mjy", "e_s1.4", "e_total_flux_source", "e_total_flux_gaussian", "e_total_flux", "e_ftot"),
        *("e_fint", "rms", "flux_20_cm_error"),
    ),
    "peak_mjy": ("peak_mjy", "peak_flux", "fpk", "fpeak"),
    "source_id": ("source_id", "name", "nvss", "first", "component_name", "source_name", "gaussian_id", "id"),
    "alpha": ("alpha", "spectral_index", "spidx"),
    "snr": ("snr", "snr_nvss"),
    "maj_arcsec": ("maj_arcsec", "dc_maj", "dcmaj", "majaxis", "major ax", "major_axis", "major", "maj"),
    "min_arcsec": ("min_arcsec", "dc_min", "dcmin", "minaxis", "minor ax", "minor_axis", "minor", "min"),
    "pa_deg": ("pa_deg", "dc_pa", "dcpa", "posangle", "posang", "position_angle", "pa"),
    "maj_limit": ("l_majaxis",),
    "min_limit": ("l_minaxis",),
}
#: By a file's ending; others are told by their content.
_FORMATS = {"fits": "fits", "fit": "fits", "vot": "votable", "votable": "votable", "xml": "votable", "tsv": "ascii.tab"}
_TEXT = ("source_id", "maj_limit", "min_limit")
#: Units that a FITS or VOTable column may state, and what makes ours of them.
_UNITS = {"mjy": {"jy": 1e3, "ujy": 1e-3, "mjy": 1.0}, "arcsec": {"deg": 3600.0, "arcmin": 60.0, "arcsec": 1.0}}
_SCALED = {
    "flux_mjy": "mjy",
    "flux_err_mjy": "mjy",
    "peak_mjy": "mjy",
    "maj_arcsec": "arcsec",
    "min_arcsec": "arcsec",
}


def load_catalog(
    path: str | os.PathLike[str], *, flux_unit: str | None = None, columns: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """Read a catalogue: CSV, or anything astropy's tables read (FITS, VOTable), by the file's ending.

    Positions in degrees or sexagesimal (hours and degrees); the units that a FITS or VOTable column states are honoured,
    otherwise fluxes are mJy and sizes arcsec. Sizes that the catalogue gives as limits (``<``) are left out.

    Parameters
    ----------
    path : path
        File.
    flux_unit : {'jy', 'mjy', 'ujy'}, optional
        What the fluxes are in, whatever the file says.
    columns : mapping, optional
        Our names (ra_deg, dec_deg, flux_mjy, ...) to the file's, where it uses others than the published catalogues.

    Returns
    -------
    pandas.DataFrame
        ra_deg (0..360), dec_deg, flux_mjy and whichever of source_id, alpha, snr, flux_err_mjy, peak_mjy, maj_arcsec, min_arcsec,
        pa_deg the file has.

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
        plain = file.suffix.lower() in {".csv", ".txt"}
        raw, units = (pd.read_csv(file, comment="#"), {}) if plain else _table(file)
    except (pd.errors.ParserError, UnicodeDecodeError, pd.errors.EmptyDataError) as error:
        raise DataError(f"{file}: expected a table with a header line, found: {error}") from error
    raw, units = _renamed(file, raw, units, columns or {}, flux_unit)
    found = _columns(raw, units)
    missing = [name for name in ("ra_deg", "dec_deg", "flux_mjy") if name not in found]
    if missing:
        raise DataError(f"{file}: expected columns {', '.join(missing)}, found {', '.join(map(str, raw.columns))}")
    found["ra_deg"] = _angle(found["ra_deg"], 15.0)
    found["dec_deg"] = _angle(found["dec_deg"], 1.0)
    table = pd.DataFrame(found).reset_index(drop=True)
    for name in table.columns.difference(list(_TEXT)):
        table[name] = pd.to_numeric(table[name], errors="coerce").astype(np.float64)
    bad = ~(np.isfinite(table["ra_deg"]) & (table["dec_deg"].abs() <= 90.0))
    if bool(bad.any()):
        row = int(np.flatnonzero(bad)[0])
        where = f"{table['ra_deg'].iloc[row]}, {table['dec_deg'].iloc[row]}"
        raise DataError(f"{file}, line {row + 2}: expected a position in degrees, found {where}")
    table["ra_deg"] = np.mod(table["ra_deg"], 360.0)
    for size, limit in (("maj_arcsec", "maj_limit"), ("min_arcsec", "min_limit")):
        if size in table and limit in table:
            table.loc[table[limit].astype(str).str.contains("<"), size] = np.nan
    return table.drop(columns=["maj_limit", "min_limit"], errors="ignore")


def _renamed(
    file: Path, raw: pd.DataFrame, units: dict[str, str], columns: Mapping[str, str], flux_unit: str | None
) -> tuple[pd.DataFrame, dict[str, str]]:
    """The table under our names, with the unit of its fluxes, as the caller knows them."""
    missing = [theirs for theirs in columns.values() if theirs not in raw]
    if missing:
        raise DataError(f"{file}: expected columns {', '.join(missing)}, found {', '.join(map(str, raw.columns))}")
    raw = raw.drop(columns=[ours for ours, theirs in columns.items() if ours != theirs], errors="ignore")
    raw = raw.rename(columns={theirs: ours for ours, theirs in columns.items()})
    units = {next((o for o, t in columns.items() if t == name), name): unit for name, unit in units.items()}
    if flux_unit is None:
        return raw, units
    if flux_unit.lower() not in _UNITS["mjy"]:
        raise DataError(f"{file}: expected a flux unit of jy, mjy or ujy, found {flux_unit!r}")
    fluxes = {alias for ours in ("flux_mjy", "flux_err_mjy", "peak_mjy") for alias in _ALIASES[ours]}
    stated = {str(name): flux_unit for name in raw.columns if str(name).strip().lower() in fluxes}
    return raw, units | stated


def _columns(raw: pd.DataFrame, units: dict[str, str]) -> dict[str, Any]:
    import pandas as pd

    by_name = {str(name).strip().lower(): name for name in raw.columns}
    columns = {}
    for ours, theirs in _ALIASES.items():
        name = next((by_name[alias] for alias in theirs if alias in by_name), None)
        if name is None:
            continue
        columns[ours] = raw[name]
        scale = _UNITS[_SCALED[ours]].get(units.get(name, "").lower(), 1.0) if ours in _SCALED else 1.0
        if scale != 1.0:
            columns[ours] = pd.to_numeric(raw[name], errors="coerce") * scale
    if "flux_mjy" not in columns and "flux_jy" in columns:
        columns["flux_mjy"] = pd.to_numeric(columns["flux_jy"], errors="coerce") * 1e3
    columns.pop("flux_jy", None)
    return columns


def _angle(values: pd.Series[Any], degrees_per_unit: float) -> pd.Series[Any]:
    """Degrees as they are; sexagesimal text ``hh mm ss.s`` or ``hh:mm:ss.s`` times `degrees_per_unit`."""
    import pandas as pd

    number = pd.to_numeric(values, errors="coerce")
    if not bool(number.isna().any()):
        return number
    text = values.astype(str).str.strip()
    parts = text.str.replace(r"[:hdms'\"]", " ", regex=True).str.split(expand=True)
    if parts.shape[1] < 3:
        return number
    unit = [pd.to_numeric(parts[i], errors="coerce").abs() for i in range(3)]
    sign = 1.0 - 2.0 * text.str.startswith("-").astype(float)
    found: pd.Series[Any] = number.fillna(sign * degrees_per_unit * (unit[0] + unit[1] / 60.0 + unit[2] / 3600.0))
    return found


def _table(file: Path) -> tuple[pd.DataFrame, dict[str, str]]:
    import warnings

    from astropy.io.registry import IORegistryError
    from astropy.table import Table

    try:
        with warnings.catch_warnings():
            # Published files break the letter of the standards often; what cannot be read is an error below.
            warnings.simplefilter("ignore")
            table = Table.read(file, format=_FORMATS.get(file.name.lower().removesuffix(".gz").rpartition(".")[2]))
    except (IORegistryError, ValueError, TypeError, KeyError, IndexError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise DataError(f"{file}: expected a FITS table or VOTable, found: {str(error).splitlines()[0]}") from error
    units = {name: str(table[name].unit) for name in table.colnames if table[name].unit is not None}
    flat = [name for name in table.colnames if len(table[name].shape) <= 1]
    return table[flat].to_pandas(), units
