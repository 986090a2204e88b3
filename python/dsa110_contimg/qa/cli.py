"""``python -m dsa110_contimg.qa.cli image|mosaic``, as in the original."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dsa110_contimg import ContimgError
from dsa110_contimg.qa.image import check_image
from dsa110_contimg.qa.limits import Limits
from dsa110_contimg.qa.reference import reference_sources
from dsa110_contimg.utils.files import whole


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m dsa110_contimg.qa.cli", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("image", "mosaic"):
        p = commands.add_parser(name, help=f"verdicts on a {name}")
        p.add_argument("image", help="beam-corrected FITS")
        p.add_argument(
            "--validate-flux-scale",
            "--check-astrometry",
            dest="catalogued",
            action="store_true",
            help="flux scale, astrometry and completeness against the catalogue",
        )
        p.add_argument(
            "--check-calibration", action="store_true", help="the header names one set of calibration tables"
        )
        p.add_argument(
            "--check-primary-beam", action="store_true", help="the header says that the beam is corrected for"
        )
        p.add_argument("--catalog", default="nvss", help="name of a catalogue, or a CSV")
        p.add_argument(
            "--min-snr", type=float, default=5.0, help="faintest catalogue source asked for [sigma] (%(default)s)"
        )
        p.add_argument("--min-flux", type=float, default=0.01, help="faintest catalogue source [Jy] (%(default)s)")
        p.add_argument("--max-flux", type=float, default=10.0, help="brightest catalogue source [Jy] (%(default)s)")
        p.add_argument(
            "--max-flux-error", type=float, default=0.2, help="of the median flux ratio, less one (%(default)s)"
        )
        p.add_argument("--plot", default=None, help="PNG of flux scale and astrometry")
    return parser


def _finite(value: Any) -> Any:
    """With null for numbers that are not finite, which JSON does not have."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0 when every verdict that could be made is good."""
    options = _parser().parse_args(arguments)
    try:
        sources = (
            reference_sources(
                options.image, options.catalog, min_flux_jy=options.min_flux, max_flux_jy=options.max_flux
            )
            if options.catalogued
            else None
        )
        limits = Limits(min_snr=options.min_snr, flux_error=options.max_flux_error)
        report = check_image(
            options.image,
            sources,
            limits=limits,
            calibration=options.check_calibration,
            primary_beam=options.check_primary_beam,
        )
        if options.plot:
            from dsa110_contimg.plots.verdicts import matches_png

            with whole(options.plot) as file:
                file.write(matches_png(report["matches"], title=Path(options.image).name))
            report["plot"] = options.plot
    except (ContimgError, ValueError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    sys.stdout.write(json.dumps(_finite(report), allow_nan=False) + "\n")
    return 0 if report["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
