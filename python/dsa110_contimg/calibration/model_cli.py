"""``python -m dsa110_contimg.calibration.model_cli inject``: a calibrator's point model into MODEL_DATA."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from dsa110_contimg import ContimgError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run; one JSON object on stdout, errors are one line on stderr."""
    parser = argparse.ArgumentParser(prog="dsa110_contimg.calibration.model_cli", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    c = commands.add_parser("inject", help="predict a calibrator into MODEL_DATA")
    c.add_argument("--ms", required=True)
    c.add_argument("--catalog", help="VLA list, CSV or vla_calibrators.sqlite3")
    c.add_argument("--name", required=True)
    c.add_argument("--flux", type=float, help="flux at --reffreq [Jy] instead of the catalogue's")
    c.add_argument("--reffreq", type=float, default=1.4e9, help="[Hz]")
    c.add_argument("--field", default="")
    args = parser.parse_args(arguments)
    try:
        from dsa110_contimg.calibration import model
        from dsa110_contimg.calibration.catalogs import calibrator

        entry = calibrator(args.name, args.catalog)
        flux = entry["flux_jy"] if args.flux is None else args.flux
        report = model.write_point_model_with_ft(
            args.ms, entry["ra_deg"], entry["dec_deg"], flux, reffreq_hz=args.reffreq, field=args.field
        )
    except (ContimgError, ValueError, OSError) as problem:
        sys.stderr.write(f"error: {problem}\n")
        return 1
    sys.stdout.write(json.dumps({**report, "calibrator": {**entry, "flux_jy": flux}}, default=str) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
