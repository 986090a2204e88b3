"""Light curves in a table of any origin: source_id, mjd, freq_hz, flux_jy, flux_err_jy."""

from __future__ import annotations

import itertools
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
_UNITS = {"jy": 1.0, "mjy": 1e-3, "ujy": 1e-6, "hz": 1.0, "khz": 1e3, "mhz": 1e6, "ghz": 1e9, "d": 1.0, "day": 1.0}
_ALIASES = {
    **dict.fromkeys(("source_id", "source", "name", "id", "object"), "source_id"),
    **dict.fromkeys(("mjd", "time_mjd", "time", "date_mjd", "jd"), "mjd"),
    **dict.fromkeys(("freq", "frequency", "nu"), "freq_hz"),
    **dict.fromkeys(("flux", "flux_density", "s", "peak_flux", "flux_peak"), "flux_jy"),
    **dict.fromkeys(("flux_err", "err", "error", "flux_error", "e_flux", "sigma", "flux_peak_err"), "flux_err_jy"),
}
_BLANK = {"nan", "na", "n/a", "null", "none", "-", "--", "<na>"}
_FIRST_JD = 2_400_000.5
_BAND = {"mean": "mean", "eta": "eta", "v": "v", "vs_max": "vs_max", "m_max": "m_max", "chi2_nu": "chi2_nu"}


