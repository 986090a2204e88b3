"""Verdicts on images: noise, dynamic range, flux scale and astrometry against a catalogue."""

from dsa110_contimg.products.verdict import Verdict
from dsa110_contimg.qa.image import check_image
from dsa110_contimg.qa.limits import Limits

__all__ = ["Limits", "Verdict", "check_image"]
