"""Which calibration tables an observation gets, and where they come from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dsa110_contimg.database import registry
from dsa110_contimg.database.registry import Provenance

__all__ = ["Provenance", "TableChoice", "choose_tables"]

if TYPE_CHECKING:
    from dsa110_contimg.config import Calibration
    from dsa110_contimg.database import Database


@dataclass(frozen=True)
class TableChoice:
    """Tables to apply, in order, and their provenance.

    Attributes
    ----------
    tables : tuple of str
        Paths in apply order.
    provenance : Provenance
        `SAME_DATE` when a set's validity holds the observation, `BORROWED` when the nearest set in time was taken.
    set_name : str or None
        The set.
    distance_days : float
        Distance from the middle of the set's validity [days].
    origin : Provenance or None
        How the set came to be, where the registry says: `PRIMARY`, `BRIGHT_FALLBACK`, ...
    """

    tables: tuple[str, ...]
    provenance: Provenance
    set_name: str | None = None
    distance_days: float = 0.0
    origin: Provenance | None = None


def choose_tables(db: Database, mjd: float, dec_deg: float, settings: Calibration) -> TableChoice:
    """Tables valid at the observation time; else the bandpass of the nearest set, if near enough in time and Dec.

    Parameters
    ----------
    db : Database
        Registry.
    mjd : float
        Mid time of the observation, UTC [MJD days].
    dec_deg : float
        Pointing declination [degrees]; tables of another strip are not used.
    settings : Calibration
        `borrow_days` and `borrow_dec_deg`.

    Returns
    -------
    TableChoice
        With no tables and `NONE` when nothing serves.
    """
    rows = [row for row in _usable(db, dec_deg, settings) if row["table_type"] in ("K", "BA", "BP")]
    active = registry.get_active_applylist(db, mjd)
    valid = [row for row in rows if row["path"] in active]
    if valid:
        set_name = valid[0]["set_name"]
        return TableChoice(tuple(active), Provenance.SAME_DATE, set_name, _distance(valid[0], mjd), _origin(valid[0]))
    near = sorted((row for row in rows if _distance(row, mjd) <= settings.borrow_days), key=lambda r: _distance(r, mjd))
    for row in near:
        # One that cannot be read gives way to the next nearest.
        if registry.opens(row["path"]):
            # One of each ending, the nearest: two bandpasses would count twice.
            kinds: dict[str, dict[str, Any]] = {}
            for other in sorted((r for r in rows if r["set_name"] == row["set_name"]), key=lambda r: _distance(r, mjd)):
                if other is row or registry.opens(other["path"]):
                    kinds.setdefault(Path(other["path"]).name.rpartition("_")[2], other)
            tables = tuple(r["path"] for r in sorted(kinds.values(), key=lambda r: r["order_index"]))
            return TableChoice(tables, Provenance.BORROWED, row["set_name"], _distance(row, mjd), _origin(row))
    return TableChoice((), Provenance.NONE)


def _usable(db: Database, dec_deg: float, settings: Calibration) -> Sequence[dict[str, Any]]:
    rows = db.select("caltables", ("status", "=", "active"), order_by=["created_at", "order_index"])

    def same_strip(row: dict[str, Any]) -> bool:
        dec = row["pointing_dec_deg"]
        return dec is None or abs(dec - dec_deg) <= settings.borrow_dec_deg

    return [row for row in rows if same_strip(row) and Path(row["path"]).is_dir()]


def _origin(row: dict[str, Any]) -> Provenance | None:
    return Provenance(row["provenance"]) if row["provenance"] else None


def _distance(row: dict[str, Any], mjd: float) -> float:
    start: float | None = row["valid_start_mjd"]
    end: float | None = row["valid_end_mjd"]
    if start is None or end is None:
        return 0.0
    return abs(0.5 * (start + end) - mjd)
