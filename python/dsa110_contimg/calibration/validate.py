"""Checks of calibration tables before they are used. Tables are directories."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike, fspath
from typing import Any

from dsa110_contimg import DataError

StrPath = str | PathLike[str]


def validate_caltable_exists(caltable_path: StrPath) -> str:
    """The term of a table ('K', 'B' or 'G').

    Raises
    ------
    DataError
        When it is absent, damaged, empty or no calibration table; the text says which.
    """
    from dsa110_contimg import _core

    return _core.calibration.check_table(fspath(caltable_path))


def validate_caltables_for_use(
    caltable_paths: Sequence[StrPath],
    ms_path: StrPath,
    *,
    require_all: bool = True,
    check_compatibility: bool = True,
    refant: str | int | None = None,
) -> list[str]:
    """Tables that can be used on a Measurement Set.

    Parameters
    ----------
    require_all : bool
        Raise on the first table that cannot be used; otherwise leave it out.
    check_compatibility : bool
        Antenna names and frequencies must be those of the Measurement Set.
    refant : str or int, optional
        Must have a solution in every table.

    Returns
    -------
    list of str
        Warnings (empty when all is well), as the original returned.
    """
    from dsa110_contimg import _core

    meta: dict[str, Any] | None = _core.ms.meta(fspath(ms_path)) if check_compatibility else None
    warnings: list[str] = []
    usable = 0
    for path in caltable_paths:
        try:
            validate_caltable_exists(path)
            if meta is not None or refant is not None:
                table = _core.calibration.read_table(fspath(path))
                if meta is not None:
                    warnings += _compatible(path, table, ms_path, meta)
                if refant is not None:
                    _has_refant(path, table, str(refant))
            usable += 1
        except (DataError, OSError) as problem:
            if require_all:
                raise
            warnings.append(str(problem))
    if not usable:
        raise DataError(f"calibration tables for {ms_path}: expected at least one usable table, found none: {warnings}")
    return warnings


def validate_ms_for_calibration(ms_path: StrPath, field: str = "", refant: str | int | None = None) -> dict[str, Any]:
    """Whether a field of a Measurement Set can be solved for: it has unflagged data, and the reference antenna too.

    Parameters
    ----------
    field : str
        Fields in CASA's words; '' is all.
    refant : str or int, optional
        A name or a ranked list, of which the first that is there counts.

    Returns
    -------
    dict
        ``ms, field, refant, unflagged`` (fraction of cross-correlations), ``antennas`` (with unflagged data), ``warnings``.

    Raises
    ------
    DataError
        Nothing is unflagged, or the reference antenna is absent or flagged.
    ValueError
        A selection that the Measurement Set does not have.
    """
    from dsa110_contimg.calibration import stages

    report = stages.flag(ms_path, [], field=str(field), trial=True)
    good = 1.0 - float(report["after_cross"])
    flagged = {str(name): float(fraction) for name, fraction in report["antennas"]}
    alive = [name for name, fraction in flagged.items() if fraction < 1.0]
    where = f"{fspath(ms_path)}, field '{field}'"
    if not alive:
        raise DataError(f"{where}: expected unflagged cross-correlations, found none")
    warnings = [f"{where}: {100 * good:.0f} % are unflagged"] if good < 0.3 else []
    ranked = [name.strip() for name in str(refant).split(",")] if refant is not None else []
    there = [name for name in ranked if name in flagged]
    if ranked and not (there and there[0] in alive):
        found = "without unflagged data" if there else "no data of it"
        raise DataError(
            f"{where}: expected a reference antenna of {', '.join(alive[:5])}, ..., found {refant} ({found})"
        )
    return {
        "ms": fspath(ms_path),
        "field": field,
        "refant": there[0] if there else None,
        "unflagged": good,
        "antennas": len(alive),
        "warnings": warnings,
    }


def _compatible(path: StrPath, table: dict[str, Any], ms_path: StrPath, meta: dict[str, Any]) -> list[str]:
    names = [a["name"] for a in meta["antennas"]]
    if list(table["antennas"]) != names:
        raise DataError(
            f"{fspath(path)}: expected the {len(names)} antennas of {fspath(ms_path)}, "
            f"found {len(table['antennas'])} others"
        )
    low = min(float(f) for spw in meta["spws"] for f in spw["freq_hz"])
    high = max(float(f) for spw in meta["spws"] for f in spw["freq_hz"])
    mine = [(float(w["freq_hz"].min()), float(w["freq_hz"].max())) for w in table["windows"]]
    if all(b < low or a > high for a, b in mine):
        raise DataError(
            f"{fspath(path)}: expected solutions within {low / 1e6:.1f} to {high / 1e6:.1f} MHz, "
            f"found {min(a for a, _ in mine) / 1e6:.1f} to {max(b for _, b in mine) / 1e6:.1f} MHz"
        )
    if table["flagged_fraction_working"] > 0.3:
        return [
            f"{fspath(path)}: {100 * table['flagged_fraction_working']:.0f} % of working receptors' "
            "solutions are flagged"
        ]
    return []


def _has_refant(path: StrPath, table: dict[str, Any], refant: str) -> None:
    names = list(table["antennas"])
    if refant not in names:
        raise DataError(f"{fspath(path)}: expected reference antenna {refant}, found {', '.join(names[:5])}, ...")
    index = names.index(refant)
    if all(bool(w["flag_tafr"][:, index].all()) for w in table["windows"]):
        raise DataError(f"{fspath(path)}: expected solutions of reference antenna {refant}, found all flagged")
