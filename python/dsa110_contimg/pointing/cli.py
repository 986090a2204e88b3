"""``python -m dsa110_contimg.pointing.cli``: the original's subcommands."""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dsa110_contimg import ContimgError
from dsa110_contimg.pointing.timeline import crossmatch, jumps, pointings


def parser() -> argparse.ArgumentParser:
    """All subcommands and flags."""
    p = argparse.ArgumentParser(prog="pointing.cli", description="Where the array looked.")
    sub = p.add_subparsers(dest="command", required=True)
    plot = sub.add_parser("plot-timeline", help="declination against time, from the files' headers")
    plot.add_argument("--output", required=True, help="PNG to write")
    plot.add_argument("--jump-threshold-deg", type=float, default=0.1)
    match = sub.add_parser("crossmatch-transits", help="a calibrator's transits that were observed")
    match.add_argument("--name", required=True, help="name in the VLA calibrator list, or 'RA,DEC' in degrees")
    match.add_argument("--dec-tolerance-deg", type=float, default=1.5)
    match.add_argument("--time-pad-minutes", type=float, default=10.0)
    match.add_argument("--days-back", type=int, default=21)
    for command in (plot, match):
        command.add_argument("--data-dir", default="/data/incoming", help="flat directory of <time>_sbNN.hdf5 files")
    return p


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a subcommand; 0 when all is well."""
    args = parser().parse_args(arguments)
    logging.basicConfig(level="INFO", format="%(levelname)s %(message)s", stream=sys.stderr)
    try:
        payload = {"plot-timeline": _plot, "crossmatch-transits": _match}[args.command](args)
    except (ContimgError, OSError, ValueError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    sys.stdout.write(json.dumps(payload, indent=1) + "\n")
    return 0


def _plot(args: argparse.Namespace) -> dict[str, Any]:
    from dsa110_contimg.plots.pointing import timeline_png

    found, bad = pointings(args.data_dir)
    steps = jumps(found, args.jump_threshold_deg)
    image = timeline_png([p.mjd for p in found], [p.app_dec_deg for p in found], [step["mjd"] for step in steps])
    output = Path(args.output)
    aside = output.with_name(f".{output.name}.{os.getpid()}.part")
    aside.write_bytes(image)
    aside.replace(output)
    return {"output": str(output), "observations": len(found), "jumps": steps, "unreadable": bad}


def _match(args: argparse.Namespace) -> dict[str, Any]:
    ra_deg, dec_deg = _position(args.name)
    found, bad = pointings(args.data_dir)
    transits = crossmatch(
        found,
        ra_deg,
        dec_deg,
        dec_tolerance_deg=args.dec_tolerance_deg,
        time_pad_minutes=args.time_pad_minutes,
        days_back=args.days_back,
    )
    return {"name": args.name, "ra_deg": ra_deg, "dec_deg": dec_deg, "transits": transits, "unreadable": bad}


def _position(name: str) -> tuple[float, float]:
    from dsa110_contimg.catalog.calibrators import position_of

    return position_of(name)


if __name__ == "__main__":
    sys.exit(main())
