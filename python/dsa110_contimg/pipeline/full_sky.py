"""What the full-size group looks at, and what an observer would know of it beforehand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

#: Errors of a catalogue's fluxes, and the spectral index that is assumed because the catalogue has none.
CATALOGUE_ERROR = 0.03
ASSUMED_ALPHA = -0.7


def meridian_ra_deg(start: str, dec_deg: float, integrations: int) -> float:
    """Right ascension on the meridian at the middle of the group [degrees]."""
    import numpy as np

    from dsa110_contimg import _core
    from dsa110_contimg.simulation.group import mjd_seconds

    middle = mjd_seconds(start) + 0.5 * integrations * 12.884901888
    ra, _ = _core.coords.meridian_icrs(np.array([middle]), float(np.radians(dec_deg)))
    return float(np.degrees(ra[0]))


def catalogue(sources: Sequence[Any], seed: int) -> dict[str, Any]:
    """The sky as a survey at 1.4 GHz lists it: fluxes with errors, one spectral index for all.

    Parameters
    ----------
    sources : sequence of Source
        The true sky.
    seed : int
        Of the flux errors.

    Returns
    -------
    dict
        A sky model of `dsa110_contimg.calibration.sky`.
    """
    import numpy as np

    from dsa110_contimg.calibration import sky

    errors = np.random.default_rng([seed, 1]).normal(scale=CATALOGUE_ERROR, size=len(sources))
    return sky.model(
        [
            sky.source(s.name, s.ra_deg, s.dec_deg, float(s.flux_jy * (1.0 + e)), alpha=ASSUMED_ALPHA)
            for s, e in zip(sources, errors, strict=True)
        ]
    )


def positions(
    sources: Sequence[Any], count: int, *, centre_deg: tuple[float, float], radius_deg: float, seed: int
) -> tuple[list[float], list[float]]:
    """Right ascensions and declinations of the sources, then of blank places until there are `count` [degrees]."""
    import numpy as np

    ra0, dec0 = centre_deg
    rng = np.random.default_rng(seed)
    blank = max(0, count - len(sources))
    radius, angle = radius_deg * np.sqrt(rng.uniform(size=blank)), rng.uniform(0, 2 * np.pi, size=blank)
    ra = ra0 + radius * np.sin(angle) / np.cos(np.radians(dec0))
    dec = dec0 + radius * np.cos(angle)
    return [*(s.ra_deg for s in sources), *ra.tolist()], [*(s.dec_deg for s in sources), *dec.tolist()]


def flux_ratio(table: Any, sources: Sequence[Any], freq_hz: float) -> tuple[float, float]:
    """Median and robust scatter of measured over true flux, of sources above 20 sigma; NaN without any.

    Parameters
    ----------
    table : DataFrame
        Fluxes [Jy] at `freq_hz`; its first rows are the sources.
    """
    import numpy as np

    n = len(sources)
    flux, err = table["flux_jy"].to_numpy()[:n], table["flux_err_jy"].to_numpy()[:n]
    truth = np.array([s.flux_jy * (freq_hz / 1.4e9) ** s.alpha for s in sources])
    with np.errstate(invalid="ignore"):
        good = np.isfinite(flux) & (flux > 20 * err) & (table["flags"].to_numpy()[:n] == 0)
    ratio = flux[good] / truth[good]
    if not ratio.size:
        return float("nan"), float("nan")
    median = float(np.median(ratio))
    return median, float(1.4826 * np.median(np.abs(ratio - median)))
