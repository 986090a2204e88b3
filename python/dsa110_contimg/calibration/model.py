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
    """A flux calibrator of Perley & Butler (2017) into MODEL_DATA; `name` is the calibrator, by default the field's name."""
    del usescratch
    if standard != "Perley-Butler 2017":
        raise ValueError(f"standard: expected 'Perley-Butler 2017', found {standard!r}")
    from dsa110_contimg.calibration.catalogs import calibrator

    entry = calibrator(name or field)
    spectrum = sky.perley_butler(name or field)
    one = sky.source(entry["name"], entry["ra_deg"], entry["dec_deg"], spectrum["flux_jy"])
    one["spectrum"] = spectrum
    return stages.write_model(ms_path, sky.model([one], beam="none"), field=field if name else "", spw=spw)


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
    one = sky.source(calibrator_name or "calibrator", cal_ra_deg, cal_dec_deg, cal_flux_jy or 1.0)
    return stages.write_model(ms_path, sky.model([one]), field=field or "")
