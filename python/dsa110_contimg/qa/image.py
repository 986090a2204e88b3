"""Quality of one image: each figure with its limit and a reason."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from dsa110_contimg import ContimgError
from dsa110_contimg.products.verdict import Verdict
from dsa110_contimg.qa.comparison import compare
from dsa110_contimg.qa.limits import Limits
from dsa110_contimg.qa.matches import matches, robust_rms

StrPath = str | os.PathLike[str]


def check_image(
    image: StrPath,
    catalogue: Sequence[tuple[float, float, float]] | None = None,
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
        Reference sources; those outside the image or too faint are passed over. None: no comparison.
    calibration, primary_beam : bool
        Also judge what the header says of the calibration tables (``CALTABS``) and of the beam (``PBCOR``, ``PBMODEL``).

    Returns
    -------
    dict
        ``ok``, ``verdicts``, ``matches``, ``rms_jy``.

    Raises
    ------
    ContimgError
        An image without finite pixels, without a beam or in another unit than Jy/beam.
    """
    import numpy as np
    from astropy.io import fits

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
    unit = str(header.get("BUNIT", "Jy/beam"))
    if unit.replace(" ", "").lower() != "jy/beam":
        raise ContimgError(f"{image}: expected an image in Jy/beam, found BUNIT {unit!r}")
    rms = robust_rms(data)
    verdicts = [_noise(header, rms, chosen), _range(float(data[np.isfinite(data)].max()), rms, chosen)]
    verdicts += [_calibration(header)] if calibration else []
    verdicts += [_primary_beam(header)] if primary_beam else []
    seen = matches(data, header, catalogue or (), rms, chosen.min_snr)
    verdicts += compare(seen, chosen) if catalogue is not None else []
    return {
        "image": str(image),
        "ok": all(v.ok is not False for v in verdicts),
        "rms_jy": rms,
        "verdicts": [v.record() for v in verdicts],
        "matches": [asdict(m) for m in seen],
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
