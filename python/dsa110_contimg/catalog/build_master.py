"""The unified list of sources: ``python -m dsa110_contimg.catalog.build_master``.

NVSS leads; VLASS gives the spectral index, FIRST tells what is resolved or confused.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dsa110_contimg._core as _compiled
from dsa110_contimg import ContimgError
from dsa110_contimg.catalog.ingest import _remove, _settle, ingest
from dsa110_contimg.catalog.loaders import load_catalog
from dsa110_contimg.utils.columns import column

if TYPE_CHECKING:
    import pandas as pd

#: A deconvolved FIRST axis above this is resolved [arcsec].
RESOLVED_ARCSEC = 6.0
#: Limits of the reference views.
LIMITS = {"goodref_snr_min": 50.0, "goodref_alpha_min": -1.2, "goodref_alpha_max": 0.2, "finalref_snr_min": 80.0}
VIEWS = ("sources", "good_references", "final_references")
SURVEYS = ("nvss", "vlass", "first", "racs")
NVSS_HZ, VLASS_HZ, RACS_HZ = 1.4e9, 3.0e9, 887.5e6


def unify(
    nvss: pd.DataFrame,
    vlass: pd.DataFrame | None = None,
    first: pd.DataFrame | None = None,
    racs: pd.DataFrame | None = None,
    *,
    match_radius_arcsec: float = 7.5,
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Match the other surveys to NVSS.

    VLASS: the closest within the radius gives ``s_vlass`` and the index from 1.4 to 3 GHz (``S ~ nu^alpha``); without VLASS, RACS
    gives it. More than one VLASS or FIRST match is confusion; a FIRST axis above 6 arcsec is resolved. Where there is no FIRST,
    the NVSS size against its 45 arcsec beam tells (a measured, not a limiting, major axis above 20 arcsec).

    Returns
    -------
    table : pandas.DataFrame
        As `ingest` takes it.
    extra : dict
        Columns s_vlass, s_first, s_racs [Jy], alpha, resolved_flag, confusion_flag, n_first, n_vlass.
    """
    import numpy as np

    n = len(nvss)
    flux = column(nvss["flux_mjy"])
    nan = np.full(n, np.nan)
    extra: dict[str, Any] = {name: nan.copy() for name in ("s_vlass", "s_first", "s_racs")}
    alpha = column(nvss["alpha"]) if "alpha" in nvss else nan.copy()
    resolved, confused = np.zeros(n, dtype=bool), np.zeros(n, dtype=bool)
    counts = {"n_first": np.zeros(n, dtype=np.int64), "n_vlass": np.zeros(n, dtype=np.int64)}
    if "maj_arcsec" in nvss:
        resolved |= column(nvss["maj_arcsec"]) > 20.0
    for name, other in (("s_vlass", vlass), ("s_first", first), ("s_racs", racs)):
        if other is None or other.empty:
            continue
        left, right, separation = _compiled.catalog.match_pairs(
            column(nvss["ra_deg"]),
            column(nvss["dec_deg"]),
            column(other["ra_deg"]),
            column(other["dec_deg"]),
            match_radius_arcsec,
        )
        number = np.bincount(left, minlength=n)
        order = np.lexsort((separation, left))
        unique, where = np.unique(left[order], return_index=True)
        closest = right[order][where]
        extra[name][unique] = column(other["flux_mjy"])[closest] / 1e3
        if name != "s_racs":
            confused |= number > 1
            counts["n_" + name[2:]] = number.astype(np.int64)
        if name == "s_first" and "maj_arcsec" in other:
            resolved[left[column(other["maj_arcsec"])[right] > RESOLVED_ARCSEC]] = True
    with np.errstate(divide="ignore", invalid="ignore"):
        for name, hz in (("s_vlass", VLASS_HZ), ("s_racs", RACS_HZ)):
            index = np.log(extra[name] * 1e3 / flux) / np.log(hz / NVSS_HZ)
            alpha = np.where(np.isfinite(alpha), alpha, index)
    flags = {"resolved_flag": resolved.astype(np.int64), "confusion_flag": confused.astype(np.int64)}
    return nvss.drop(columns=["alpha"], errors="ignore"), {**extra, **counts, **flags, "alpha": column(alpha)}


