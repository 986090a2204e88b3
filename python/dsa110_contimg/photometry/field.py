"""Every catalogue source of an image."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dsa110_contimg._core import photometry as _core
from dsa110_contimg.catalog.names import source_name
from dsa110_contimg.catalog.query import query_sources
from dsa110_contimg.photometry.forced import measure_positions

if TYPE_CHECKING:
    import pandas as pd

StrPath = str | os.PathLike[str]


def image_footprint(image: StrPath) -> tuple[float, float, float]:
    """Centre and half diagonal of an image: ``(ra_deg, dec_deg, radius_deg)``."""
    from astropy.io import fits

    header = fits.getheader(image)
    if "CRVAL1" not in header or "CDELT1" not in header:
        raise ValueError(f"{image}: expected an image with world coordinates, found none")
    half = [0.5 * abs(header[f"CDELT{axis}"]) * header[f"NAXIS{axis}"] for axis in (1, 2)]
    return float(header["CRVAL1"]) % 360.0, float(header["CRVAL2"]), float((half[0] ** 2 + half[1] ** 2) ** 0.5)


def field_sources(
    image: StrPath,
    *,
    catalog: str = "nvss",
    catalog_path: StrPath | None = None,
    min_mjy: float = 10.0,
    radius_deg: float | None = None,
    max_sources: int | None = None,
) -> pd.DataFrame:
    """Catalogue sources around an image's centre, with a ``source_id`` (`source_name` where there is none)."""
    ra, dec, radius = image_footprint(image)
    table = query_sources(
        catalog,
        ra,
        dec,
        radius if radius_deg is None else radius_deg,
        min_flux_mjy=min_mjy,
        max_sources=max_sources,
        catalog_path=catalog_path,
    )
    names = [source_name(r, d) for r, d in zip(table["ra_deg"], table["dec_deg"], strict=True)]
    table["source_id"] = table["source_id"].fillna("").astype(str) if "source_id" in table else ""
    table["source_id"] = table["source_id"].where(table["source_id"] != "", names)
    return table.drop_duplicates("source_id")


def sizes_of(sources: pd.DataFrame) -> list[tuple[float, float, float] | None]:
    """Catalogue sizes ``(major, minor, pa)`` [degrees]; None where the catalogue has none or only a limit."""
    import numpy as np

    if "maj_arcsec" not in sources:
        return []
    major = sources["maj_arcsec"].to_numpy(dtype=float) / 3600.0
    columns = [
        sources[c].to_numpy(dtype=float) if c in sources else np.zeros(len(major)) for c in ("min_arcsec", "pa_deg")
    ]
    minor, pa = np.nan_to_num(columns[0] / 3600.0), np.nan_to_num(columns[1])
    rows = zip(major.tolist(), minor.tolist(), pa.tolist(), strict=True)
    return [(a, min(b, a), p) if a > 0 else None for a, b, p in rows]


def measure_field(
    image: StrPath,
    *,
    catalog: str = "nvss",
    catalog_path: StrPath | None = None,
    min_mjy: float = 10.0,
    radius_deg: float | None = None,
    max_sources: int | None = None,
    products_db: StrPath | None = None,
    progress: Callable[[int, int], object] | None = None,
    **options: Any,
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Measure every catalogue source that lies on an image; with `products_db` record them.

    Returns
    -------
    table : pandas.DataFrame
        As `measure_positions`, with source_id, nvss_flux_mjy, mjd; sources off the image left out.
    image : dict
        What is known of the image, and ``recorded``, the rows written.
    """
    sources = field_sources(
        image,
        catalog=catalog,
        catalog_path=catalog_path,
        min_mjy=min_mjy,
        radius_deg=radius_deg,
        max_sources=max_sources,
    )
    options.setdefault("sizes_deg", sizes_of(sources))
    table, about = measure_positions(
        image, sources["ra_deg"].tolist(), sources["dec_deg"].tolist(), progress=progress, **options
    )
    table.insert(0, "source_id", sources["source_id"].to_numpy())
    table["nvss_flux_mjy"] = sources["flux_mjy"].to_numpy()
    table["mjd"] = about["mjd"]
    table = table[(table["flags"] & _core.OUTSIDE) == 0].reset_index(drop=True)
    about["recorded"] = 0
    if products_db is not None:
        from dsa110_contimg.database import open_database
        from dsa110_contimg.photometry.rows import record

        about["recorded"] = record(open_database(products_db, "products"), str(Path(image)), table, about)
    return table, about
