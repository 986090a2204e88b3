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


def _print(report: dict[str, Any]) -> None:
    for key, value in report.items():
        if key != "windows":
            console.out.print(f"{key}: {value}")


def register(main: typer.Typer) -> None:
    """Add the commands."""
    main.add_typer(app, name="caltable")
