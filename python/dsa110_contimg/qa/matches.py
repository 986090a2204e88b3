"""Catalogue sources as an image shows them: flux, place, and the errors that the noise about them gives both."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

#: Half the side of the box that the noise about a source is measured in: at least so many pixels, and so many beams.
_BOX_PIXELS, _BOX_BEAMS = 12, 5.0
#: With fewer finite pixels in the box the noise of the whole image stands in.
_BOX_LEAST = 100


@dataclass(frozen=True)
class Match:
    """A catalogue source as the image shows it.

    Attributes
    ----------
    ra_deg, dec_deg, expected_jy : float
        As the catalogue has it.
    measured_jy, snr : float
        Its peak, and that over the noise about it.
    noise_jy : float
        Noise about it: 1.4826 times the median deviation.
    east_arcsec, north_arcsec : float
        Measured less catalogue position.
    east_error_arcsec, north_error_arcsec : float
        What the noise does to them (1 sigma).
    """

    ra_deg: float
    dec_deg: float
    expected_jy: float
    measured_jy: float
    snr: float
    noise_jy: float
    east_arcsec: float
    north_arcsec: float
    east_error_arcsec: float
    north_error_arcsec: float


def matches(
    data: Any, header: Any, catalogue: Sequence[tuple[float, float, float]], rms_jy: float, min_snr: float
) -> list[Match]:
    """Catalogue sources inside an image that are brighter than `min_snr` times the noise about them.

    Parameters
    ----------
    data : array (y, x)
        Image [Jy/beam], NaN where there is none.
    header
        Its FITS header, with WCS and beam.
    catalogue : sequence of (ra_deg, dec_deg, flux_jy)
        Reference sources.
    rms_jy : float
        Noise of the whole image.
    """
    import numpy as np
    from astropy.wcs import WCS
    from astropy.wcs.utils import proj_plane_pixel_scales

    if not catalogue:
        return []
    wcs = WCS(header).celestial
    ra, dec, flux = np.asarray(catalogue, dtype=float).T
    x, y = wcs.all_world2pix(ra, dec, 0)
    ny, nx = data.shape
    inside = np.isfinite(x + y) & (x > 3) & (y > 3) & (x < nx - 4) & (y < ny - 4)
    beams = float(header["BMAJ"]) / float(min(proj_plane_pixel_scales(wcs)))
    half = max(_BOX_PIXELS, math.ceil(_BOX_BEAMS * beams))
    widths = _beam_arcsec(header)
    out = []
    for k in np.flatnonzero(inside):
        column, row = round(float(x[k])), round(float(y[k]))
        if not np.isfinite(data[row, column]):
            continue
        box = data[max(row - half, 0) : row + half + 1, max(column - half, 0) : column + half + 1]
        noise = robust_rms(box, rms_jy)
        if not flux[k] > min_snr * noise:
            continue
        peak, px, py = _peak(data, float(x[k]), float(y[k]))
        found_ra, found_dec = wcs.all_pix2world(px, py, 0)
        east = (float(found_ra) - ra[k] + 180.0) % 360.0 - 180.0
        snr = peak / noise
        # Condon (1997, doi:10.1086/133871): the width over twice the signal to noise, along each axis.
        errors = [0.5 * width / max(snr, 1.0) for width in widths]
        out.append(
            Match(
                float(ra[k]),
                float(dec[k]),
                float(flux[k]),
                peak,
                snr,
                noise,
                east * math.cos(math.radians(dec[k])) * 3600.0,
                (float(found_dec) - dec[k]) * 3600.0,
                *errors,
            )
        )
    return out


def robust_rms(values: Any, otherwise: float = math.nan) -> float:
    """1.4826 times the median deviation of the finite values; `otherwise` where they are too few or all the same."""
    import numpy as np

    finite = values[np.isfinite(values)]
    if finite.size < _BOX_LEAST and math.isfinite(otherwise):
        return otherwise
    found = 1.4826 * float(np.median(np.abs(finite - np.median(finite))))
    return found if found > 0.0 or not math.isfinite(otherwise) else otherwise


def _beam_arcsec(header: Any) -> tuple[float, float]:
    """Width of the restoring beam along east and north."""
    major = 3600.0 * float(header["BMAJ"])
    minor = 3600.0 * float(header.get("BMIN", header["BMAJ"]))
    angle = math.radians(float(header.get("BPA", 0.0)))
    sin, cos = math.sin(angle), math.cos(angle)
    return math.hypot(major * sin, minor * cos), math.hypot(major * cos, minor * sin)


def _peak(data: Any, x: float, y: float) -> tuple[float, float, float]:
    """Top of the paraboloid through the brightest pixel within two of a place."""
    import numpy as np

    cx, cy = round(x), round(y)
    box = data[cy - 2 : cy + 3, cx - 2 : cx + 3]
    dy, dx = np.unravel_index(int(np.nanargmax(box)), box.shape)
    py, px = cy - 2 + int(dy), cx - 2 + int(dx)
    values = data[py - 1 : py + 2, px - 1 : px + 2].astype(float)
    if values.shape != (3, 3) or not (values > 0.0).all():
        return float(data[py, px]), float(px), float(py)
    yy, xx = np.mgrid[-1:2, -1:2]
    design = np.stack([a.ravel() for a in (np.ones((3, 3)), xx, yy, xx * xx, yy * yy, xx * yy)], axis=1)
    c, *_ = np.linalg.lstsq(design, np.log(values).ravel(), rcond=None)
    hessian = np.array([[2 * c[3], c[5]], [c[5], 2 * c[4]]])
    if not (c[3] < 0.0 and np.linalg.det(hessian) > 0.0):
        # A ridge or a saddle, as noise makes them: no top to go to.
        return float(data[py, px]), float(px), float(py)
    step = np.clip(-np.linalg.solve(hessian, c[1:3]), -1.0, 1.0)
    return float(np.exp(c[0] + 0.5 * (c[1:3] @ step))), px + float(step[0]), py + float(step[1])
