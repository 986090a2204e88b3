"""Sky models as WSClean source lists and DS9 regions."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

StrPath = str | os.PathLike[str]
_HEADER = (
    "Format = Name, Type, Ra, Dec, I, SpectralIndex='[]', LogarithmicSI, "
    "ReferenceFrequency='1400000000', MajorAxis, MinorAxis, Orientation"
)
_LN10 = math.log(10.0)
_ARCSEC = math.radians(1 / 3600)


def write_wsclean_list(path: StrPath, sources: Iterable[Mapping[str, Any]]) -> int:
    """Write sources as WSClean's component list (``-save-source-list``), logarithmic spectra.

    Parameters
    ----------
    path : path
        File to write; it appears whole or not at all.
    sources : iterable of mapping
        Sources of a sky model: ``name``, ``position`` (``ra_rad``, ``dec_rad``), ``spectrum`` (``flux_jy``,
        ``reference_hz``, ``coefficients`` of ``ln(f / f0)``), ``shape`` (``None``, or axes and angle [rad]).

    Returns
    -------
    int
        Sources written.
    """
    lines = [_HEADER]
    for source in sources:
        spectrum, shape = source["spectrum"], source.get("shape")
        # WSClean's polynomial is in log10, and its first coefficient is the same slope.
        terms = ",".join(repr(float(c) * _LN10**k) for k, c in enumerate(spectrum["coefficients"]))
        place = source["position"]
        axes = ",,,"
        if shape:
            major, minor = (float(shape[k]) / _ARCSEC for k in ("major_rad", "minor_rad"))
            axes = f",{major!r},{minor!r},{math.degrees(shape['pa_rad'])!r}"
        kind = "GAUSSIAN" if shape else "POINT"
        lines.append(
            f"{source['name']},{kind},{_ra(place['ra_rad'])},{_dec(place['dec_rad'])},{spectrum['flux_jy']!r},"
            f"[{terms}],true,{spectrum['reference_hz']!r}{axes}"
        )
    _write(Path(path), "\n".join(lines) + "\n")
    return len(lines) - 1


def read_wsclean_list(path: StrPath) -> list[dict[str, Any]]:
    """Sources of a WSClean component list.

    Raises
    ------
    ValueError
        A line that is not what the format says, with its number; a spectrum that is not logarithmic beyond a flat one.
    """
    lines = Path(path).read_text().splitlines()
    names: list[str] = []
    defaults: dict[str, str] = {}
    out: list[dict[str, Any]] = []
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        if text.lower().startswith("format"):
            for word in text.split("=", 1)[1].split(","):
                name, _, default = word.strip().partition("=")
                names.append(name.strip().lower())
                defaults[names[-1]] = default.strip().strip("'")
            continue
        try:
            out.append(_source(dict(zip(names, _fields(text), strict=False)), defaults))
        except (KeyError, ValueError) as error:
            raise ValueError(f"{path}, line {number}: expected a source as its format says, found {text!r}") from error
    if not names:
        raise ValueError(f"{path}: expected a first line 'Format = Name, Type, Ra, ...', found none")
    return out


def _fields(line: str) -> list[str]:
    return [word.strip() for word in re.split(r",(?![^\[]*\])", line)]


def _source(row: Mapping[str, str], defaults: Mapping[str, str]) -> dict[str, Any]:
    flux = float(row["i"])
    terms = [float(t) for t in (row.get("spectralindex") or "[]").strip("[]").split(",") if t.strip()]
    logarithmic = (row.get("logarithmicsi") or "true").lower() == "true"
    if any(terms) and not logarithmic:
        raise ValueError("logarithmic spectrum")
    reference = float(row.get("referencefrequency") or defaults.get("referencefrequency") or 1.4e9)
    shape = None
    if row.get("type", "POINT").upper() == "GAUSSIAN":
        shape = {
            "major_rad": float(row["majoraxis"]) * _ARCSEC,
            "minor_rad": float(row["minoraxis"]) * _ARCSEC,
            "pa_rad": math.radians(float(row["orientation"])),
        }
    return {
        "name": row["name"],
        "position": {"ra_rad": _angle(row["ra"], 15.0) % math.tau, "dec_rad": _angle(row["dec"], 1.0)},
        "spectrum": {
            "flux_jy": flux,
            "reference_hz": reference,
            "coefficients": [t / _LN10**k for k, t in enumerate(terms)] or [0.0],
        },
        "shape": shape,
    }


def write_regions(
    path: StrPath, places: Iterable[tuple[float, float]], *, radius_arcsec: float = 60.0, names: Iterable[str] = ()
) -> int:
    """Write circles about (ra_deg, dec_deg) as DS9 regions, ICRS."""
    labels = list(names)
    lines = ["# Region file format: DS9", "icrs"]
    for k, (ra, dec) in enumerate(places):
        label = f" # text={{{labels[k]}}}" if k < len(labels) else ""
        lines.append(f'circle({ra:.7f},{dec:.7f},{radius_arcsec:g}"){label}')
    _write(Path(path), "\n".join(lines) + "\n")
    return len(lines) - 2


def bright_sources(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The sources that a run of the imager fitted to its visibilities, as sources of a sky model."""
    return [
        {
            "name": f"bright{k}",
            "position": dict(found["position"]),
            "spectrum": {
                "flux_jy": found["flux_jy"],
                "reference_hz": found["freq_hz"],
                "coefficients": [found["alpha"]],
            },
            "shape": None,
        }
        for k, found in enumerate(report["bright"])
    ]


