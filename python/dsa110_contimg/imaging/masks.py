"""Masks of circles about catalogue sources."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from dsa110_contimg.utils.files import whole

StrPath = str | os.PathLike[str]


def create_catalog_mask(
    image: StrPath,
    out: StrPath,
    positions: Iterable[tuple[float, float]],
    *,
    radius_arcsec: float = 60.0,
) -> int:
    """Write a mask on the grid of an image: 1 within `radius_arcsec` of any position, 0 elsewhere.

    Parameters
    ----------
    image : path
        FITS image whose grid is taken.
    out : path
        Mask to write; it appears whole or not at all.
    positions : iterable of (ra_deg, dec_deg)
        ICRS [degrees].

    Returns
    -------
    int
        Positions inside the image.
    """
    import numpy as np
    from astropy.io import fits
    from astropy.wcs import WCS
    from astropy.wcs.utils import proj_plane_pixel_scales

    if not 0.0 < radius_arcsec < 36_000.0:
        raise ValueError(f"radius_arcsec: expected a positive number of arcseconds below 36000, found {radius_arcsec}")
    with fits.open(image) as hdus:
        header = hdus[0].header.copy()
        shape = hdus[0].data.shape
    wcs = WCS(header).celestial
    ny, nx = shape[-2:]
    mask = np.zeros((ny, nx), dtype=np.float32)
    radius = radius_arcsec / 3600.0 / float(proj_plane_pixel_scales(wcs)[1])
    inside = 0
    places = np.asarray(list(positions), dtype=float).reshape(-1, 2)
    if len(places):
        x, y = wcs.all_world2pix(places[:, 0], places[:, 1], 0)
        for px, py in zip(np.atleast_1d(x), np.atleast_1d(y), strict=True):
            inside += _paint(mask, float(px), float(py), radius)
    header["BUNIT"] = ""
    header["BTYPE"] = "Mask"
    _write(Path(out), mask.reshape(shape), header)
    return inside


def _paint(mask: Any, x: float, y: float, radius: float) -> bool:
    import numpy as np

    ny, nx = mask.shape
    if not (np.isfinite(x) and np.isfinite(y)) or not (-0.5 <= x < nx - 0.5 and -0.5 <= y < ny - 0.5):
        return False
    x0, x1 = max(int(x - radius), 0), min(int(x + radius) + 2, nx)
    y0, y1 = max(int(y - radius), 0), min(int(y + radius) + 2, ny)
    yy, xx = np.ogrid[y0:y1, x0:x1]
    near = (xx - x) ** 2 + (yy - y) ** 2 <= radius**2
    mask[y0:y1, x0:x1][near] = 1.0
    mask[round(y), round(x)] = 1.0
    return True


def _write(path: Path, data: Any, header: Any) -> None:
    from astropy.io import fits

    with whole(path) as file:
        fits.PrimaryHDU(data, header).writeto(file)
