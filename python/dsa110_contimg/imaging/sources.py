"""Sky models written as WSClean source lists and DS9 regions; `dsa110_contimg.calibration.skyfiles` reads them."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping
from typing import Any

from dsa110_contimg.imaging.known import CATALOG_HZ
from dsa110_contimg.utils.files import whole

StrPath = str | os.PathLike[str]
_HEADER = (
    "Format = Name, Type, Ra, Dec, I, SpectralIndex='[]', LogarithmicSI, "
    "ReferenceFrequency='1400000000', MajorAxis, MinorAxis, Orientation"
)
_LN10 = math.log(10.0)
_ARCSEC = math.radians(1 / 3600)


def write_wsclean_list(path: StrPath, sources: Iterable[Mapping[str, Any]], *, beam: str = "airy") -> int:
    """Write sources as WSClean's component list (``-save-source-list``), logarithmic spectra.

    Parameters
    ----------
    path : path
        File to write; it appears whole or not at all.
    sources : iterable of mapping
        Sources of a sky model: ``name``, ``position`` (``ra_rad``, ``dec_rad``), ``spectrum`` (``flux_jy``,
        ``reference_hz``, ``coefficients`` of ``ln(f / f0)``), ``shape`` (``None``, or axes and angle [rad]).
    beam : str
        ``airy``: the fluxes are those of the sky, before the primary beam; ``none``: they are apparent. A comment says it in the file,
        and `skyfiles.load` obeys.

    Returns
    -------
    int
        Sources written.
    """
    lines = [_HEADER, f"# beam = {beam}"]
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
    with whole(path) as file:
        file.write(("\n".join(lines) + "\n").encode())
    return len(lines) - 2


def write_regions(
    path: StrPath, places: Iterable[tuple[float, float]], *, radius_arcsec: float = 60.0, names: Iterable[str] = ()
) -> int:
    """Write circles about (ra_deg, dec_deg) as DS9 regions, ICRS."""
    labels = list(names)
    lines = ["# Region file format: DS9", "icrs"]
    for k, (ra, dec) in enumerate(places):
        label = f" # text={{{labels[k]}}}" if k < len(labels) else ""
        lines.append(f'circle({ra:.7f},{dec:.7f},{radius_arcsec:g}"){label}')
    with whole(path) as file:
        file.write(("\n".join(lines) + "\n").encode())
    return len(lines) - 2


def write_source_regions(path: StrPath, sources: Iterable[Mapping[str, Any]]) -> int:
    """Write sources of a sky model as DS9 regions, ICRS: points and ellipses of the widths at half power, the flux at 1.4 GHz in their
    text, which `skyfiles.load` reads back (a region has no place for a spectrum).

    Returns
    -------
    int
        Sources written.
    """
    lines = ["# Region file format: DS9", "icrs"]
    for source in sources:
        spectrum, shape, place = source["spectrum"], source.get("shape"), source["position"]
        slope = math.log(CATALOG_HZ / spectrum["reference_hz"])
        powers = (float(c) * slope ** (k + 1) for k, c in enumerate(spectrum["coefficients"]))
        flux_jy = spectrum["flux_jy"] * math.exp(math.fsum(powers))
        where = f"{math.degrees(place['ra_rad']) % 360.0:.8f},{math.degrees(place['dec_rad']):.8f}"
        label = f"text={{{flux_jy:.8g}Jy}}"
        if shape:
            # Half axes, and the angle of the first from west.
            major, minor = (float(shape[k]) / _ARCSEC / 2 for k in ("major_rad", "minor_rad"))
            angle = math.degrees(shape["pa_rad"]) + 90.0
            lines.append(f'ellipse({where},{major:.6g}",{minor:.6g}",{angle:.4f}) # {label}')
        else:
            lines.append(f"point({where}) # point=circle {label}")
    with whole(path) as file:
        file.write(("\n".join(lines) + "\n").encode())
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
