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
    from rich.table import Table

    def number(value: float | None, form: str = ".4g") -> str:
        return "-" if value is None else format(value, form)

    unit = " ns" if report["term"] == "K" else ""
    console.out.print(
        f"{report['table']}: {report['term']} of {report['ms_name']}, {report['antennas']} antennas, "
        f"{report['working_receptors']} working receptors, {report['solutions']} solutions"
    )
    console.out.print(
        f"flagged {100 * report['flagged_fraction']:.2f} % of all, {100 * report['flagged_fraction_working']:.2f} % of "
        f"working receptors; median SNR {number(report['median_snr'])}"
    )
    size = "delay" if report["term"] == "K" else "amplitude"
    scatter = report["amplitude_scatter"]
    console.out.print(f"median {size} {number(report['median_amplitude'])}{unit}, scatter {number(scatter)}{unit}")
    if report["flux_scale_error"] is not None:
        console.out.print(f"relative error put on fluxes {report['flux_scale_error']:.2g}")
    shown = Table("window", "MHz", "intervals", "flagged %")
    for w in report["windows"]:
        low, high = w["freq_range_mhz"]
        shown.add_row(
            str(w["spw"]), f"{low:.3f} to {high:.3f}", str(w["intervals"]), f"{100 * w['flagged_fraction']:.2f}"
        )
    console.out.print(shown)


def register(main: typer.Typer) -> None:
    """Add the commands."""
    main.add_typer(app, name="caltable")
