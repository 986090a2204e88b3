"""The stage that measures a tile: every catalogue source, in the band and in each part of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dsa110_contimg.pipeline.sky import CatalogSource
from dsa110_contimg.pipeline.stage import Outputs

if TYPE_CHECKING:
    from dsa110_contimg.database import Database


def averaging_of(header: Mapping[str, Any]) -> tuple[float, float] | None:
    """Integration [s] and channel width [Hz] of a UVH5 header; None where one integration tells neither."""
    if header["times"] < 2:
        return None
    span_s = float(header["end_mjd_s"]) - float(header["start_mjd_s"])
    return span_s / (header["times"] - 1), float(abs(header["width_hz"][0]))


def image_files(outputs: Outputs) -> list[str]:
    """Files that a measurement reads: those of the band, and image, primary beam and residual of its parts."""
    band = [outputs["image"], outputs["pb"], outputs.get("residual"), *(outputs.get("matched") or [])]
    parts = [path for part in outputs.get("bands", []) for path in part]
    return [path for path in (*band, *parts) if path]


def fingerprint(catalog: Sequence[CatalogSource], blank_fits: int) -> dict[str, Any]:
    """What the measurements depend on besides the images."""
    return {
        "blank_fits": blank_fits,
        "positions": [(s.name, s.ra_deg, s.dec_deg, *(s.size_deg or ())) for s in catalog],
    }


def measure(
    products_db: Database,
    catalog: Sequence[CatalogSource],
    outputs: Outputs,
    mid_mjd: float,
    min_pb: float,
    *,
    averaging: tuple[float, float] | None = None,
    blank_fits: int = 0,
) -> Outputs:
    """Measure and record the catalogue on one tile; resolved sources are fitted as such, and all as wide as averaging made them.

    Parameters
    ----------
    products_db : Database
        Products.
    catalog : sequence of CatalogSource
        Positions, fluxes and sizes.
    outputs : dict
        ``image``, ``pb``, ``residual``, ``matched`` (with the psf) and ``bands`` (image, primary beam and residual of each) of the
        stage before.
    mid_mjd : float
        Middle of the tile [MJD].
    min_pb : float
        Positions below this primary-beam response are outside.
    averaging : tuple of float, optional
        Integration [s] and channel [Hz] of the visibilities.
    blank_fits : int
        Empty positions whose fits scale the errors.
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
        residual=outputs.get("residual"),
        matched=outputs.get("matched"),
        min_pb=min_pb,
        bands=[list(part) for part in outputs.get("bands", [])],
        sizes_deg=[s.size_deg for s in catalog],
        averaging=averaging,
        blank_fits=blank_fits,
    )
    return {"measured": int(measured["flux_jy"].notna().sum())}
