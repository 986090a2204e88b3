"""Measured sources against catalogues: ``cross_matches``."""

from __future__ import annotations

import os
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


#: Sources are looked up together in cells of this side [degrees].
_CELL_DEG = 2.0


def match_database(
    db: Database,
    catalog_type: str,
    *,
    catalog_path: str | os.PathLike[str] | None = None,
    radius_arcsec: float = 10.0,
) -> pd.DataFrame:
    """Match all sources of a products database with a catalogue and fill ``cross_matches``; matches that are none any more go.

    Parameters
    ----------
    catalog_type : str
        ``nvss``, ``first``, ``rax``, ``vlass`` or ``master``.
    catalog_path : path, optional
        Its file or database; the configured one when left out.

    Returns
    -------
    pandas.DataFrame
        The rows written, as `cross_match` gives them.
    """
    import numpy as np
    import pandas as pd

    from dsa110_contimg.catalog.query import query_sources

    sources = db.frame("sources", columns=["source_id", "ra_deg", "dec_deg"], order_by=["source_id"])
    flux = {r["source_id"]: r["mean_flux_mjy"] for r in db.select("variability_stats")}
    parts = []
    if not sources.empty:
        milli = [np.nan if flux.get(name) is None else flux[name] for name in sources["source_id"]]
        sources["flux_jy"] = np.array(milli, dtype=float) / 1e3
        ra, dec = column(sources["ra_deg"]), column(sources["dec_deg"])
        row = np.floor(dec / _CELL_DEG)
        cells = (
            pd.Series(row).astype(str) + " " + pd.Series(np.floor(ra * np.cos(np.radians(dec)) / _CELL_DEG)).astype(str)
        )
        for _, own in sources.groupby(cells.to_numpy()):
            # The mean direction; right across RA 0 h and at the poles.
            a, d = np.radians(column(own["ra_deg"])), np.radians(column(own["dec_deg"]))
            x, y, z = (np.cos(d) * np.cos(a)).mean(), (np.cos(d) * np.sin(a)).mean(), np.sin(d).mean()
            centre = float(np.degrees(np.arctan2(y, x)) % 360.0), float(np.degrees(np.arctan2(z, np.hypot(x, y))))
            apart = _compiled.catalog.match_pairs(
                column([centre[0]]), column([centre[1]]), column(own["ra_deg"]), column(own["dec_deg"]), 648000.0
            )[2]
            reach = (float(apart.max()) + radius_arcsec) / 3600.0
            near = query_sources(catalog_type, *centre, reach, catalog_path=catalog_path)
            parts.append(cross_match(own, near, catalog_type, radius_arcsec=radius_arcsec))
    found = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame({"source_id": []})
    now = time.time()
    rows = [{**{str(k): v for k, v in r.items()}, "created_at": now} for r in found.to_dict("records")]
    db.replace_all([("cross_matches", [("catalog_type", "=", catalog_type)])], [("cross_matches", rows, ())])
    return found
