"""Cones of catalogues."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import dsa110_contimg._core as _compiled
from dsa110_contimg.catalog.loaders import load_catalog
from dsa110_contimg.catalog.names import check_cone, unique_names
from dsa110_contimg.utils.columns import column

if TYPE_CHECKING:
    import pandas as pd

StrPath = str | os.PathLike[str]
CATALOGS = ("nvss", "first", "rax", "vlass", "master", "atnf")


def resolve_catalog_path(
    catalog_type: str, dec_strip: float | None = None, explicit_path: StrPath | None = None
) -> Path:
    """Find a catalogue's database.

    In this order: `explicit_path`; ``CONTIMG_<TYPE>_CATALOG``; in the directory of catalogues the strip nearest
    to `dec_strip` (within 6 degrees), the full database, a CSV file of that name.

    Raises
    ------
    FileNotFoundError
        With every place that was looked at.
    """
    if explicit_path is not None:
        path = Path(explicit_path)
        if not path.exists():
            raise FileNotFoundError(f"{path}: expected a {catalog_type} catalogue, found nothing")
        return path
    if catalog_type not in CATALOGS:
        raise ValueError(f"catalog_type: expected one of {', '.join(CATALOGS)}, found {catalog_type!r}")
    named = os.environ.get(f"CONTIMG_{catalog_type.upper()}_CATALOG")
    if named:
        return resolve_catalog_path(catalog_type, dec_strip, named)
    from dsa110_contimg.config import load

    directory: Path = load().paths.catalogs
    if dec_strip is not None:
        strips = sorted((abs(_strip(p) - dec_strip), p) for p in directory.glob(f"{catalog_type}_dec*.sqlite3"))
        if strips and strips[0][0] <= 6.0:
            nearest: Path = strips[0][1]
            return nearest
    names = ("master_sources.sqlite3",) if catalog_type == "master" else ()
    places = [directory / n for n in (*names, f"{catalog_type}_full.sqlite3", f"{catalog_type}.csv")]
    for place in places:
        if place.exists():
            return Path(place)
    looked = ", ".join(map(str, places))
    raise FileNotFoundError(f"{catalog_type} catalogue: expected one of {looked}, found none")


def _strip(path: Path) -> float:
    try:
        return float(path.stem.rpartition("_dec")[2])
    except ValueError:
        return float("inf")


def query_sources(
    catalog_type: str = "nvss",
    ra_center: float = 0.0,
    dec_center: float = 0.0,
    radius_deg: float = 1.5,
    *,
    dec_strip: float | None = None,
    min_flux_mjy: float | None = None,
    max_sources: int | None = None,
    catalog_path: StrPath | None = None,
) -> pd.DataFrame:
    """Sources within a cone, brightest first; right across RA 0 and at the poles, the limit after the exact cut.

    Returns
    -------
    pandas.DataFrame
        ra_deg, dec_deg, flux_mjy, separation_deg and what else the catalogue has.

    Raises
    ------
    ValueError
        The cone is none.
    """
    check_cone(ra_center, dec_center, radius_deg)
    path = resolve_catalog_path(catalog_type, dec_center if dec_strip is None else dec_strip, catalog_path)
    if path.suffix.startswith(".sqlite") or path.suffix == ".db":
        table = _from_database(path, ra_center, dec_center, radius_deg)
    else:
        table = load_catalog(path)
        if "source_id" in table:
            # Of the whole file, so that a source has its name whichever cone it is found in.
            table["source_id"] = unique_names(table["source_id"], table["ra_deg"], table["dec_deg"])
    return within(table, ra_center, dec_center, radius_deg, min_flux_mjy=min_flux_mjy, max_sources=max_sources)


def _from_database(path: Path, ra_center: float, dec_center: float, radius_deg: float) -> pd.DataFrame:
    import pandas as pd

    from dsa110_contimg.database import open_database

    db = open_database(path, "catalog")
    # By the index on pixels alone: with bounds in declination beside it SQLite would walk the whole band of declination.
    rows: list[dict[str, object]] = []
    for first, last in _compiled.catalog.cone_ranges(ra_center, dec_center, radius_deg):
        rows += db.select("sources", ("healpix", ">=", first), ("healpix", "<", last))
    rows += db.select("sources", ("healpix", "=", None))
    columns = ["source_id", "ra_deg", "dec_deg", "flux_mjy"]
    return pd.DataFrame(rows) if rows else pd.DataFrame({c: pd.Series(dtype=float) for c in columns})


def within(
    table: pd.DataFrame,
    ra_center: float,
    dec_center: float,
    radius_deg: float,
    *,
    min_flux_mjy: float | None = None,
    max_sources: int | None = None,
) -> pd.DataFrame:
    """Rows of a table with ra_deg, dec_deg within a cone, brightest first."""
    import numpy as np

    centre = (column([ra_center]), column([dec_center]))
    _, index, separation = _compiled.catalog.match_pairs(
        *centre, column(table["ra_deg"]), column(table["dec_deg"]), radius_deg * 3600.0
    )
    found = table.iloc[index].copy()
    found["separation_deg"] = separation / 3600.0
    if min_flux_mjy is not None:
        found = found[found["flux_mjy"] >= min_flux_mjy]
    order = np.argsort(-column(found["flux_mjy"]), kind="stable")
    found = found.iloc[order].reset_index(drop=True)
    return found if max_sources is None else found.head(max_sources)
