"""A mosaic of drift-scan tiles side by side with reproject_interp and coadd: CPU seconds and flux errors in one run.

python benches/python/bench_mosaic.py                 # 12 tiles of 512^2, 12 arcsec: half a minute
python benches/python/bench_mosaic.py --npix 2048     # 12 tiles of 2048^2, 3 arcsec
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS

from dsa110_contimg.mosaic import build_mosaic

DEC_DEG = 33.0
FIRST_RA_DEG = 352.0
STEP_DEG = 1.288
FWHM_DEG = 2.7


def cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def header(ra: float, npix: int, cell_deg: float, beam_px: float) -> fits.Header:
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---SIN", "DEC--SIN"]
    wcs.wcs.crval = [ra % 360.0, DEC_DEG]
    wcs.wcs.crpix = [npix / 2 + 1, npix / 2 + 1]
    wcs.wcs.cdelt = [-cell_deg, cell_deg]
    wcs.wcs.cunit = ["deg", "deg"]
    head = wcs.to_header()
    head["BMAJ"] = head["BMIN"] = beam_px * cell_deg
    head["BPA"], head["BUNIT"], head["RMSMEAS"], head["RADESYS"] = 0.0, "JY/BEAM", 1e-3, "ICRS"
    return head


def cosines(ra: np.ndarray, dec: np.ndarray, ra0: float) -> tuple[np.ndarray, np.ndarray]:
    ra, dec, dec0 = np.radians(ra - ra0), np.radians(dec), np.radians(DEC_DEG)
    return np.cos(dec) * np.sin(ra), np.sin(dec) * np.cos(dec0) - np.cos(dec) * np.sin(dec0) * np.cos(ra)


def write_tiles(folder: Path, npix: int, cell_deg: float, beam_px: float, sources: np.ndarray) -> list[Path]:
    """Tiles with Gaussian sources (ra, dec, flux) under a Gaussian primary beam, without noise, so that errors are the mosaic's."""
    paths = []
    cell = np.radians(cell_deg)
    axis = (np.arange(npix) - npix // 2) * cell
    pb = np.exp(-4 * np.log(2) * (axis[:, None] ** 2 + axis[None] ** 2) / np.radians(FWHM_DEG) ** 2)
    for k in range(12):
        ra = FIRST_RA_DEG + k * STEP_DEG
        # Room around the tile for sources across its border.
        reach = int(3 * beam_px)
        room = np.zeros((npix + 4 * reach, npix + 4 * reach), np.float32)
        east, north = cosines(sources[:, 0], sources[:, 1], ra)
        x, y = npix // 2 - east / cell, npix // 2 + north / cell
        for px, py, flux in zip(x, y, sources[:, 2], strict=True):
            if not (-reach < px < npix + reach - 1 and -reach < py < npix + reach - 1):
                continue
            from_centre = ((px - npix // 2) ** 2 + (py - npix // 2) ** 2) * cell**2
            seen = np.exp(-4 * np.log(2) * from_centre / np.radians(FWHM_DEG) ** 2)
            x0, y0 = int(np.floor(px)), int(np.floor(py))
            gx = np.exp(-4 * np.log(2) * ((np.arange(x0 - reach, x0 + reach + 1) - px) / beam_px) ** 2)
            gy = np.exp(-4 * np.log(2) * ((np.arange(y0 - reach, y0 + reach + 1) - py) / beam_px) ** 2)
            room[y0 + reach : y0 + 3 * reach + 1, x0 + reach : x0 + 3 * reach + 1] += flux * seen * np.outer(gy, gx)
        image = room[2 * reach : -2 * reach, 2 * reach : -2 * reach].copy()
        for ending, data in (("image", image), ("pb", pb.astype(np.float32))):
            fits.PrimaryHDU(data, header(ra, npix, cell_deg, beam_px)).writeto(folder / f"t{k:02d}-{ending}.fits")
        paths.append(folder / f"t{k:02d}-image.fits")
    return paths


def flux_errors(data: np.ndarray, head: fits.Header, sources: np.ndarray) -> np.ndarray:
    """Relative errors of peaks: a parabola through the logarithms of nine pixels, exact for Gaussians."""
    x, y = WCS(head).celestial.all_world2pix(sources[:, 0], sources[:, 1], 0)
    out = []
    for px, py, flux in zip(x, y, sources[:, 2], strict=True):
        i, j = round(float(px)), round(float(py))
        if not (2 < i < data.shape[1] - 3 and 2 < j < data.shape[0] - 3):
            continue
        box = data[j - 1 : j + 2, i - 1 : i + 2].astype(float)
        if not np.all(box > 0.02 * flux):
            continue
        logs = np.log(box)
        yy, xx = np.mgrid[-1:2, -1:2]
        terms = np.stack([np.ones(9), *(a.ravel() for a in (xx, yy, xx * xx, xx * yy, yy * yy))], axis=1)
        c = np.linalg.lstsq(terms, logs.ravel(), rcond=None)[0]
        hessian = np.array([[2 * c[3], c[4]], [c[4], 2 * c[5]]])
        place = -np.linalg.solve(hessian, c[1:3])
        out.append(np.exp(c[0] + 0.5 * c[1:3] @ place) / flux - 1)
    return np.array(out)


def window(wcs: WCS, tile: fits.ImageHDU, shape: tuple[int, int]) -> tuple[slice, slice]:
    """The part of the mosaic that a tile can reach, by its border, as reproject's own coaddition takes it."""
    ny, nx = tile.shape
    edge = np.arange(-0.5, max(nx, ny) + 0.5, 8.0)
    x = np.concatenate([edge, edge, np.full_like(edge, -0.5), np.full_like(edge, nx - 0.5)])
    y = np.concatenate([np.full_like(edge, -0.5), np.full_like(edge, ny - 0.5), edge, edge])
    px, py = wcs.all_world2pix(*WCS(tile.header).all_pix2world(x, y, 0), 0)
    cut = [
        slice(max(0, int(np.floor(p.min())) - 1), min(n, int(np.ceil(p.max())) + 2))
        for p, n in ((py, shape[0]), (px, shape[1]))
    ]
    return cut[0], cut[1]


def peer(paths: list[Path], wcs: WCS, shape: tuple[int, int]) -> np.ndarray:
    """reproject_interp of image and beam, then the weighted mean, onto our mosaic's own grid."""
    from reproject import reproject_interp

    total, weight = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    for path in paths:
        image = fits.open(path)[0]
        pb = fits.open(path.with_name(path.name.replace("image", "pb")))[0]
        cut = window(wcs, image, shape)
        size = (cut[0].stop - cut[0].start, cut[1].stop - cut[1].start)
        flat, _ = reproject_interp(image, wcs[cut], shape_out=size)
        power, _ = reproject_interp(pb, wcs[cut], shape_out=size)
        good = np.isfinite(flat) & (power >= 0.1)
        total[cut][good] += (flat * power)[good]
        weight[cut][good] += (power**2)[good]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(weight > 0, total / weight, np.nan)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--npix", type=int, default=512)
    parser.add_argument("--beam-px", type=float, default=5.0)
    parser.add_argument("--skip-peer", action="store_true")
    args = parser.parse_args()
    cell_deg = 2048 / args.npix * 3.0 / 3600
    rng = np.random.default_rng(4)
    sources = np.stack(
        [
            FIRST_RA_DEG + rng.uniform(-0.5, 11 * STEP_DEG + 0.5, 400),
            DEC_DEG + rng.uniform(-0.6, 0.6, 400),
            rng.uniform(0.1, 2.0, 400),
        ],
        axis=1,
    )
    # Sources that a neighbour would blend are left out.
    away = cosines(sources[:, 0], sources[:, 1], FIRST_RA_DEG + 6)
    apart = np.hypot(away[0][:, None] - away[0][None], away[1][:, None] - away[1][None]) + np.eye(400)
    sources = sources[apart.min(axis=1) > np.radians(8 * args.beam_px * cell_deg)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = write_tiles(folder, args.npix, cell_deg, args.beam_px, sources)
        rows = []
        for interpolation in ("matched", "lanczos", "bilinear"):
            c0, t0 = cpu(), time.perf_counter()
            report = build_mosaic(paths, folder / "m.fits", interpolation=interpolation, max_side=32768)
            spent = cpu() - c0, time.perf_counter() - t0
            with fits.open(folder / "m.fits") as hdus:
                data, head = hdus[0].data.squeeze(), hdus[0].header
            rows.append((f"ours, {interpolation}", *spent, flux_errors(data, head, sources)))
        print(
            f"12 tiles of {args.npix}^2 onto {report['imsize'][0]} x {report['imsize'][1]}, beam {args.beam_px} pixels"
        )
        if not args.skip_peer:
            c0, t0 = cpu(), time.perf_counter()
            seen = peer(paths, WCS(head).celestial, data.shape)
            rows.append(("reproject_interp", cpu() - c0, time.perf_counter() - t0, flux_errors(seen, head, sources)))
        for label, c, t, e in rows:
            errors = f"flux error rms {100 * e.std():.3f} %  worst {100 * abs(e).max():.3f} %  ({len(e)} sources)"
            print(f"{label:20s} cpu {c:7.2f} s  wall {t:7.2f} s  {errors}")


if __name__ == "__main__":
    main()
