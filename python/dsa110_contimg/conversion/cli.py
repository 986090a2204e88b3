"""``python -m dsa110_contimg.conversion.cli``: the original's subcommands."""

from __future__ import annotations

import argparse
import json
import logging
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dsa110_contimg import ContimgError, _core
from dsa110_contimg.catalog.calibrators import position_of
from dsa110_contimg.conversion.convert import FATAL, convert_directory, convert_group
from dsa110_contimg.conversion.groups import SubbandGroup, classify_groups
from dsa110_contimg.conversion.transits import Transit, TransitSearch, find_transits, pointing_strips


def parser() -> argparse.ArgumentParser:
    """All subcommands and flags."""
    p = argparse.ArgumentParser(prog="conversion.cli", description="Conversion of UVH5 files, and checks.")
    sub = p.add_subparsers(dest="command", required=True)
    single = sub.add_parser("single", help="convert the files of one group")
    single.add_argument("input_path", nargs="+")
    single.add_argument("output_path")
    groups = sub.add_parser("groups", help="convert the groups of a directory")
    for command in (groups, sub.add_parser("validate", help="look into every header of a directory's groups")):
        command.add_argument("--input-dir", required=True)
        command.add_argument("--start-time")
        command.add_argument("--end-time")
    transit = sub.add_parser("find-calibrators", help="groups of a directory that hold calibrators' transits")
    transit.add_argument("--input-dir", required=True)
    transit.add_argument("--calibrator", help="one by name (or 'RA,DEC'); all of the list within the strip otherwise")
    transit.add_argument("--top-n", type=int, default=5, help="how many of the brightest in the beam")
    check = sub.choices["validate"]
    check.add_argument("--validate-calibrator", help="also expect a group with this calibrator's transit")
    for command in (transit, check):
        command.add_argument("--dec-tolerance-deg", type=float, default=2.0)
        command.add_argument("--window-minutes", type=float, default=60.0)
        command.add_argument("--max-days-back", type=int, default=30)
    groups.add_argument("--output-dir", required=True)
    groups.add_argument("--skip-existing", action="store_true")
    verify = sub.add_parser("verify-ms", help="check a Measurement Set")
    verify.add_argument("--ms", required=True)
    for flag in ("imaging-columns", "field-structure", "spw-structure"):
        verify.add_argument(f"--check-{flag}", action=argparse.BooleanOptionalAction, default=True)
    smoke = sub.add_parser("smoke-test", help="simulate, convert and verify a tiny group")
    smoke.add_argument("--output", default=str(Path(tempfile.gettempdir()) / "smoke-test.ms"))
    smoke.add_argument("--cleanup", action="store_true")
    return p


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a subcommand; 0 when all is well."""
    args = parser().parse_args(arguments)
    logging.basicConfig(level="INFO", format="%(levelname)s %(message)s", stream=sys.stderr)
    try:
        payload, ok = _COMMANDS[args.command](args)
    except (ContimgError, OSError, ValueError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    sys.stdout.write(json.dumps(payload, indent=1) + "\n")
    return 0 if ok else 1


def _single(args: argparse.Namespace) -> tuple[dict[str, Any], bool]:
    result = convert_group(args.input_path, args.output_path, expected_subbands=len(args.input_path))
    return result.as_dict(), True


def _groups(args: argparse.Namespace) -> tuple[dict[str, Any], bool]:
    results = convert_directory(
        args.input_dir,
        args.output_dir,
        start=args.start_time,
        end=args.end_time,
        skip_existing=args.skip_existing,
    )
    return {"groups": [r.as_dict() for r in results]}, all(r.status != "failed" for r in results)


def _validate(args: argparse.Namespace) -> tuple[dict[str, Any], bool]:
    found = classify_groups(args.input_dir, start=args.start_time, end=args.end_time, verify=True)
    payload = found.as_dict()
    fine = not found.rejected and not found.incomplete
    if args.validate_calibrator is not None:
        transits = _search(args, *position_of(args.validate_calibrator))
        payload["transits"] = [transit.as_dict() for transit in transits]
        fine = fine and bool(transits)
    return payload, fine


def _search(
    args: argparse.Namespace, ra_deg: float, dec_deg: float, groups: Sequence[SubbandGroup] | None = None
) -> list[Transit]:
    limits = TransitSearch(args.window_minutes, args.max_days_back, dec_tolerance_deg=args.dec_tolerance_deg)
    return find_transits(args.input_dir, ra_deg, dec_deg, search=limits, groups=groups)


def _find(args: argparse.Namespace) -> tuple[dict[str, Any], bool]:
    groups = classify_groups(args.input_dir).complete
    candidates: dict[str, tuple[float, float, float | None]]
    if args.calibrator is not None:
        candidates = {args.calibrator: (*position_of(args.calibrator), None)}
    else:
        from dsa110_contimg.catalog.calibrators import load_vla_catalog

        strips = pointing_strips(groups)
        frame = load_vla_catalog()
        near = [any(abs(dec - s) <= args.dec_tolerance_deg for s in strips) for dec in frame["dec_deg"]]
        frame = frame[near].sort_values("flux_jy", ascending=False)
        candidates = {str(n): (float(r.ra_deg), float(r.dec_deg), float(r.flux_jy)) for n, r in frame.iterrows()}
    rows: list[dict[str, Any]] = []
    for name, (ra_deg, dec_deg, flux_jy) in candidates.items():
        transits = [transit.as_dict() for transit in _search(args, ra_deg, dec_deg, groups)]
        if transits:
            place = {"name": name, "ra_deg": ra_deg, "dec_deg": dec_deg, "flux_jy": flux_jy}
            rows.append(place | {"transits": transits})
        if len(rows) >= args.top_n:
            break
    return {"calibrators": rows}, bool(rows)


def _verify(args: argparse.Namespace) -> tuple[dict[str, Any], bool]:
    report = _core.ms.verify(args.ms, imaging_columns=args.check_imaging_columns)
    left_out = set()
    if not args.check_field_structure:
        left_out |= {"phase_centres"}
    if not args.check_spw_structure:
        left_out |= {"frequency_order"}
    report["verdicts"] = [v for v in report["verdicts"] if v["name"] not in left_out]
    report["ok"] = all(v["ok"] for v in report["verdicts"] if v["name"] in FATAL)
    return report, bool(report["ok"])


def _smoke(args: argparse.Namespace) -> tuple[dict[str, Any], bool]:
    output = Path(args.output)
    # 2026-01-25T22:26:05, five antennas of all arms, three integrations, two subbands.
    params = {
        "start_mjd_s": 5276096765.0,
        "dec_deg": 16.15,
        "stations": [1, 25, 70, 103, 110],
        "integrations": 3,
        "subbands": [0, 1],
        "sources": [{"name": "centre", "ra_deg": 344.1, "dec_deg": 16.1, "flux_jy": 1.0}],
        "sefd_jy": 6500.0,
    }
    with tempfile.TemporaryDirectory(prefix="contimg-smoke-") as scratch:
        _core.simulate.group(json.dumps(params), scratch)
        files = sorted(Path(scratch).glob("*_sb*.hdf5"))
        result = convert_group(files, output, overwrite=True, expected_subbands=2)
    report = _core.ms.verify(output)
    payload = result.as_dict() | {"verify": report}
    if args.cleanup:
        shutil.rmtree(output)
    return payload, all(v["ok"] for v in report["verdicts"] if v["name"] in FATAL)


_COMMANDS = {
    "single": _single,
    "groups": _groups,
    "validate": _validate,
    "verify-ms": _verify,
    "smoke-test": _smoke,
    "find-calibrators": _find,
}

if __name__ == "__main__":
    sys.exit(main())
