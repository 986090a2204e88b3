"""What the strip builders share: ``python -m dsa110_contimg.catalog.build_{nvss,first,rax}_strip_cli``."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from dsa110_contimg import ContimgError
from dsa110_contimg.catalog.ingest import ingest_file


def declination_of(hdf5: Path) -> float:
    """Declination of the pointing of a UVH5 file, of date [degrees]."""
    import math

    from dsa110_contimg import _core

    return math.degrees(float(_core.uvh5.read_header(hdf5)["phase_center_dec_rad"]))


def main(survey: str, arguments: Sequence[str] | None = None) -> int:
    """Build the strip of one survey; returns the exit code."""
    parser = argparse.ArgumentParser(description=f"Database of {survey.upper()} sources around a declination.")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--hdf5", type=Path, help="take the declination of this observation")
    where.add_argument("--dec", type=float, help="[degrees]")
    parser.add_argument("--catalog", type=Path, required=True, help="the survey's published file (FITS, VOTable, CSV)")
    parser.add_argument("--dec-range", type=float, default=6.0, help="half width of the strip [degrees]")
    parser.add_argument("--output", type=Path, default=None, help="default: in the configured directory")
    parser.add_argument("--min-flux-mjy", type=float, default=None)
    options = parser.parse_args(arguments)
    try:
        dec = options.dec if options.dec is not None else declination_of(options.hdf5)
        output = options.output or strip_path(survey, dec)
        output.parent.mkdir(parents=True, exist_ok=True)
        done = ingest_file(
            options.catalog,
            output,
            survey=survey,
            dec_strip=dec,
            dec_range=options.dec_range,
            min_flux_mjy=options.min_flux_mjy,
        )
    except (ContimgError, ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(json.dumps(done))
    return 0


def strip_path(survey: str, dec_deg: float) -> Path:
    """Where `resolve_catalog_path` looks for a strip: ``<catalogs>/<survey>_dec+54.6.sqlite3``."""
    from dsa110_contimg.config import load

    directory: Path = load().paths.catalogs
    return directory / f"{survey}_dec{dec_deg:+.1f}.sqlite3"
