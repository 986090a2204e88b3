"""One group from UVH5 to fluxes in memory, beside the same way over the disk.

    python benches/python/bench_tile.py GROUP_DIR [--tables T ...] [--positions 1000] [--imsize 2048] [--cell 6] [--fast-only]

Without tables the data are taken as calibrated. CPU seconds are user and system time of the whole process. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from dsa110_contimg import _core, imaging
from dsa110_contimg.calibration import stages
from dsa110_contimg.conversion.groups import classify_groups
from dsa110_contimg.imaging.tile import flux_table, tile
from dsa110_contimg.photometry.forced import measure_positions
from dsa110_contimg.pipeline.meter import metered
from dsa110_contimg.pipeline.observation import pointing_of


def positions(file: Path, count: int) -> tuple[list[float], list[float]]:
    """Positions within 1.4 degrees of the pointing."""
    pointing = pointing_of(file)
    rng = np.random.default_rng(1)
    radius, angle = 1.4 * np.sqrt(rng.uniform(size=count)), rng.uniform(0, 2 * np.pi, size=count)
    dec = pointing.dec_deg + radius * np.cos(angle)
    ra = pointing.ra_deg + radius * np.sin(angle) / np.cos(np.radians(dec))
    return ra.tolist(), dec.tolist()


def main() -> None:
    """Run both ways and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("group", type=Path)
    parser.add_argument("--tables", type=Path, nargs="*", default=[])
    parser.add_argument("--positions", type=int, default=1000)
    parser.add_argument("--imsize", type=int, default=2048)
    parser.add_argument("--cell", type=float, default=6.0)
    parser.add_argument("--subbands", type=int, default=16)
    parser.add_argument("--fast-only", action="store_true")
    parser.add_argument("--scratch", type=Path, default=None)
    args = parser.parse_args()
    files = classify_groups(args.group).complete[0].paths
    ra, dec = positions(files[0], args.positions)
    image: dict[str, Any] = {
        "imsize": [args.imsize] * 2,
        "cell_arcsec": args.cell,
        "nsigma": 5.0,
        "subbands": args.subbands,
    }
    rows: list[tuple[str, float, float, float]] = []

    def timed(name: str, work: Callable[[], Any]) -> Any:
        with metered() as cost:
            made = work()
        rows.append((name, cost.wall_s, cost.cpu_s, cost.peak_rss_mb))
        return made

    with tempfile.TemporaryDirectory(dir=args.scratch) as scratch:
        out = Path(scratch)
        if not args.fast_only:
            ms = str(out / "group.ms")
            timed("convert", lambda: _core.ms.convert(files, ms))
            timed("flag", lambda: stages.flag(ms))
            if args.tables:
                timed("apply", lambda: stages.apply(ms, args.tables))
            column = "corrected" if args.tables else "data"
            report = timed("image", lambda: imaging.image(ms, out / "staged", datacolumn=column, **image))
            planes = [report["products"], *report["subbands"]]
            staged = timed(
                "measure",
                lambda: [
                    measure_positions(p["restored"], ra, dec, pb=p["pb"], residual=p["residual"], min_pb=0.2)[0]
                    for p in planes
                ],
            )
            rows.append(("by way of the disk", *(sum(r[k] for r in rows) for k in (1, 2)), max(r[3] for r in rows)))
        made = timed(
            "in memory",
            lambda: tile(
                files,
                out / "fast",
                tables=args.tables,
                ra_deg=ra,
                dec_deg=dec,
                image=image,
                uncalibrated=not args.tables,
                max_age_days=1e6,
                max_dec_deg=180.0,
            ),
        )
        for name, wall, cpu, peak in rows:
            print(f"{name:20s} {wall:8.1f} s wall {cpu:8.2f} s CPU {peak:8.0f} MB")
        for s in made["stages"]:
            print(f"    {s['name']:16s} {s['wall_s']:8.1f} s wall {s['cpu_s']:8.2f} s CPU")
        if not args.fast_only:
            apart = np.abs(flux_table(made)["flux_jy"] - staged[0]["flux_jy"]) / staged[0]["flux_err_jy"]
            print(f"largest difference of fluxes: {np.nanmax(apart):.1e} sigma")


if __name__ == "__main__":
    main()
