"""Solves under the original's names: each returns the list of tables it wrote."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from os import PathLike, fspath
from typing import Any

from dsa110_contimg.calibration import stages

logger = logging.getLogger(__name__)

StrPath = str | PathLike[str]


def _combine(*, scan: bool = True, field: bool = False, spw: bool = False) -> str:
    chosen = [word for word, on in (("scan", scan), ("field", field), ("spw", spw)) if on]
    return ",".join(chosen)


def _tables(*tables: StrPath | Sequence[StrPath] | None) -> list[str]:
    out: list[str] = []
    for table in tables:
        if table is None:
            continue
        if isinstance(table, str | PathLike):
            out.append(fspath(table))
        else:
            out.extend(fspath(t) for t in table)
    return out


def _field(cal_field: str, combine_fields: bool, peak_field_idx: int | None) -> str:
    """The full selection; a peak index narrows it only when fields are not combined."""
    if peak_field_idx is not None and not combine_fields:
        return str(peak_field_idx)
    return str(cal_field)


def _solve(ms: StrPath, output: str, term: str, **options: Any) -> str:
    report = stages.solve(ms, output, term, overwrite=True, **options)
    logger.info(
        "%s: %s, refant %s, median SNR %.1f, %.1f %% of working receptors flagged",
        output,
        term,
        report["refant"],
        report["median_snr"],
        100 * report["flagged_fraction_working"],
    )
    return str(report["table"])


def solve_delay(
    ms: str,
    cal_field: str,
    refant: str,
    table_prefix: str | None = None,
    combine_spw: bool = False,
    t_slow: str = "inf",
    t_fast: str | None = "60s",
    uvrange: str = "",
    minsnr: float = 5.0,
    skip_slow: bool = False,
) -> list[str]:
    """Delays: ``<prefix>_kcal`` (interval `t_slow`) and, with `t_fast`, ``<prefix>_2kcal``."""
    prefix = stages.table_prefix(ms, table_prefix)
    common: dict[str, Any] = {
        "field": cal_field,
        **stages.refants(refant),
        "combine": _combine(spw=combine_spw),
        "uvrange": uvrange,
        "minsnr": minsnr,
    }
    tables = []
    if not skip_slow:
        tables.append(_solve(ms, f"{prefix}_kcal", "K", solint=t_slow, **common))
    if t_fast:
        tables.append(_solve(ms, f"{prefix}_2kcal", "K", solint=t_fast, gaintable=_tables(tables), **common))
    return tables


def solve_prebandpass_phase(
    ms: str,
    cal_field: str,
    refant: str,
    table_prefix: str | None = None,
    combine_fields: bool = False,
    combine_spw: bool = False,
    uvrange: str = "",
    solint: str = "30s",
    minsnr: float = 3.0,
    peak_field_idx: int | None = None,
    minblperant: int | None = None,
    spw: str | None = None,
    table_name: str | None = None,
    *,
    ktable: str | None = None,
) -> list[str]:
    """Phases before the bandpass (used for its solve alone, never applied to targets): ``<prefix>_prebp_phase``.

    With delays in use give their table: phases solved without it would hold the delays' phases a second time.
    """
    output = table_name or f"{stages.table_prefix(ms, table_prefix)}_prebp_phase"
    options: dict[str, Any] = {
        "calmode": "p",
        "solint": solint,
        "field": _field(cal_field, combine_fields, peak_field_idx),
        "combine": _combine(field=combine_fields, spw=combine_spw),
        **stages.refants(refant),
        "uvrange": uvrange,
        "minsnr": minsnr,
        "spw": spw or "",
        "gaintable": _tables(ktable),
    }
    if minblperant is not None:
        options["minblperant"] = minblperant
    return [_solve(ms, output, "G", **options)]


def solve_bandpass(
    ms: str,
    cal_field: str,
    refant: str,
    ktable: str | None,
    table_prefix: str | None = None,
    set_model: bool = True,
    model_standard: str = "Perley-Butler 2017",
    combine_fields: bool = False,
    combine_spw: bool = False,
    minsnr: float = 5.0,
    uvrange: str = "",
    prebandpass_phase_table: str | None = None,
    bp_smooth_type: str | None = None,
    bp_smooth_window: int | None = None,
    peak_field_idx: int | None = None,
    combine: str | None = None,
    *,
    chanbin: int = 1,
) -> list[str]:
    """The bandpass, normalised: ``<prefix>_bpcal``. The model must be in MODEL_DATA (a zero model is refused).

    `chanbin` channels share one solution.
    """
    del set_model, model_standard  # the original passed them to setjy; here a model is written before, by `model`
    output = f"{stages.table_prefix(ms, table_prefix)}_bpcal"
    options: dict[str, Any] = {
        "field": _field(cal_field, combine_fields, peak_field_idx),
        "combine": combine if combine is not None else _combine(field=combine_fields, spw=combine_spw),
        **stages.refants(refant),
        "uvrange": uvrange,
        "minsnr": minsnr,
        "solnorm": True,
        "fillgaps": 3,
        **({"chanbin": chanbin} if chanbin > 1 else {}),
        "smooth_type": bp_smooth_type or "none",
        "gaintable": _tables(ktable, prebandpass_phase_table),
    }
    if bp_smooth_window is not None:
        options["smooth_window"] = float(bp_smooth_window)
    return [_solve(ms, output, "B", **options)]


def solve_gains(
    ms: str,
    cal_field: str,
    refant: str,
    ktable: str | None,
    bptables: Sequence[str],
    table_prefix: str | None = None,
    t_short: str | None = "60s",
    combine_fields: bool = False,
    *,
    phase_only: bool = False,
    uvrange: str = "",
    solint: str = "inf",
    minsnr: float = 5.0,
    peak_field_idx: int | None = None,
    calmode: str | None = None,
) -> list[str]:
    """Gains on top of the bandpass: ``<prefix>_gpcal`` (`solint`) and, with `t_short`, ``<prefix>_2gcal``.

    `calmode` (``ap``, ``p`` or ``a``) takes the place of `phase_only`.
    """
    prefix = stages.table_prefix(ms, table_prefix)
    before = _tables(ktable, list(bptables))
    options: dict[str, Any] = {
        "calmode": calmode or ("p" if phase_only else "ap"),
        "field": _field(cal_field, combine_fields, peak_field_idx),
        "combine": _combine(field=combine_fields),
        **stages.refants(refant),
        "uvrange": uvrange,
        "minsnr": minsnr,
    }
    tables = [_solve(ms, f"{prefix}_gpcal", "G", solint=solint, gaintable=before, **options)]
    if t_short:
        tables.append(_solve(ms, f"{prefix}_2gcal", "G", solint=t_short, gaintable=[*before, *tables], **options))
    return tables
