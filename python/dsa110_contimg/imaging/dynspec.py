"""Dynamic spectra of one direction."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from dsa110_contimg import _core

StrPath = str | os.PathLike[str]


def dynamic_spectrum(
    ms: StrPath,
    ra_deg: float,
    dec_deg: float,
    *,
    datacolumn: str = "auto",
    uvrange: tuple[float, float] | None = None,
    average: int = 1,
    subtract: Sequence[dict[str, Any]] = (),
    subtract_apparent: bool = False,
    keep_arcsec: float = 30.0,
    beam: StrPath | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> dict[str, Any]:
    """Flux towards a direction by time and frequency, from the visibilities.

    Parameters
    ----------
    ms : path
        Measurement Set.
    ra_deg, dec_deg : float
        Direction, ICRS [degrees].
    uvrange : (float, float), optional
        Shortest and longest baseline [wavelengths].
    average : int
        Channels averaged together.
    subtract : sequence of sources
        Sky that is subtracted first, exactly; sources within `keep_arcsec` of the direction stay.
    subtract_apparent : bool
        Its fluxes are apparent, as in WSClean's lists; otherwise they are those before the beam.
    beam : path, optional
        File of the primary beam (HDF5 or FITS) in place of the telescope's.

    Returns
    -------
    dict
        ``time_mjd_s``, ``freq_hz``, ``flux_tf_jy``, ``error_tf_jy``, ``power_tf`` (beam), ``smearing`` (what
        the correlator's averaging leaves of a point), ``flux_jy`` and ``flux_error_jy`` (over everything, before the beam and
        averaging).

    Raises
    ------
    ValueError
        A direction that is none, or nothing to take a spectrum of.
    """
    for key, value, most in (("ra_deg", ra_deg, math.inf), ("dec_deg", dec_deg, 90.0)):
        # JSON, in which the core is asked, has no NaN.
        if not (math.isfinite(value) and abs(value) <= most):
            raise ValueError(f"{key}: expected a direction in degrees, found {value}")
    request: dict[str, Any] = {
        "ms": str(Path(ms)),
        "ra_deg": ra_deg,
        "dec_deg": dec_deg,
        "datacolumn": datacolumn,
        "uvrange": list(uvrange) if uvrange else None,
        "average": average,
        "subtract": {"sources": list(subtract)},
        "subtract_apparent": subtract_apparent,
        "keep_arcsec": keep_arcsec,
        "beam": str(beam) if beam else None,
    }
    return _core.imaging.dynspec_ms(json.dumps(request), progress=progress)
