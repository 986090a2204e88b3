"""The stage that measures a tile: every catalogue source, in the band and in each part of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dsa110_contimg.pipeline.sky import CatalogSource
from dsa110_contimg.pipeline.stage import Outputs

if TYPE_CHECKING:
    from dsa110_contimg.database import Database


def image_files(outputs: Outputs) -> list[str]:
    """Files that a measurement reads: image and primary beam of the band and of its parts."""
    return [outputs["image"], outputs["pb"], *(path for pair in outputs.get("bands", []) for path in pair)]


def fingerprint(catalog: Sequence[CatalogSource]) -> dict[str, Any]:
    """What the measurements depend on besides the images."""
    return {"positions": [(s.name, s.ra_deg, s.dec_deg, *(s.size_deg or ())) for s in catalog]}


def measure(
    products_db: Database, catalog: Sequence[CatalogSource], outputs: Outputs, mid_mjd: float, min_pb: float
) -> Outputs:
    """Measure and record the catalogue on one tile; resolved sources are fitted as such.

    Parameters
    ----------
    products_db : Database
        Products.
    catalog : sequence of CatalogSource
        Positions, fluxes and sizes.
    outputs : dict
        ``image``, ``pb`` and ``bands`` (pairs of image and primary beam) of the stage before.
    mid_mjd : float
        Middle of the tile [MJD].
    min_pb : float
        Positions below this primary-beam response are outside.
    """
    import pandas as pd

    from dsa110_contimg.database import products
    from dsa110_contimg.photometry import campaign

    products.forget_copies(products_db, outputs["image"], mid_mjd)
    table = pd.DataFrame(
        {
            "source_id": [s.name for s in catalog],
            "ra_deg": [s.ra_deg for s in catalog],
            "dec_deg": [s.dec_deg for s in catalog],
            "flux_mjy": [1e3 * s.flux_jy for s in catalog],
        }
    )
    measured = campaign.measure_epoch(
        products_db,
        outputs["image"],
        table,
        mjd=mid_mjd,
        pb=outputs["pb"],
        min_pb=min_pb,
        bands=[tuple(pair) for pair in outputs.get("bands", [])],
        sizes_deg=[s.size_deg for s in catalog],
    )
    return {"measured": int(measured["flux_jy"].notna().sum())}
