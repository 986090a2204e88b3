"""Images side by side with WSClean in one run: CPU seconds, peak memory, noise and fluxes.

    python benches/python/bench_image.py MS --truth TRUTH.json --size 2048 --cell 3 dirty clean
    python benches/python/bench_image.py MS --size 2048 --cell 3 subbands
    python benches/python/bench_image.py --fair 33 clean # a full tile whose sources all lie in the image, then CLEAN by both
    python benches/python/bench_image.py                  # a small simulated tile, all parts

``MS`` holds calibrated data (``--datacolumn``) of a simulated, drifting tile; WSClean gets a copy with one phase centre (made here by
``one_centre.py``, not counted, or given as ``--peer-ms``). ``dirty``: the same weights. ``clean``: the same gain, mgain, threshold
(3 sigma) and mask (circles about the sources of the simulation's truth); fluxes are forced fits at true places. ``--fair``
simulates points of one spectrum between 12 and 70 sigma to a beam of 0.3: everything in reach of both. ``subbands``: 16 of
them and the whole band against 16 runs of ours, with the defaults of `contimg image`.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS

OURS = """
import json, sys
from dsa110_contimg import imaging
print(json.dumps(imaging.image(**json.loads(sys.argv[1]))))
"""


def run(command: list[str]) -> tuple[float, float, str]:
    """CPU seconds, peak memory [GB] and standard output of a command, its children included."""
    with tempfile.TemporaryFile("w+") as out:
        child = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(child.pid, 0)
        out.seek(0)
        text = out.read()
    if status != 0:
        raise SystemExit(f"{command[:3]}: {text[-2000:]}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1e6, text


def ours(**options: Any) -> tuple[float, float, dict[str, Any]]:
    cpu, peak, out = run([sys.executable, "-c", OURS, json.dumps(options)])
    return cpu, peak, json.loads(out.strip().splitlines()[-1])


def wsclean(ms: str, name: Path, args: argparse.Namespace, *more: str) -> tuple[float, float, str]:
    program = shutil.which("wsclean")
    if program is None:
        raise SystemExit("wsclean: not on PATH")
    with tempfile.TemporaryDirectory(dir=name.parent) as scratch:
        command = [program, "-name", str(name), "-size", str(args.size), str(args.size), "-scale", f"{args.cell}asec"]
        command += ["-weight", "briggs", "0.5", "-data-column", "DATA", "-no-update-model-required"]
        # Several spectral windows are not read in place.
        command += ["-reorder"]
        return run([*command, "-pol", "I", "-temp-dir", scratch, "-j", "2", *more, ms])


def rms(path: object) -> float:
    """Robust noise [mJy/beam]."""
    data = fits.getdata(str(path)).ravel()[::7]
    return 1.4826e3 * float(np.median(np.abs(data - np.median(data))))


def common(args: argparse.Namespace) -> dict[str, Any]:
    return {
        "ms": args.ms,
        "imsize": args.size,
        "cell_arcsec": args.cell,
        "datacolumn": args.datacolumn,
        "epsilon": 1e-4,
        "bright_sigma": 0.0,
        "outliers": False,
    }


def dirty(args: argparse.Namespace, root: Path) -> None:
    cpu, peak, made = ours(**common(args), name=str(root / "dirty"), niter=0, products=["dirty"])
    print(f"| dirty | ours | {cpu:.1f} | {peak:.2f} | | rms {rms(made['products']['dirty']):.2f} mJy |", flush=True)
    for label, more in (("w-stacking", []), ("wgridder", ["-use-wgridder"])):
        other, high, _ = wsclean(args.peer_ms, root / f"dirty-{label}", args, *more)
        found = rms(root / f"dirty-{label}-dirty.fits")
        print(
            f"| dirty | WSClean {label} | {other:.1f} | {high:.2f} | {cpu / other:.2f} | rms {found:.2f} mJy |",
            flush=True,
        )


def fluxes(image: str | Path, places: list[tuple[float, float]]) -> np.ndarray:
    """Forced fits of the restoring beam at true places [Jy/beam]: the same way on everybody's image."""
    from dsa110_contimg.photometry.forced import measure_positions

    table, _ = measure_positions(str(image), [p[0] for p in places], [p[1] for p in places])
    return np.asarray(table["flux_jy"].to_numpy(), dtype=float)


