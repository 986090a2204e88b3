"""Pieces of images around a position."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any


def cutout(image: str | os.PathLike[str], ra_deg: float, dec_deg: float, size_arcmin: float) -> dict[str, Any] | None:
    """A square piece of an image, padded with NaN where it leaves the image.

    Returns
    -------
    dict or None
        ``data_yx`` (float32), ``extent`` (east, west, south, north offsets of the edges [arcmin]), ``beam_arcmin`` (major, minor,
        pa [deg]) or None, ``image_path``; None when the file is not there or the position is off the image.

    Raises
    ------
    ValueError
        A size that is not positive.
    """
    import warnings

    import numpy as np
    from astropy.io import fits
    from astropy.wcs import WCS, FITSFixedWarning

    if not size_arcmin > 0:
        raise ValueError(f"size: expected a positive number of arcmin, found {size_arcmin}")
    path = Path(image)
    if not path.is_file():
        return None
    with fits.open(path, memmap=True) as hdus, warnings.catch_warnings():
        warnings.simplefilter("ignore", FITSFixedWarning)
        header, data = hdus[0].header, hdus[0].data
        data = data.reshape(data.shape[-2:])
        wcs = WCS(header).celestial
        x, y = (float(v) for v in wcs.all_world2pix(ra_deg, dec_deg, 0))
        ny, nx = data.shape
        if not (math.isfinite(x) and -0.5 <= x < nx - 0.5 and -0.5 <= y < ny - 0.5):
            return None
        cell = abs(float(header["CDELT2"])) * 60.0
        half = max(round(0.5 * size_arcmin / cell), 1)
        x0, y0 = round(x) - half, round(y) - half
        piece = np.full((2 * half + 1, 2 * half + 1), np.nan, dtype=np.float32)
        rows, columns = (slice(max(a, 0), min(a + 2 * half + 1, n)) for a, n in ((y0, ny), (x0, nx)))
        piece[rows.start - y0 : rows.stop - y0, columns.start - x0 : columns.stop - x0] = data[rows, columns]
        beam = None
        if "BMAJ" in header:
            beam = (60.0 * header["BMAJ"], 60.0 * header["BMIN"], float(header.get("BPA", 0.0)))
    east, south = (x - x0 + 0.5) * cell, (y0 - 0.5 - y) * cell
    side = (2 * half + 1) * cell
    return {
        "data_yx": piece,
        "extent": (east, east - side, south, south + side),
        "beam_arcmin": beam,
        "image_path": str(path),
    }
