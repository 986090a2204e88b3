"""Gridding side by side with ducc0: CPU seconds, wall seconds, million visibilities a second, and the error of each.

    python benches/python/bench_gridding.py             # a twelfth of a tile, about a minute
    python benches/python/bench_gridding.py --full      # a whole tile: 96 antennas, 24 integrations, 768 channels
    python benches/python/bench_gridding.py --random    # random uvw, no compression: the kernels alone

The tile's uvw come from antenna positions (``--antennas CSV`` with columns itrf_x_m, itrf_y_m, itrf_z_m, or a random array of the
same extent) turned to the declination and through 24 integrations of 12.9 s about transit.
"""

from __future__ import annotations

import argparse
import csv
import resource
import time
from functools import partial
from pathlib import Path

import numpy as np

from dsa110_contimg.imaging.gridder import dirty2vis, vis2dirty

C = 299792458.0


def cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def positions(path: str | None, count: int) -> np.ndarray:
    """Antenna positions in an equatorial frame with x towards the local meridian [m]."""
    if path:
        with Path(path).open() as file:
            rows = [
                (float(r["itrf_x_m"]), float(r["itrf_y_m"]), float(r["itrf_z_m"]))
                for r in csv.DictReader(line for line in file if line[0] != "#")
                if int(r.get("active_2026_01_25") or 1)
            ]
        xyz = np.array(rows)[:count]
        longitude = np.arctan2(xyz[:, 1].mean(), xyz[:, 0].mean())
        c, s = np.cos(-longitude), np.sin(-longitude)
        return xyz @ np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]])
    # A T on the ground at latitude 37.23: two thirds within a few hundred metres, the rest out to 2.6 km.
    rng = np.random.default_rng(7)
    east = np.where(rng.uniform(size=count) < 0.7, rng.uniform(-400, 400, count), rng.uniform(-1300, 1300, count))
    north = np.where(rng.uniform(size=count) < 0.3, rng.uniform(-1100, 200, count), rng.normal(size=count) * 5)
    up = rng.normal(size=count) * 1.5
    lat = np.radians(37.2314)
    return np.stack([up * np.cos(lat) - north * np.sin(lat), east, up * np.sin(lat) + north * np.cos(lat)], axis=1)


def tile_uvw(xyz: np.ndarray, dec_deg: float, times: int) -> np.ndarray:
    i, j = np.triu_indices(len(xyz), 1)
    baseline = xyz[i] - xyz[j]
    dec = np.radians(dec_deg)
    blocks = []
    for k in range(times):
        h = 2 * np.pi * (k - (times - 1) / 2) * 12.884901888 / 86164.1
        x, y, z = baseline.T
        u = np.sin(h) * x + np.cos(h) * y
        v = -np.sin(dec) * np.cos(h) * x + np.sin(dec) * np.sin(h) * y + np.cos(dec) * z
        w = np.cos(dec) * np.cos(h) * x - np.cos(dec) * np.sin(h) * y + np.sin(dec) * z
        blocks.append(np.stack([u, v, w], axis=1))
    return np.concatenate(blocks)


def remove_plane(uvw: np.ndarray) -> np.ndarray:
    slope = np.linalg.lstsq(uvw[:, :2], uvw[:, 2], rcond=None)[0]
    out = uvw.copy()
    out[:, 2] -= uvw[:, :2] @ slope
    return out