def pixels(path: str | Path, places: list[tuple[float, float]]) -> np.ndarray:
    """Values of the pixels nearest to places; NaN outside."""
    with fits.open(path) as hdus:
        data, wcs = np.squeeze(hdus[0].data), WCS(hdus[0].header).celestial
    x, y = np.round(wcs.all_world2pix(np.array(places), 0).T).astype(int)
    inside = (x >= 0) & (x < data.shape[1]) & (y >= 0) & (y < data.shape[0])
    return np.where(inside, data[np.clip(y, 0, data.shape[0] - 1), np.clip(x, 0, data.shape[1] - 1)], np.nan)


def verdict(mine: np.ndarray, theirs: np.ndarray, truth: np.ndarray, noise_jy: float) -> str:
    """How two sets of fluxes and the truth agree, weighted by S/N: every source above 10 sigma that all of them have."""
    good = np.isfinite(mine) & np.isfinite(theirs) & (truth > 10 * noise_jy)
    if not good.any():
        return "no source above 10 sigma"
    mine, theirs, truth = mine[good], theirs[good], truth[good]
    weight = truth**2

    def mean(ratio: np.ndarray) -> float:
        return float((ratio * weight).sum() / weight.sum())

    error = noise_jy / np.sqrt(weight.sum())
    bright = truth > 50 * noise_jy
    worst = np.abs(mine / theirs - 1)[bright].max() if bright.any() else np.nan
    return (
        f"{good.sum()} sources above 10 sigma: ours over theirs {100 * mean(mine / theirs - 1):+.2f} % "
        f"(worst above 50 sigma {100 * worst:.2f} %), ours over truth {100 * mean(mine / truth - 1):+.2f}, theirs over truth "
        f"{100 * mean(theirs / truth - 1):+.2f} +- {100 * error:.2f} %"
    )


def clean(args: argparse.Namespace, root: Path) -> None:
    from dsa110_contimg import imaging

    truth = json.loads(Path(args.truth).read_text())["sources"]
    places = [(s["ra_deg"], s["dec_deg"]) for s in truth]
    # The same end as -auto-threshold 3: no deeper last cycle.
    settings = {"nsigma": 3.0, "deep_sigma": 0.0, "gain": 0.1, "mgain": 0.8, "mask_radius_arcsec": 45.0}
    masked = {**common(args), **settings, "mask_positions_deg": places, "auto_mask": 0.0}
    cpu, peak, made = ours(**masked, name=str(root / "clean"))
    parts = {t["name"]: t["cpu_s"] for t in made["timings"]}
    each = parts.get("clean", float("nan")) / max(made["n_major"], 1)
    thermal = made["expected_rms_jy"]
    beam = pixels(made["products"]["pb"], places)
    # What the correlator's averaging leaves of a point: pbcor is free of it, the restored image is not.
    smear = pixels(made["products"]["restored"], places) / (pixels(made["products"]["pbcor"], places) * beam)
    apparent = beam * smear * np.array([s["flux_band_jy"] for s in truth])
    mine, own_rms = fluxes(made["products"]["restored"], places), rms(made["products"]["residual"])
    print(
        f"| CLEAN to 3 sigma, one mask | ours | {cpu:.1f} | {peak:.2f} | | {made['outcome']}, {made['n_major']} major, "
        f"{each:.1f} s each; rms {own_rms:.3f} mJy (thermal {1e3 * thermal:.3f}) |",
        flush=True,
    )
    for label, more in (("w-stacking", []), ("wgridder", ["-use-wgridder"])):
        if label not in args.peers:
            continue
        name = root / f"clean-{label}"
        mask = root / "mask.fits"
        if not mask.exists():
            wsclean(args.peer_ms, root / "grid", args)
            imaging.create_catalog_mask(root / "grid-dirty.fits", mask, places, radius_arcsec=45.0)
        extra = ["-niter", "100000", "-gain", "0.1", "-mgain", "0.8", "-auto-threshold", "3", "-fits-mask", str(mask)]
        other, high, text = wsclean(args.peer_ms, name, args, *more, *extra)
        majors = text.count("== Deconvolving")
        theirs, other_rms = fluxes(f"{name}-image.fits", places), rms(f"{name}-residual.fits")
        print(
            f"| CLEAN to 3 sigma, one mask | WSClean {label} | {other:.1f} | {high:.2f} | {cpu / other:.2f} | {majors} major; "
            f"rms {other_rms:.3f} mJy, ours {100 * (own_rms / other_rms - 1):+.1f} %; "
            f"{verdict(mine, theirs, apparent, thermal)} |",
            flush=True,
        )
    cpu, peak, made = ours(**{**common(args), "bright_sigma": 300.0, "outliers": True}, name=str(root / "default"))
    at = fluxes(made["products"]["restored"], places)
    ratio, good = at / apparent - 1, np.isfinite(at) & (apparent > 10 * thermal)
    weight = apparent[good] ** 2
    print(
        f"| CLEAN, defaults without a mask | ours | {cpu:.1f} | {peak:.2f} | | {made['outcome']}, {made['n_major']} major; "
        f"rms {1e3 * made['rms_jy']:.3f} mJy (thermal {1e3 * made['expected_rms_jy']:.3f}); over truth "
        f"{100 * float((ratio[good] * weight).sum() / weight.sum()):+.2f} % |",
        flush=True,
    )


