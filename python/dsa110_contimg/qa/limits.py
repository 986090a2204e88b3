"""What a good image keeps."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Limits:
    """Limits of the verdicts on an image.

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
        Sources found over those that the noise lets be found, at least.
    min_snr : float
        Sources that the catalogue says are fainter than this many times the noise about them are not asked for.
    min_sources : int
        With fewer, flux scale and astrometry are not judged.
    sigma : float
        An excess over a limit counts only from this many times its own error: 4.3 is a false alarm in ten thousand images.

    Raises
    ------
    ValueError
        A limit that is negative or no number.
    """

    noise_factor: float = 1.5
    dynamic_range: float = 100.0
    flux_error: float = 0.2
    offset_arcsec: float = 1.0
    scatter_arcsec: float = 2.0
    matched: float = 0.7
    min_snr: float = 20.0
    min_sources: int = 3
    sigma: float = 4.3

    def __post_init__(self) -> None:
        """Refuse what is no limit."""
        for name, value in asdict(self).items():
            if not (math.isfinite(value) and value >= 0.0):
                raise ValueError(f"{name}: expected a number, zero or more, found {value}")
