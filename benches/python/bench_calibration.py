"""Bandpass, gains (int) and application: this package against casatasks on the same Measurement Set, CPU seconds.

Usage: ``python benches/python/bench_calibration.py [--stations 96] [--subbands 4]``. Each side runs in processes of its own; CPU
seconds are user + system of the whole process, with and without what importing costs.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

OURS = """
import resource, sys
from dsa110_contimg.calibration import stages
ms, out = sys.argv[1:]
t = [resource.getrusage(resource.RUSAGE_SELF)]
stages.solve(ms, out + '/b', 'B', combine='scan,field', refant='103', solnorm=True)
t.append(resource.getrusage(resource.RUSAGE_SELF))
stages.solve(ms, out + '/g', 'G', solint='int', refant='103', gaintable=[out + '/b'])
t.append(resource.getrusage(resource.RUSAGE_SELF))
stages.apply(ms, [out + '/b', out + '/g'])
t.append(resource.getrusage(resource.RUSAGE_SELF))
"""
CASA = """
import resource, sys
import casatasks as c
ms, out = sys.argv[1:]
t = [resource.getrusage(resource.RUSAGE_SELF)]
c.bandpass(vis=ms, caltable=out + '/cb', solint='inf', combine='scan,field', refant='103', solnorm=True)
t.append(resource.getrusage(resource.RUSAGE_SELF))
c.gaincal(vis=ms, caltable=out + '/cg', solint='int', calmode='ap', refant='103', gaintable=[out + '/cb'])
t.append(resource.getrusage(resource.RUSAGE_SELF))
c.applycal(vis=ms, gaintable=[out + '/cb', out + '/cg'], calwt=[True, True], flagbackup=False)
t.append(resource.getrusage(resource.RUSAGE_SELF))
"""
FOOT = """
import json
cpu = [x.ru_utime + x.ru_stime for x in t]
print('RESULT' + json.dumps({'steps': [b - a for a, b in zip(cpu, cpu[1:])], 'rss_mb': t[-1].ru_maxrss / 1024}))
"""


def simulate(directory: Path, stations: int, subbands: int) -> Path:
    """A calibrator Measurement Set with its model."""
    from dsa110_contimg import _core
    from dsa110_contimg.calibration import sky, stages
    from dsa110_contimg.simulation.group import choose_stations

    params = {
        "stations": list(choose_stations(stations)),
        "subbands": list(range(subbands)),
        "sources": [{"name": "c", "ra_deg": 343.3, "dec_deg": 16.0, "flux_jy": 10.0}],
        "smear": False,
        "sefd_jy": 650.0,
        "gains": {},
    }
    group = _core.simulate.group(json.dumps(params), directory)
    ms = directory / "c.ms"
    _core.ms.convert(
        group["files"],
        ms,
        phase_center="shared",
        telescope_name="OVRO_MMA",
        expected_subbands=subbands,
        checksums=False,
    )
    stages.flag(ms)
    stages.write_model(ms, sky.point(343.3, 16.0, 10.0))
    return ms


def run(code: str, ms: Path, out: Path) -> dict[str, object]:
    """One side in a process of its own."""
    start = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", code + FOOT, str(ms), str(out)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ,
    )
    line = next((x for x in done.stdout.splitlines() if x.startswith("RESULT")), None)
    if line is None:
        raise SystemExit(done.stderr[-2000:])
    return {**json.loads(line[6:]), "wall_s": time.monotonic() - start}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--stations", type=int, default=96)
    parser.add_argument("--subbands", type=int, default=4)
    parser.add_argument(
        "--ms", type=Path, help="take this Measurement Set (flagged, with a model) instead; it is copied"
    )
    parser.add_argument("--only", choices=("ours", "casatasks"), help="one side alone")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=args.ms.parent if args.ms else None) as scratch:
        source = args.ms or simulate(Path(scratch), args.stations, args.subbands)
        ms = Path(scratch) / "copy.ms"
        print(f"{args.stations} antennas, 24 x {48 * args.subbands} channels x 2")
        print(f"{'':10} {'bandpass':>9} {'gaincal':>9} {'applycal':>9} {'sum':>9} {'wall':>8} {'MB':>7}")
        for name, code in (("ours", OURS), ("casatasks", CASA)):
            if args.only not in (None, name):
                continue
            # A fresh copy each: both write CORRECTED_DATA, FLAG and weights.
            shutil.rmtree(ms, ignore_errors=True)
            shutil.copytree(source, ms)
            r = run(code, ms, Path(scratch))
            steps = [float(x) for x in r["steps"]]  # type: ignore[attr-defined]
            cells = " ".join(f"{x:9.2f}" for x in (*steps, sum(steps)))
            print(f"{name:10} {cells} {r['wall_s']:8.1f} {r['rss_mb']:7.0f}")


if __name__ == "__main__":
    main()