def read_curves(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Read light curves from a CSV, Parquet, VOTable, ECSV or FITS table.

    Names of columns may differ in case and come with spaces; ``name``, ``time``, ``freq``, ``flux`` and ``flux_err`` and the
    like are understood, and so are MHz, GHz, mJy and uJy in a name (``flux_mjy``, ``freq_ghz``). Times above 2,400,000
    are Julian dates. Other columns are ignored; blank cells are points without a value; of rows that are equal in all
    five columns one counts. Rows need not be sorted, and frequencies may be missing.

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
        raise FileNotFoundError(f"{file}: expected a table of light curves, found none")
    table = _named(_load(file), file)
    for name in COLUMNS[1:]:
        numbers = pd.to_numeric(table[name], errors="coerce")
        given = table[name].notna() & (table[name].astype(str).str.strip() != "")
        bad = numbers.isna() & given & ~table[name].astype(str).str.strip().str.lower().isin(_BLANK)
        if bool(bad.any()):
            row = int(bad.to_numpy().argmax())
            raise DataError(f"{file}: expected numbers in {name}, found {table[name].iloc[row]!r} in row {row + 1}")
        table[name] = numbers.astype(float)
    table["mjd"] = table["mjd"].where(~(table["mjd"] > _FIRST_JD), table["mjd"] - 2_400_000.5)
    if bool((table["freq_hz"] <= 0).any()):
        row = int((table["freq_hz"] <= 0).to_numpy().argmax())
        raise DataError(f"{file}: expected positive frequencies, found {table['freq_hz'].iloc[row]} in row {row + 1}")
    table["source_id"] = table["source_id"].fillna("").astype(str).str.strip()
    return table[list(COLUMNS)].drop_duplicates(ignore_index=True)


def _load(file: Path) -> pd.DataFrame:
    import pandas as pd

    kind = file.suffix.lower()
    try:
        if kind in {".parquet", ".pq"}:
            return _read_parquet(file)
        if kind in {".vot", ".xml", ".votable", ".ecsv", ".fits", ".fit"}:
            from astropy.table import Table

            table = Table.read(file)
            scaled = {n: table[n].unit for n in table.colnames if getattr(table[n], "unit", None) is not None}
            frame: pd.DataFrame = table.to_pandas()
            return frame.rename(columns={n: _with_unit(n, str(unit)) for n, unit in scaled.items()})
        # Spaces, tabs or semicolons instead of commas; a byte order mark; lines of comment, but names may hold a "#", and sources may be
        # called NA.
        with file.open(encoding="utf-8-sig") as stream:
            above = list(itertools.takewhile(lambda line: not line.strip() or line.startswith("#"), stream))
            stream.seek(0)
            head = next(itertools.islice(stream, len(above), None), "")
        separator = next((c for c in (",", ";", "\t") if c in head), r"\s+")
        rows: pd.DataFrame = pd.read_csv(
            file,
            skiprows=len(above),
            dtype=str,
            sep=separator,
            encoding="utf-8-sig",
            skip_blank_lines=True,
            index_col=False,
            keep_default_na=False,
        )
        return rows[~rows.iloc[:, 0].astype(str).str.startswith("#")]
    except (ValueError, ImportError, TypeError) as error:
        raise DataError(f"{file}: expected a table with a header line, found: {error}") from error


def _read_parquet(file: Path) -> pd.DataFrame:
    import pandas as pd

    from dsa110_contimg.photometry.export import NO_PARQUET

    try:
        return pd.read_parquet(file, engine="pyarrow")
    except ImportError as error:
        raise ValueError(NO_PARQUET) from error


def _with_unit(name: str, unit: str) -> str:
    short = unit.lower().split("/", maxsplit=1)[0].strip()
    plain = name.lower().rsplit("_", maxsplit=1)[0] if name.lower().endswith(("_jy", "_hz")) else name
    return f"{plain}_{short}" if short in _UNITS else name


def _named(table: pd.DataFrame, file: Path) -> pd.DataFrame:
    """The five columns, in our names and units."""
    import pandas as pd

    found: dict[str, Any] = {}
    for given in table.columns:
        plain = str(given).strip().lower().replace(" ", "_")
        stem, _, unit = plain.rpartition("_")
        scale = 1.0
        if stem and unit in _UNITS:
            plain, scale = stem, _UNITS[unit]
        ours = _ALIASES.get(plain)
        if ours is None or (ours in found and plain != ours.rsplit("_", 1)[0] and str(given).strip() != ours):
            continue
        values = table[given]
        found[ours] = values if scale == 1.0 else pd.to_numeric(values, errors="coerce") * scale
    if "freq_hz" not in found:
        found["freq_hz"] = pd.Series(float("nan"), index=table.index)
    missing = [name for name in COLUMNS if name not in found]
    if missing:
        raise DataError(
            f"{file}: expected columns {', '.join(COLUMNS)}, found no {', '.join(missing)} among "
            f"{', '.join(map(str, table.columns))}"
        )
    return pd.DataFrame(found)


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
    curves: dict[str, list[tuple[float | None, tuple[Any, Any, Any]]]] = {name: [] for name in sources}
    for name, freq, curve in bands.values():
        curves[name].append((freq, curve))
    for name, judged in ese.judge_bands(curves, options=options).items():
        sources[name] |= {
            "ese_score": judged["score"]["total"],
            "log_bf_lens": judged["log_bf_lens"],
            "verdict": judged["verdict"],
            "events": [{key: e[key] for key in ("mjd_start", "mjd_end", "depth")} for e in judged["events"]],
            "reasons": judged["reasons"],
        }
    return {"sources": list(sources.values())}


def plot_table(table: pd.DataFrame, sources: list[dict[str, Any]], directory: str | os.PathLike[str]) -> list[Path]:
    """Draw every judged source of a table into `directory`; returns the PNGs."""
    from dsa110_contimg.plots.lightcurves import plot_lightcurve

    out = Path(directory)
    out.mkdir(parents=True, exist_ok=True)
    parts = dict(list(table.groupby("source_id", sort=False)))
    written = []
    for source in sources:
        name = source["source_id"]
        safe = "".join(c if c.isalnum() or c in "+-._" else "_" for c in name) or "unnamed"
        bf = source["log_bf_lens"]
        title = f"{name}   {source['verdict']}" + ("" if bf is None else f", ln Bayes factor of a lens {bf:.1f}")
        figure = plot_lightcurve(parts[name].sort_values("mjd"), title=title, events=source["events"])
        written.append(out / f"{safe}.png")
        figure.savefig(written[-1], dpi=110)
    return written


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
