"""The calibration registry: which tables to apply at an observation time."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any

from dsa110_contimg._core import db as _db
from dsa110_contimg.database.handle import Database

logger = logging.getLogger(__name__)

StrPath = str | os.PathLike[str]


class Provenance(StrEnum):
    """Where calibration tables come from.

    Of a set in the registry: solved on a primary flux calibrator (`PRIMARY`), on another bright source (`BRIGHT_FALLBACK`), or taken
    over as valid for its date (`SAME_DATE`). Of an observation: the set valid then (`SAME_DATE`), the nearest one (`BORROWED`),
    or no table at all (`NONE`).
    """

    SAME_DATE = "SAME_DATE"
    PRIMARY = "PRIMARY"
    BRIGHT_FALLBACK = "BRIGHT_FALLBACK"
    BORROWED = "BORROWED"
    NONE = "NONE"


def ensure_db(path: StrPath) -> Database:
    """Open the registry, making it when it does not exist."""
    return Database(path, "registry")


def _handle(db: Database | StrPath) -> Database:
    return db if isinstance(db, Database) else ensure_db(db)


def register_set(
    db: Database | StrPath,
    set_name: str,
    tables: Sequence[Mapping[str, Any]],
    *,
    cal_field: str | None = None,
    refant: str | None = None,
    valid_start_mjd: float | None = None,
    valid_end_mjd: float | None = None,
    status: str = "active",
) -> int:
    """Register the tables of a set in one transaction.

    Parameters
    ----------
    db : Database or path
        Registry.
    set_name : str
        Name of the set.
    tables : sequence of mapping
        Each with ``path`` (a CASA table, which is a directory) and optionally ``table_type``, ``order_index``,
        ``notes``, ``source_ms_path``, ``solver_command``, ``solver_version``, ``solver_params``,
        ``quality_metrics`` (the last two may be mappings), ``pointing_dec_deg``, ``provenance``.
    cal_field, refant : str, optional
        Calibrator field and reference antenna.
    valid_start_mjd, valid_end_mjd : float, optional
        Validity in observation time [MJD days]; None is open.
    status : {'active', 'retired', 'failed'}
        State of the tables.

    Returns
    -------
    int
        Tables registered.

    Raises
    ------
    FileNotFoundError
        A table's directory does not exist.
    ValueError
        A table's type is neither given nor known by its ending, its provenance is unknown, or the validity ends before it begins.
    """
    if valid_start_mjd is not None and valid_end_mjd is not None and not valid_start_mjd <= valid_end_mjd:
        raise ValueError(
            f"{set_name}: expected a validity that begins before it ends [MJD days], found {valid_start_mjd} to {valid_end_mjd}"
        )
    rows = []
    for table in tables:
        path = Path(table["path"]).absolute()
        if not path.is_dir():
            raise FileNotFoundError(f"{path}: expected a calibration table (a directory), found none")
        kind = _db.table_type(str(path))
        if "table_type" not in table and kind is None:
            raise ValueError(f"{path}: expected an ending like _bpcal or _gpcal, or a table_type")
        rows.append(
            {
                "set_name": set_name,
                "path": str(path),
                "table_type": table.get("table_type", kind[0] if kind else None),
                "order_index": table.get("order_index", kind[1] if kind else 0),
                "cal_field": cal_field,
                "refant": refant,
                "created_at": time.time(),
                "valid_start_mjd": valid_start_mjd,
                "valid_end_mjd": valid_end_mjd,
                "status": status,
                "notes": table.get("notes"),
                "source_ms_path": table.get("source_ms_path"),
                "solver_command": table.get("solver_command"),
                "solver_version": table.get("solver_version"),
                "solver_params": _text(table.get("solver_params")),
                "quality_metrics": _text(table.get("quality_metrics")),
                "pointing_dec_deg": table.get("pointing_dec_deg"),
                "provenance": _provenance(path, table.get("provenance")),
            }
        )
    handle = _handle(db)
    _tell_moves(handle, set_name, [row["path"] for row in rows])
    written = handle.insert("caltables", rows, conflict=("path",))
    _retire_copies(handle, set_name, [Path(row["path"]) for row in rows])
    return written


def _tell_moves(db: Database, set_name: str, paths: Sequence[str]) -> None:
    """A table belongs to one set: say which one loses it."""
    for path in paths:
        for row in db.select("caltables", ("path", "=", path), columns=("set_name",)):
            if row["set_name"] != set_name:
                logger.warning("%s: moves from set %s to set %s", path, row["set_name"], set_name)


def _provenance(path: Path, word: str | None) -> str | None:
    known = [p.value for p in Provenance if p is not Provenance.NONE]
    if word is not None and str(word) not in known:
        raise ValueError(f"{path}: expected a provenance of {', '.join(known)}, found {str(word)!r}")
    return None if word is None else str(word)


def _retire_copies(db: Database, set_name: str, paths: Sequence[Path]) -> None:
    """Retire tables of the set that bear the name of a new one in another directory: applied, they would count twice."""
    new = {path.name: str(path) for path in paths}
    for row in db.select("caltables", ("set_name", "=", set_name), ("status", "=", "active"), columns=("path",)):
        path = row["path"]
        if new.get(Path(path).name, path) != path:
            logger.warning("%s: retired, %s takes its place in set %s", path, new[Path(path).name], set_name)
            values = {"status": "retired", "notes": f"superseded by {new[Path(path).name]}"}
            db.update("caltables", values, ("path", "=", path))


def register_set_from_prefix(
    db_path: Database | StrPath,
    set_name: str,
    prefix: StrPath,
    *,
    cal_field: str | None,
    refant: str | None,
    valid_start_mjd: float | None,
    valid_end_mjd: float | None,
    status: str = "active",
    provenance: str | None = None,
) -> list[str]:
    """Register every table whose path begins with `prefix` and ends in a known type; returns their paths.

    Raises
    ------
    FileNotFoundError
        No such table exists.
    """
    base = Path(prefix).absolute()
    found = sorted(
        p for p in base.parent.glob(f"{_glob_escape(base.name)}*") if p.is_dir() and _db.table_type(str(p)) is not None
    )
    if not found:
        raise FileNotFoundError(f"{base}*: expected calibration tables with known endings, found none")
    register_set(
        db_path,
        set_name,
        [{"path": p, "provenance": provenance} for p in found],
        cal_field=cal_field,
        refant=refant,
        valid_start_mjd=valid_start_mjd,
        valid_end_mjd=valid_end_mjd,
        status=status,
    )
    return [str(p) for p in found]


def register_and_verify_caltables(
    db_path: Database | StrPath,
    set_name: str,
    prefix: StrPath,
    *,
    cal_field: str | None,
    refant: str | None,
    valid_start_mjd: float | None,
    valid_end_mjd: float | None,
    status: str = "active",
    verify_discoverable: bool = True,
) -> list[str]:
    """`register_set_from_prefix`, then a look whether every table is found again at the middle of its validity.

    Raises
    ------
    FileNotFoundError
        No such table exists.
    DataError
        A table registered as active is not in the apply list; the set is retired.
    """
    from dsa110_contimg import DataError

    handle = _handle(db_path)
    found = register_set_from_prefix(
        handle,
        set_name,
        prefix,
        cal_field=cal_field,
        refant=refant,
        valid_start_mjd=valid_start_mjd,
        valid_end_mjd=valid_end_mjd,
        status=status,
    )
    if verify_discoverable and status == "active":
        ends = [mjd for mjd in (valid_start_mjd, valid_end_mjd) if mjd is not None]
        # Open at both ends: any time will do.
        middle = sum(ends) / len(ends) if ends else 60000.0
        missing = sorted(set(found) - set(get_active_applylist(handle, middle, set_name)))
        if missing:
            retire_set(handle, set_name, reason="not found again after registration")
            raise DataError(
                f"{set_name}: expected {missing[0]} in the apply list at MJD {middle:.4f}, found it missing"
            )
    return found


def opens(path: StrPath) -> bool:
    """Whether a calibration table can be used: its directory is there and can be read as one; a warning says why not."""
    from dsa110_contimg import DataError
    from dsa110_contimg._core import calibration

    try:
        calibration.read_table(os.fspath(path))
    except (DataError, OSError) as problem:
        logger.warning("registered, but not to be used: %s", problem)
        return False
    return True


def _glob_escape(text: str) -> str:
    """Make a name literal in a glob pattern."""
    import glob

    return glob.escape(text)


def retire_set(db_path: Database | StrPath, set_name: str, *, reason: str | None = None) -> int:
    """Retire every table of a set; returns how many."""
    values: dict[str, Any] = {"status": "retired"}
    if reason is not None:
        values["notes"] = reason
    return _handle(db_path).update("caltables", values, ("set_name", "=", set_name))


def list_sets(db_path: Database | StrPath) -> list[dict[str, Any]]:
    """Sets with their number of tables, active and total, newest first.

    Returns
    -------
    list of dict
        ``set_name, tables`` (in the order of application), ``active, total, provenance, cal_field, refant`` (of the newest table) and
        ``valid``: first and last observation time of each table [MJD days], None where it is open.
    """
    sets: dict[str, dict[str, Any]] = {}
    rows: dict[str, list[dict[str, Any]]] = {}
    for row in _handle(db_path).select("caltables", order_by=[("created_at", True), "order_index"]):
        entry = sets.setdefault(row["set_name"], {"set_name": row["set_name"], "tables": [], "active": 0, "total": 0})
        for key in ("provenance", "cal_field", "refant"):
            entry.setdefault(key, row[key])
        rows.setdefault(row["set_name"], []).append(row)
        entry["total"] += 1
        entry["active"] += row["status"] == "active"
    for name, entry in sets.items():
        ordered = sorted(rows[name], key=lambda row: (row["order_index"], row["path"]))
        entry["tables"] = [row["path"] for row in ordered]
        entry["valid"] = [[row["valid_start_mjd"], row["valid_end_mjd"]] for row in ordered]
    return list(sets.values())


def get_active_applylist(
    db_path: Database | StrPath, mjd: float, set_name: str | None = None, *, require_exists: bool = True
) -> list[str]:
    """Tables to apply to an observation at `mjd`, in order.

    Parameters
    ----------
    db_path : Database or path
        Registry.
    mjd : float
        Observation time, UTC [MJD days]; never the wall clock.
    set_name : str, optional
        Only this set.
    require_exists : bool
        Leave out, with a warning, tables whose directory is gone or does not open.

    Returns
    -------
    list of str
        Paths in apply order, one of each ending; empty when no set is valid.
    """
    handle = _handle(db_path)
    tables, warnings = handle.core.active_tables(mjd, set_name)
    for text in warnings:
        logger.warning(text)
    paths = [table["path"] for table in tables if not require_exists or opens(table["path"])]
    return _one_of_each_kind(handle, mjd, paths)


def _one_of_each_kind(db: Database, mjd: float, paths: Sequence[str]) -> list[str]:
    """Of several tables of one ending in a set, the one whose validity is centred nearest to `mjd`, then the newest: applied
    together, they would count twice."""
    of: dict[str, list[str]] = {}
    for path in paths:
        of.setdefault(Path(path).name.rpartition("_")[2], []).append(path)

    def rank(path: str) -> tuple[float, float]:
        (row,) = db.select("caltables", ("path", "=", path))
        start, end = row["valid_start_mjd"], row["valid_end_mjd"]
        away = 0.0 if start is None or end is None else abs(0.5 * (start + end) - mjd)
        return away, -float(row["created_at"])

    left_out: set[str] = set()
    for same in of.values():
        if len(same) > 1:
            chosen = min(same, key=rank)
            left_out |= set(same) - {chosen}
            logger.warning("%s is applied at MJD %.4f, not %s", chosen, mjd, ", ".join(sorted(set(same) - {chosen})))
    return [path for path in paths if path not in left_out]


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value)
