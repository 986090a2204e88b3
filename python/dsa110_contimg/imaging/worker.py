"""``python -m dsa110_contimg.imaging.worker scan|daemon``: calibrate and image the Measurement Sets of a directory."""

from __future__ import annotations

import argparse
import datetime as dt
import json
import logging
import os
import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dsa110_contimg import ContimgError, _core
from dsa110_contimg.database.products import ensure_products_db, image_columns
from dsa110_contimg.database.registry import ensure_db, get_active_applylist
from dsa110_contimg.imaging.native import calibration_cards, image

logger = logging.getLogger(__name__)
StrPath = str | os.PathLike[str]
_TIME = re.compile(r"(\d{4}-\d{2}-\d{2})T(\d{2}:\d{2}:\d{2})")
_MJD_0 = dt.datetime(1858, 11, 17, tzinfo=dt.UTC)


def scan(
    ms_dir: StrPath,
    out_dir: StrPath,
    registry_db: StrPath,
    products_db: StrPath,
    **options: Any,
) -> dict[str, list[str]]:
    """Apply the active tables to every Measurement Set that has no image yet, image it, record the images.

    Parameters
    ----------
    ms_dir, out_dir : path
        Where Measurement Sets are looked for (below it too), and where images go.
    registry_db, products_db : path
        Databases of calibration tables and of products.
    **options
        Of :func:`dsa110_contimg.imaging.image`.

    Returns
    -------
    dict
        ``imaged``, ``waiting`` (no tables are valid at their time) and ``failed``: paths. One that fails does not
        keep the others back; its error is logged.
    """
    root, out = Path(ms_dir), Path(out_dir)
    if not root.is_dir():
        raise ValueError(f"--ms-dir: expected a directory, found {root}")
    out.mkdir(parents=True, exist_ok=True)
    registry, products = ensure_db(registry_db), ensure_products_db(products_db)
    found: dict[str, list[str]] = {"imaged": [], "waiting": [], "failed": []}
    for ms in sorted(p for p in root.rglob("*.ms") if p.is_dir()):
        if products.select("images", ("ms_path", "=", str(ms))):
            continue
        try:
            tables = get_active_applylist(registry, _mjd(ms))
            if not tables:
                found["waiting"].append(str(ms))
                continue
            request = {"ms": str(ms), "gaintable": [{"path": t} for t in tables]}
            _core.calibration.apply(json.dumps(request))
            cards = {**calibration_cards(tables), **options.get("cards", {})}
            asked = {**options, "datacolumn": "corrected", "cards": cards}
            report = image(ms, out / f"{ms.stem}.img", **asked)
        except (ContimgError, ValueError, OSError) as error:
            logger.error("%s: %s", ms, error)
            found["failed"].append(str(ms))
            continue
        # All at once: a Measurement Set that has one image counts as done.
        shared = {"ms_path": str(ms), "type": "5min", "created_at": time.time(), **image_columns(report)}
        shared["cal_provenance"] = json.dumps(tables)
        rows = [{"path": str(path), **shared, "pbcor": int(key == "pbcor")} for key, path in report["products"].items()]
        products.insert("images", rows, conflict=("path",))
        found["imaged"].append(str(ms))
    return found


def _mjd(ms: Path) -> float:
    match = _TIME.search(ms.stem)
    if match is None:
        raise ValueError(f"{ms}: expected a time such as 2026-01-25T22:26:05 in its name, found none")
    when = dt.datetime.fromisoformat(f"{match[1]}T{match[2]}+00:00")
    return (when - _MJD_0).total_seconds() / 86_400.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Scan once, or again and again until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m dsa110_contimg.imaging.worker", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("scan", "daemon"):
        p = commands.add_parser(name)
        for option in ("ms-dir", "out-dir", "registry-db", "products-db"):
            p.add_argument(f"--{option}", required=True)
        p.add_argument("--poll-interval", type=float, default=60.0, help="seconds")
    options = parser.parse_args(arguments)
    paths = (options.ms_dir, options.out_dir, options.registry_db, options.products_db)
    try:
        while True:
            found = scan(*paths)
            sys.stdout.write(json.dumps(found) + "\n")
            sys.stdout.flush()
            if options.command == "scan":
                return 1 if found["failed"] else 0
            time.sleep(options.poll_interval)
    except (ContimgError, ValueError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