def build_master(
    nvss: Path,
    out: Path,
    *,
    vlass: Path | None = None,
    first: Path | None = None,
    racs: Path | None = None,
    match_radius_arcsec: float = 7.5,
    stable_ids: Path | None = None,
    limits: Mapping[str, float] | None = None,
    units: Mapping[str, str] | None = None,
    columns: Mapping[str, Mapping[str, str]] | None = None,
    materialize: bool = False,
    export_csv: Path | None = None,
    export_view: str = "sources",
) -> dict[str, Any]:
    """Build ``master_sources.sqlite3``; one that exists is replaced when the new one is whole.

    Parameters
    ----------
    nvss, vlass, first, racs : Path
        Catalogue files; the last three may be left out.
    out : Path
        Database.
    match_radius_arcsec : float
        Radius of the matches.
    stable_ids : Path, optional
        Names, one a line: only those may be final references.
    limits : mapping, optional
        Of the reference views: goodref_snr_min 50, goodref_alpha_min -1.2, goodref_alpha_max 0.2, finalref_snr_min 80.
    units, columns : mapping, optional
        By catalogue (nvss, vlass, first, racs): the unit of its flux (jy, mjy, ujy), and its columns by our names
        (``{"nvss": {"flux_mjy": "S"}}``), where the file does not tell.
    materialize : bool
        Keep the final references as ``final_references_table`` too.
    export_csv, export_view
        Write a view (sources, good_references, final_references) as CSV.

    Raises
    ------
    ValueError
        An unknown limit, unit, column or view.

    Returns
    -------
    dict
        ``output``, ``rows``, ``good_references``, ``final_references``.
    """
    from dsa110_contimg.database import open_database

    unknown = sorted(set(limits or {}) - set(LIMITS))
    if unknown or export_view not in VIEWS:
        raise ValueError(
            f"limits, view: expected {', '.join(LIMITS)}; {', '.join(VIEWS)}, found {unknown or export_view}"
        )
    files = {"nvss": nvss, "vlass": vlass, "first": first, "racs": racs}
    read = {
        name: None
        if path is None
        else load_catalog(path, flux_unit=(units or {}).get(name), columns=(columns or {}).get(name))
        for name, path in files.items()
    }
    leading = read.pop("nvss")
    assert leading is not None  # noqa: S101  # nvss is a path
    table, extra = unify(leading, *read.values(), match_radius_arcsec=match_radius_arcsec)
    meta: dict[str, Any] = {"match_radius_arcsec": match_radius_arcsec}
    meta |= {k: str(p) for k, p in (("nvss", nvss), ("vlass", vlass), ("first", first), ("racs", racs)) if p}
    partial = out.with_name(f".{out.name}.partial")
    out.parent.mkdir(parents=True, exist_ok=True)
    _remove(partial)
    try:
        rows = ingest(table, partial, meta=meta, extra=extra)
        db = open_database(partial, "catalog")
        if stable_ids is not None:
            names = sorted({line.strip() for line in stable_ids.read_text().splitlines() if line.strip()})
            db.insert("stable_ids", [{"source_id": name} for name in names], conflict=("source_id",))
        given = [{"name": name, "value": value} for name, value in (limits or {}).items()]
        db.insert("reference_limits", given, conflict=("name",))
        counts = {v: len(db.select(v, columns=["source_id"])) for v in ("good_references", "final_references")}
        if materialize:
            names = ["source_id", "ra_deg", "dec_deg", "s_nvss", "snr_nvss", "alpha"]
            db.insert("final_references_table", db.select("final_references", columns=names))
        if export_csv is not None:
            db.frame(export_view, order_by=["source_id"]).to_csv(export_csv, index=False)
        del db
        _settle(partial)
        partial.replace(out)
    finally:
        _remove(partial)
    return {"output": str(out), "rows": rows, **counts}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="dsa110_contimg.catalog.build_master", description="Unified source list.")
    parser.add_argument("--nvss", type=Path, required=True)
    for name in ("vlass", "first", "racs", "export-csv", "finalref-ids"):
        parser.add_argument(f"--{name}", type=Path, default=None)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--match-radius-arcsec", type=float, default=7.5)
    for name, value in LIMITS.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=float, default=value)
    parser.add_argument("--materialize-final", action="store_true", help="keep final_references_table too")
    parser.add_argument("--export-view", choices=VIEWS, default="sources", help="what --export-csv writes")
    for name in SURVEYS:
        parser.add_argument(f"--{name}-flux-unit", choices=("jy", "mjy", "ujy"), default=None)
        for ours in ("ra", "dec", "flux"):
            parser.add_argument(f"--map-{name}-{ours}", default=None, metavar="COLUMN", help=f"its {ours} column")
    options = parser.parse_args(arguments)
    try:
        done = build_master(
            options.nvss,
            options.out,
            vlass=options.vlass,
            first=options.first,
            racs=options.racs,
            match_radius_arcsec=options.match_radius_arcsec,
            stable_ids=options.finalref_ids,
            limits={name: getattr(options, name) for name in LIMITS},
            units={name: unit for name in SURVEYS if (unit := getattr(options, f"{name}_flux_unit"))},
            columns={name: _mapped(options, name) for name in SURVEYS},
            materialize=options.materialize_final,
            export_view=options.export_view,
            export_csv=options.export_csv,
        )
    except (ContimgError, ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(json.dumps(done))
    return 0


def _mapped(options: argparse.Namespace, survey: str) -> dict[str, str]:
    ours = {"ra": "ra_deg", "dec": "dec_deg", "flux": "flux_mjy"}
    given = {column: getattr(options, f"map_{survey}_{short}") for short, column in ours.items()}
    return {column: theirs for column, theirs in given.items() if theirs}


if __name__ == "__main__":
    sys.exit(main())