def subbands(args: argparse.Namespace, root: Path) -> None:
    # Both with the settings that a user gets: bright sources fitted, surroundings searched, islands cleaned to the noise.
    settings = {k: v for k, v in common(args).items() if k not in ("bright_sigma", "outliers")}
    together, peak, made = ours(**settings, name=str(root / "s"), subbands=16, products=["restored"])
    noise = [1e3 * band["noise"]["measured_jy"] for band in made["subbands"]]
    rms = f"rms {min(noise):.2f} to {max(noise):.2f} mJy"
    print(f"| 16 subbands and MFS | ours, one run | {together:.1f} | {peak:.2f} | | {rms} |", flush=True)
    apart = [ours(**settings, name=str(root / f"s{k}"), spws=[k], products=["restored"]) for k in range(16)]
    total = sum(a[0] for a in apart)
    noise = [1e3 * a[2]["rms_jy"] for a in apart]
    print(
        f"| 16 subbands | ours, 16 runs | {total:.1f} | {max(a[1] for a in apart):.2f} | {together / total:.2f} | "
        f"rms {min(noise):.2f} to {max(noise):.2f} mJy |",
        flush=True,
    )


def terms(args: argparse.Namespace, root: Path) -> None:
    for label, more in (("one term, points", {}), ("two terms", {"nterms": 2}), ("scales", {"multiscale": True})):
        cpu, peak, made = ours(**common(args), **more, name=str(root / "t"))
        rest = f"{made['outcome']}, {made['n_major']} major; rms {1e3 * made['rms_jy']:.3f} mJy"
        print(f"| CLEAN, {label} | ours | {cpu:.1f} | {peak:.2f} | | {rest} |", flush=True)


PARTS = {"dirty": dirty, "clean": clean, "subbands": subbands, "terms": terms}


def small(root: Path) -> tuple[str, str]:
    """A tile of 30 antennas, six integrations and 16 x 4 channels, and its truth."""
    from dsa110_contimg import _core
    from dsa110_contimg.simulation import random_sky, simulate_group
    from dsa110_contimg.simulation.group import choose_stations

    centre = _core.coords.meridian_icrs(np.array([61065.934 * 86400.0]), np.radians(33.0))
    ra, dec = (float(np.degrees(v[0])) for v in centre)
    sources = random_sky(count=20, ra_deg=ra, dec_deg=dec, radius_deg=0.5, seed=1)
    group = simulate_group(
        root / "in",
        dec_deg=33.0,
        stations=choose_stations(30),
        integrations=6,
        channels=4,
        sources=sources,
        gains=False,
        sefd_jy=6500.0,
    )
    _core.ms.convert(group.files, str(root / "small.ms"))
    return str(root / "small.ms"), str(next((root / "in").rglob("truth/*.json")))


