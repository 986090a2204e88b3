"""Sky models from files of other programs: WSClean source lists, DS9 regions, model images."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from typing import Any

from dsa110_contimg.calibration import sky

StrPath = str | PathLike[str]
#: Most sources that are predicted one by one: some 0.2 CPU-s each on a full tile.
MOST_PIXELS = 20_000


def load(path: StrPath, *, beam: str | None = None) -> dict[str, Any]:
    """A sky from a file, by its ending: ``.csv``; ``.reg`` (DS9); ``.fits`` (model image, Jy/pixel); else a WSClean list.

    `beam` is ``airy`` (the fluxes are those of the sky) or ``none`` (they are apparent). Without it, it is what the kind of file
    means: ``airy`` for tables and regions; ``none`` for model images and for WSClean's lists, unless a line ``# beam = airy``
    in it, as `dsa110_contimg.imaging.write_wsclean_list` leaves one, says otherwise.

    Raises
    ------
    ValueError
        An entry that cannot be read, more than `MOST_PIXELS` sources.
    """
    suffix = Path(path).suffix.lower()
    if suffix == ".csv":
        found = sky.from_csv(path)
    elif suffix == ".reg":
        found = from_regions(path)
    elif suffix in (".fits", ".fit"):
        found = from_image(path)
    else:
        found = from_wsclean(path)
    count = len(found["sky"]["sources"])
    if count > MOST_PIXELS:
        raise ValueError(f"{path}: expected at most {MOST_PIXELS} sources, found {count}")
    if beam:
        found["beam"] = beam
    return found


def _degrees(text: str, *, hours: bool) -> float:
    """An angle as ``1:02:03.4``, ``1h02m03.4s``, ``+1.02.03.4`` (WSClean's declinations) or plain degrees."""
    text = text.strip()
    dotted = re.fullmatch(r"([+-]?)(\d+)\.(\d+)\.(\d+(?:\.\d+)?)", text)
    match = dotted or re.fullmatch(r"([+-]?)(\d+)[:hd](\d+)[:m'](\d+(?:\.\d+)?)[s\"]?", text)
    if match is None:
        value = float(text.rstrip("d"))
        if not math.isfinite(value):
            raise ValueError(f"angle: expected a finite number, found {text!r}")
        return value
    sign, first, minutes, seconds = match.groups()
    value = (float(first) + float(minutes) / 60 + float(seconds) / 3600) * (15.0 if hours else 1.0)
    return -value if sign == "-" else value


def _split(line: str) -> list[str]:
    """Split at commas that are not within brackets."""
    return [part.strip() for part in re.split(r",(?![^\[]*\])", line)]


def from_wsclean(path: StrPath) -> dict[str, Any]:
    """A WSClean source list (``-save-source-list``): points and Gaussians with logarithmic or ordinary spectra; apparent fluxes.

    Raises
    ------
    ValueError
        No header line, or an entry that cannot be read: the line is named.
    """
    lines = Path(path).read_text(encoding="utf-8").splitlines()
    head = next((k for k, line in enumerate(lines) if line.strip().lower().startswith("format")), None)
    if head is None:
        raise ValueError(f"{path}: expected a WSClean source list with a line 'Format = ...', found none")
    columns = [c.partition("=")[0].strip().lower() for c in _split(lines[head].partition("=")[2])]
    default = re.search(r"ReferenceFrequency\s*=\s*'([^']+)'", lines[head])
    sources = []
    for number, line in enumerate(lines[head + 1 :], head + 2):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        entry = dict(zip(columns, _split(line), strict=False))
        try:
            sources.append(_wsclean_source(entry, default[1] if default else ""))
        except (ValueError, KeyError) as problem:
            raise ValueError(f"{path}, line {number}: expected a source, found {line.strip()!r} ({problem})") from None
    if not sources:
        raise ValueError(f"{path}: expected sources, found none")
    said = (re.fullmatch(r"#\s*beam\s*=\s*(\w+)", line.strip()) for line in lines)
    return sky.model(sources, beam=next((match[1] for match in said if match), "none"))


def _wsclean_source(entry: dict[str, str], reference: str) -> dict[str, Any]:
    text = entry.get("referencefrequency") or reference or str(sky.REFERENCE_HZ)
    reference_hz = float(text)
    terms = [float(x) for x in entry.get("spectralindex", "[]").strip("[]").split(",") if x.strip()]
    flux = float(entry["i"])
    logarithmic = entry.get("logarithmicsi", "true").lower() != "false"
    # WSClean: log10 S = log10 I + sum c_k log10(f/f0)^k; here ln S = ln I + sum c_k ln(f/f0)^k.
    in_logarithms = [c / math.log(10.0) ** k for k, c in enumerate(terms)]
    ordinary = _of_polynomial([c / flux for c in terms]) if terms and flux else []
    coefficients = in_logarithms if logarithmic else ordinary
    one = sky.source(
        entry["name"], _degrees(entry["ra"], hours=True), _degrees(entry["dec"], hours=False), flux,
        reference_hz=reference_hz, coefficients=coefficients or [0.0],
    )  # fmt: skip
    if entry.get("type", "POINT").upper() == "GAUSSIAN":
        arcsec = math.radians(1 / 3600)
        one["shape"] = {
            "major_rad": float(entry["majoraxis"]) * arcsec,
            "minor_rad": float(entry["minoraxis"]) * arcsec,
            "pa_rad": math.radians(float(entry.get("orientation") or 0.0)),
        }
    return one


def _of_polynomial(terms: list[float]) -> list[float]:
    """Coefficients of ``ln(f / f0)`` of the spectrum ``1 + c1 x + c2 x^2 + ...``, ``x = f / f0 - 1``, to second order: over the band
    (|x| < 0.07) good to 0.1 % for slopes up to 2."""
    first, second = [*terms, 0.0][:2]
    return [first, second + 0.5 * first - 0.5 * first**2]


def from_regions(path: StrPath, *, beam: str = "airy", flux_jy: float | None = None) -> dict[str, Any]:
    """DS9 regions in fk5 or icrs: points and ellipses with the flux [Jy] in ``text={...}`` (as ``1.5`` or ``1.5Jy``).

    Raises
    ------
    ValueError
        Image coordinates, or a region without a flux when `flux_jy` is not given.
    """
    frame, sources = "", []
    for number, raw in enumerate(Path(path).read_text(encoding="utf-8").splitlines(), 1):
        line = raw.strip()
        for statement in (s.strip() for s in line.partition("#")[0].split(";")):
            if statement.lower() in ("fk5", "icrs", "j2000", "image", "physical", "galactic", "fk4"):
                frame = statement.lower()
        match = re.search(r"\b(point|circle|ellipse)\s*\(([^)]*)\)", line, re.IGNORECASE)
        if match is None:
            continue
        if frame not in ("fk5", "icrs", "j2000"):
            raise ValueError(f"{path}, line {number}: expected fk5 or icrs coordinates, found {frame or 'no frame'}")
        text = re.search(r"text\s*=\s*[{\"']([^}\"']*)", line)
        number_in = re.match(r"\s*([-+]?[\d.]+(?:[eE][-+]?\d+)?)\s*(mJy|Jy)?\s*$", text[1]) if text else None
        if number_in:
            flux = float(number_in[1]) * (1e-3 if number_in[2] == "mJy" else 1.0)
        elif flux_jy is not None:
            flux = flux_jy
        else:
            raise ValueError(f"{path}, line {number}: expected the flux in text={{...}}, found {line!r}")
        parts = [p.strip() for p in match[2].split(",")]
        one = sky.source(
            f"region{number}", _degrees(parts[0], hours=":" in parts[0] or "h" in parts[0]),
            _degrees(parts[1], hours=False), flux,
        )  # fmt: skip
        if match[1].lower() == "ellipse" and len(parts) >= 4:
            one["shape"] = _ellipse(parts[2:])
        sources.append(one)
    if not sources:
        raise ValueError(f"{path}: expected points, circles or ellipses, found none")
    return sky.model(sources, beam=beam)


def _ellipse(parts: list[str]) -> dict[str, float]:
    """DS9 gives semi-axes and the angle of the first from west; sizes here are full widths, the angle from north."""
    units = {'"': 1 / 3600, "'": 1 / 60, "d": 1.0}
    sizes = [float(p.rstrip("\"'d")) * units.get(p[-1], 1.0) for p in parts[:2]]
    angle = float(parts[2]) if len(parts) > 2 else 0.0
    pa = angle - 90.0 if sizes[0] >= sizes[1] else angle
    return {
        "major_rad": math.radians(2 * max(sizes)),
        "minor_rad": math.radians(2 * min(sizes)),
        "pa_rad": math.radians(pa),
    }


def from_image(path: StrPath, *, least_jy: float = 0.0, most: int = MOST_PIXELS) -> dict[str, Any]:
    """A model image (FITS, Jy/pixel, as CLEAN makes it): every pixel that is not zero is a point of apparent flux.

    Raises
    ------
    ValueError
        Other units, no flux, or more pixels than `most` (then `least_jy` should be raised).
    """
    from astropy.io import fits
    from astropy.wcs import WCS

    with fits.open(path) as hdus:
        header, data = hdus[0].header, hdus[0].data
    unit = str(header.get("BUNIT", "")).replace(" ", "").lower()
    if unit != "jy/pixel":
        raise ValueError(f"{path}: expected a model in Jy/pixel, found BUNIT {header.get('BUNIT')!r}")
    plane = data.reshape(-1, *data.shape[-2:])[0]
    import numpy as np

    y, x = np.nonzero(np.isfinite(plane) & (np.abs(plane) > least_jy))
    if not len(y):
        raise ValueError(f"{path}: expected flux in the model image, found zeros")
    if len(y) > most:
        raise ValueError(f"{path}: expected at most {most} pixels with flux, found {len(y)}; raise the least flux")
    ra, dec = WCS(header).celestial.all_pix2world(x, y, 0)
    frequency = next(
        (float(header[f"CRVAL{k}"]) for k in (3, 4) if header.get(f"CTYPE{k}", "").startswith("FREQ")), 1.4e9
    )
    points = _points(zip(ra, dec, plane[y, x], strict=True), frequency)
    return sky.model(list(points), beam="none")


def _points(pixels: Any, reference_hz: float) -> Iterator[dict[str, Any]]:
    for k, (ra, dec, flux) in enumerate(pixels):
        yield sky.source(f"pixel{k}", float(ra), float(dec), float(flux), reference_hz=reference_hz)


def from_catalog(
    ra_deg: float,
    dec_deg: float,
    *,
    catalog: str = "nvss",
    path: StrPath | None = None,
    radius_deg: float = 1.5,
    min_flux_mjy: float = 5.0,
    max_sources: int | None = 500,
    beam: str = "airy",
) -> dict[str, Any]:
    """Sources of a catalogue (NVSS-like) about a pointing, flat spectra, with the primary beam.

    Raises
    ------
    ValueError
        No source above the flux within the radius.
    """
    from dsa110_contimg.catalog.query import query_sources

    found = query_sources(
        catalog, ra_deg, dec_deg, radius_deg, min_flux_mjy=min_flux_mjy, max_sources=max_sources,
        catalog_path=None if path is None else Path(path),
    )  # fmt: skip
    sources = [
        sky.source(f"s{k}", float(row["ra_deg"]), float(row["dec_deg"]), 1e-3 * float(row["flux_mjy"]),
                   alpha=float(row.get("alpha", 0.0) or 0.0))
        for k, row in found.iterrows()
    ]  # fmt: skip
    if not sources:
        raise ValueError(
            f"catalogue {path or catalog}: expected sources above {min_flux_mjy} mJy within {radius_deg} degrees of "
            f"({ra_deg:.3f}, {dec_deg:.3f}), found none"
        )
    return sky.model(sources, beam=beam)
