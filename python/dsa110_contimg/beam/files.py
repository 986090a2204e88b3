"""What a file of a primary beam holds."""

from __future__ import annotations

import os
from typing import Any

from dsa110_contimg import _core


def describe(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read a primary beam as the imager does: electric fields or a table in HDF5, an image or cube of power in FITS.

    Parameters
    ----------
    path : path
        The file.

    Returns
    -------
    dict
        ``freq_hz``, ``fwhm_deg`` and ``airy_diameter_m`` of each frequency, ``reach_deg``, ``asymmetry`` (largest departure
        from the average round the axis where the power is above 0.1), ``radius_deg`` and ``power_fs``.

    Raises
    ------
    OSError
        The file cannot be read.
    dsa110_contimg.DataError
        It is not a beam.
    """
    return _core.beam.describe_file(path)
