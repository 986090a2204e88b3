"""``python -m dsa110_contimg.beam.cli --h5 FILE --out TABLE``: a CASA voltage-pattern table, as in the original."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from dsa110_contimg import ContimgError
from dsa110_contimg.beam.voltage_pattern import write_vp_table


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 0 when the table was written."""
    parser = argparse.ArgumentParser(prog="python -m dsa110_contimg.beam.cli", description=__doc__)
    parser.add_argument("--h5", required=True, help="file of the beam: HDF5 (electric fields or table) or FITS")
    parser.add_argument("--out", required=True, help="voltage-pattern table to write")
    parser.add_argument("--telescope", default="DSA_110", help="name in the Measurement Sets")
    parser.add_argument("--freq-hz", type=float, default=None, help="frequency; the middle of the file by default")
    options = parser.parse_args(arguments)
    try:
        report = write_vp_table(options.h5, options.out, telescope=options.telescope, freq_hz=options.freq_hz)
    except (ContimgError, ValueError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    sys.stdout.write(json.dumps(report) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
