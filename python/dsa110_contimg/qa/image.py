"""Quality of one image: each figure with its limit and a reason."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from dsa110_contimg import ContimgError
from dsa110_contimg.products.verdict import Verdict

StrPath = str | os.PathLike[str]


@dataclass(frozen=True)
class Limits:
    """What a good image keeps.

    Attributes
    ----------
    noise_factor : float
        Measured over expected noise.
    dynamic_range : float
        Brightest pixel over noise, at least.
    flux_error : float
        Median flux over the catalogue's, less one, at most.
    offset_arcsec, scatter_arcsec : float
        Median offset and rms of positions about it [arcsec].
    matched : float
        Share of the catalogue's sources that are found, at least.
    min_snr : float
        Sources that the catalogue says are fainter than this many times the noise are not asked for.
    min_sources : int
        With fewer, flux scale and astrometry are not judged.
    """

    noise_factor: float = 1.5
    dynamic_range: float = 100.0
    flux_error: float = 0.2
    offset_arcsec: float = 1.0
    scatter_arcsec: float = 2.0
    matched: float = 0.7
    min_snr: float = 20.0
    min_sources: int = 3


@dataclass(frozen=True)
class Match:
    """A catalogue source as the image shows it."""

    ra_deg: float
    dec_deg: float
    expected_jy: float
    measured_jy: float
    snr: float
    east_arcsec: float
    north_arcsec: float


def check_image(
    image: StrPath,
    catalogue: Sequence[tuple[float, float, float]] = (),
    *,
    limits: Limits | None = None,
    calibration: bool = False,
    primary_beam: bool = False,
) -> dict[str, Any]:
    """Judge a FITS image.

    Parameters
    ----------
    image : path
        Beam-corrected image (NaN outside the beam's limit) with its beam, of a tile or a mosaic.
    catalogue : sequence of (ra_deg, dec_deg, flux_jy)
        Reference sources; those outside the image or too faint are passed over.
    calibration, primary_beam : bool
        Also judge what the header says of the calibration tables (``CALTABS``) and of the beam (``PBCOR``, ``PBMODEL``).

    Returns
    -------
    dict
        ``ok``, ``verdicts``, ``matches``, ``rms_jy``.

    Raises
    ------
    ContimgError
        An image without finite pixels or without a beam.
    """
    import numpy as np
    from astropy.io import fits
    from astropy.wcs import WCS

    chosen = limits or Limits()
    try:
        with fits.open(image) as hdus:
            header = hdus[0].header.copy()
            data = np.ascontiguousarray(np.squeeze(hdus[0].data), dtype=np.float32)
    except FileNotFoundError:
        raise
    except (OSError, ValueError, TypeError) as error:
        raise ContimgError(f"{image}: expected a FITS image, found {error}") from None
    if data.ndim != 2 or not np.isfinite(data).any():
        raise ContimgError(f"{image}: expected an image plane with finite pixels, found none")
    if not float(header.get("BMAJ", 0.0)) > 0.0:
        raise ContimgError(f"{image}: expected a restoring beam (BMAJ), found none")
    finite = data[np.isfinite(data)]
    rms = 1.4826 * float(np.median(np.abs(finite - np.median(finite))))
    verdicts = [_noise(header, rms, chosen), _range(float(finite.max()), rms, chosen)]
    verdicts += [_calibration(header)] if calibration else []
    verdicts += [_primary_beam(header)] if primary_beam else []
    matches = _matches(data, WCS(header).celestial, catalogue, rms, chosen)
    if catalogue:
        asked = sum(1 for m in matches if math.isfinite(m.expected_jy))
        verdicts += _against_catalogue(matches, asked, chosen)
    return {
        "image": str(image),
        "ok": all(v.ok is not False for v in verdicts),
        "rms_jy": rms,
        "verdicts": [v.record() for v in verdicts],
        "matches": [asdict(m) for m in matches],
    }


def _noise(header: Any, rms: float, limits: Limits) -> Verdict:
    expected = float(header.get("RMSEXP", math.nan))
    measured = float(header.get("RMSMEAS", rms))
    if not expected > 0.0:
        return Verdict.of(
            "noise", measured, math.nan, None, "the header does not say which noise was expected (RMSEXP)"
        )
    ratio = measured / expected
    reason = f"{1e3 * measured:.3f} mJy/beam measured, {1e3 * expected:.3f} expected from the weights"
    return Verdict.of("noise", ratio, limits.noise_factor, ratio <= limits.noise_factor, reason)


def _range(peak: float, rms: float, limits: Limits) -> Verdict:
    value = peak / rms if rms > 0.0 else math.nan
    reason = f"brightest pixel {peak:.4g} Jy/beam over {rms:.3g}"
    return Verdict.of("dynamic_range", value, limits.dynamic_range, value >= limits.dynamic_range, reason)


def _calibration(header: Any) -> Verdict:
    tables = str(header.get("CALTABS", ""))
    if not tables:
        return Verdict.of("calibration", math.nan, 1.0, None, "the header names no calibration tables (CALTABS)")
    sets = tables.split(";")
    return Verdict.of("calibration", len(sets), 1.0, len(sets) == 1, f"sets of tables: {' and '.join(sets)}")


def _primary_beam(header: Any) -> Verdict:
    corrected = header.get("PBCOR")
    if corrected is None:
        reason = "the header does not say whether the image is corrected for the beam (PBCOR)"
        return Verdict.of("primary_beam", math.nan, 1.0, None, reason)
    reason = f"{'corrected' if corrected else 'not corrected'} for the beam {header.get('PBMODEL', 'unknown')}"
    return Verdict.of("primary_beam", float(corrected), 1.0, bool(corrected), reason)


def _matches(
    data: Any,
    wcs: Any,
    catalogue: Sequence[tuple[float, float, float]],
    rms: float,
    limits: Limits,
) -> list[Match]:
    import numpy as np

    if not catalogue:
        return []
    ra, dec, flux = np.asarray(catalogue, dtype=float).T
    x, y = wcs.all_world2pix(ra, dec, 0)
    ny, nx = data.shape
    asked = np.isfinite(x + y) & (x > 3) & (y > 3) & (x < nx - 4) & (y < ny - 4) & (flux > limits.min_snr * rms)
    kept = [k for k in np.flatnonzero(asked) if np.isfinite(data[round(y[k]), round(x[k])])]
    out = []
    for k in kept:
        peak, px, py = _peak(data, float(x[k]), float(y[k]))
        found_ra, found_dec = wcs.all_pix2world(px, py, 0)
        east = (float(found_ra) - ra[k] + 180.0) % 360.0 - 180.0
        out.append(
            Match(
                float(ra[k]),
                float(dec[k]),
                float(flux[k]),
                peak,
                peak / rms,
                east * math.cos(math.radians(dec[k])) * 3600.0,
                (float(found_dec) - dec[k]) * 3600.0,
            )
        )
    return out


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
    step = np.clip(-np.linalg.solve(hessian, c[1:3]), -1.0, 1.0)
    return float(np.exp(c[0] + 0.5 * (c[1:3] @ step))), px + float(step[0]), py + float(step[1])


def _against_catalogue(matches: Sequence[Match], asked: int, limits: Limits) -> list[Verdict]:
    import numpy as np

    if asked < limits.min_sources:
        reason = f"{asked} catalogue sources in the image, {limits.min_sources} are needed"
        names = ("completeness", "flux_scale", "astrometry_offset", "astrometry_scatter")
        return [Verdict.of(name, math.nan, math.nan, None, reason) for name in names]
    found = [m for m in matches if m.snr >= 5.0]
    share = len(found) / asked
    reason = f"{len(found)} of {asked} at 5 sigma"
    out = [Verdict.of("completeness", share, limits.matched, share >= limits.matched, reason)]
    if len(found) < limits.min_sources:
        return out
    ratio = float(np.median([m.measured_jy / m.expected_jy for m in found]))
    reason = f"median of {len(found)} sources over the catalogue"
    out.append(Verdict.of("flux_scale", ratio, limits.flux_error, abs(ratio - 1.0) <= limits.flux_error, reason))
    east, north = (np.array([getattr(m, axis) for m in found]) for axis in ("east_arcsec", "north_arcsec"))
    middle = (float(np.median(east)), float(np.median(north)))
    offset = math.hypot(*middle)
    reason = f'median {middle[0]:+.2f}" east, {middle[1]:+.2f}" north'
    out.append(Verdict.of("astrometry_offset", offset, limits.offset_arcsec, offset <= limits.offset_arcsec, reason))
    scatter = 1.4826 * float(np.median(np.hypot(east - middle[0], north - middle[1])))
    reason = "about the median, robust"
    out.append(
        Verdict.of("astrometry_scatter", scatter, limits.scatter_arcsec, scatter <= limits.scatter_arcsec, reason)
    )
    return out
