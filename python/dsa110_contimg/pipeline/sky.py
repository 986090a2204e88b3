"""The catalogue that the pipeline measures and the calibrators it recognises, from CSV files."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

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
    """

    name: str
    ra_deg: float
    dec_deg: float
    flux_jy: float
    alpha: float = -0.7

    def separation_deg(self, ra_deg: float, dec_deg: float) -> float:
        """Great-circle distance [degrees]."""
        dec1, dec2 = math.radians(self.dec_deg), math.radians(dec_deg)
        half_dec = math.sin(0.5 * (dec2 - dec1))
        half_ra = math.sin(0.5 * math.radians(ra_deg - self.ra_deg))
        root = math.sqrt(half_dec**2 + math.cos(dec1) * math.cos(dec2) * half_ra**2)
        return math.degrees(2.0 * math.asin(min(1.0, root)))


def iau_name(ra_deg: float, dec_deg: float) -> str:
    """`JHHMMSS+DDMMSS`, rounded to whole seconds, right at 24 h."""
    seconds = round(ra_deg % 360.0 * 240.0) % 86400
    arcsec = round(abs(dec_deg) * 3600.0)
    sign = "-" if dec_deg < 0 else "+"
    return (
        f"J{seconds // 3600:02d}{seconds // 60 % 60:02d}{seconds % 60:02d}"
        f"{sign}{arcsec // 3600:02d}{arcsec // 60 % 60:02d}{arcsec % 60:02d}"
    )


def read_catalog(path: str | os.PathLike[str]) -> list[CatalogSource]:
    """Read a CSV with ``ra_deg``, ``dec_deg`` and ``flux_jy`` (or ``flux_mjy``, ``nvss_flux_mjy``); ``name`` (or
    ``source_id``) and ``alpha`` are optional.

    Raises
    ------
    ValueError
        A missing column, a value out of range, two sources of one name: with the file and the line.
    """
    import pandas as pd

    table = pd.read_csv(path, comment="#")
    fluxes = {"flux_jy": 1.0, "flux_mjy": 1e-3, "nvss_flux_mjy": 1e-3}
    flux_column = next((c for c in fluxes if c in table), None)
    if flux_column is None or not {"ra_deg", "dec_deg"} <= set(table):
        columns = ", ".join(table.columns)
        raise ValueError(f"{path}: expected columns ra_deg, dec_deg and one of {', '.join(fluxes)}, found {columns}")
    name_column = next((c for c in ("name", "source_id") if c in table), None)
    sources: dict[str, CatalogSource] = {}
    for line, row in enumerate(table.to_dict("records"), start=2):
        ra_deg, dec_deg = float(row["ra_deg"]), float(row["dec_deg"])
        flux_jy = float(row[flux_column]) * fluxes[flux_column]
        if not (math.isfinite(flux_jy) and 0.0 <= ra_deg <= 360.0 and -90.0 <= dec_deg <= 90.0):
            raise ValueError(f"{path}, line {line}: expected a position in degrees and a flux, found {row}")
        name = str(row[name_column]) if name_column else iau_name(ra_deg, dec_deg)
        if name in sources:
            raise ValueError(f"{path}, line {line}: expected each name once, found {name} again")
        alpha = float(row.get("alpha", -0.7))
        sources[name] = CatalogSource(name, ra_deg, dec_deg, flux_jy, alpha if math.isfinite(alpha) else -0.7)
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
