"""The original's command line: ``python -m dsa110_contimg.photometry.cli``.

Each command prints one JSON object; the same code as ``contimg photometry``.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from dsa110_contimg import ContimgError
from dsa110_contimg.photometry.forced import ForcedPhotometryResult, measure_many


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="dsa110_contimg.photometry.cli", description="Forced photometry and ESE candidates."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("peak", help="one position")
    many = commands.add_parser("peak-many", help="many positions")
    field = commands.add_parser("nvss", help="every catalogue source in the image, recorded in the products database")
    for command in (one, many, field):
        command.add_argument("--fits", required=True, type=Path)
        command.add_argument("--box", type=int, default=5, help="side of the peak box [pixels]")
        command.add_argument("--annulus", type=float, nargs=2, default=(12.0, 20.0), help="noise ring [pixels]")
    one.add_argument("--ra", type=float, required=True, help="[degrees]")
    one.add_argument("--dec", type=float, required=True, help="[degrees]")
    many.add_argument("--coords", required=True, help="'ra,dec;ra,dec;...' [degrees]")
    field.add_argument("--min-mjy", type=float, default=10.0)
    field.add_argument("--radius-deg", type=float, default=None, help="default: the whole image")
    field.add_argument("--products-db", type=Path, default=None)
    field.add_argument("--catalog", type=Path, default=None, help="file or database; default: the configured NVSS")
    field.add_argument("--pb", type=Path, default=None, help="primary-beam FITS to divide by")
    plot = commands.add_parser("plot", help="light curve of a source")
    plot.add_argument("--source-id", required=True)
    plot.add_argument("--products-db", type=Path, default=None)
    plot.add_argument("--out", type=Path, default=None)
    adaptive = commands.add_parser("adaptive", help="the narrowest bands in which a position is seen")
    adaptive.add_argument("--ms", type=Path, default=None, help="image the parts of its band first")
    adaptive.add_argument("--images", type=Path, nargs="+", default=None, help="images of the parts instead")
    adaptive.add_argument("--ra", type=float, required=True, help="[degrees]")
    adaptive.add_argument("--dec", type=float, required=True, help="[degrees]")
    adaptive.add_argument("--output-dir", type=Path, default=None, help="where the images go")
    adaptive.add_argument("--target-snr", type=float, default=5.0)
    adaptive.add_argument("--max-width", type=int, default=16)
    adaptive.add_argument("--imsize", type=int, default=1024)
    adaptive.add_argument("--max-spws", type=int, default=16, help="parts of the band")
    for command in (one, many, field):
        command.add_argument("--use-aegean", action="store_true", help="kept for old command lines; has no effect")
    for unused in ("--quality-tier", "--backend", "--max-workers"):
        adaptive.add_argument(unused, default=None, help="kept for old command lines; has no effect")
    for unused in ("--parallel", "--serialize-ms-access"):
        adaptive.add_argument(unused, action="store_true", help="kept for old command lines; has no effect")
    detect = commands.add_parser("ese-detect", help="statistics and candidates from the recorded light curves")
    detect.add_argument("--products-db", type=Path, required=True)
    detect.add_argument("--min-sigma", type=float, default=5.0, help="least significance of the dip")
    detect.add_argument("--source-id", default=None)
    detect.add_argument("--recompute", action="store_true", help="normalise all epochs again first")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit code."""
    options = _parser().parse_args(arguments)
    try:
        payload = _COMMANDS[options.command](options)
    except (ContimgError, ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(json.dumps(payload))
    return 0


def _plain(result: ForcedPhotometryResult) -> dict[str, Any]:
    return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in asdict(result).items()}


def _peak(options: argparse.Namespace) -> dict[str, Any]:
    return _many(options, [(options.ra, options.dec)])["results"][0]  # type: ignore[no-any-return]


def _peak_many(options: argparse.Namespace) -> dict[str, Any]:
    try:
        coords = [(float(ra), float(dec)) for ra, dec in (c.split(",") for c in options.coords.split(";") if c.strip())]
    except ValueError as error:
        raise ValueError(f"--coords: expected 'ra,dec;ra,dec;...' in degrees, found {options.coords!r}") from error
    return _many(options, coords)


def _many(options: argparse.Namespace, coords: list[tuple[float, float]]) -> dict[str, Any]:
    if not options.fits.is_file():
        raise FileNotFoundError(f"{options.fits}: expected a FITS image, found none")
    found = measure_many(options.fits, coords, box_size_pix=options.box, annulus_pix=tuple(options.annulus))
    return {"results": [_plain(result) for result in found]}


def _nvss(options: argparse.Namespace) -> dict[str, Any]:
    from dsa110_contimg.photometry.field import measure_field

    table, about = measure_field(
        options.fits,
        catalog_path=options.catalog,
        min_mjy=options.min_mjy,
        radius_deg=options.radius_deg,
        products_db=options.products_db,
        pb=options.pb,
        box_px=options.box,
        annulus_px=[float(r) for r in options.annulus],
    )
    return {"image": str(options.fits), "mjd": about["mjd"], "measured": len(table), "recorded": about["recorded"]}


def _adaptive(options: argparse.Namespace) -> dict[str, Any]:
    from dsa110_contimg.photometry.adaptive import image_parts, measure_adaptive

    if (options.ms is None) == (options.images is None):
        raise ValueError("--ms, --images: expected one of them, found both or neither")
    if options.images is not None:
        parts: list[tuple[Path, Path | None]] = [(p, None) for p in options.images]
    else:
        directory = options.output_dir or options.ms.parent / f"{options.ms.stem}_adaptive"
        parts = image_parts(options.ms, directory, parts=options.max_spws, imsize=options.imsize)
    found = measure_adaptive(parts, options.ra, options.dec, target_snr=options.target_snr, max_width=options.max_width)
    return {k: [None if isinstance(x, float) and x != x else x for x in v] for k, v in found.items()}


def _plot(options: argparse.Namespace) -> dict[str, Any]:
    from dsa110_contimg.photometry.source import Source

    out = options.out or Path(f"{options.source_id}_lightcurve.png")
    source = Source(options.source_id, products_db=options.products_db)
    source.plot_lightcurve(save=True, outfile=out)
    return {"plot": str(out), "n_epochs": source.n_epochs}


def _ese_detect(options: argparse.Namespace) -> dict[str, Any]:
    from dsa110_contimg.database import open_database
    from dsa110_contimg.photometry import campaign

    if not options.products_db.is_file():
        raise FileNotFoundError(f"{options.products_db}: expected a products database, found none")
    db = open_database(options.products_db, "products")
    if options.recompute:
        campaign.normalise_by(db, gate=False)
    sources = None if options.source_id is None else [options.source_id]
    judged = campaign.vary_and_nominate(db, options={"min_dip_snr": options.min_sigma}, source_ids=sources)
    found = [name for name, j in judged.items() if j["verdict"] == "candidate"]
    return {"judged": len(judged), "candidates": [{"source_id": n, "reasons": judged[n]["reasons"]} for n in found]}


_COMMANDS = {
    "peak": _peak,
    "peak-many": _peak_many,
    "nvss": _nvss,
    "adaptive": _adaptive,
    "plot": _plot,
    "ese-detect": _ese_detect,
}

if __name__ == "__main__":
    sys.exit(main())