def fair(root: Path, args: argparse.Namespace) -> tuple[str, str]:
    """A tile whose sources lie where both imagers clean, on which a beam that drifts and spectra leave less than noise."""
    from dsa110_contimg import _core
    from dsa110_contimg.simulation import random_sky, simulate_group

    middle_s = 61065.934 * 86400.0 + 0.5 * args.integrations * 12.884902
    centre = _core.coords.meridian_icrs(np.array([middle_s]), np.radians(args.fair))
    ra, dec = (float(np.degrees(v[0])) for v in centre)
    # 1.6 degrees is a beam of 0.36 in the middle of the tile; the image is 1.7 degrees to the nearest edge.
    sky = random_sky(
        count=80, ra_deg=ra, dec_deg=dec, radius_deg=min(1.6, 0.47 * args.size * args.cell / 3600), seed=2,
        min_flux_jy=4e-3, max_flux_jy=30e-3, alpha_mean=0.0, alpha_rms=0.0, min_separation_arcmin=4.0,
    )  # fmt: skip
    group = simulate_group(
        root / "in",
        start=middle_s - 0.5 * args.integrations * 12.884902,
        dec_deg=args.fair,
        integrations=args.integrations,
        channels=args.channels,
        sources=sky,
        gains=False,
        sefd_jy=6500.0,
        accuracy=1e-4,
        seed=3,
    )
    _core.ms.convert(group.files, str(root / "fair.ms"))
    truth = str(next((root / "in").rglob("truth/*.json")))
    for path in group.files:
        path.unlink()
    return str(root / "fair.ms"), truth


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ms", nargs="?")
    parser.add_argument("parts", nargs="*", default=[])
    parser.add_argument("--size", type=int, default=2048)
    parser.add_argument("--cell", type=float, default=3.0)
    parser.add_argument("--datacolumn", default="data")
    parser.add_argument("--peer-ms")
    parser.add_argument("--truth")
    parser.add_argument(
        "--fair", type=float, metavar="DEC", help="simulate the tile to be imaged at this declination [degrees]"
    )
    parser.add_argument("--channels", type=int, default=48, help="of a subband, with --fair")
    parser.add_argument("--integrations", type=int, default=24, help="with --fair")
    parser.add_argument("--peers", nargs="*", default=["w-stacking", "wgridder"])
    parser.add_argument("--keep", type=Path, help="directory for the images")
    args = parser.parse_intermixed_args()
    if args.keep:
        args.keep.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=args.keep) as scratch:
        root = args.keep or Path(scratch)
        if args.fair is not None:
            # The first word is a part then, not a Measurement Set.
            args.parts = [args.ms, *args.parts] if args.ms else []
            args.ms, args.truth = fair(Path(scratch), args)
        elif args.ms is None:
            args.ms, args.truth = small(Path(scratch))
            args.size, args.cell = 768, 4.0
        args.parts = args.parts or list(PARTS)
        if unknown := set(args.parts) - set(PARTS):
            parser.error(f"parts: expected {', '.join(PARTS)}, found {', '.join(unknown)}")
        if args.peer_ms is None and {"dirty", "clean"} & set(args.parts):
            args.peer_ms = str(Path(scratch) / "one.ms")
            run([sys.executable, str(Path(__file__).with_name("one_centre.py")), args.ms, args.peer_ms])
        print(f"{args.size} x {args.size} pixels of {args.cell} arcsec, Briggs 0.5, 2 threads\n")
        print("| work | by | CPU s | peak GB | ours over theirs | |\n|---|---|---|---|---|---|", flush=True)
        for part in args.parts:
            PARTS[part](args, root)


if __name__ == "__main__":
    main()
