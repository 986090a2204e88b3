"""``python -m dsa110_contimg.calibration.ingest_vla``: the VLA calibrator list into ``vla_calibrators.sqlite3``."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from dsa110_contimg import ContimgError

#: Light travels this many centimetres in a second.
_SPEED_CM_S = 29_979_245_800.0


def band_hz(band: str) -> float:
    """Frequency of a band's name: ``20cm`` is 1.499 GHz.

    Raises
    ------
    ValueError
        A name that is not a wavelength in centimetres.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)cm", band.strip())
    if match is None or float(match[1]) <= 0:
        raise ValueError(f"band: expected a wavelength like '20cm', found {band!r}")
    return _SPEED_CM_S / float(match[1])


def ingest(source: str | PathLike[str], out: str | PathLike[str], *, band: str = "20cm") -> int:
    """Write calibrators with a flux in `band` into a catalogue database; again the same calibrators are updated.

    Parameters
    ----------
    source : path
        ``vlacalibrators.txt`` as NRAO publishes it (all its bands are kept), or a CSV with name, position and flux.
    out : path
        Database with tables ``calibrators``, ``fluxes``, ``meta`` and the view ``vla_20cm``.

    Returns
    -------
    int
        Calibrators written.
    """
    from dsa110_contimg.calibration import catalogs
    from dsa110_contimg.database import open_database

    path = Path(source)
    frequency = band_hz(band)
    entries: list[dict[str, Any]]
    if path.suffix.lower() == ".csv":
        frame = catalogs.load_vla_catalog(path)
        entries = [
            {"name": str(name), "ra_deg": float(row["ra_deg"]), "dec_deg": float(row["dec_deg"]),
             "fluxes": {band: float(row["flux_jy"])}}
            for name, row in frame.iterrows()
        ]  # fmt: skip
    else:
        parsed = catalogs.parse_vla_calibrators(path.read_text(encoding="utf-8", errors="replace"))
        entries = [e for e in parsed if band in e["fluxes"]]
    if not entries:
        raise ValueError(f"{path}: expected calibrators with a flux at {band}, found none")
    names = {e["name"]: e for e in entries}  # a name that is listed twice: the last entry holds
    calibrators = [{"name": n, "ra_deg": e["ra_deg"] % 360.0, "dec_deg": e["dec_deg"]} for n, e in names.items()]
    fluxes = [
        {"name": n, "band": b, "freq_hz": frequency if b == band else band_hz(b), "flux_jy": flux,
         "sidx": None, "sidx_f0_hz": None}
        for n, e in names.items()
        for b, flux in e["fluxes"].items()
    ]  # fmt: skip
    meta = [
        {"key": "source", "value": str(path)},
        {"key": "band", "value": band},
        {"key": "calibrators", "value": str(len(calibrators))},
        # The original's tables have no column for them.
        *({"key": f"{catalogs.ALIAS}{n}", "value": e["alt_name"]} for n, e in names.items() if e.get("alt_name")),
    ]
    open_database(out, "catalog").insert_all(
        [("calibrators", calibrators, ("name",)), ("fluxes", fluxes, ("name", "band")), ("meta", meta, ("key",))]
    )
    return len(calibrators)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run; one JSON object on stdout, errors are one line on stderr."""
    parser = argparse.ArgumentParser(prog="dsa110_contimg.calibration.ingest_vla", description=__doc__)
    parser.add_argument("--csv", "--list", dest="source", required=True, help="vlacalibrators.txt or a CSV")
    parser.add_argument("--out", default="state/catalogs/vla_calibrators.sqlite3")
    parser.add_argument("--band", default="20cm")
    args = parser.parse_args(arguments)
    try:
        Path(args.out).parent.mkdir(parents=True, exist_ok=True)
        count = ingest(args.source, args.out, band=args.band)
    except (ContimgError, ValueError, OSError) as problem:
        sys.stderr.write(f"error: {problem}\n")
        return 1
    sys.stdout.write(json.dumps({"out": args.out, "band": args.band, "calibrators": count}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
