"""Switches that are read from the environment each time they are asked for."""

from __future__ import annotations

import os

_TRUE = {"1", "true", "yes", "on"}


def flag(name: str, default: bool = False) -> bool:
    """Whether an environment variable says yes (``1``, ``true``, ``yes`` or ``on``)."""
    value = os.environ.get(name)
    return default if value is None else value.strip().lower() in _TRUE


def progress_disabled() -> bool:
    """Whether progress bars are switched off (``CONTIMG_DISABLE_PROGRESS``, or the original's ``DISABLE_PROGRESS``)."""
    return flag("CONTIMG_DISABLE_PROGRESS") or flag("DISABLE_PROGRESS")


def telescope_name() -> str:
    """Telescope name for new Measurement Sets: `DSA_110` unless ``PIPELINE_TELESCOPE_NAME`` says otherwise."""
    return os.environ.get("PIPELINE_TELESCOPE_NAME", "DSA_110")
