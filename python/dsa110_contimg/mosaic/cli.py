"""``python -m dsa110_contimg.mosaic.cli plan|build``, as in the original."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from dsa110_contimg import ContimgError
from dsa110_contimg.database.products import ensure_products_db
from dsa110_contimg.mosaic.plan import build, plan


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0 on success."""
    parser = argparse.ArgumentParser(prog="python -m dsa110_contimg.mosaic.cli", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    p = commands.add_parser("plan", help="record the tiles of a mosaic")
    p.add_argument("--since", type=float, default=None, help="Unix seconds")
    p.add_argument("--until", type=float, default=None, help="Unix seconds")
    p.add_argument("--method", choices=("mean", "weighted", "pbweighted"), default="pbweighted")
    p.add_argument("--include-unpbcor", action="store_true")
    p.add_argument("--transit-of", type=float, nargs=2, metavar=("RA", "DEC"), default=None, help="ICRS [deg]")
    p.add_argument("--minutes", type=float, default=60.0, help="window about the transit")
    b = commands.add_parser("build", help="build a planned mosaic")
    b.add_argument("--output", required=True)
    b.add_argument("--ignore-validation", action="store_true")
    b.add_argument("--dry-run", action="store_true")
    b.add_argument("--catalog", default=None, help="catalogue that tiles are compared with and corrected to")
    for command in (p, b):
        command.add_argument("--products-db", default="state/products.sqlite3")
        command.add_argument("--name", required=True)
    options = vars(parser.parse_args(arguments))
    command = options.pop("command")
    try:
        db = ensure_products_db(options.pop("products_db"))
        result = plan(db, **options) if command == "plan" else build(db, **options)
    except (ContimgError, ValueError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    sys.stdout.write(json.dumps(result, default=str) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
