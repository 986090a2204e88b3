"""``python -m dsa110_contimg.simulation.validate_synthetic``: are these files in the correlator's layout?"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_CHANNEL_HZ = 250.0e6 / 8192 * 8
_TOP_HZ = 1.53e9


@dataclass(frozen=True)
class Verdict:
    """One check of one file: its name, whether it holds, and what was expected and found."""

    check: str
    passed: bool
    detail: str


def validate_uvh5_file(path: str | Path) -> list[Verdict]:
    """Check the header of one subband file against the correlator's numbers."""
    import numpy as np

    from dsa110_contimg._core import uvh5

    header: dict[str, Any] = uvh5.read_header(path)
    freq = np.asarray(header["freq_hz"])
    width = np.asarray(header["width_hz"])
    # Channel edges lie on the grid of output channels, whose edges count down from the top of the band.
    edges = (_TOP_HZ - (freq + 0.5 * width)) / _CHANNEL_HZ
    off = np.abs(edges + 0.5 * 250.0e6 / 8192 / _CHANNEL_HZ - np.round(edges + 0.5 * 250.0e6 / 8192 / _CHANNEL_HZ))
    rows = header["rows"]
    return [
        Verdict("telescope", header["telescope_name"] == "OVRO_MMA", f"OVRO_MMA, found {header['telescope_name']}"),
        Verdict("products", list(header["products"]) == ["XX", "YY"], f"XX, YY, found {header['products']}"),
        Verdict("frequencies", bool(off.max() < 1e-3), f"on the correlator's grid, off by {off.max():.2g} channels"),
        Verdict("rows", rows == header["baselines"] * header["times"], f"baselines x times, found {rows}"),
        Verdict("ascending", bool(np.all(np.diff(freq) > 0)), "channels ascending as read"),
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Check files or directories of files; exit code 0 when all hold."""
    parser = argparse.ArgumentParser(prog="validate_synthetic", description="Check synthetic UVH5 files.")
    parser.add_argument("paths", nargs="+", type=Path, help="files, or directories of *.hdf5")
    from dsa110_contimg import ContimgError

    args = parser.parse_args(arguments)
    files = [f for p in args.paths for f in (sorted(p.glob("*.hdf5")) if p.is_dir() else [p])]
    if not files:
        sys.stderr.write("error: no *.hdf5 files found\n")
        return 1
    failed = 0
    for path in files:
        try:
            verdicts = validate_uvh5_file(path)
        except (ContimgError, ValueError, OSError) as error:
            sys.stdout.write(f"{path}: FAIL {error}\n")
            failed += 1
            continue
        wrong = [v for v in verdicts if not v.passed]
        failed += bool(wrong)
        sys.stdout.write(f"{path}: {'FAIL ' + '; '.join(f'{v.check}: {v.detail}' for v in wrong) if wrong else 'ok'}\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
