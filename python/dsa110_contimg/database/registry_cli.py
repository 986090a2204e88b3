"""``python -m dsa110_contimg.database.registry_cli``: the calibration registry from a shell."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dsa110_contimg import ContimgError


def _run(args: argparse.Namespace) -> dict[str, Any]:
    from dsa110_contimg.database import registry

    if args.command == "init":
        Path(args.db).parent.mkdir(parents=True, exist_ok=True)
        registry.ensure_db(args.db)
        return {"db": args.db}
    if not Path(args.db).is_file():
        raise FileNotFoundError(f"{args.db}: expected a registry (make one with 'init'), found none")
    if args.command == "register-prefix":
        tables = registry.register_set_from_prefix(
            args.db, args.name, args.prefix, cal_field=args.cal_field, refant=args.refant,
            valid_start_mjd=args.valid_start, valid_end_mjd=args.valid_end, status=args.status,
        )  # fmt: skip
        return {"set_name": args.name, "tables": tables}
    if args.command == "active":
        return {"mjd": args.mjd, "tables": registry.get_active_applylist(args.db, args.mjd, args.set)}
    if args.command == "list-sets":
        return {"sets": registry.list_sets(args.db)}
    retired = registry.retire_set(args.db, args.name, reason=args.reason)
    if not retired:
        known = ", ".join(s["set_name"] for s in registry.list_sets(args.db)) or "none"
        raise ValueError(f"--name: expected a registered set ({known}), found {args.name!r}")
    return {"set_name": args.name, "retired": retired}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run; one JSON object on stdout, errors are one line on stderr."""
    parser = argparse.ArgumentParser(prog="dsa110_contimg.database.registry_cli", description=__doc__)
    parser.add_argument("--db", default="state/cal_registry.sqlite3")
    # The original takes --db before or after the command.
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--db", default=argparse.SUPPRESS)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("init", parents=[common], help="make the registry")
    r = commands.add_parser("register-prefix", parents=[common], help="register the tables that begin with a prefix")
    r.add_argument("--name", required=True)
    r.add_argument("--prefix", required=True)
    r.add_argument("--cal-field")
    r.add_argument("--refant")
    r.add_argument("--valid-start", type=float, help="[MJD days]; open when left out")
    r.add_argument("--valid-end", type=float, help="[MJD days]; open when left out")
    r.add_argument("--status", choices=("active", "retired", "failed"), default="active")
    a = commands.add_parser("active", parents=[common], help="tables to apply at a time, in order")
    a.add_argument("--mjd", type=float, required=True, help="observation time [MJD days]")
    a.add_argument("--set")
    commands.add_parser("list-sets", parents=[common], help="all sets")
    t = commands.add_parser("retire", parents=[common], help="retire a set")
    t.add_argument("--name", required=True)
    t.add_argument("--reason")
    args = parser.parse_args(arguments)
    try:
        result = _run(args)
    except (ContimgError, ValueError, OSError) as problem:
        sys.stderr.write(f"error: {problem}\n")
        return 1
    sys.stdout.write(json.dumps(result) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
