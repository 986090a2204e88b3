"""``python -m dsa110_contimg.simulation.make_synthetic_uvh5``: the original's command, on this package's simulator.

A source of the given flux at the phase centre; XX = YY = I (the original wrote half the flux into each), Julian Dates
in ``time_array`` (the original once wrote MJD). The layout is the correlator's own, so `--template`, `--layout-meta`
and `--telescope-config` are accepted and not needed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from dsa110_contimg.simulation.group import mjd_seconds, random_sky, simulate_group
from dsa110_contimg.simulation.models import Source

_INTEGRATION_S = 12.884901888
_JY_PER_K = 232.0


def parser() -> argparse.ArgumentParser:
    """The original's options."""
    made = argparse.ArgumentParser(prog="make_synthetic_uvh5", description=__doc__.splitlines()[0] if __doc__ else None)
    made.add_argument("--template", type=Path, help="accepted, not needed")
    made.add_argument("--layout-meta", type=Path, help="accepted, not needed")
    made.add_argument("--telescope-config", type=Path, help="accepted, not needed")
    made.add_argument("--start-time", default="2025-01-01T00:00:00", help="UTC")
    made.add_argument("--duration-minutes", type=float, default=5.0)
    made.add_argument("--flux-jy", type=float, default=25.0)
    made.add_argument("--output", type=Path, default=Path("simulation/output"))
    made.add_argument("--subbands", type=int, default=16)
    made.add_argument("--freq-order", choices=["desc"], default="desc", help="the correlator writes descending")
    made.add_argument("--shuffle-subbands", action="store_true", help="accepted: order of writing does not matter")
    made.add_argument("--nants", type=int, default=None, help="antennas of the 96 in use")
    made.add_argument("--ntimes", type=int, default=None, help="integrations, instead of --duration-minutes")
    made.add_argument("--dec-deg", type=float, default=54.6)
    made.add_argument("--source-model", choices=["point", "gaussian"], default="point")
    made.add_argument("--source-size-arcsec", type=float, default=10.0)
    made.add_argument("--n-sources", type=int, default=0, help="random sources beside the central one")
    made.add_argument("--add-noise", action="store_true")
    made.add_argument("--system-temp-k", type=float, default=28.0)
    made.add_argument("--add-cal-errors", action="store_true")
    made.add_argument("--gain-std", type=float, default=0.1)
    made.add_argument("--phase-std-deg", type=float, default=10.0)
    made.add_argument("--seed", type=int, default=42)
    made.add_argument("--overwrite", action="store_true")
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; prints the files."""
    args = parser().parse_args(arguments)
    integrations = args.ntimes or max(1, round(60.0 * args.duration_minutes / _INTEGRATION_S))
    try:
        sources = _sources(args, integrations)
        made = simulate_group(
            args.output,
            start=args.start_time,
            dec_deg=args.dec_deg,
            sources=sources,
            stations=args.nants,
            integrations=integrations,
            subbands=range(args.subbands),
            gains=_gains(args),
            sefd_jy=args.system_temp_k * _JY_PER_K if args.add_noise else 0.0,
            seed=args.seed,
            replace=args.overwrite,
        )
    except (ValueError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    sys.stdout.writelines(f"{path}\n" for path in made.files)
    return 0


def _sources(args: argparse.Namespace, integrations: int) -> list[Source]:
    import math

    import numpy as np

    from dsa110_contimg._core import coords

    middle = mjd_seconds(args.start_time) + 0.5 * integrations * _INTEGRATION_S
    ra, dec = coords.meridian_icrs(np.array([middle]), math.radians(args.dec_deg))
    ra_deg, dec_deg = math.degrees(float(ra[0])), math.degrees(float(dec[0]))
    size = args.source_size_arcsec if args.source_model == "gaussian" else 0.0
    central = Source("S0", ra_deg, dec_deg, args.flux_jy, 0.0, size, size)
    field = random_sky(count=args.n_sources, ra_deg=ra_deg, dec_deg=dec_deg, seed=args.seed)
    return [central, *field]


def _gains(args: argparse.Namespace) -> dict[str, float] | bool:
    if not args.add_cal_errors:
        return False
    return {
        "amp_rms": args.gain_std,
        "phase_rms_deg": args.phase_std_deg,
        "max_delay_ns": 0.0,
        "bandpass_rms": 0.0,
        "drift_phase_deg": 0.0,
        "drift_amp": 0.0,
    }


if __name__ == "__main__":
    sys.exit(main())
