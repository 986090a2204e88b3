"""Tables into files that other programs read."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from dsa110_contimg.photometry.source import Source


def write_table(table: pd.DataFrame, path: str | os.PathLike[str]) -> Path:
    """Write a table as CSV, Parquet (needs `pyarrow`) or VOTable, by the path's ending; a file that exists is replaced whole.

    Raises
    ------
    ValueError
        Another ending.
    ModuleNotFoundError
        Parquet without `pyarrow`.
    """
    target = Path(path)
    writers: dict[str, Callable[[Path], object]] = {
        ".csv": lambda p: table.to_csv(p, index=False),
        ".parquet": lambda p: _parquet(table, p),
        ".vot": lambda p: _votable(table, p),
        ".xml": lambda p: _votable(table, p),
    }
    writer = writers.get(target.suffix.lower())
    if writer is None:
        raise ValueError(f"{target}: expected a path ending in {', '.join(writers)}, found {target.suffix!r}")
    partial = target.with_name(f".{target.stem}.partial{target.suffix}")
    try:
        writer(partial)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
    return target


#: What is said where a Parquet file is asked for and cannot be had.
NO_PARQUET = "Parquet: expected the package pyarrow, found none; the extra 'parquet' brings it: pip install 'dsa110_contimg[parquet]'"


def _parquet(table: pd.DataFrame, path: Path) -> None:
    try:
        table.to_parquet(path, index=False, engine="pyarrow")
    except ImportError as error:
        raise ModuleNotFoundError(NO_PARQUET) from error


def _votable(table: pd.DataFrame, path: Path) -> None:
    import pandas as pd
    from astropy.table import Table

    plain = table.copy()
    for name in plain.columns:
        if not pd.api.types.is_numeric_dtype(plain[name]):
            plain[name] = ["" if pd.isna(v) else str(v) for v in plain[name]]
            plain[name] = plain[name].astype(object)
    Table.from_pandas(plain).write(path, format="votable", overwrite=True)


def export_regions(sources: Iterable[Source], path: str | os.PathLike[str], radius_arcsec: float = 30.0) -> Path:
    """Write circles around sources: DS9 regions, or for a path ending in ``.ann`` a Karma annotation."""
    target = Path(path)
    if target.suffix.lower() == ".ann":
        lines = ["COORD W", "PA STANDARD", "COLOR GREEN"]
        for s in sources:
            lines.append(f"CIRCLE {s.ra_deg:.7f} {s.dec_deg:.7f} {radius_arcsec / 3600.0:.7f}")
            lines.append(f"TEXT {s.ra_deg:.7f} {s.dec_deg:.7f} {s.name}")
    else:
        lines = ["# Region file format: DS9", "icrs"]
        for s in sources:
            lines.append(f'circle({s.ra_deg:.7f},{s.dec_deg:.7f},{radius_arcsec:g}") # text={{{s.name}}}')
    partial = target.with_name(f".{target.name}.partial")
    partial.write_text("\n".join(lines) + "\n")
    partial.replace(target)
    return target
