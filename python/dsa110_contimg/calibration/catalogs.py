"""Calibrators in the beam; the catalogue itself is :mod:`dsa110_contimg.catalog.calibrators` (its functions are here too)."""

from __future__ import annotations

import os
from typing import Any

from dsa110_contimg.catalog.calibrators import (
    ALIAS,
    calibrator,
    load_vla_catalog,
    parse_vla_calibrators,
    resolve_vla_catalog,
)

__all__ = [
    "ALIAS",
    "calibrator",
    "in_beam",
    "in_beam_at",
    "load_vla_catalog",
    "parse_vla_calibrators",
    "resolve_vla_catalog",
]


def in_beam(
    ra_deg: float,
    dec_deg: float,
    explicit_path: str | os.PathLike[str] | None = None,
    radius_deg: float = 1.0,
    top: int = 3,
) -> list[dict[str, Any]]:
    """Calibrators near a pointing, by flux x primary beam at 1.4 GHz, then by separation.

    Returns
    -------
    list of dict
        ``name, ra_deg, dec_deg, flux_jy, sep_deg, pb_response, weighted_flux``; empty when none is near.
    """
    from dsa110_contimg.calibration.fields import beam_response, separation_deg

    found: list[dict[str, Any]] = []
    for name, row in load_vla_catalog(explicit_path).iterrows():
        entry: dict[str, Any] = {"name": str(name), **{k: float(row[k]) for k in ("ra_deg", "dec_deg", "flux_jy")}}
        sep = separation_deg((ra_deg, dec_deg), (entry["ra_deg"], entry["dec_deg"]))
        if sep <= radius_deg:
            response = beam_response(sep)
            found.append(
                {**entry, "sep_deg": sep, "pb_response": response, "weighted_flux": entry["flux_jy"] * response}
            )
    found.sort(key=lambda e: (-e["weighted_flux"], e["sep_deg"]))
    return found[:top]


def in_beam_at(
    pt_dec_deg: float,
    time: str | float,
    explicit_path: str | os.PathLike[str] | None = None,
    radius_deg: float = 1.0,
    top: int = 3,
) -> list[dict[str, Any]]:
    """Calibrators in the beam of the array on the meridian at `time` (UTC: ISO or MJD); as `in_beam`.

    Raises
    ------
    ValueError
        A declination or a time that makes no sense.
    """
    import math

    import numpy as np

    from dsa110_contimg._core import coords
    from dsa110_contimg.utils.site import mjd_s_of

    if not abs(pt_dec_deg) <= 90:
        raise ValueError(f"declination: expected degrees within [-90, 90], found {pt_dec_deg}")
    ra, dec = coords.meridian_icrs(np.array([mjd_s_of(time)]), math.radians(pt_dec_deg))
    return in_beam(math.degrees(float(ra[0])) % 360, math.degrees(float(dec[0])), explicit_path, radius_deg, top)
