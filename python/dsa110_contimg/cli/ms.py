"""``contimg ms``: look at, verify and configure Measurement Sets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from dsa110_contimg.cli.console import JsonOption, emit, out

_Path = Annotated[Path, typer.Argument(help="The Measurement Set.")]


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(help="Measurement Sets: what is in them, and whether they are sound.", no_args_is_help=True)
    group.command("info")(info)
    group.command("verify")(verify)
    group.command("configure")(configure)
    app.add_typer(group, name="ms")


def info(ms: _Path, json_output: JsonOption = False) -> None:
    """Say what a Measurement Set holds: its subtables, time range and provenance."""
    from dsa110_contimg import _core

    meta = _core.ms.meta(ms)
    emit(meta, json_output, lambda: _print_info(meta))


def verify(
    ms: _Path,
    imaging_columns: Annotated[
        bool, typer.Option("--imaging-columns/--no-imaging-columns", help="Demand the columns of imaging.")
    ] = True,
    json_output: JsonOption = False,
) -> None:
    """Check a Measurement Set: one verdict with value, limit and reason a check; exit code 1 when one fails."""
    from dsa110_contimg import _core

    report = _core.ms.verify(ms, imaging_columns=imaging_columns)
    emit(report, json_output, lambda: _print_verdicts(report), ok=report["ok"])


def configure(
    ms: _Path,
    mount: Annotated[str | None, typer.Option("--mount", help="MOUNT of every antenna.")] = None,
    telescope_name: Annotated[str | None, typer.Option("--telescope-name", help="TELESCOPE_NAME.")] = None,
    json_output: JsonOption = False,
) -> None:
    """Add MODEL_DATA, CORRECTED_DATA and WEIGHT_SPECTRUM where they are missing."""
    from dsa110_contimg import _core

    added = _core.ms.configure(ms, mount=mount, telescope_name=telescope_name)
    emit({"ms": str(ms), "added": added}, json_output, lambda: out.print("added:", ", ".join(added) or "nothing"))


def _print_verdicts(report: dict[str, Any]) -> None:
    table = Table("check", "value", "limit", "ok", "reason")
    for v in report["verdicts"]:
        mark = "[green]yes[/]" if v["ok"] else "[red]no[/]"
        table.add_row(v["name"], f"{v['value']:.4g}", f"{v['limit']:g}", mark, v["reason"])
    out.print(table)


def _print_info(meta: dict[str, Any]) -> None:
    out.print(f"{meta['path']}: {meta['telescope']}, {meta['n_rows']} rows, {len(meta['antennas'])} antennas")
    first, last = (t / 86400.0 for t in meta["time_range_mjd_s"])
    out.print(f"MJD {first:.6f} to {last:.6f}, {len(meta['fields'])} fields, {len(meta['spws'])} spectral windows")
    out.print("columns: " + ", ".join(meta["columns"]))
