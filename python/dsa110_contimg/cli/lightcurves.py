"""`contimg lightcurves`: statistics and verdicts for light curves of any survey, from a CSV."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dsa110_contimg.cli.console import JsonOption, emit, out


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("lightcurves")(lightcurves)


def lightcurves(
    file: Annotated[
        Path, typer.Argument(help="CSV (or Parquet, VOTable, FITS): source_id, mjd, freq_hz, flux_jy, flux_err_jy.")
    ],
    min_epochs: Annotated[int, typer.Option(help="Fewest epochs of a nomination.")] = 20,
    plots: Annotated[Path | None, typer.Option(help="Directory for a PNG of every source.")] = None,
    json_output: JsonOption = False,
) -> None:
    """Judge light curves from a table: no images, no database."""
    from dsa110_contimg.photometry.curves_file import judge_table, plot_table, read_curves

    table_in = read_curves(file)
    payload = judge_table(table_in, options={"min_epochs": min_epochs})
    if plots is not None:
        plot_table(table_in, payload["sources"], plots)

    def human() -> None:
        from rich.table import Table

        table = Table("source", "bands", "epochs", "eta", "V", "score", "ln BF", "verdict")
        for s in payload["sources"]:
            band = max(s["bands"], key=lambda b: b["n"])
            numbers = [
                "-" if x is None else f"{x:.3g}" for x in (band["eta"], band["v"], s["ese_score"], s["log_bf_lens"])
            ]
            table.add_row(s["source_id"], str(len(s["bands"])), str(band["n"]), *numbers, s["verdict"])
        out.print(table)
        # Reasons are sentences: below the table, where they have the width of the terminal.
        for s in payload["sources"]:
            if s["verdict"] in {"candidate", "variable"}:
                out.print(f"{s['source_id']}: {'; '.join(s['reasons'])}", markup=False, highlight=False)

    emit(payload, json_output, human)
