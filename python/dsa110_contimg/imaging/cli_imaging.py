"""The original's ``image_ms``, run by this package's imager unless another backend is asked for."""

from __future__ import annotations

import math
import re
from typing import Any

from dsa110_contimg.imaging.backends import tclean, wsclean
from dsa110_contimg.imaging.native import image

#: Field of view that the original forces, [arcsec].
_EXTENT_ARCSEC = 12_600.0
_TIERS = ("development", "standard", "high_precision")
_BACKENDS = ("native", "wsclean", "tclean")
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_DECONVOLVERS = ("hogbom", "clark", "multiscale", "mtmfs")


def image_ms(
    ms_path: str,
    *,
    imagename: str,
    field: str = "",
    spw: str = "",
    imsize: int = 1024,
    cell_arcsec: float | None = None,
    weighting: str = "briggs",
    robust: float = 0.0,
    specmode: str = "mfs",
    deconvolver: str = "hogbom",
    nterms: int = 1,
    niter: int = 1000,
    threshold: str = "0.0Jy",
    pbcor: bool = True,
    phasecenter: str | None = None,
    gridder: str = "standard",
    wprojplanes: int = 0,
    uvrange: str = "",
    pblimit: float = 0.2,
    psfcutoff: float | None = None,
    quality_tier: str = "standard",
    skip_fits: bool = False,
    vptable: str | None = None,
    wbawp: bool | None = None,
    cfcache: str | None = None,
    nvss_min_mjy: float | None = None,
    calib_ra_deg: float | None = None,
    calib_dec_deg: float | None = None,
    calib_flux_jy: float | None = None,
    backend: str = "native",
    wsclean_path: str | None = None,
    export_model_image: bool = False,
    use_nvss_mask: bool = True,
    mask_radius_arcsec: float = 60.0,
    **more: Any,
) -> dict[str, Any]:
    """Image one Measurement Set with the original's arguments.

    `imsize` counts when `cell_arcsec` is given; without it both are chosen, the field being 3.5 degrees as in the
    original. Arguments that only CASA's gridders know (`wprojplanes`, `vptable`, `wbawp`, `cfcache`, `psfcutoff`) go to
    the ``tclean`` backend; the others treat w exactly. `deconvolver` is ``hogbom``, ``clark``, ``multiscale`` (components of
    several widths) or ``mtmfs`` (with `nterms`). The native backend needs no mask: it grows its own, and takes
    one of NVSS sources only when `nvss_min_mjy` says which (with `use_nvss_mask`, circles of `mask_radius_arcsec`). A
    calibrator (`calib_ra_deg`, `calib_dec_deg`, `calib_flux_jy`) outside the image is fitted and subtracted with the bright
    sources; inside they are found without it. `export_model_image` keeps the model with `skip_fits`.

    Returns
    -------
    dict
        The report of the backend, with ``products``.
    """
    _check_words(backend=backend, quality_tier=quality_tier, specmode=specmode, deconvolver=deconvolver)
    multiscale = deconvolver == "multiscale"
    cell = cell_arcsec
    if cell is not None and not (math.isfinite(cell) and cell > 0.0):
        raise ValueError(f"cell_arcsec: expected a pixel size above 0, found {cell}")
    if (calib_ra_deg is None) != (calib_dec_deg is None):
        raise ValueError("calib_ra_deg, calib_dec_deg: expected both or none, found one")
    if quality_tier == "development":
        cell = None if cell is None else 4.0 * cell
        niter = min(niter, 300)
    elif quality_tier == "high_precision":
        niter = max(niter, 2000)
    jansky = parse_jansky(threshold)
    limits = parse_uvrange(uvrange)
    if backend == "native":
        options: dict[str, Any] = {
            "weighting": weighting,
            "robust": robust,
            "niter": niter,
            "threshold_jy": jansky,
            "pblimit": pblimit,
            "uvrange": limits,
            "fields": _selection(field),
            "spws": _selection(spw),
            "centre_deg": parse_phasecenter(phasecenter),
            "nterms": nterms,
            "multiscale": multiscale,
        }
        if cell is not None:
            options |= {"cell_arcsec": cell, "imsize": max(imsize, _whole_field(cell))}
        elif quality_tier == "development":
            options |= {"coarsen": 4.0, "taper_arcsec": 60.0}
        options |= _known_sky(
            ms_path, nvss_min_mjy if use_nvss_mask else None, mask_radius_arcsec, (calib_ra_deg, calib_dec_deg)
        )
        if skip_fits:
            options["products"] = ["restored"]
        if not pbcor and not skip_fits:
            options["products"] = ["dirty", "psf", "model", "residual", "restored", "pb"]
        if export_model_image and "products" in options:
            options["products"] = sorted({*options["products"], "model"})
        return image(ms_path, imagename, **options, **more)
    cell = 2.0 if cell is None else cell
    size = max(imsize, _whole_field(cell))
    common: dict[str, Any] = {
        "imsize": size,
        "cell_arcsec": cell,
        "weighting": weighting,
        "robust": robust,
        "niter": niter,
        "threshold_jy": jansky,
    }
    if backend == "wsclean":
        chosen: dict[str, Any] = {
            "uvrange": limits,
            "fields": _selection(field),
            "spws": _selection(spw),
            "centre_deg": parse_phasecenter(phasecenter),
            "nterms": nterms,
            "multiscale": multiscale,
            "executable": wsclean_path,
        }
        return wsclean(ms_path, imagename, **common, **chosen, **more)
    casa: dict[str, Any] = {"psfcutoff": psfcutoff, "vptable": vptable, "wbawp": wbawp, "cfcache": cfcache}
    return tclean(
        ms_path,
        imagename,
        **common,
        uvrange=uvrange,
        pblimit=pblimit,
        gridder=gridder,
        wprojplanes=wprojplanes or 1,
        field=field,
        spw=spw,
        phasecenter=phasecenter or "",
        deconvolver=deconvolver,
        multiscale=multiscale,
        nterms=nterms,
        fits=not skip_fits,
        pbcor=pbcor,
        **{key: value for key, value in casa.items() if value is not None},
        **more,
    )


