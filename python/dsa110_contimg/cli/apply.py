"""``contimg apply``: calibration tables onto a Measurement Set."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dsa110_contimg.cli import console
from dsa110_contimg.cli.console import JsonOption


def apply(
    ms: Annotated[Path, typer.Argument(help="Measurement Set.")],
    *,
    tables: Annotated[
        list[Path], typer.Option("--tables", "-t", help="A table; repeat in the order of the signal path.")
    ],
    interp: Annotated[
        list[str] | None, typer.Option("--interp", help="One a table: 'nearest', 'linear,nearest', ...")
    ] = None,
    field: Annotated[str, typer.Option("--field", help="Fields in CASA's words.")] = "",
    spw: Annotated[str, typer.Option("--spw", help="Spectral windows in CASA's words.")] = "",
    calwt: Annotated[bool, typer.Option("--calwt/--no-calwt", help="Scale weights by the gains.")] = True,
    applymode: Annotated[str, typer.Option("--applymode", help="calflag, calonly, flagonly or trial.")] = "calflag",
    max_age_days: Annotated[float, typer.Option("--max-age", help="Oldest table [days].")] = 30.0,
    max_dec_deg: Annotated[float, typer.Option("--max-dec", help="Table furthest in declination [deg].")] = 5.0,
    json_output: JsonOption = False,
) -> None:
    """Write CORRECTED_DATA, flag what has no solution, and scale the weights."""
    from dsa110_contimg.calibration import stages

    with console.bar("apply", quiet=json_output) as progress:
        report = stages.apply(
            ms, tables, interp=interp or [], field=field, spw=spw, calwt=calwt, applymode=applymode,
            max_age_days=max_age_days, max_dec_deg=max_dec_deg, progress=progress,
        )  # fmt: skip
    done = "tried, nothing written" if applymode == "trial" else "applied"
    console.emit(
        report,
        json_output,
        lambda: console.out.print(
            f"{ms}: {len(tables)} tables {done}, mean corrected amplitude {report['mean_amplitude']:.4g}, "
            f"{100 * report['flagged_fraction']:.2f} % flagged"
        ),
    )


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("apply")(apply)
