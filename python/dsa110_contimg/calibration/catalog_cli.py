"""``python -m dsa110_contimg.calibration.catalog_cli``: transits of a calibrator, and calibrators in the beam."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any

from dsa110_contimg import ContimgError


def _time(text: str | None) -> str | float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return text


def transit(name: str, *, catalog: str | None = None, n: int = 3, start: str | float | None = None) -> dict[str, Any]:
    """The last `n` transits of a calibrator at or before `start` (UTC; now when left out)."""
    from dsa110_contimg.calibration.catalogs import calibrator
    from dsa110_contimg.calibration.schedule import previous_transits

    entry = calibrator(name, catalog)
    times = previous_transits(entry["ra_deg"], dec_deg=entry["dec_deg"], n=n, start_time=start)
    return {**entry, "transits": [{"utc": t.isot, "mjd": float(t.mjd)} for t in times]}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run; one JSON object on stdout, errors are one line on stderr."""
    parser = argparse.ArgumentParser(prog="dsa110_contimg.calibration.catalog_cli", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    t = commands.add_parser("transit", help="previous transits of a calibrator")
    t.add_argument("--catalog")
    t.add_argument("--name", required=True)
    t.add_argument("--n", type=int, default=3)
    t.add_argument("--start", help="UTC (ISO or MJD); now when left out")
    b = commands.add_parser("inbeam", help="calibrators in the beam of the meridian at a time")
    b.add_argument("--catalog")
    b.add_argument("--pt-dec", type=float, required=True, help="pointing declination [degrees]")
    b.add_argument("--time", required=True, help="UTC (ISO or MJD)")
    b.add_argument("--radius", type=float, default=1.0)
    b.add_argument("--top", type=int, default=3)
    args = parser.parse_args(arguments)
    try:
        if args.command == "transit":
            result = transit(args.name, catalog=args.catalog, n=args.n, start=_time(args.start))
        else:
            from dsa110_contimg.calibration.catalogs import in_beam_at

            when = _time(args.time)
            found = in_beam_at(args.pt_dec, when if when is not None else "", args.catalog, args.radius, args.top)
            result = {"pt_dec_deg": args.pt_dec, "time": args.time, "calibrators": found}
    except (ContimgError, ValueError, OSError) as problem:
        sys.stderr.write(f"error: {problem}\n")
        return 1
    sys.stdout.write(json.dumps(result) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
