"""``contimg refant``: reference antennas ranked by the health of their data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from dsa110_contimg.cli import console
from dsa110_contimg.cli.console import JsonOption


def refant(
    path: Annotated[Path, typer.Argument(help="Measurement Set or calibration table.")],
    *,
    out: Annotated[
        Path | None, typer.Option("--out", help="JSON for 'calibrate --refant-ranking', key 'recommended'.")
    ] = None,
    json_output: JsonOption = False,
) -> None:
    """Rank antennas by their flagged fractions and recommend a list of reference antennas."""
    from dsa110_contimg.calibration.refant import rank_path, write_ranking

    ranking = rank_path(path)
    if out is not None:
        ranking["written"] = str(write_ranking(out, ranking))

    def show() -> None:
        table = Table("antenna", "flagged %", "grade")
        for a in ranking["antennas"][:20]:
            table.add_row(a["name"], f"{100 * a['flagged_fraction']:.1f}", a["grade"])
        console.out.print(table)
        console.out.print(f"recommended: {ranking['recommended']}")

    console.emit(ranking, json_output, show)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("refant")(refant)
