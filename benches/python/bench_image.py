"""CLEAN and subband images side by side with WSClean: CPU seconds, noise and fluxes, in one run.

    python benches/python/bench_image.py MS --size 2048 --cell 3              # dirty and CLEAN against WSClean
    python benches/python/bench_image.py MS --size 2048 --cell 3 --subbands   # 16 subbands and MFS against 16 runs of ours

The Measurement Set must hold calibrated data (``--datacolumn``). WSClean gets the mask that ours grew, and the same threshold.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from astropy.io import fits

OURS = """
import json, sys
from dsa110_contimg import imaging
print(json.dumps(imaging.image(**json.loads(sys.argv[1]))))
"""


def cpu_of(command: list[str]) -> tuple[float, float, str]:
    """CPU seconds, peak memory [GB] and standard output of a command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return cpu, after.ru_maxrss / 1e6, done.stdout


def ours(**options: object) -> tuple[float, dict[str, object]]:
    cpu, _, out = cpu_of([sys.executable, "-c", OURS, json.dumps(options)])
    return cpu, json.loads(out)


def wsclean(ms: str, name: Path, size: int, cell: float, column: str, *more: str) -> float:
    program = shutil.which("wsclean")
    if program is None:
        raise SystemExit("wsclean: not on PATH")
    with tempfile.TemporaryDirectory(dir=name.parent) as scratch:
        command = [program, "-name", str(name), "-size", str(size), str(size), "-scale", f"{cell}asec"]
        command += ["-weight", "briggs", "0.5", "-data-column", column, "-temp-dir", scratch, "-j", "2", *more, ms]
        return cpu_of(command)[0]


def rms(path: object) -> float:
    data = fits.getdata(str(path)).ravel()[::7]
    return 1.4826e3 * float(np.median(np.abs(data - np.median(data))))


def against_wsclean(args: argparse.Namespace, root: Path) -> None:
    common = {
        "ms": args.ms,
        "imsize": args.size,
        "cell_arcsec": args.cell,
        "datacolumn": args.datacolumn.lower().replace("_data", ""),
    }
    print(f"| work ({args.size} x {args.size}, {args.cell} arcsec, Briggs 0.5) | ours CPU s | WSClean CPU s | ratio |")
    print("|---|---|---|---|")
    dirty, _ = ours(**common, name=str(root / "d"), niter=0, epsilon=1e-4, products=["dirty"])
    stack = wsclean(args.ms, root / "wd", args.size, args.cell, args.datacolumn)
    exact = wsclean(args.ms, root / "we", args.size, args.cell, args.datacolumn, "-use-wgridder")
    print(f"| dirty, w-stacking | {dirty:.1f} | {stack:.1f} | {stack / dirty:.1f} |")
    print(f"| dirty, -use-wgridder | {dirty:.1f} | {exact:.1f} | {exact / dirty:.1f} |", flush=True)
    for label, sigma in (("CLEAN to 3 sigma, all of CLEAN", 0.0), ("CLEAN to 3 sigma, bright sources fitted", 300.0)):
        clean, report = ours(**common, name=str(root / "c"), nsigma=3.0, bright_sigma=sigma, outliers=False)
        parts = {t["name"]: t["cpu_s"] for t in report["timings"]}
        per_major = parts["clean"] / max(report["n_major"], 1)
        print(f"| {label} | {clean:.1f} ({report['n_major']} major, {per_major:.1f} each) | | |")
        print(
            f"| rms [mJy] (thermal {1e3 * report['expected_rms_jy']:.3f}) | {1e3 * report['rms_jy']:.3f} | | |",
            flush=True,
        )
    model = np.squeeze(fits.getdata(report["products"]["model"]))
    mask = np.zeros_like(model)
    reach = round(45.0 / args.cell)
    for y, x in zip(*np.nonzero(model), strict=True):
        mask[max(y - reach, 0) : y + reach + 1, max(x - reach, 0) : x + reach + 1] = 1.0
    fits.PrimaryHDU(mask[None, None], fits.getheader(report["products"]["model"])).writeto(root / "mask.fits")
    more = ["-niter", "100000", "-mgain", "0.8", "-auto-threshold", "3", "-fits-mask", str(root / "mask.fits")]
    peer = wsclean(args.ms, root / "wc", args.size, args.cell, args.datacolumn, *more)
    print(f"| CLEAN to 3 sigma inside our mask | {clean:.1f} | {peer:.1f} | {peer / clean:.1f} |")
    print(f"| rms [mJy] | {rms(report['products']['residual']):.3f} | {rms(root / 'wc-residual.fits'):.3f} | |")


def subbands(args: argparse.Namespace, root: Path) -> None:
    common = {
        "ms": args.ms,
        "imsize": args.size,
        "cell_arcsec": args.cell,
        "datacolumn": args.datacolumn.lower().replace("_data", ""),
    }
    together, _ = ours(**common, name=str(root / "s"), subbands=16, products=["restored"])
    apart = sum(ours(**common, name=str(root / f"s{k}"), spws=[k], products=["restored"])[0] for k in range(16))
    print("| work | together CPU s | 16 runs CPU s | ratio |\n|---|---|---|---|")
    print(f"| 16 subbands and MFS, {args.size} x {args.size} | {together:.1f} | {apart:.1f} | {apart / together:.1f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ms")
    parser.add_argument("--size", type=int, default=2048)
    parser.add_argument("--cell", type=float, default=3.0)
    parser.add_argument("--datacolumn", default="DATA")
    parser.add_argument("--subbands", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        (subbands if args.subbands else against_wsclean)(args, Path(scratch))


if __name__ == "__main__":
    main()
