"""The program WSClean as an imager: its command line, its products."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dsa110_contimg import ContimgError, _core
from dsa110_contimg.imaging.backends.missing import MissingBackendError

StrPath = str | os.PathLike[str]

#: Product key -> what WSClean adds to the name.
_WSCLEAN = {
    "dirty": "-dirty.fits",
    "psf": "-psf.fits",
    "model": "-model.fits",
    "residual": "-residual.fits",
    "restored": "-image.fits",
}


def wsclean(
    ms: StrPath,
    name: StrPath,
    *,
    imsize: int,
    cell_arcsec: float,
    weighting: str = "briggs",
    robust: float = 0.5,
    niter: int = 10_000,
    threshold_jy: float = 0.0,
    auto_mask: float = 5.0,
    nsigma: float = 3.0,
    mgain: float = 0.8,
    uvrange: tuple[float, float] | None = None,
    taper_arcsec: float | None = None,
    datacolumn: str = "auto",
    mask: StrPath | None = None,
    non_negative: bool = False,
    multiscale: bool = False,
    nterms: int = 1,
    pol: str = "I",
    gain: float = 0.1,
    subbands: int = 0,
    fields: Sequence[int] | None = None,
    spws: Sequence[int] | None = None,
    centre_deg: Sequence[float] | None = None,
    max_memory_gb: float | None = None,
    executable: StrPath | None = None,
    extra: tuple[str, ...] = (),
    timeout_s: float = 1800.0,
    lock_wait_s: float = 60.0,
) -> dict[str, Any]:
    """Image with WSClean; the Measurement Set is not written.

    No other step of this package works on the Measurement Set meanwhile: a step that does is waited for, up to `lock_wait_s`.

    Each run has its own temporary directory (two runs on one MS share file names otherwise). Spectral terms become four
    joined channels (`subbands` of them, if given) with a polynomial through them; the mask is a FITS file, not regions.

    Returns
    -------
    dict
        ``products``, ``subbands`` (restored images, ascending in frequency) and ``command``.

    Raises
    ------
    MissingBackendError
        WSClean is not installed.
    ContimgError
        It failed; its last lines are in the text. Or another step still works on the Measurement Set after the wait.
    """
    program = shutil.which(str(executable) if executable else "wsclean")
    if program is None:
        raise MissingBackendError(
            f"backend wsclean: expected the program {executable or 'wsclean'!s} on PATH, found none; "
            "install it (Debian, Ubuntu: apt-get install wsclean) or use --backend native"
        )
    if mask is not None and not str(mask).endswith((".fits", ".fits.gz")):
        raise ContimgError(f"backend wsclean: expected a FITS mask, found {mask}; regions need --backend native")
    # Windows of a tile are 16 spws, which WSClean does not read in place.
    command = [
        program,
        "-reorder",
        "-name",
        str(name),
        "-size",
        str(imsize),
        str(imsize),
        "-scale",
        f"{cell_arcsec}asec",
    ]
    command += ["-weight", *_weights(weighting, robust)]
    if niter:
        command += ["-niter", str(niter), "-mgain", str(mgain), "-gain", str(gain)]
        if threshold_jy:
            command += ["-abs-threshold" if _new(program) else "-threshold", str(threshold_jy)]
        else:
            command += ["-auto-threshold", str(nsigma)]
        command += ["-auto-mask", str(auto_mask)] if auto_mask and not mask else []
        command += ["-no-negative"] if non_negative else []
        command += ["-multiscale"] if multiscale else []
    channels = subbands or (4 if nterms > 1 else 0)
    if channels:
        command += ["-channels-out", str(channels), "-join-channels"]
    command += ["-fit-spectral-pol", str(nterms)] if nterms > 1 else []
    for option, numbers in (("-field", fields), ("-spws", spws)):
        command += [option, ",".join(map(str, numbers))] if numbers is not None else []
    command += ["-shift", *_sexagesimal(centre_deg)] if centre_deg is not None else []
    command += ["-abs-mem", str(max_memory_gb)] if max_memory_gb else []
    command += ["-taper-gaussian", f"{taper_arcsec}asec"] if taper_arcsec else []
    command += ["-fits-mask", str(mask)] if mask else []
    if uvrange is not None:
        command += ["-minuv-l", str(uvrange[0])]
        command += ["-maxuv-l", str(uvrange[1])] if uvrange[1] < float("inf") else []
    if datacolumn != "auto":
        command += ["-data-column", {"corrected": "CORRECTED_DATA", "data": "DATA"}.get(datacolumn, datacolumn)]
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{Path(name).name}-", dir=Path(name).parent) as scratch:
        command += ["-pol", pol, "-no-update-model-required", "-temp-dir", scratch, *extra, str(ms)]
        with _core.ms.Lock(ms, lock_wait_s):
            done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False)  # noqa: S603
    if done.returncode != 0:
        tail = " | ".join((done.stdout + done.stderr).strip().splitlines()[-4:])
        raise ContimgError(f"backend wsclean: expected exit code 0, found {done.returncode}: {tail}")
    whole = f"{name}-MFS" if channels > 1 else str(name)
    products = {key: Path(f"{whole}{ending}") for key, ending in _WSCLEAN.items()}
    parts = [f"{name}-{k:04d}{_WSCLEAN['restored']}" for k in range(channels if channels > 1 else 0)]
    made = {k: str(p) for k, p in products.items() if p.exists()}
    return {"products": made, "subbands": parts, "command": command}


def _weights(weighting: str, robust: float) -> list[str]:
    """The scheme in WSClean's words; weights of `superuniform` are counted over 3 x 3 cells, as the native imager's."""
    known = {
        "natural": ["natural"],
        "uniform": ["uniform"],
        "superuniform": ["uniform", "-super-weight", "3"],
        "briggs": ["briggs", str(robust)],
    }
    if weighting not in known:
        raise ValueError(f"weighting: expected one of {', '.join(known)}, found {weighting!r}")
    return known[weighting]


def _sexagesimal(place_deg: Sequence[float]) -> tuple[str, str]:
    """Right ascension and declination as WSClean and CASA read them."""
    from astropy.coordinates import SkyCoord

    place = SkyCoord(place_deg[0], place_deg[1], unit="deg")
    return place.ra.to_string("hourangle", precision=6), place.dec.to_string("deg", precision=5, alwayssign=True)


def _new(program: str) -> bool:
    """Whether this WSClean knows ``-abs-threshold`` (3.4 and later call it so)."""
    shown = subprocess.run([program], capture_output=True, text=True, check=False)  # noqa: S603
    return "-abs-threshold" in shown.stdout + shown.stderr
