"""Reference antennas ranked by the health of their data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from dsa110_contimg import DataError
from dsa110_contimg.calibration.stages import REFANT_CHAIN

StrPath = str | PathLike[str]

#: Flagged fractions below which an antenna has a grade; from the last one on it is no reference.
GRADES = ((0.1, "excellent"), (0.3, "good"), (0.5, "fair"))
#: Healthy antennas named before the array's chain.
RECOMMENDED = 5


def rank(flagged_fraction: Mapping[str, float]) -> dict[str, Any]:
    """Rank antennas by their flagged fractions.

    Parameters
    ----------
    flagged_fraction : mapping
        Antenna name to the flagged fraction of its data or solutions; antennas without any are 1 or absent.

    Returns
    -------
    dict
        ``antennas``: name, ``flagged_fraction``, ``grade``, best first (of equal ones those of the array's chain first: outriggers
        move least in phase with the weather of the core, and the chain is what earlier tables are referenced to);
        ``recommended``: the five best and the chain behind them, as `refant` takes it.

    Raises
    ------
    DataError
        No antenna is healthy.
    """
    chain = REFANT_CHAIN.split(",")
    place = {name: k for k, name in enumerate(chain)}

    def grade(fraction: float) -> str:
        return next((word for limit, word in GRADES if fraction < limit), "bad")

    # Percents: less is no difference of health.
    order = sorted(
        flagged_fraction.items(), key=lambda item: (round(item[1], 2), place.get(item[0], len(chain)), item[0])
    )
    antennas = [{"name": name, "flagged_fraction": f, "grade": grade(f)} for name, f in order]
    healthy = [str(a["name"]) for a in antennas if a["grade"] != "bad"]
    if not healthy:
        raise DataError(
            f"reference antenna: expected one with less than {GRADES[-1][0]:.0%} flagged, found none of {len(antennas)}"
        )
    best = healthy[:RECOMMENDED]
    return {"antennas": antennas, "recommended": ",".join([*best, *(name for name in chain if name not in best)])}


def rank_path(path: StrPath) -> dict[str, Any]:
    """Rank the antennas of a Measurement Set (by FLAG of its cross-correlations) or of a calibration table (by its solutions)."""
    if (Path(path) / "DATA_DESCRIPTION").is_dir():
        from dsa110_contimg.calibration import stages

        report = stages.flag(path, [], trial=True)
        return {"source": fspath(path), **rank(dict(report["antennas"]))}
    from dsa110_contimg.calibration import caltables

    table = caltables.read(path)
    good = [0] * len(table["antennas"])
    total = 0
    for w in table["windows"]:
        n = (~w["flag_tafr"]).sum(axis=(0, 2, 3))
        good = [a + int(b) for a, b in zip(good, n, strict=True)]
        total += w["flag_tafr"][:, 0].size
    return {
        "source": fspath(path),
        **rank({name: 1.0 - g / max(total, 1) for name, g in zip(table["antennas"], good, strict=True)}),
    }


def write_ranking(path: StrPath, ranking: Mapping[str, Any]) -> Path:
    """Write ``refant_ranking.json`` (key ``recommended``), whole or not at all."""
    out = Path(path)
    partial = out.with_name(f".{out.name}.part")
    partial.write_text(json.dumps(ranking, indent=1) + "\n", encoding="utf-8")
    partial.replace(out)
    return out
