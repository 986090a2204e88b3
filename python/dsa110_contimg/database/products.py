"""The products database: Measurement Sets, images, measurements, storage locations."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from dsa110_contimg.database.handle import Database

StrPath = str | os.PathLike[str]


def ensure_products_db(path: StrPath) -> Database:
    """Open the products database, making it when it does not exist."""
    return Database(path, "products")


def ms_index_upsert(db: Database, ms_path: StrPath, **columns: Any) -> None:
    """Record or update a Measurement Set; keyword arguments are columns of ``ms_index``."""
    if "stage" in columns:
        columns.setdefault("stage_updated_at", time.time())
    db.upsert("ms_index", {"path": str(ms_path), **columns}, "path")


def images_insert(db: Database, path: StrPath, ms_path: StrPath, image_type: str, **columns: Any) -> None:
    """Record or update an image; keyword arguments are columns of ``images``."""
    row = {"path": str(path), "ms_path": str(ms_path), "type": image_type, "created_at": time.time(), **columns}
    db.upsert("images", row, "path")


def image_columns(report: Mapping[str, Any]) -> dict[str, Any]:
    """Columns of ``images`` that the imager's report fills."""
    beam, centre, imsize = report["beam"], report["centre_deg"], report["imsize"]
    return {
        "mid_mjd": report["mjd"],
        "beam_major_arcsec": beam["major_arcsec"],
        "beam_minor_arcsec": beam["minor_arcsec"],
        "beam_pa_deg": beam["pa_deg"],
        "noise_jy": report["rms_jy"],
        "expected_noise_jy": report["expected_rms_jy"],
        "peak_jy": report["peak_jy"],
        "dynamic_range": report["dynamic_range"],
        "center_ra_deg": centre[0],
        "center_dec_deg": centre[1],
        "imsize_x": imsize[0],
        "imsize_y": imsize[1],
        "cellsize_arcsec": report["cell_arcsec"],
    }


def photometry_insert(db: Database, rows: Iterable[Mapping[str, Any]]) -> int:
    """Record measurements, all or none; a source measured again in the same image is updated."""
    now = time.time()
    return db.insert("photometry", [{"measured_at": now, **row} for row in rows], conflict=("image_path", "source_id"))


def forget_copies(db: Database, image_path: StrPath, mjd: float) -> list[str]:
    """Delete the measurements of the same image under another path: an epoch enters a light curve once.

    They are there when a products directory was moved or copied and the run was repeated in its new place.

    Parameters
    ----------
    db : Database
        Products.
    image_path : path
        The image about to be measured.
    mjd : float
        Its mid time, UTC [MJD days].

    Returns
    -------
    list of str
        The paths forgotten.
    """
    kept = Path(image_path)
    # A second: no two tiles of one name are that near.
    near = (("mjd", ">=", mjd - 1 / 86400), ("mjd", "<=", mjd + 1 / 86400))
    paths = {row["image_path"] for row in db.select("photometry_timeseries", *near, columns=("image_path",))}
    copies = sorted(p for p in paths if p != str(kept) and Path(p).name == kept.name)
    for path in copies:
        for table in ("photometry", "photometry_timeseries"):
            db.delete(table, ("image_path", "=", path))
    return copies


def discover_ms_files(db: Database, scan_dir: StrPath, *, recursive: bool = True) -> list[str]:
    """Index the Measurement Sets below a directory that are not in the index yet; returns them."""
    root = Path(scan_dir)
    pattern = root.rglob("*.ms") if recursive else root.glob("*.ms")
    known = {row["path"] for row in db.select("ms_index", columns=["path"])}
    new = sorted(str(p) for p in pattern if (p / "table.dat").is_file() and str(p) not in known)
    for path in new:
        ms_index_upsert(db, path, status="converted", stage="converted", processed_at=time.time())
    return new


def register_storage_location(
    db: Database, location_type: str, base_path: StrPath, *, description: str | None = None, notes: str | None = None
) -> None:
    """Record a base directory of a kind of product."""
    row = {
        "location_type": location_type,
        "base_path": str(base_path),
        "description": description,
        "registered_at": time.time(),
        "notes": notes,
    }
    db.upsert("storage_locations", row, "location_type", "base_path")


def get_storage_locations(
    db: Database, location_type: str | None = None, status: str = "active"
) -> list[dict[str, Any]]:
    """Registered base directories."""
    conditions = [("status", "=", status)]
    if location_type is not None:
        conditions.append(("location_type", "=", location_type))
    return db.select("storage_locations", *conditions, order_by=["location_type", "base_path"])
