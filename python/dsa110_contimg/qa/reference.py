"""Reference sources for the verdicts: a CSV, or a catalogue of the installation."""

from __future__ import annotations

import csv
import math
import os
from pathlib import Path

StrPath = str | os.PathLike[str]


def reference_sources(
    image: StrPath, catalog: StrPath, *, min_flux_jy: float = 0.0, max_flux_jy: float = math.inf
) -> list[tuple[float, float, float]]:
    """(ra_deg, dec_deg, flux_jy) about an image, from a CSV (``ra_deg,dec_deg`` and ``flux_jy`` or ``flux_mjy``) or by name.

    Raises
    ------
    ValueError
        A CSV without the columns, or with something else than a number in them.
    FileNotFoundError
        No such catalogue, with the places looked at.
    """
    if str(catalog).endswith(".csv"):
        return [s for s in _from_csv(Path(catalog)) if min_flux_jy <= s[2] <= max_flux_jy]
    from astropy.io import fits
    from astropy.wcs import WCS

    from dsa110_contimg.catalog.query import query_sources

    with fits.open(image) as hdus:
        wcs = WCS(hdus[0].header).celestial
        ny, nx = hdus[0].data.shape[-2:]
    centre, corner = wcs.pixel_to_world(nx / 2, ny / 2).icrs, wcs.pixel_to_world(0, 0).icrs
    radius = float(centre.separation(corner).deg)
    table = query_sources(
        str(catalog), float(centre.ra.deg), float(centre.dec.deg), radius, min_flux_mjy=1e3 * min_flux_jy
    )
    columns = (table["ra_deg"], table["dec_deg"], table["flux_mjy"] / 1e3)
    return [(float(a), float(d), float(f)) for a, d, f in zip(*columns, strict=True) if f <= max_flux_jy]


def _from_csv(path: Path) -> list[tuple[float, float, float]]:
    with path.open(newline="") as file:
        reader = csv.DictReader(file)
        rows = list(reader)
    names = set(reader.fieldnames or ())
    flux = next((n for n in ("flux_jy", "flux_mjy") if n in names), None)
    if not {"ra_deg", "dec_deg"} <= names or flux is None:
        raise ValueError(f"{path}: expected columns ra_deg, dec_deg and flux_jy or flux_mjy, found {sorted(names)}")
    scale = 1.0 if flux == "flux_jy" else 1e-3

    def number(line: int, row: dict[str, str | None], name: str) -> float:
        try:
            value = float(row[name] or "")
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise ValueError(f"{path}: expected a number in column {name!r} of line {line}, found {row[name]!r}")
        return value

    return [
        (number(k, r, "ra_deg"), number(k, r, "dec_deg"), scale * number(k, r, flux)) for k, r in enumerate(rows, 2)
    ]
