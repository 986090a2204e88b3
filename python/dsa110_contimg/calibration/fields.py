"""Which fields of a drift scan see the calibrator best."""

from __future__ import annotations

import math
from os import PathLike, fspath
from typing import Any

#: Width of the primary beam (power, half maximum) at 1.4 GHz of the 4.65 m dish [degrees].
BEAM_FWHM_DEG = 1.22 * math.degrees(299_792_458.0 / 1.4e9 / 4.65) * 0.84


def beam_response(separation_deg: float) -> float:
    """Gaussian approximation of the power beam at 1.4 GHz, good to a few per cent above the 20 % level."""
    return math.exp(-4 * math.log(2) * (separation_deg / BEAM_FWHM_DEG) ** 2)


def separation_deg(a: tuple[float, float], b: tuple[float, float]) -> float:
    """Great-circle distance of two positions (right ascension, declination) [degrees]."""
    (ra1, dec1), (ra2, dec2) = ((math.radians(x), math.radians(y)) for x, y in (a, b))
    h = math.sin((dec2 - dec1) / 2) ** 2 + math.cos(dec1) * math.cos(dec2) * math.sin((ra2 - ra1) / 2) ** 2
    return math.degrees(2 * math.asin(min(1.0, math.sqrt(h))))


def choose(
    ms: str | PathLike[str],
    *,
    ra_deg: float | None = None,
    dec_deg: float | None = None,
    flux_jy: float | None = None,
    name: str | None = None,
    catalog: str | PathLike[str] | None = None,
    radius_deg: float = 1.0,
    window: int = 3,
    min_pb: float | None = None,
) -> dict[str, Any]:
    """The calibrator of a Measurement Set and the fields to solve with.

    The weight of a field is flux x primary beam; the peak field is the one of greatest weight, and the selection is
    `window` fields about it, or all fields above `min_pb` of the peak's response. The *whole* range is returned
    (``'10~12'``).

    Returns
    -------
    dict
        ``name, ra_deg, dec_deg, flux_jy, field, peak_field, sep_deg, pb_response, weighted_flux``.

    Raises
    ------
    ValueError
        When no calibrator lies within `radius_deg` of a field.
    """
    from dsa110_contimg import _core

    fields = _core.ms.meta(fspath(ms))["fields"]
    centres = [(math.degrees(f["centre"]["ra_rad"]), math.degrees(f["centre"]["dec_rad"])) for f in fields]
    best: tuple[float, dict[str, Any], list[float]] | None = None
    for candidate in _candidates(ra_deg, dec_deg, flux_jy, name, catalog):
        place = (candidate["ra_deg"], candidate["dec_deg"])
        separations = [separation_deg(place, c) for c in centres]
        if min(separations) > radius_deg:
            continue
        weight = candidate["flux_jy"] * beam_response(min(separations))
        if best is None or weight > best[0]:
            best = (weight, candidate, separations)
    if best is None:
        raise ValueError(
            f"{fspath(ms)}: expected a calibrator within {radius_deg} degrees of a field, found none "
            f"(fields near {centres[len(centres) // 2][0]:.2f}, {centres[len(centres) // 2][1]:.2f})"
        )
    weight, candidate, separations = best
    peak = min(range(len(separations)), key=separations.__getitem__)
    if min_pb is not None:
        top = beam_response(separations[peak])
        good = [k for k, s in enumerate(separations) if beam_response(s) >= min_pb * top]
        first, last = min(good), max(good)
    else:
        half = window // 2
        first, last = max(0, peak - half), min(len(fields) - 1, peak + half)
    return {
        **candidate,
        "field": str(first) if first == last else f"{first}~{last}",
        "peak_field": peak,
        "sep_deg": separations[peak],
        "pb_response": beam_response(separations[peak]),
        "weighted_flux": weight,
    }


def _candidates(
    ra_deg: float | None,
    dec_deg: float | None,
    flux_jy: float | None,
    name: str | None,
    catalog: str | PathLike[str] | None,
) -> list[dict[str, Any]]:
    if ra_deg is not None and dec_deg is not None:
        if flux_jy is None:
            raise ValueError("flux: expected the flux density [Jy] of a calibrator given by position, found none")
        return [{"name": name or "calibrator", "ra_deg": ra_deg % 360, "dec_deg": dec_deg, "flux_jy": flux_jy}]
    from dsa110_contimg.calibration import catalogs

    if name is not None:
        return [catalogs.calibrator(name, catalog)]
    frame = catalogs.load_vla_catalog(catalog)
    columns = ("ra_deg", "dec_deg", "flux_jy")
    return [{"name": str(k), **{c: float(row[c]) for c in columns}} for k, row in frame.iterrows()]