def _check_words(**words: str) -> None:
    known = {"backend": _BACKENDS, "quality_tier": _TIERS, "specmode": ("mfs",), "deconvolver": _DECONVOLVERS}
    for name, word in words.items():
        if word not in known[name]:
            raise ValueError(f"{name}: expected one of {', '.join(known[name])}, found {word!r}")


def _known_sky(
    ms_path: str,
    nvss_min_mjy: float | None,
    mask_radius_arcsec: float,
    calibrator_deg: tuple[float | None, float | None],
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if calibrator_deg[0] is not None and calibrator_deg[1] is not None:
        found["outliers_deg"] = [list(calibrator_deg)]
    if nvss_min_mjy is not None:
        from dsa110_contimg.imaging import known

        table = known.known_sources(ms_path, "nvss", min_flux_mjy=nvss_min_mjy)
        found["mask_positions_deg"] = known.mask_positions(table)
        found["mask_radius_arcsec"] = mask_radius_arcsec
    return found


def _whole_field(cell_arcsec: float) -> int:
    pixels = math.ceil(_EXTENT_ARCSEC / cell_arcsec)
    return pixels + pixels % 2


def parse_jansky(text: str | float) -> float:
    """A threshold as CASA writes it (``0.5mJy``, ``1e-4Jy``, a number) in Jy."""
    match = re.fullmatch(rf"\s*({_NUMBER})\s*(|Jy|mJy|uJy)(?:/beam)?\s*", str(text))
    if match is None:
        raise ValueError(f"threshold: expected a number with Jy, mJy or uJy, found {text!r}")
    value = float(match[1]) * {"": 1.0, "Jy": 1.0, "mJy": 1e-3, "uJy": 1e-6}[match[2]]
    if not value >= 0.0:
        raise ValueError(f"threshold: expected zero or more, found {text!r}")
    return value


def parse_uvrange(text: str) -> tuple[float, float] | None:
    """CASA's uvrange in wavelengths: ``>1klambda``, ``<50klambda``, ``1~20klambda``; empty is all."""
    if not text.strip():
        return None
    match = re.fullmatch(rf"\s*([<>]?)\s*({_NUMBER})\s*(?:~\s*({_NUMBER})\s*)?(k?lambda)\s*", text)
    if match is None:
        raise ValueError(f"uvrange: expected '>1klambda', '<1klambda' or '1~20klambda' in wavelengths, found {text!r}")
    scale = 1e3 if match[4] == "klambda" else 1.0
    first = float(match[2]) * scale
    if match[3] is not None:
        return first, float(match[3]) * scale
    return (0.0, first) if match[1] == "<" else (first, 1e12)


def parse_phasecenter(text: str | None) -> list[float] | None:
    """CASA's ``J2000 22h53m16s +16d08m53s`` or ``ICRS 343.3deg 16.1deg`` as [ra_deg, dec_deg]."""
    if not text:
        return None
    from astropy.coordinates import SkyCoord

    words = text.split()
    if len(words) == 3 and words[0].upper() in ("J2000", "ICRS"):
        words = words[1:]
    if len(words) != 2:
        raise ValueError(f"phasecenter: expected 'J2000 RA DEC', found {text!r}")
    unit = "hourangle" if "h" in words[0] or ":" in words[0] else "deg"
    try:
        place = SkyCoord(words[0], words[1], unit=(unit, "deg"))
    except ValueError as error:
        raise ValueError(f"phasecenter: expected 'J2000 RA DEC', found {text!r} ({error})") from None
    return [float(place.ra.deg), float(place.dec.deg)]


def _selection(text: str) -> list[int] | None:
    """CASA's selection by number: ``''``, ``0,2``, ``0~23``."""
    if not text.strip() or text.strip() == "*":
        return None
    chosen: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d+)\s*(?:~\s*(\d+)\s*)?", part)
        if match is None:
            raise ValueError(f"selection: expected numbers and ranges such as '0~23', found {text!r}")
        chosen += range(int(match[1]), int(match[2] or match[1]) + 1)
    return chosen
