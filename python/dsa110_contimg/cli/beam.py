"""``contimg beam``: look at a file of a primary beam."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from dsa110_contimg.cli import console
from dsa110_contimg.cli.console import JsonOption
from dsa110_contimg.utils.files import whole


def beam(
    file: Annotated[Path, typer.Argument(help="HDF5 (electric fields or table) or FITS (image or cube of power).")],
    *,
    plot: Annotated[
        Path | None, typer.Option("--plot", help="PNG of power against angle, beside the Airy beam.")
    ] = None,
    json_output: JsonOption = False,
) -> None:
    """Read a primary beam as `image --beam FILE` would: its width by frequency, its reach, how round it is."""
    from dsa110_contimg.beam import describe

    report = describe(file)
    if plot is not None:
        from dsa110_contimg.plots.beams import beam_png

        with whole(plot) as picture:
            picture.write(beam_png(report))
        report["plot"] = str(plot)

    def show() -> None:
        table = Table("frequency [GHz]", "FWHM [deg]", "as a dish of [m]")
        for freq, fwhm, dish in zip(report["freq_hz"], report["fwhm_deg"], report["airy_diameter_m"], strict=True):
            wide = ("-", "-") if fwhm is None else (f"{fwhm:.3f}", f"{dish:.2f}")
            table.add_row(f"{freq / 1e9:.4f}", *wide)
        console.out.print(table)
        console.out.print(
            f"to {report['reach_deg']:.2f} deg from the axis; out of round by at most {report['asymmetry']:.3f} of the "
            "response on the axis (the average round the axis is used)"
        )

    console.emit(report, json_output, show)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("beam")(beam)
