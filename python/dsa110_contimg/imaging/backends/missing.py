"""What is said when an optional imager is not there."""

from __future__ import annotations

from dsa110_contimg import ContimgError


class MissingBackendError(ContimgError):
    """An optional imager is not installed; the text says how to get it."""
