"""Pictures of one tile by two imagers and their difference, on one grid.

python benches/python/image_page.py OURS.fits THEIRS.fits OUT.png --centre 344.0 33.1 --radius 0.25 --limit 2
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib as mpl
import numpy as np
from astropy.io import fits
from astropy.wcs import WCS
from scipy.ndimage import map_coordinates

mpl.use("Agg")
from matplotlib import pyplot as plt

#: Pixels a side of a panel.
SIDE = 600


def panel(path: Path, centre: tuple[float, float], radius_deg: float) -> np.ndarray:
    """The image [mJy/beam] on a tangent grid about a centre, cubic between pixels."""
    with fits.open(path) as hdus:
        data, wcs = np.squeeze(hdus[0].data).astype(float), WCS(hdus[0].header).celestial
    grid = WCS(naxis=2)
    grid.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    grid.wcs.crval = centre
    grid.wcs.crpix = [(SIDE + 1) / 2, (SIDE + 1) / 2]
    grid.wcs.cdelt = [-2 * radius_deg / SIDE, 2 * radius_deg / SIDE]
    yy, xx = np.mgrid[:SIDE, :SIDE]
    x, y = wcs.all_world2pix(*grid.all_pix2world(xx, yy, 0), 0)
    return 1e3 * map_coordinates(data, [y, x], order=3, mode="constant", cval=np.nan)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ours", type=Path)
    parser.add_argument("theirs", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--centre", type=float, nargs=2, required=True)
    parser.add_argument("--radius", type=float, default=0.25)
    parser.add_argument("--limit", type=float, default=2.0, help="grey scale [mJy/beam]")
    parser.add_argument("--names", nargs=2, default=["native", "WSClean"])
    args = parser.parse_args()
    ours, theirs = (panel(p, tuple(args.centre), args.radius) for p in (args.ours, args.theirs))
    figure, axes = plt.subplots(1, 3, figsize=(12, 4.3), constrained_layout=True)
    arcmin = 60 * args.radius
    for axis, image, title in zip(axes, (ours, theirs, ours - theirs), (*args.names, "difference"), strict=True):
        shown = axis.imshow(
            image,
            origin="lower",
            cmap="gray_r",
            vmin=-args.limit / 2,
            vmax=args.limit,
            extent=(arcmin, -arcmin, -arcmin, arcmin),
        )
        noise = 1.4826 * np.nanmedian(np.abs(image - np.nanmedian(image)))
        axis.set_title(f"{title}: noise {noise:.3f}, highest {np.nanmax(np.abs(image)):.1f}", fontsize=10)
        axis.set_xlabel("east [arcmin]")
    axes[0].set_ylabel("north [arcmin]")
    figure.colorbar(shown, ax=axes, shrink=0.85, label="mJy/beam")
    figure.savefig(args.out, dpi=80)


if __name__ == "__main__":
    main()
