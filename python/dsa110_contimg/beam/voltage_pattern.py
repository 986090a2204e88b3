"""A CASA voltage-pattern table from a file of a primary beam, for ``tclean(vptable=...)``."""

from __future__ import annotations

import importlib.util
import math
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from dsa110_contimg import ContimgError
from dsa110_contimg.beam.files import describe


def write_vp_table(
    beam: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    telescope: str = "DSA_110",
    freq_hz: float | None = None,
) -> dict[str, Any]:
    """Write the beam at one frequency as a table of CASA's voltage-pattern manager.

    CASA takes a one-dimensional pattern of voltages, which scales with the wavelength.

    Parameters
    ----------
    beam : path
        HDF5 or FITS, see :func:`dsa110_contimg.beam.describe`.
    out : path
        The table; it must not exist.
    telescope : str
        Name in the Measurement Sets that the pattern is for.
    freq_hz : float, optional
        Frequency [Hz]; the one in the middle of the file when left out. The nearest one of the file is taken.

    Returns
    -------
    dict
        ``out``, ``telescope``, ``freq_hz``, ``fwhm_deg``, ``reach_deg``, ``asymmetry``.

    Raises
    ------
    FileExistsError
        `out` exists.
    dsa110_contimg.ContimgError
        casatools is not installed, or refuses.
    """
    target = Path(out)
    if target.exists():
        raise FileExistsError(f"{target}: expected a new name, found a file or directory")
    found = describe(beam)
    freqs = np.asarray(found["freq_hz"])
    nearest = int(np.argmin(np.abs(freqs - (freq_hz or float(np.median(freqs))))))
    if freq_hz is not None and not 0.5 * freqs[0] <= freq_hz <= 2.0 * freqs[-1]:
        raise ValueError(f"freq_hz: expected one near {freqs[0]:.4g} to {freqs[-1]:.4g} Hz, found {freq_hz:.4g}")
    if importlib.util.find_spec("casatools") is None:
        raise ContimgError("vp table: expected the package casatools, found none; install it (pip install casatools)")
    from casatools import vpmanager

    power = np.asarray(found["power_fs"][nearest])
    aside = target.with_name(f".{target.name}.{os.getpid()}")
    manager = vpmanager()
    try:
        manager.setpbnumeric(
            telescope=telescope,
            vect=[float(v) for v in np.sqrt(power)],
            maxrad=f"{found['reach_deg']}deg",
            reffreq=f"{freqs[nearest]}Hz",
            dopb=True,
        )
        manager.saveastable(str(aside))
        if not aside.is_dir():
            raise ContimgError(f"{target}: expected casatools to write the table, found nothing")
        aside.rename(target)
    finally:
        manager.reset()
        shutil.rmtree(aside, ignore_errors=True)
    half = found["fwhm_deg"][nearest]
    return {
        "out": str(target),
        "telescope": telescope,
        "freq_hz": float(freqs[nearest]),
        "fwhm_deg": math.nan if half is None else half,
        "reach_deg": found["reach_deg"],
        "asymmetry": found["asymmetry"],
    }
