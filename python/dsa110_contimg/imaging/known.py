"""What a catalogue knows of a field before it is imaged: positions for masks, apparent fluxes to start from."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

StrPath = str | os.PathLike[str]
#: Where the catalogue's fluxes are [Hz]; a spectral index of its own, if it has one, carries them to the band.
CATALOG_HZ = 1.4e9


def known_sources(
    ms: StrPath,
    catalog: str = "nvss",
    *,
    radius_deg: float = 2.5,
    min_flux_mjy: float = 10.0,
    dish_diameter_m: float | None = None,
) -> pd.DataFrame:
    """Catalogue sources about a Measurement Set's middle field, with what the telescope sees of them.

    Parameters
    ----------
    ms : path
        Measurement Set; its middle field is the pointing.
    catalog : str
        A catalogue's name (``nvss``, ``first``, ``rax``, ``vlass``, ``master``) or a file of one.
    radius_deg, min_flux_mjy : float
        How far out [degrees] and how faint, before the primary beam [mJy].
    dish_diameter_m : float, optional
        Of the Airy beam; the array's own when left out.

    Returns
    -------
    pandas.DataFrame
        ``ra_deg``, ``dec_deg``, ``flux_mjy``, ``pb`` (power of the beam at mid band) and ``apparent_jy``.

    Raises
    ------
    ValueError
        No source above the flux within the radius.
    FileNotFoundError
        `catalog` is written like a file and is none.
    """
    import numpy as np

    from dsa110_contimg import _core
    from dsa110_contimg.catalog.query import query_sources

    if not Path(catalog).exists() and (Path(catalog).suffix or os.sep in str(catalog)):
        raise FileNotFoundError(f"{catalog}: expected a catalogue file, found none")
    about = _core.ms.meta(str(ms))
    centre = about["fields"][len(about["fields"]) // 2]["centre"]
    ra, dec = math.degrees(centre["ra_rad"]), math.degrees(centre["dec_rad"])
    file = Path(catalog) if Path(catalog).exists() else None
    table = query_sources(
        "nvss" if file else catalog, ra, dec, radius_deg, min_flux_mjy=min_flux_mjy, catalog_path=file
    )
    if table.empty:
        raise ValueError(
            f"catalogue {catalog}: expected sources above {min_flux_mjy} mJy within {radius_deg} degrees of "
            f"({ra:.3f}, {dec:.3f}), found none"
        )
    freq_hz = float(np.mean([np.mean(window["freq_hz"]) for window in about["spws"]]))
    apart = np.radians(table["separation_deg"].to_numpy(dtype=np.float64))
    table = table.assign(pb=_core.beam.airy_power(apart, freq_hz, diameter_m=dish_diameter_m))
    index = table["alpha"].fillna(0.0) if "alpha" in table else 0.0
    scale = 1e-3 * (freq_hz / CATALOG_HZ) ** index
    return table.assign(apparent_jy=table["flux_mjy"] * table["pb"] * scale)


def mask_positions(table: pd.DataFrame) -> list[list[float]]:
    """Positions [degrees] as the imager's ``mask_positions_deg`` takes them."""
    return [[float(ra), float(dec)] for ra, dec in zip(table["ra_deg"], table["dec_deg"], strict=True)]


def seeds(table: pd.DataFrame) -> list[list[float]]:
    """Positions [degrees] and apparent fluxes [Jy] as the imager's ``seeds`` takes them."""
    columns = (table["ra_deg"], table["dec_deg"], table["apparent_jy"])
    return [[float(ra), float(dec), float(flux)] for ra, dec, flux in zip(*columns, strict=True)]
