"""Sky models for calibration: points, CSV, the flux-density scale of Perley & Butler (2017)."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from os import PathLike
from pathlib import Path
from typing import Any

#: Reference frequency of catalogue fluxes [Hz].
REFERENCE_HZ = 1.4e9


def source(
    name: str,
    ra_deg: float,
    dec_deg: float,
    flux_jy: float,
    *,
    alpha: float = 0.0,
    reference_hz: float = REFERENCE_HZ,
    coefficients: list[float] | None = None,
) -> dict[str, Any]:
    """One unpolarised point source: ``S = flux_jy (f / reference_hz)^alpha``, or with log-polynomial `coefficients`."""
    if not (math.isfinite(ra_deg) and math.isfinite(dec_deg) and abs(dec_deg) <= 90):
        raise ValueError(f"position of {name}: expected finite degrees with |dec| <= 90, found {ra_deg}, {dec_deg}")
    if not (math.isfinite(flux_jy) and flux_jy != 0):
        raise ValueError(f"flux of {name}: expected a finite flux that is not zero [Jy], found {flux_jy}")
    terms = coefficients if coefficients is not None else [alpha]
    if not all(map(math.isfinite, [reference_hz, *terms])):
        raise ValueError(f"spectrum of {name}: expected finite numbers, found {terms} about {reference_hz} Hz")
    return {
        "name": name,
        "position": {"ra_rad": math.radians(ra_deg % 360.0), "dec_rad": math.radians(dec_deg)},
        "spectrum": {
            "flux_jy": flux_jy,
            "reference_hz": reference_hz,
            "coefficients": terms,
        },
        "shape": None,
    }


def model(sources: list[dict[str, Any]], *, beam: str = "airy", smear: bool = True) -> dict[str, Any]:
    """A sky for the stages: sources, primary beam (``airy`` or ``none``), averaging within samples."""
    return {"sky": {"sources": sources}, "beam": beam, "smear": smear}


def point(ra_deg: float, dec_deg: float, flux_jy: float, alpha: float = 0.0, *, name: str = "point") -> dict[str, Any]:
    """A sky of one point source."""
    return model([source(name, ra_deg, dec_deg, flux_jy, alpha=alpha)])


def from_csv(path: str | PathLike[str], *, beam: str = "airy", smear: bool = True) -> dict[str, Any]:
    """A sky from CSV with columns ra_deg, dec_deg, flux_jy (at 1.4 GHz) and, optionally, name, alpha, sizes."""
    from dsa110_contimg import _core

    file = Path(path)
    arcsec = math.radians(1 / 3600)
    sources = []
    for row in json.loads(_core.simulate.sky_csv(file.read_text(encoding="utf-8"), str(file))):
        one = source(row["name"], row["ra_deg"], row["dec_deg"], row["flux_jy"], alpha=row["alpha"])
        major, minor = row["major_arcsec"], row["minor_arcsec"]
        if major > 0 or minor > 0:
            one["shape"] = {
                "major_rad": max(major, minor) * arcsec,
                "minor_rad": (minor or major) * arcsec,
                "pa_rad": math.radians(row["pa_deg"]),
            }
        sources.append(one)
    return model(sources, beam=beam, smear=smear)


def parse_point(text: str) -> dict[str, Any]:
    """A sky from ``RA_DEG,DEC_DEG,FLUX_JY[,ALPHA]``."""
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        values = []
    if len(values) not in (3, 4):
        raise ValueError(f"point: expected RA_DEG,DEC_DEG,FLUX_JY[,ALPHA], found {text!r}")
    return point(*values)


@cache
def _perley_butler() -> dict[str, Any]:
    text = files("dsa110_contimg").joinpath("data/perley_butler_2017.json").read_text(encoding="utf-8")
    return dict(json.loads(text)["sources"])


def perley_butler(name: str) -> dict[str, Any]:
    """Spectrum of a flux calibrator: log-polynomial of Perley & Butler (2017, doi:10.3847/1538-4365/aa6df9).

    Parameters
    ----------
    name : str
        J2000 name (``0137+3309``) or alias (``3C48``).

    Returns
    -------
    dict
        ``flux_jy`` at 1.4 GHz, ``reference_hz`` and the core's ``coefficients`` about it.
    """
    wanted = name.replace(" ", "").upper()
    for key, entry in _perley_butler().items():
        names = [key, *entry["aliases"]]
        if wanted in (n.replace(" ", "").upper() for n in names):
            return _about(entry["a"], REFERENCE_HZ)
    known = ", ".join(a for e in _perley_butler().values() for a in e["aliases"][:1])
    raise ValueError(f"flux calibrator: expected one of Perley & Butler (2017), such as {known}; found {name!r}")


def is_primary(name: str) -> bool:
    """Whether a calibrator is one of the flux scale of Perley & Butler (2017), under its J2000 or its common name.

    The VLA's list cuts declinations at a tenth of a degree (``0137+331``), the scale at a minute of arc (``0137+3309``).
    """
    wanted = name.replace(" ", "").upper()
    for key, entry in _perley_butler().items():
        names = {n.replace(" ", "").upper() for n in (key, *entry["aliases"])}
        short = f"{key[:7]}{int(key[7:9]) // 6}"
        if wanted in names or wanted == short:
            return True
    return False


def flux_calibrator(name: str) -> dict[str, Any]:
    """A sky of one flux calibrator: position of the scale's table, spectrum of Perley & Butler (2017)."""
    wanted = name.replace(" ", "").upper()
    for key, entry in _perley_butler().items():
        if wanted in (n.replace(" ", "").upper() for n in (key, *entry["aliases"])):
            if "ra_deg" in entry:
                place = (float(entry["ra_deg"]), float(entry["dec_deg"]))
            else:
                from dsa110_contimg.calibration.catalogs import calibrator

                found = calibrator(name)
                place = (found["ra_deg"], found["dec_deg"])
            spectrum = perley_butler(name)
            one = source(key, *place, spectrum["flux_jy"])
            one["spectrum"] = spectrum
            return model([one])
    perley_butler(name)  # says which names there are
    raise ValueError(name)


def _about(a: list[float], reference_hz: float) -> dict[str, Any]:
    """log10 S = sum a_k L^k with L = log10(f / GHz), re-expanded about another frequency in natural logarithms."""
    shift = math.log10(reference_hz / 1e9)
    n = len(a)
    about = [sum(a[j] * math.comb(j, k) * shift ** (j - k) for j in range(k, n)) for k in range(n)]
    # ln S = ln10 * sum b_k (x / ln10)^k, and the core's exponent is sum c_k x^(k + 1).
    ln10 = math.log(10.0)
    coefficients = [b * ln10 / ln10**k for k, b in enumerate(about)][1:]
    return {"flux_jy": 10 ** about[0], "reference_hz": reference_hz, "coefficients": coefficients}


def flux_jy(spectrum: Mapping[str, Any], freq_hz: float) -> float:
    """Flux density of a spectrum at a frequency [Jy]."""
    x = math.log(freq_hz / spectrum["reference_hz"])
    exponent = sum(c * x ** (k + 1) for k, c in enumerate(spectrum["coefficients"]))
    return float(spectrum["flux_jy"] * math.exp(exponent))
