"""Verdicts on images: noise, dynamic range, flux scale and astrometry against a catalogue."""

from dsa110_contimg.products.verdict import Verdict
from dsa110_contimg.qa.image import Limits, check_image

__all__ = ["Limits", "Verdict", "check_image"]
