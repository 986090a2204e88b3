"""UVH5 group to Measurement Set: this package and pyuvdata side by side, and the cost of copying the inputs twice.

    python benches/python/bench_convert.py [--antennas 96] [--integrations 24] [--subbands 16] [--work DIR] [--files DIR]
        [--no-peer]

Each runs in a process of its own. Columns: wall [s], CPU [s] (user and system, children included), peak memory [GB].
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "python"))

_OURS = """
import sys
from dsa110_contimg import _core
_core.ms.convert(sys.argv[2:], sys.argv[1], expected_subbands=len(sys.argv) - 2)
"""

_PEER = """
import sys, warnings
warnings.simplefilter("ignore")
import numpy as np
from astropy.utils import iers
iers.conf.auto_download = False
from astropy.time import Time
from pyuvdata import UVData
checks = dict(run_check=False, run_check_acceptability=False, strict_uvw_antpos_check=False, check_extra=False)
parts = []
for name in sys.argv[2:]:
    part = UVData()
    part.read(name, file_type="uvh5", **checks)
    # The correlator's uvw are float32; fast_concat refuses them whatever the checks say.
    part.uvw_array = part.uvw_array.astype(np.float64)
    parts.append(part)
few = {k: v for k, v in checks.items() if k != "strict_uvw_antpos_check"}
uv = parts[0].fast_concat(parts[1:], "freq", inplace=False, **few)
uv.reorder_freqs(channel_order="freq", run_check=False)
lst = np.median(uv.lst_array) if uv.lst_array is not None else 0.0
uv.phase(lon=float(lst), lat=0.28187, phase_frame="icrs", cat_name="meridian", epoch="J2000")
uv.write_ms(sys.argv[1], clobber=True, **checks)
"""

_COPY = """
import os, sys, shutil
for turn in ("first", "second"):
    folder = os.path.join(sys.argv[1], turn)
    os.makedirs(folder)
    for name in sys.argv[2:]:
        target = os.path.join(folder, os.path.basename(name))
        shutil.copyfile(name, target)
        fd = os.open(target, os.O_RDONLY)
        os.fsync(fd)
        os.close(fd)
"""


def make_group(folder: Path, antennas: int, integrations: int, subbands: int) -> list[Path]:
    from support.uvh5_groups import write_subband

    folder.mkdir(parents=True, exist_ok=True)
    active = [s for s in range(1, 117) if s not in (10, 21, 22, 23, *range(52, 68))]
    stations = tuple(active[int(i)] for i in np.linspace(0, len(active) - 1, antennas))
    names = [folder / f"2026-01-25T22:26:05_sb{sb:02d}.hdf5" for sb in range(subbands)]
    for sb, name in enumerate(names):
        if not name.exists():
            write_subband(name, sb, stations=stations, times=integrations)
    return names


def run(code: str, out: Path, files: list[Path]) -> dict[str, float]:
    if out.exists():
        shutil.rmtree(out)
    started = time.monotonic()
    process = subprocess.Popen([sys.executable, "-c", code, str(out), *map(str, files)])
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = status
    if status:
        raise SystemExit(f"failed with status {status}")
    result = {
        "wall_s": time.monotonic() - started,
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "peak_gb": usage.ru_maxrss / 1e6,
    }
    shutil.rmtree(out)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--antennas", type=int, default=96)
    parser.add_argument("--integrations", type=int, default=24)
    parser.add_argument("--subbands", type=int, default=16)
    parser.add_argument("--work", type=Path, default=Path("bench-convert"))
    parser.add_argument("--files", type=Path, help="convert the group that is here instead of a generated one")
    parser.add_argument("--no-peer", action="store_true")
    args = parser.parse_args()
    if args.files:
        files = sorted(args.files.glob("*_sb*.hdf5"))
    else:
        files = make_group(args.work / "in", args.antennas, args.integrations, args.subbands)
    size = sum(len(file.read_bytes()) for file in files)  # and all of them are in the page cache
    jobs = {"two copies, synced": _COPY, "contimg": _OURS} | ({} if args.no_peer else {"pyuvdata": _PEER})
    args.work.mkdir(parents=True, exist_ok=True)
    results = {name: run(code, args.work / "out.ms", files) for name, code in jobs.items()}
    print(f"{len(files)} files, {size / 1e9:.2f} GB\n")
    print("| | wall [s] | CPU [s] | peak [GB] |\n|---|---|---|---|")
    for name, r in results.items():
        print(f"| {name} | {r['wall_s']:.2f} | {r['cpu_s']:.2f} | {r['peak_gb']:.2f} |")
    if "pyuvdata" in results:
        print(f"\npyuvdata / contimg, CPU: {results['pyuvdata']['cpu_s'] / results['contimg']['cpu_s']:.1f}")
    print(json.dumps({"bytes": size, "results": results}))


if __name__ == "__main__":
    main()
