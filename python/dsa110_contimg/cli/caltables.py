"""``contimg caltable``: what a calibration table holds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from dsa110_contimg.cli import console
from dsa110_contimg.cli.console import JsonOption

app = typer.Typer(no_args_is_help=True, help="Calibration tables.")


@app.command()
def inspect(
    table: Annotated[Path, typer.Argument(help="A CASA table of K, B or G solutions.")], json_output: JsonOption = False
) -> None:
    """Term, antennas, windows, flagged fractions, amplitudes, SNR."""
    from dsa110_contimg.calibration.caltables import summary

    report = summary(table)
    console.emit(report, json_output, lambda: _print(report))


@app.command()
def compare(
    first: Annotated[Path, typer.Argument(help="A table.")],
    second: Annotated[Path, typer.Argument(help="Another one of the same shape.")],
    *,
    tolerance: Annotated[float, typer.Option("--tolerance", help="Largest difference that counts as none.")] = 1e-6,
    json_output: JsonOption = False,
) -> None:
    """Greatest difference of unflagged solutions."""
    from dsa110_contimg.calibration import caltables

    report = caltables.compare(first, second, tolerance)
    console.emit(report, json_output, lambda: console.out.print(str(report)), ok=report["same"])


@app.command()
def report(
    tables: Annotated[list[Path], typer.Argument(help="CASA tables of K, B or G solutions.")],
    *,
    out: Annotated[Path | None, typer.Option("--out", help="Directory of a PNG per table and index.html.")] = None,
    json_output: JsonOption = False,
) -> None:
    """Verdicts with value, limit and reason; with --out also plots and a page."""
    from dsa110_contimg.calibration.quality import report as judge

    result = judge(list(tables), out)
    console.emit(result, json_output, lambda: _print_verdicts(result), ok=result["verdict"] != "fail")


def _print_verdicts(result: dict[str, Any]) -> None:
    from rich.table import Table

    colours = {"pass": "green", "warn": "yellow", "fail": "red"}
    shown = Table("table", "what", "value", "limit", "verdict", "reason")
    for entry in result["tables"]:
        for v in entry["verdicts"]:
            word = f"[{colours[v['verdict']]}]{v['verdict']}[/]"
            shown.add_row(
                Path(entry["table"]).name, v["name"], f"{v['value']:.4g}", f"{v['limit']:.4g}", word, v["reason"]
            )
    console.out.print(shown)
    if "html" in result:
        console.out.print(result["html"])


def _print(report: dict[str, Any]) -> None:
    for key, value in report.items():
        if key != "windows":
            console.out.print(f"{key}: {value}")


def register(main: typer.Typer) -> None:
    """Add the commands."""
    main.add_typer(app, name="caltable")