def components_of_model(model: StrPath) -> list[dict[str, Any]]:
    """Pixels of a model image [Jy/pixel] as sources of flat spectra; their fluxes are behind the beam."""
    import numpy as np
    from astropy.io import fits
    from astropy.wcs import WCS

    with fits.open(model) as hdus:
        header = hdus[0].header
        data = np.squeeze(hdus[0].data)
    if str(header.get("BUNIT", "")).upper() != "JY/PIXEL":
        raise ValueError(f"{model}: expected a model in JY/PIXEL, found {header.get('BUNIT')!r}")
    y, x = np.nonzero(np.nan_to_num(data))
    ra, dec = WCS(header).celestial.all_pix2world(x, y, 0)
    reference = float(header.get("FREQEFF") or header.get("CRVAL3") or 1.4e9)
    return [
        {
            "name": f"c{k}",
            "position": {"ra_rad": math.radians(float(a) % 360.0), "dec_rad": math.radians(float(d))},
            "spectrum": {"flux_jy": float(flux), "reference_hz": reference, "coefficients": [0.0]},
            "shape": None,
        }
        for k, (a, d, flux) in enumerate(zip(ra, dec, data[y, x], strict=True))
    ]


def _ra(rad: float) -> str:
    hours = math.degrees(rad % math.tau) / 15.0
    return _sexagesimal(hours, ":", 7)


def _dec(rad: float) -> str:
    # WSClean parts degrees by points: a colon would mean hours.
    return ("-" if rad < 0 else "+") + _sexagesimal(abs(math.degrees(rad)), ".", 6)


def _sexagesimal(value: float, mark: str, digits: int) -> str:
    units = round(value * 3600 * 10**digits)
    whole, rest = divmod(units, 3600 * 10**digits)
    minutes, seconds = divmod(rest, 60 * 10**digits)
    return f"{whole:02d}{mark}{minutes:02d}{mark}{seconds / 10**digits:0{digits + 3}.{digits}f}"


def _angle(text: str, per_hour: float) -> float:
    if ":" in text:
        parts = text.split(":")
        scale = per_hour
    else:
        parts = text.split(".", 2)
        scale = 1.0
        if len(parts) < 3:
            return math.radians(float(text))
    sign = -1.0 if text.strip().startswith("-") else 1.0
    degrees = sum(abs(float(part)) / 60**k for k, part in enumerate(parts))
    return math.radians(sign * degrees * scale)


def _write(path: Path, text: str) -> None:
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with aside.open("w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
