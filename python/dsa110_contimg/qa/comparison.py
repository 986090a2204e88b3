"""An image against a catalogue: completeness, flux scale, astrometry.

A figure must stay below its limit, or below what noise alone gives it: sources at a few sigma scatter by tenths of the beam, and an
image with few of them would fail for no fault of its own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import Any

from dsa110_contimg.products.verdict import Verdict
from dsa110_contimg.qa.limits import Limits
from dsa110_contimg.qa.matches import Match

#: Signal to noise from which a source counts as found.
FOUND = 5.0
#: Scatter that catalogues and sources have beyond noise: of a flux (spectra, variability), and of a place along an axis [arcsec].
_FLUX_FLOOR, _PLACE_FLOOR_ARCSEC = 0.05, 0.3
#: Variance of a median over that of a mean, for many; median over rms of radii of a plane normal distribution, and the relative
#: error of that median times the root of the number.
_MEDIAN_VARIANCE = 0.5 * math.pi
_RADIUS_MEDIAN, _RADIUS_ERROR = math.sqrt(math.log(2.0)), 0.72


def compare(matches: Sequence[Match], limits: Limits) -> list[Verdict]:
    """Verdicts on sources that the catalogue has and the noise should let be seen."""
    import numpy as np

    if len(matches) < limits.min_sources:
        reason = f"{len(matches)} catalogue sources in the image, {limits.min_sources} are needed"
        names = ("completeness", "flux_scale", "astrometry_offset", "astrometry_scatter")
        return [Verdict.of(name, math.nan, math.nan, None, reason) for name in names]
    found = [m for m in matches if m.snr >= FOUND]
    out = [_completeness(matches, len(found), limits)]
    if len(found) < limits.min_sources:
        return out
    out.append(_flux_scale(matches, limits))
    east, north = (np.array([getattr(m, axis) for m in found]) for axis in ("east_arcsec", "north_arcsec"))
    errors = [np.array([getattr(m, axis) for m in found]) for axis in ("east_error_arcsec", "north_error_arcsec")]
    middles = [middle(x, np.hypot(e, _PLACE_FLOOR_ARCSEC)) for x, e in zip((east, north), errors, strict=True)]
    out.append(_offset(middles, limits))
    radii = np.hypot(east - middles[0][0], north - middles[1][0])
    scatter = float(np.median(radii)) / _RADIUS_MEDIAN
    noise = float(np.median(np.hypot(*errors)))
    limit = max(limits.scatter_arcsec, noise * (1.0 + limits.sigma * _RADIUS_ERROR / math.sqrt(len(found))))
    reason = f'about the median, robust; {noise:.2f}" from noise'
    out.append(Verdict.of("astrometry_scatter", scatter, limit, scatter <= limit, reason))
    return out


def middle(values: Any, errors: Any) -> tuple[float, float]:
    """Weighted median, and its error: from the errors, or from the scatter where that is larger.

    Parameters
    ----------
    values, errors : array (n,)
        With errors above zero.
    """
    import numpy as np

    weights = 1.0 / np.square(errors)
    order = np.argsort(values)
    # In the middle of its step, each value has half of its own weight below.
    below = np.cumsum(weights[order]) - 0.5 * weights[order]
    found = float(np.interp(0.5 * weights.sum(), below, values[order]))
    scatter = 1.4826 * float(np.median(np.abs(values - found) / errors))
    return found, max(1.0, scatter) * math.sqrt(_MEDIAN_VARIANCE / weights.sum())


def _completeness(matches: Sequence[Match], found: int, limits: Limits) -> Verdict:
    chances = [NormalDist().cdf(m.expected_jy / m.noise_jy - FOUND) for m in matches]
    expected = sum(chances)
    error = math.sqrt(sum(p * (1.0 - p) for p in chances)) / expected
    limit = max(0.0, min(limits.matched, 1.0 - limits.sigma * error))
    share = found / expected
    reason = f"{found} of {len(matches)} at {FOUND:.0f} sigma, {expected:.1f} expected"
    return Verdict.of("completeness", share, limit, share >= limit, reason)


def _flux_scale(matches: Sequence[Match], limits: Limits) -> Verdict:
    import numpy as np

    # Those that were not found as well: of sources near the noise the ones that it brightens are found.
    ratios = np.array([m.measured_jy / m.expected_jy for m in matches])
    errors = np.hypot([m.noise_jy / m.expected_jy for m in matches], _FLUX_FLOOR)
    ratio, error = middle(ratios, errors)
    limit = max(limits.flux_error, limits.sigma * error)
    reason = f"median of {len(matches)} sources over the catalogue, +- {error:.3f}"
    return Verdict.of("flux_scale", ratio, limit, abs(ratio - 1.0) <= limit, reason)


def _offset(middles: Sequence[tuple[float, float]], limits: Limits) -> Verdict:
    (east, east_error), (north, north_error) = middles
    offset = math.hypot(east, north)
    # The error along the offset: that of its significance.
    significance = math.hypot(east / east_error, north / north_error)
    error = offset / significance if significance > 0.0 else 0.0
    limit = max(limits.offset_arcsec, limits.sigma * error)
    reason = f'median {east:+.2f}" +- {east_error:.2f}" east, {north:+.2f}" +- {north_error:.2f}" north'
    return Verdict.of("astrometry_offset", offset, limit, offset <= limit, reason)
