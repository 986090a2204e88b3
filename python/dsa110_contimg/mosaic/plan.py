"""Mosaics in the products database: planned from a window of time, then built."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from typing import Any

from dsa110_contimg import _core
from dsa110_contimg.database.handle import Database
from dsa110_contimg.mosaic.build import METHODS, StrPath, build_mosaic, is_tile

_UNIX_EPOCH_MJD = 40_587.0


def plan(
    db: Database,
    name: str,
    *,
    since: float | None = None,
    until: float | None = None,
    transit_of: tuple[float, float] | None = None,
    minutes: float = 60.0,
    method: str = "pbweighted",
    include_unpbcor: bool = False,
) -> dict[str, Any]:
    """Record which tiles a mosaic will hold.

    Parameters
    ----------
    db : Database
        Products database.
    name : str
        Name of the mosaic, not used before.
    since, until : float, optional
        Mid times of the tiles [Unix seconds].
    transit_of : (float, float), optional
        ICRS right ascension and declination [deg]: the window is `minutes` long about the latest transit whose tiles are there
        (before `until` where that is given).
    minutes : float
        Length of the window about a transit.
    method : str
        How tiles weigh.
    include_unpbcor : bool
        Also tiles recorded without beam correction; one of which both images are recorded counts once.

    Returns
    -------
    dict
        ``name``, ``method``, ``tiles``.

    Raises
    ------
    ValueError
        No tile in the window, a name in use, an unknown method.
    """
    if method not in METHODS:
        raise ValueError(f"method: expected one of {', '.join(METHODS)}, found {method!r}")
    if db.select("mosaics", ("name", "=", name), columns=["name"]):
        raise ValueError(f"name: expected a new name, found a mosaic {name!r}")
    conditions: list[tuple[str, str, Any]] = []
    if not include_unpbcor:
        conditions.append(("pbcor", "=", 1))
    if transit_of is not None:
        since, until = transit_window(db, transit_of, minutes, until)
    if since is not None:
        conditions.append(("mid_mjd", ">=", _UNIX_EPOCH_MJD + since / 86_400.0))
    if until is not None:
        conditions.append(("mid_mjd", "<=", _UNIX_EPOCH_MJD + until / 86_400.0))
    # All products of a tile may be recorded as "5min": its psf is no tile, and its two images are one.
    found = [
        row for row in db.select("images", *conditions) if row["type"] in ("5min", "pbcor") and is_tile(row["path"])
    ]
    corrected = {_stem(row["path"]): row for row in sorted(found, key=lambda row: row["pbcor"] or 0)}
    rows = sorted(corrected.values(), key=lambda row: row["mid_mjd"] or 0.0)
    tiles = [str(row["path"]) for row in rows]
    if not tiles:
        raise ValueError(f"since, until: expected at least one tile from {since} to {until}, found none in {db.path}")
    times = [row["mid_mjd"] for row in rows if row["mid_mjd"] is not None]
    row = {
        "name": name,
        "created_at": time.time(),
        "status": "planned",
        "method": method,
        "tiles": json.dumps(tiles),
        "n_images": len(tiles),
        "start_mjd": min(times, default=None),
        "end_mjd": max(times, default=None),
    }
    db.insert("mosaics", [row])
    return {"name": name, "method": method, "tiles": tiles}


def _stem(path: str) -> str:
    """What the two images of a tile have in common."""
    return path.removesuffix(".fits").removesuffix(".pbcor")


def transit_window(
    db: Database, position_deg: tuple[float, float], minutes: float, until: float | None = None
) -> tuple[float, float]:
    """The window [Unix seconds] of `minutes` about the latest transit of a position before the last tile or `until`.

    Raises
    ------
    ValueError
        No image with a time, or a window that is not positive.
    """
    if not minutes > 0:
        raise ValueError(f"minutes: expected a positive length, found {minutes}")
    if until is None:
        times = [row["mid_mjd"] for row in db.select("images", columns=["mid_mjd"]) if row["mid_mjd"] is not None]
        if not times:
            raise ValueError(f"transit: expected images with times, found none in {db.path}")
        until = (max(times) - _UNIX_EPOCH_MJD) * 86_400.0
    ra_rad, dec_rad = (math.radians(angle) for angle in position_deg)
    last_mjd_s = until + _UNIX_EPOCH_MJD * 86_400.0
    transit_mjd_s = float(_core.coords.transits(ra_rad, last_mjd_s, 1, dec_rad=dec_rad, previous=True)[0])
    transit = transit_mjd_s - _UNIX_EPOCH_MJD * 86_400.0
    return transit - 30.0 * minutes, transit + 30.0 * minutes


def build(
    db: Database,
    name: str,
    output: StrPath,
    *,
    ignore_validation: bool = False,
    dry_run: bool = False,
    progress: Callable[[int, int], object] | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Build a planned mosaic and record it; `options` are those of :func:`build_mosaic`.

    Raises
    ------
    ValueError
        No such plan, or verdicts that failed (they are recorded).
    """
    rows = db.select("mosaics", ("name", "=", name))
    if not rows:
        raise ValueError(f"name: expected a planned mosaic, found none called {name!r} in {db.path}")
    tiles = json.loads(rows[0]["tiles"])
    method = rows[0]["method"]
    judged = build_mosaic(tiles, output, method=method, dry_run=True, **options)
    failed = [verdict for verdict in judged["verdicts"] if not verdict["passed"]]
    db.update("mosaics", {"validation_issues": json.dumps(failed)}, ("name", "=", name))
    if dry_run:
        return judged
    report = build_mosaic(
        tiles, output, method=method, ignore_validation=ignore_validation, progress=progress, **options
    )
    failed += [check for check in report["checks"] if not check["passed"]]
    if failed:
        db.update("mosaics", {"validation_issues": json.dumps(failed)}, ("name", "=", name))
    major, minor, pa = report["beam"] or (None, None, None)
    half_deg = 0.5 * report["imsize"][1] * report["cell_arcsec"] / 3600.0
    values = {
        "path": report["products"]["mosaic"],
        "output_path": report["products"]["mosaic"],
        "status": "completed",
        "effective_noise_jy": report["noise_jy"],
        "noise_jy": report["noise_jy"],
        "beam_major_arcsec": major,
        "beam_minor_arcsec": minor,
        "beam_pa_deg": pa,
        "dec_min_deg": max(report["centre_deg"][1] - half_deg, -90.0),
        "dec_max_deg": min(report["centre_deg"][1] + half_deg, 90.0),
        "center_ra_deg": report["centre_deg"][0],
        "center_dec_deg": report["centre_deg"][1],
    }
    db.update("mosaics", values, ("name", "=", name))
    return report
