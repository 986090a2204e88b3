"""``contimg delays``: the delays of every antenna."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from dsa110_contimg.cli import console
from dsa110_contimg.cli.console import JsonOption


def delays(
    ms: Annotated[Path, typer.Argument(help="Measurement Set with a model in MODEL_DATA.")],
    *,
    field: Annotated[str, typer.Option("--field", help="Fields in CASA's words.")] = "",
    refant: Annotated[str, typer.Option("--refant", help="Ranked list of reference antennas.")] = "103",
    point: Annotated[str, typer.Option("--point", help="Model instead: RA_DEG,DEC_DEG,FLUX_JY[,ALPHA].")] = "",
    json_output: JsonOption = False,
) -> None:
    """Solve delays over the whole band and print them; nothing is written."""
    from dsa110_contimg.calibration import delays as measure
    from dsa110_contimg.calibration import sky

    report = measure.measure(ms, field=field, refant=refant, model=sky.parse_point(point) if point else None)
    console.emit(report, json_output, lambda: _print(report))


def _print(report: dict[str, Any]) -> None:
    table = Table("antenna", "delay [ns]", "error [ns]", "")
    for a in report["antennas"]:
        shown = ["  ".join("-" if v is None else f"{v:.3f}" for v in a[key]) for key in ("delay_ns", "error_ns")]
        table.add_row(a["name"], *shown, "notable" if a["notable"] else "")
    console.out.print(table)
    console.out.print(
        f"reference {report['refant']}; median |delay| {report['median_abs_ns']:.3f} ns, greatest "
        f"{report['max_abs_ns']:.3f} ns"
    )


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("delays")(delays)
