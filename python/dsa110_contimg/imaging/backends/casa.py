"""CASA's task tclean as an imager, and its images as FITS."""

from __future__ import annotations

import glob
import importlib.util
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from dsa110_contimg import ContimgError, _core
from dsa110_contimg.imaging.backends.missing import MissingBackendError

StrPath = str | os.PathLike[str]

#: Product key -> what tclean adds to the name.
_TCLEAN = {
    "psf": ".psf",
    "model": ".model",
    "residual": ".residual",
    "restored": ".image",
    "pb": ".pb",
    "pbcor": ".image.pbcor",
}


def tclean(
    ms: StrPath,
    name: StrPath,
    *,
    imsize: int,
    cell_arcsec: float,
    weighting: str = "briggs",
    robust: float = 0.5,
    niter: int = 10_000,
    threshold_jy: float = 0.0,
    nsigma: float = 3.0,
    uvrange: str = "",
    pblimit: float = 0.2,
    gridder: str = "standard",
    wprojplanes: int = 1,
    field: str = "",
    spw: str = "",
    phasecenter: str = "",
    deconvolver: str = "hogbom",
    nterms: int = 1,
    datacolumn: str = "auto",
    mask: StrPath | None = None,
    auto_mask: float = 0.0,
    multiscale: bool = False,
    scales_px: tuple[int, ...] = (0, 6, 18, 54),
    pol: str = "I",
    gain: float = 0.1,
    taper_arcsec: float | None = None,
    fits: bool = True,
    lock_wait_s: float = 60.0,
    **more: Any,
) -> dict[str, Any]:
    """Image with CASA's tclean; the Measurement Set is not written.

    No other step of this package works on the Measurement Set meanwhile: a step that does is waited for, up to `lock_wait_s`.

    The mask is the one given (FITS, CASA image or CRTF regions), or grows by itself (``auto-multithresh``) when ``auto_mask`` is not 0.

    Returns
    -------
    dict
        ``products``: FITS files (CASA images with ``fits=False``).

    Raises
    ------
    MissingBackendError
        casatasks is not installed, or does not start.
    """
    casatasks = _casatasks("backend tclean")
    target = Path(name).resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    column = {"auto": "corrected"}.get(datacolumn, datacolumn)
    if multiscale or nterms > 1:
        deconvolver = "mtmfs" if nterms > 1 else "multiscale"
        more["scales"] = list(scales_px) if multiscale else []
    if mask is not None and Path(mask).suffix == ".reg":
        raise ContimgError(f"backend tclean: expected a mask as FITS, CASA image or CRTF, found DS9 regions in {mask}")
    if auto_mask and not mask:
        more |= {"usemask": "auto-multithresh", "noisethreshold": auto_mask}
    with (
        tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as scratch,
        _core.ms.Lock(ms, lock_wait_s),
    ):
        if mask:
            more |= {"usemask": "user", "mask": _casa_mask(mask, Path(scratch) / "mask")}
        _remove_images(target)
        _run_tclean(
            vis=str(Path(ms).resolve()),
            imagename=str(target),
            imsize=[imsize, imsize],
            cell=[f"{cell_arcsec}arcsec"],
            weighting=weighting,
            robust=robust,
            uvtaper=[f"{taper_arcsec}arcsec"] if taper_arcsec else [],
            niter=niter,
            gain=gain,
            threshold=f"{threshold_jy}Jy",
            nsigma=0.0 if threshold_jy else nsigma,
            uvrange=uvrange,
            pblimit=pblimit,
            gridder=gridder,
            wprojplanes=wprojplanes,
            field=field,
            spw=spw,
            phasecenter=phasecenter,
            specmode="mfs",
            deconvolver=deconvolver,
            nterms=nterms,
            stokes=pol,
            datacolumn=column,
            savemodel="none",
            **more,
        )
    first = ".tt0" if nterms > 1 else ""
    plain = {"pb": ".pb" + first, "pbcor": f".image{first}.pbcor"}
    endings = {key: plain.get(key, ending + first) for key, ending in _TCLEAN.items()}
    products = {key: Path(f"{target}{ending}") for key, ending in endings.items()}
    products |= {"alpha": Path(f"{target}.alpha")} if nterms > 1 else {}
    made = {key: path for key, path in products.items() if path.exists()}
    if fits:
        for key, path in made.items():
            casatasks.exportfits(imagename=str(path), fitsimage=f"{path}.fits", overwrite=True)
            made[key] = Path(f"{path}.fits")
    return {"products": {key: str(path) for key, path in made.items()}}


def _casatasks(what: str) -> Any:
    """CASA's tasks, or an error that says how to get them."""
    if importlib.util.find_spec("casatasks") is None:
        raise MissingBackendError(
            f"{what}: expected the package casatasks, found none; "
            "install it (pip install casatasks casadata) or use --backend native"
        )
    try:
        import casatasks
    except Exception as error:  # noqa: BLE001 - its start looks for data and may fail in ways of its own
        raise MissingBackendError(
            f"{what}: expected the package casatasks to start, found {type(error).__name__}: {error}; "
            "its data are looked for where ~/.casa/config.py says (measurespath), or use --backend native"
        ) from None
    return casatasks


def _run_tclean(**options: Any) -> None:
    import casatasks

    try:
        casatasks.tclean(**options)
    except RuntimeError as error:
        raise ContimgError(f"backend tclean: expected images, found an error of CASA: {error}") from None


def _casa_mask(mask: StrPath, place: Path) -> str:
    """The mask as tclean takes it: it passes over a FITS file and cleans nothing."""
    import casatasks

    if not str(mask).endswith((".fits", ".fits.gz")):
        return str(mask)
    if not Path(mask).is_file():
        raise FileNotFoundError(f"mask: expected a FITS file, found no {mask}")
    casatasks.importfits(fitsimage=str(Path(mask).resolve()), imagename=str(place), overwrite=True)
    return str(place)


def _remove_images(target: Path) -> None:
    """Remove an earlier run's images of this name, which tclean would go on from or refuse for their shape."""
    kinds = {ending.split(".")[1] for ending in _TCLEAN.values()} | {"mask", "sumwt", "alpha", "beta", "weight"}
    for path in target.parent.glob(f"{glob.escape(target.name)}.*"):
        if path.name.removeprefix(target.name).split(".")[1] in kinds and (path / "table.dat").is_file():
            shutil.rmtree(path)


def export_casa_images(images: list[Path]) -> list[str]:
    """FITS files beside CASA images."""
    casatasks = _casatasks("export of CASA images")
    made = []
    for path in images:
        casatasks.exportfits(imagename=str(path), fitsimage=f"{path}.fits", overwrite=True)
        made.append(f"{path}.fits")
    return made
