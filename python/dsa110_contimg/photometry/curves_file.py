"""Light curves in a table of any origin: source_id, mjd, freq_hz, flux_jy, flux_err_jy."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dsa110_contimg import DataError
from dsa110_contimg.photometry import ese
from dsa110_contimg.photometry.variability import summarise

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("source_id", "mjd", "freq_hz", "flux_jy", "flux_err_jy")
_BAND = {"mean": "mean", "eta": "eta", "v": "v", "vs_max": "vs_max", "m_max": "m_max", "chi2_nu": "chi2_nu"}


def read_curves(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Read a CSV of light curves.

    Raises
    ------
    OSError
        No such file.
    DataError
        Missing columns, or a column that is no number.
    """
    import pandas as pd

    file = Path(path)
    if not file.is_file():
        raise FileNotFoundError(f"{file}: expected a CSV of light curves, found none")
    try:
        table = pd.read_csv(file, comment="#", dtype={"source_id": str})
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise DataError(f"{file}: expected a CSV with a header line, found: {error}") from error
    if "freq_hz" not in table and "source_id" in table:
        table["freq_hz"] = float("nan")
    missing = [name for name in COLUMNS if name not in table]
    if missing:
        raise DataError(f"{file}: expected columns {', '.join(COLUMNS)}, found no {', '.join(missing)}")
    for name in COLUMNS[1:]:
        numbers = pd.to_numeric(table[name], errors="coerce")
        bad = numbers.isna() & table[name].notna()
        if bool(bad.any()):
            row = int(bad.to_numpy().argmax())
            raise DataError(f"{file}: expected numbers in {name}, found {table[name].iloc[row]!r} in row {row + 1}")
        table[name] = numbers.astype(float)
    table["source_id"] = table["source_id"].fillna("")
    return table[list(COLUMNS)]


def judge_table(table: pd.DataFrame, *, options: dict[str, Any] | None = None) -> dict[str, Any]:
    """Statistics of every band and a verdict on every source: what ``contimg lightcurves --json`` prints."""
    bands = _groups(table)
    statistics = summarise({key: curve for key, (_, _, curve) in bands.items()})
    sources: dict[str, dict[str, Any]] = {}
    rows: dict[Any, dict[Any, Any]] = statistics.to_dict("index")
    for key, (name, freq, _) in bands.items():
        row = rows[key]
        band = {"freq_hz": freq, "n": int(row["n"])} | {k: _number(row[c]) for k, c in _BAND.items()}
        sources.setdefault(name, {"source_id": name, "bands": []})["bands"].append(band)
    curves = {name: [(f, c) for n, f, c in bands.values() if n == name] for name in sources}
    for name, judged in ese.judge_bands(curves, options=options).items():
        sources[name] |= {
            "ese_score": judged["score"]["total"],
            "log_bf_lens": judged["log_bf_lens"],
            "verdict": judged["verdict"],
            "events": judged["events"],
            "reasons": judged["reasons"],
        }
    return {"sources": list(sources.values())}


def _groups(table: pd.DataFrame) -> dict[str, tuple[str, float | None, tuple[Any, Any, Any]]]:
    out: dict[str, tuple[str, float | None, tuple[Any, Any, Any]]] = {}
    name: Any
    freq: Any
    for (name, freq), part in table.groupby(["source_id", "freq_hz"], sort=True, dropna=False):
        ordered = part.sort_values("mjd", kind="stable")
        band = None if freq != freq else float(freq)
        curve = (ordered["mjd"], ordered["flux_jy"], ordered["flux_err_jy"])
        out[f"{name}\0{freq}"] = (str(name), band, curve)
    return out


def _number(value: Any) -> float | None:
    number = float(value)
    return number if math.isfinite(number) else None
