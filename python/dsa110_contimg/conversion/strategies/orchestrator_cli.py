"""Command line of ``python -m dsa110_contimg.conversion.strategies.hdf5_orchestrator``, with the original's flags."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dsa110_contimg import ContimgError
from dsa110_contimg.catalog.calibrators import position_of
from dsa110_contimg.conversion.groups import classify_groups
from dsa110_contimg.conversion.layout import ms_path
from dsa110_contimg.conversion.strategies.hdf5_orchestrator import WRITERS, convert_subband_groups_to_ms
from dsa110_contimg.conversion.transits import Transit, TransitSearch, find_transits


def parser() -> argparse.ArgumentParser:
    """The original's flags."""
    p = argparse.ArgumentParser(prog="hdf5_orchestrator", description="Convert UVH5 groups to Measurement Sets.")
    p.add_argument("input_dir", help="flat directory of <time>_sbNN.hdf5 files")
    p.add_argument("output_dir", nargs="?", default="/data/dsa110-contimg/ms", help="base of the Measurement Sets")
    p.add_argument("start_time", nargs="?", help="first group, UTC, 'YYYY-MM-DD HH:MM:SS'")
    p.add_argument("end_time", nargs="?", help="last group, UTC")
    p.add_argument("--start-time", dest="start_option", help="the same as the positional one")
    p.add_argument("--end-time", dest="end_option", help="the same as the positional one")
    p.add_argument("--writer", choices=WRITERS, default="parallel-subband", help="kept for old scripts")
    p.add_argument("--flux", type=float, help="MODEL_DATA of a source at the phase centre [Jy]")
    p.add_argument("--scratch-dir", help="write here before moving the Measurement Set into place")
    p.add_argument("--max-workers", type=int, default=4, help="kept for old scripts: all cores are used")
    p.add_argument("--stage-to-tmpfs", action=argparse.BooleanOptionalAction, default=True)
    p.add_argument("--tmpfs-path", default="/dev/shm", help="mount point of the tmpfs")  # noqa: S108 - Linux's tmpfs
    p.add_argument("--merge-spws", action="store_true", help="one spectral window of all channels")
    p.add_argument("--log-level", default="INFO", choices=("DEBUG", "INFO", "WARNING", "ERROR"))
    p.add_argument("--find-only", action="store_true", help="list the groups and stop")
    p.add_argument("--dry-run", action="store_true", help="say what would be converted and stop")
    p.add_argument("--disable-progress", action="store_true", help="kept for old scripts: there are no bars here")
    p.add_argument("--skip-existing", action="store_true", help="leave Measurement Sets that are complete")
    p.add_argument("--checkpoint-file", help="JSON file of the finished groups")
    transit = p.add_argument_group("calibrator's transit", "convert the groups that see a calibrator's latest transit")
    transit.add_argument("--calibrator", help="name in the VLA calibrator list, or 'RA,DEC' in degrees")
    transit.add_argument("--transit-date", help="the transit of this day, or the one nearest to this time (UTC)")
    transit.add_argument("--window-minutes", type=float, default=60.0, help="whole window about the transit")
    transit.add_argument("--max-days-back", type=int, default=30, help="how far back from the newest data")
    transit.add_argument("--min-pb-response", type=float, default=0.3, help="least primary-beam power, 0 to 1")
    transit.add_argument("--dec-tolerance-deg", type=float, default=2.0, help="pointing this near in declination")
    return p


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 0 when every complete group was converted or skipped."""
    args = parser().parse_args(arguments)
    logging.basicConfig(level=args.log_level, format="%(levelname)s %(message)s", stream=sys.stderr)
    start, end = args.start_option or args.start_time, args.end_option or args.end_time
    try:
        transit = None
        if args.calibrator is not None:
            transit = _transit(args)
            names = sorted(group.group_id for group in transit.groups)
            start, end = names[0], names[-1]
        if args.find_only or args.dry_run:
            groups = classify_groups(args.input_dir, start=start, end=end).groups
            found = {"groups": [group.as_dict() for group in groups]} | _words(transit)
            sys.stdout.write(json.dumps(found, indent=1) + "\n")
            return 0
        results = convert_subband_groups_to_ms(
            args.input_dir,
            args.output_dir,
            start or "1970-01-01",
            end or "2100-01-01",
            flux=args.flux,
            scratch_dir=args.scratch_dir,
            writer=args.writer,
            writer_kwargs={
                "stage_to_tmpfs": args.stage_to_tmpfs,
                "tmpfs_path": args.tmpfs_path,
                "merge_spws": args.merge_spws,
            },
            skip_existing=args.skip_existing,
            checkpoint_file=args.checkpoint_file,
            path_mapper=None if transit is None else _calibrators,
        )
    except (ContimgError, OSError, ValueError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    groups_done = sorted((g for list_ in results.values() for g in list_), key=lambda g: g["group_id"])
    sys.stdout.write(json.dumps({"groups": groups_done} | _words(transit)) + "\n")
    return 1 if results["failed"] else 0


def _transit(args: argparse.Namespace) -> Transit:
    search = TransitSearch(args.window_minutes, args.max_days_back, args.min_pb_response, args.dec_tolerance_deg)
    ra_deg, dec_deg = position_of(args.calibrator)
    found = find_transits(args.input_dir, ra_deg, dec_deg, transit_date=args.transit_date, search=search)
    if not found:
        when = args.transit_date or f"the last {args.max_days_back} days of data"
        raise ValueError(
            f"{args.input_dir}: expected a complete group within {args.window_minutes / 2:g} minutes of a transit of "
            f"{args.calibrator} (RA {ra_deg:.4f}, Dec {dec_deg:.4f}) in {when}, pointing within "
            f"{args.dec_tolerance_deg:g} degrees of its declination; found none"
        )
    return found[0]


def _calibrators(group_id: str, output_dir: str) -> Path:
    return ms_path(output_dir, group_id, "calibrators")


def _words(transit: Transit | None) -> dict[str, Any]:
    return {} if transit is None else {"transit": transit.as_dict()}
