"""Measured sources against catalogues: ``cross_matches``."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import dsa110_contimg._core as _compiled
from dsa110_contimg.utils.columns import column

if TYPE_CHECKING:
    import pandas as pd

    from dsa110_contimg.database import Database


def cross_match(
    sources: pd.DataFrame, catalog: pd.DataFrame, catalog_type: str, *, radius_arcsec: float = 10.0
) -> pd.DataFrame:
    """The nearest catalogue entry of each source within the radius.

    Parameters
    ----------
    sources : pandas.DataFrame
        source_id, ra_deg, dec_deg, flux_jy.
    catalog : pandas.DataFrame
        ra_deg, dec_deg, flux_mjy and, if it has names, source_id.
    catalog_type : str
        What ``cross_matches.catalog_type`` shall say.

    Returns
    -------
    pandas.DataFrame
        Rows of ``cross_matches``; quality is ``excellent`` below 2, ``good`` below 5 arcsec, else ``poor``, and ``confused`` with
        a second entry in the radius.
    """
    import numpy as np
    import pandas as pd

    ra, dec = column(sources["ra_deg"]), column(sources["dec_deg"])
    other_ra, other_dec = column(catalog["ra_deg"]), column(catalog["dec_deg"])
    index, separation = _compiled.catalog.match_nearest(ra, dec, other_ra, other_dec, radius_arcsec)
    pairs, _, _ = _compiled.catalog.match_pairs(ra, dec, other_ra, other_dec, radius_arcsec)
    crowd = np.bincount(pairs, minlength=len(ra))
    ours = np.flatnonzero(index >= 0)
    theirs, apart = index[ours], separation[ours]
    dra = (ra[ours] - other_ra[theirs] + 180.0) % 360.0 - 180.0
    flux, known = column(sources["flux_jy"])[ours], column(catalog["flux_mjy"])[theirs] / 1e3
    quality = np.select([crowd[ours] > 1, apart < 2.0, apart < 5.0], ["confused", "excellent", "good"], "poor")
    names = catalog["source_id"].astype(str).to_numpy()[theirs] if "source_id" in catalog else None
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = flux / known
    return pd.DataFrame(
        {
            "source_id": sources["source_id"].astype(str).to_numpy()[ours],
            "catalog_type": catalog_type,
            "catalog_source_id": names,
            "separation_arcsec": apart,
            "dra_arcsec": dra * np.cos(np.radians(dec[ours])) * 3600.0,
            "ddec_arcsec": (dec[ours] - other_dec[theirs]) * 3600.0,
            "detected_flux_jy": flux,
            "catalog_flux_jy": known,
            "flux_ratio": ratio,
            "match_quality": quality,
        }
    )


def record_matches(db: Database, matches: pd.DataFrame) -> int:
    """Write matches into ``cross_matches``; a source's match in a catalogue is updated. Returns the rows written."""
    if matches.empty:
        return 0
    now = time.time()
    rows: list[Mapping[str, Any]] = [
        {**{str(k): v for k, v in row.items()}, "created_at": now} for row in matches.to_dict("records")
    ]
    return db.insert("cross_matches", rows, conflict=("source_id", "catalog_type"))