def direct_error(image: np.ndarray, uvw, freq, vis, args, pixels: int = 12) -> float:
    """Largest error at random pixels and a corner, relative to the sum of amplitudes, in ducc0's convention."""
    rng = np.random.default_rng(3)
    npix = image.shape[0]
    worst = 0.0
    spots = [(0, 0)] + [tuple(rng.integers(0, npix, 2)) for _ in range(pixels - 1)]
    for x, y in spots:
        x_l, m = (x - npix // 2) * args["pixsize_x"], (y - npix // 2) * args["pixsize_y"]
        n1 = np.sqrt(1 - x_l * x_l - m * m) - 1 if args["do_wgridding"] else 0.0
        path = (uvw[:, 0] * x_l + uvw[:, 1] * m - uvw[:, 2] * n1) / C
        total = 0.0
        for start in range(0, len(uvw), 4096):
            phase = np.exp(2j * np.pi * np.outer(path[start : start + 4096], freq))
            total += (vis[start : start + 4096] * phase).real.sum()
        worst = max(worst, abs(total - image[x, y]))
    return worst / np.abs(vis).sum(dtype=float)


def measure(name: str, call, count: int, error=None) -> None:
    c0, t0 = cpu(), time.perf_counter()
    result = call()
    c1, t1 = cpu(), time.perf_counter()
    text = f"{name:44s} cpu {c1 - c0:7.2f} s  wall {t1 - t0:7.2f} s  {count / (t1 - t0) / 1e6:7.1f} Mvis/s"
    if error is not None:
        text += f"  error {error(result):.1e}"
    print(text, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--random", action="store_true")
    parser.add_argument("--antennas")
    parser.add_argument("--npix", type=int)
    parser.add_argument("--dec", type=float, default=33.0)
    parser.add_argument("--cell-arcsec", type=float, default=3.0)
    parser.add_argument("--epsilon", type=float, default=1e-4)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rows", type=int, default=20000)
    parser.add_argument("--channels", type=int, default=768)
    parser.add_argument("--check", action="store_true", help="measure errors by the direct sum (slow)")
    parser.add_argument("--skip-ducc", action="store_true")
    parser.add_argument("--cases", nargs="*", choices=("no w", "w", "w, plane removed"), help="default: all")
    parser.add_argument("--way", choices=("image", "vis", "both"), default="both")
    args = parser.parse_args()
    try:
        from ducc0.wgridder import experimental as ducc
    except ImportError:
        ducc = None
    if args.skip_ducc:
        ducc = None
    npix = args.npix or (4096 if args.full or args.random else 2048)
    rng = np.random.default_rng(1)
    if args.random:
        uvw = rng.uniform(-1, 1, (args.rows, 3)) * [2000.0, 2000.0, 170.0]
    else:
        uvw = tile_uvw(positions(args.antennas, 96), args.dec, 24 if args.full else 2)
    freq = np.linspace(1.3114e9, 1.4986e9, args.channels)
    vis = rng.standard_normal((len(uvw), args.channels, 2), dtype=np.float32).view(np.complex64)[..., 0]
    print(
        f"{vis.size / 1e6:.1f} M visibilities, {npix}^2 pixels of {args.cell_arcsec} arcsec, epsilon {args.epsilon:g}"
    )
    cell = np.radians(args.cell_arcsec / 3600)
    common = {
        "freq": freq,
        "pixsize_x": cell,
        "pixsize_y": cell,
        "epsilon": args.epsilon,
        "nthreads": args.threads,
        "divide_by_n": False,
    }
    image = {"npix_x": npix, "npix_y": npix}
    dirty = rng.standard_normal((npix, npix), dtype=np.float32)
    cases = [("no w", uvw, False), ("w", uvw, True)] + (
        [] if args.random else [("w, plane removed", remove_plane(uvw), True)]
    )
    for label, coordinates, w in cases:
        if args.cases and label not in args.cases:
            continue
        options = {**common, "uvw": coordinates, "do_wgridding": w}

        def error(result, coordinates=coordinates, options=options):
            return direct_error(result, coordinates, freq, vis, options)

        check = error if args.check else None
        if ducc and args.way != "vis":
            measure(f"ducc0 vis2dirty, {label}", partial(ducc.vis2dirty, vis=vis, **image, **options), vis.size, check)
        for compress in () if args.way == "vis" else (False,) if args.random else (False, True):
            text = f"ours  vis2dirty, {label}{', compressed' if compress else ''}"
            measure(text, partial(vis2dirty, vis=vis, compress=compress, **image, **options), vis.size, check)
        if ducc and args.way != "image":
            measure(f"ducc0 dirty2vis, {label}", partial(ducc.dirty2vis, dirty=dirty, **options), vis.size)
        for compress in () if args.way == "image" else (False,) if args.random else (False, True):
            text = f"ours  dirty2vis, {label}{', compressed' if compress else ''}"
            measure(text, partial(dirty2vis, dirty=dirty, compress=compress, **options), vis.size)


if __name__ == "__main__":
    main()
