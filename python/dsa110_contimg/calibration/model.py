"""Models under the original's names: MODEL_DATA by exact prediction about each field's own phase centre."""

from __future__ import annotations

from os import PathLike
from typing import Any

from dsa110_contimg.calibration import sky, stages

StrPath = str | PathLike[str]


def write_point_model_with_ft(
    ms_path: StrPath,
    ra_deg: float,
    dec_deg: float,
    flux_jy: float,
    *,
    reffreq_hz: float = 1.4e9,
    spectral_index: float | None = None,
    field: str | None = None,
    use_manual: bool = True,
) -> dict[str, Any]:
    """A point source of apparent flux `flux_jy` (no primary beam is put on it, as in the original) into MODEL_DATA."""
    del use_manual  # CASA's ft ignored PHASE_DIR; there is one way here, the exact one
    one = sky.source("point", ra_deg, dec_deg, flux_jy, alpha=spectral_index or 0.0, reference_hz=reffreq_hz)
    return stages.write_model(ms_path, sky.model([one], beam="none"), field=field or "")


def write_setjy_model(
    ms_path: StrPath,
    field: str,
    *,
    standard: str = "Perley-Butler 2017",
    spw: str = "",
    usescratch: bool = True,
    name: str | None = None,
) -> dict[str, Any]:
    """A flux calibrator of Perley & Butler (2017) into MODEL_DATA; `name` defaults to the field's name."""
    del usescratch
    if standard != "Perley-Butler 2017":
        raise ValueError(f"standard: expected 'Perley-Butler 2017', found {standard!r}")
    chosen = {**sky.flux_calibrator(name or field), "beam": "none"}
    return stages.write_model(ms_path, chosen, field=field if name else "", spw=spw)


def populate_model_from_catalog(
    ms_path: StrPath,
    *,
    field: str | None = None,
    calibrator_name: str | None = None,
    cal_ra_deg: float | None = None,
    cal_dec_deg: float | None = None,
    cal_flux_jy: float | None = None,
) -> dict[str, Any]:
    """A calibrator by name from the VLA list (or by position and flux) into MODEL_DATA, with the primary beam."""
    if cal_ra_deg is None or cal_dec_deg is None:
        if calibrator_name is None:
            raise ValueError("calibrator: expected calibrator_name, or cal_ra_deg and cal_dec_deg; found neither")
        from dsa110_contimg.calibration.catalogs import calibrator

        entry = calibrator(calibrator_name)
        cal_ra_deg, cal_dec_deg = entry["ra_deg"], entry["dec_deg"]
        cal_flux_jy = entry["flux_jy"] if cal_flux_jy is None else cal_flux_jy
    if cal_flux_jy is None:
        raise ValueError("cal_flux_jy: expected the flux density [Jy] of a calibrator given by position, found none")
    one = sky.source(calibrator_name or "calibrator", cal_ra_deg, cal_dec_deg, cal_flux_jy)
    return stages.write_model(ms_path, sky.model([one]), field=field or "")


def write_component_model_with_ft(ms_path: StrPath, component_path: StrPath, *, field: str = "") -> dict[str, Any]:
    """Components of a file (CSV, WSClean source list or DS9 regions) into MODEL_DATA."""
    from dsa110_contimg.calibration import skyfiles

    return stages.write_model(ms_path, skyfiles.load(component_path), field=field)


def write_image_model_with_ft(ms_path: StrPath, image_path: StrPath, *, field: str = "") -> dict[str, Any]:
    """A model image (FITS, Jy/pixel, apparent) into MODEL_DATA: every pixel with flux is a point."""
    from dsa110_contimg.calibration import skyfiles

    return stages.write_model(ms_path, skyfiles.from_image(image_path), field=field)


def populate_model_from_image(ms_path: StrPath, *, field: str | None = None, model_image: StrPath) -> dict[str, Any]:
    """As `write_image_model_with_ft`."""
    return write_image_model_with_ft(ms_path, model_image, field=field or "")


def populate_model_in_beam(
    ms_path: StrPath,
    *,
    catalog: str = "nvss",
    catalog_path: StrPath | None = None,
    radius_deg: float = 1.5,
    min_flux_mjy: float = 5.0,
    field: str | None = None,
) -> dict[str, Any]:
    """Catalogue sources about the middle field, times the primary beam, into MODEL_DATA."""
    from dsa110_contimg.calibration import skyfiles

    ra, dec = middle_field_deg(ms_path)
    chosen = skyfiles.from_catalog(
        ra, dec, catalog=catalog, path=catalog_path, radius_deg=radius_deg, min_flux_mjy=min_flux_mjy
    )
    return stages.write_model(ms_path, chosen, field=field or "")


def middle_field_deg(ms_path: StrPath) -> tuple[float, float]:
    """Phase centre of the middle field, ICRS [degrees]."""
    import math

    from dsa110_contimg import _core

    fields = _core.ms.meta(str(ms_path))["fields"]
    centre = fields[len(fields) // 2]["centre"]
    return math.degrees(centre["ra_rad"]), math.degrees(centre["dec_rad"])


def export_model_as_fits(
    ms_path: StrPath, output_path: StrPath, field: str | None = None, imsize: int = 512, cell_arcsec: float = 1.0
) -> str:
    """Image MODEL_DATA as it is (natural weights, no deconvolution) into one FITS file, written aside and renamed.

    Parameters
    ----------
    ms_path : path
        Measurement Set with a model; one that is all zero is refused.
    output_path : path
        FITS file; ``.fits`` is added where it has no ending.
    field : str, optional
        Numbers of fields, as ``"0,2~5"``; all when left out.
    imsize : int
        Pixels a side.
    cell_arcsec : float
        Pixel [arcsec].

    Returns
    -------
    str
        The file.
    """
    import json
    import os
    import tempfile
    from pathlib import Path

    from dsa110_contimg import _core

    target = Path(output_path)
    if target.suffix != ".fits":
        target = target.with_name(target.name + ".fits")
    with tempfile.TemporaryDirectory(dir=target.absolute().parent, prefix=f".{target.name}.") as aside:
        request = {
            "ms": [os.fspath(ms_path)],
            "name": str(Path(aside) / "model"),
            "imsize": [imsize, imsize],
            "cell_arcsec": cell_arcsec,
            "datacolumn": "model",
            "weighting": "natural",
            "niter": 0,
            "bright_sigma": 0.0,
            "outliers": False,
            "products": ["dirty"],
        }
        if field:
            request["fields"] = _numbers(field)
        report = _core.imaging.image_ms(json.dumps(request))
        Path(report["products"]["dirty"]).replace(target)
    return str(target)


def _numbers(selection: str) -> list[int]:
    """Numbers of a selection like ``0,2~5``."""
    chosen: list[int] = []
    for part in selection.split(","):
        first, _, last = part.strip().partition("~")
        if not first.isdigit() or (last and not last.isdigit()):
            raise ValueError(f"field: expected numbers as 0,2~5, found {selection!r}")
        chosen.extend(range(int(first), int(last or first) + 1))
    return chosen
