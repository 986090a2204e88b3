"""Calibrators: the VLA list as NRAO publishes it, a CSV, or the database of the original."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

_HEAD = re.compile(
    r"^(?P<name>\S+)\s+(?P<equinox>J2000|B1950)\s+(?P<code>\S)\s+"
    r"(?P<h>\d+)h(?P<m>\d+)m(?P<s>[\d.]+)s\s+(?P<sign>[-+]?)(?P<d>\d+)d(?P<dm>\d+)'(?P<ds>[\d.]+)\"(?P<rest>.*)$"
)
#: Beginning of the keys of ``meta`` that hold alternative names.
ALIAS = "alias:"
_BAND = re.compile(r"^\s*(?P<band>[\d.]+cm)\s+(?P<letter>\S+)\s+(?P<quality>\S\s+\S\s+\S\s+\S)\s+(?P<flux>[\d.]+)")


def parse_vla_calibrators(text: str) -> Iterator[dict[str, Any]]:
    """Entries of ``vlacalibrators.txt``: name, alternative names, J2000 position [degrees], fluxes [Jy] by band."""
    entry: dict[str, Any] | None = None
    for line in text.splitlines():
        head = _HEAD.match(line.strip())
        if head and head["equinox"] == "J2000":
            if entry:
                yield entry
            ra = 15 * (int(head["h"]) + int(head["m"]) / 60 + float(head["s"]) / 3600)
            dec = int(head["d"]) + int(head["dm"]) / 60 + float(head["ds"]) / 3600
            words = head["rest"].split()
            # The list has the date of the position before the alternative name, when it has either.
            alternative = [w for w in words if not re.fullmatch(r"[A-Z][a-z]{2}\d\d", w)]
            entry = {
                "name": head["name"],
                "alt_name": " ".join(alternative),
                "code": head["code"],
                "ra_deg": ra,
                "dec_deg": -dec if head["sign"] == "-" else dec,
                "fluxes": {},
            }
        elif entry and (band := _BAND.match(line)):
            entry["fluxes"][band["band"]] = float(band["flux"])
    if entry:
        yield entry


def resolve_vla_catalog(explicit_path: str | os.PathLike[str] | None = None) -> Path:
    """Explicit path, environment ``VLA_CATALOG``, then the state directory's catalogues (text, CSV, database)."""
    if explicit_path is not None:
        return Path(explicit_path)
    if os.environ.get("VLA_CATALOG"):
        return Path(os.environ["VLA_CATALOG"])
    from dsa110_contimg.config import load

    directory = load().paths.catalogs
    for name in ("vla_calibrators.sqlite3", "vlacalibrators.txt", "vla_calibrators.csv"):
        if (directory / name).is_file():
            return directory / name
    raise FileNotFoundError(
        f"VLA calibrator catalogue: expected an explicit path, VLA_CATALOG, or vlacalibrators.txt in {directory}; "
        "found none"
    )


def load_vla_catalog(explicit_path: str | os.PathLike[str] | None = None, prefer_sqlite: bool = True) -> pd.DataFrame:
    """Calibrators with a 20 cm flux: index name; columns ra_deg, dec_deg, flux_jy, alt_name, code."""
    import pandas as pd

    del prefer_sqlite  # the resolution order says it
    path = resolve_vla_catalog(explicit_path)
    if path.suffix in (".sqlite3", ".db"):
        from dsa110_contimg.database import query

        frame = pd.DataFrame(query(path, "SELECT name, ra_deg, dec_deg, flux_jy FROM vla_20cm"))
        aliases = pd.DataFrame(query(path, f"SELECT key, value FROM meta WHERE key LIKE '{ALIAS}%'"))  # noqa: S608
        known = {} if aliases.empty else dict(zip(aliases["key"].str[len(ALIAS) :], aliases["value"], strict=True))
        frame["alt_name"] = [known.get(name, "") for name in frame["name"]]
        return frame.set_index("name")
    if path.suffix == ".csv":
        return _from_csv(path)
    rows = [
        {"name": e["name"], "ra_deg": e["ra_deg"], "dec_deg": e["dec_deg"], "flux_jy": e["fluxes"]["20cm"],
         "alt_name": e["alt_name"], "code": e["code"]}
        for e in parse_vla_calibrators(path.read_text(encoding="utf-8", errors="replace"))
        if "20cm" in e["fluxes"]
    ]  # fmt: skip
    if not rows:
        raise ValueError(f"{path}: expected entries of the VLA calibrator list with 20 cm fluxes, found none")
    return pd.DataFrame(rows).set_index("name")


def _from_csv(path: Path) -> pd.DataFrame:
    import pandas as pd

    frame = pd.read_csv(path)
    lower = {c.lower(): c for c in frame.columns}

    def column(*names: str) -> Any:
        for name in names:
            if name in lower:
                return frame[lower[name]]
        raise ValueError(f"{path}: expected a column {names[0]}, found {', '.join(map(str, frame.columns))}")

    flux = column("flux_jy", "flux_20_cm", "flux_20cm")
    # Some of the original's files have mJy under the same heading: no calibrator has a thousand jansky.
    scale = 1e-3 if float(flux.median()) > 100 else 1.0
    out = pd.DataFrame(
        {
            "name": column("name"),
            "ra_deg": column("ra_deg", "ra"),
            "dec_deg": column("dec_deg", "dec"),
            "flux_jy": flux * scale,
        }
    )
    return out.set_index("name")


def calibrator(name: str, explicit_path: str | os.PathLike[str] | None = None) -> dict[str, Any]:
    """One calibrator by name or alternative name.

    Raises
    ------
    ValueError
        When the catalogue has no such calibrator.
    """
    frame = load_vla_catalog(explicit_path)
    wanted = name.replace(" ", "").upper()
    for row_name, row in frame.iterrows():
        names = [str(row_name), str(row.get("alt_name", ""))]
        if wanted in (n.replace(" ", "").upper() for n in names):
            return {"name": str(row_name), **{k: float(row[k]) for k in ("ra_deg", "dec_deg", "flux_jy")}}
    path = resolve_vla_catalog(explicit_path)
    raise ValueError(f"calibrator: expected one of the {len(frame)} with a 20 cm flux in {path}, found {name!r}")


def position_of(name: str, explicit_path: str | os.PathLike[str] | None = None) -> tuple[float, float]:
    """RA and Dec [degrees, ICRS] of a calibrator of the VLA list, or of a text ``RA,DEC``."""
    parts = name.split(",")
    if len(parts) == 2:
        try:
            return float(parts[0]) % 360.0, float(parts[1])
        except ValueError:
            raise ValueError(f"calibrator: expected a name or RA,DEC in degrees, found {name!r}") from None
    entry = calibrator(name, explicit_path)
    return entry["ra_deg"], entry["dec_deg"]
