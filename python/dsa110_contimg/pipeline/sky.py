"""The catalogue that the pipeline measures and the calibrators it recognises, from CSV files."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dsa110_contimg.catalog.names import source_name as iau_name

#: 1.4 GHz, where catalogue fluxes hold.
REFERENCE_HZ = 1.4e9


@dataclass(frozen=True)
class CatalogSource:
    """One source of a catalogue.

    Attributes
    ----------
    name : str
        Name; an IAU-like one is made of the position where the catalogue has none.
    ra_deg, dec_deg : float
        Position, ICRS.
    flux_jy : float
        Flux density at 1.4 GHz [Jy].
    alpha : float
        Spectral index, S ~ nu^alpha.
    size_deg : (float, float, float) or None
        Full widths and position angle of a resolved source [degrees].
    """

    name: str
    ra_deg: float
    dec_deg: float
    flux_jy: float
    alpha: float = -0.7
    size_deg: tuple[float, float, float] | None = None

    def separation_deg(self, ra_deg: float, dec_deg: float) -> float:
        """Great-circle distance [degrees]."""
        dec1, dec2 = math.radians(self.dec_deg), math.radians(dec_deg)
        half_dec = math.sin(0.5 * (dec2 - dec1))
        half_ra = math.sin(0.5 * math.radians(ra_deg - self.ra_deg))
        root = math.sqrt(half_dec**2 + math.cos(dec1) * math.cos(dec2) * half_ra**2)
        return math.degrees(2.0 * math.asin(min(1.0, root)))


def read_catalog(path: str | os.PathLike[str]) -> list[CatalogSource]:
    """Read a catalogue as `dsa110_contimg.catalog.loaders.load_catalog` does; names must be unique.

    Raises
    ------
    ValueError
        A missing column, a value out of range, two sources of one name: with the file and the line or row.
    """
    import pandas as pd

    from dsa110_contimg import DataError
    from dsa110_contimg.catalog.loaders import load_catalog
    from dsa110_contimg.photometry.field import sizes_of

    try:
        table = load_catalog(path)
    except DataError as error:
        raise ValueError(str(error)) from error
    names = [iau_name(r, d) for r, d in zip(table["ra_deg"], table["dec_deg"], strict=True)]
    if "source_id" in table:
        names = [str(given) if pd.notna(given) else made for given, made in zip(table["source_id"], names, strict=True)]
    alpha = table["alpha"].fillna(-0.7) if "alpha" in table else pd.Series(-0.7, index=table.index)
    sources: dict[str, CatalogSource] = {}
    sizes = sizes_of(table) or [None] * len(names)
    rows = zip(names, table["ra_deg"], table["dec_deg"], table["flux_mjy"], alpha, sizes, strict=True)
    for line, (name, ra_deg, dec_deg, flux_mjy, index, size) in enumerate(rows, start=2):
        if not math.isfinite(flux_mjy):
            raise ValueError(f"{path}, line {line}: expected a position in degrees and a flux, found {flux_mjy} mJy")
        if name in sources:
            raise ValueError(f"{path}, line {line}: expected each name once, found {name} again")
        sources[name] = CatalogSource(name, float(ra_deg), float(dec_deg), 1e-3 * float(flux_mjy), float(index), size)
    return list(sources.values())


def within(sources: Sequence[CatalogSource], ra_deg: float, dec_deg: float, radius_deg: float) -> list[CatalogSource]:
    """Sources within a radius of a position, brightest first."""
    near = [s for s in sources if s.separation_deg(ra_deg, dec_deg) <= radius_deg]
    return sorted(near, key=lambda s: -s.flux_jy)


def in_beam_calibrator(
    calibrators: Sequence[CatalogSource], ra_deg: float, dec_deg: float, radius_deg: float
) -> CatalogSource | None:
    """The calibrator with the largest flux times beam within a radius of the pointing, if there is one."""

    def weight(source: CatalogSource) -> float:
        # A Gaussian of the 2.7 degree beam ranks as the Airy pattern does.
        return source.flux_jy * math.exp(-4.0 * math.log(2.0) * (source.separation_deg(ra_deg, dec_deg) / 2.7) ** 2)

    return max(within(calibrators, ra_deg, dec_deg, radius_deg), key=weight, default=None)


def write_catalog(path: Path, sources: Sequence[CatalogSource]) -> None:
    """Write sources as a CSV that `read_catalog` and the core's sky readers take."""
    lines = ["name,ra_deg,dec_deg,flux_jy,alpha"]
    lines += [f"{s.name},{s.ra_deg!r},{s.dec_deg!r},{s.flux_jy!r},{s.alpha!r}" for s in sources]
    partial = path.with_suffix(".partial")
    partial.write_text("\n".join(lines) + "\n")
    partial.replace(path)
