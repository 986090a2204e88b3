"""``contimg model``: a sky model into MODEL_DATA."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dsa110_contimg.cli import console
from dsa110_contimg.cli.console import CommandError, JsonOption


def model(
    ms: Annotated[Path, typer.Argument(help="Measurement Set.")],
    *,
    sky_csv: Annotated[
        Path | None,
        typer.Option("--sky", help="CSV with ra_deg, dec_deg, flux_jy (at 1.4 GHz) and, optionally, alpha."),
    ] = None,
    point: Annotated[str, typer.Option("--point", help="RA_DEG,DEC_DEG,FLUX_JY[,ALPHA].")] = "",
    calibrator: Annotated[str, typer.Option("--calibrator", help="Name in the VLA calibrator list.")] = "",
    beam: Annotated[str, typer.Option("--beam", help="airy, or none: the fluxes are apparent.")] = "airy",
    field: Annotated[str, typer.Option("--field", help="Fields in CASA's words.")] = "",
    spw: Annotated[str, typer.Option("--spw", help="Spectral windows in CASA's words.")] = "",
    json_output: JsonOption = False,
) -> None:
    """Write MODEL_DATA by exact prediction, every field about its own phase centre."""
    from dsa110_contimg.calibration import sky, stages

    given = [name for name, value in (("--sky", sky_csv), ("--point", point), ("--calibrator", calibrator)) if value]
    if len(given) != 1:
        raise CommandError(
            f"model: expected one of --sky, --point, --calibrator, found {' and '.join(given) or 'none'}"
        )
    if sky_csv is not None:
        chosen = sky.from_csv(sky_csv)
    elif point:
        chosen = sky.parse_point(point)
    else:
        from dsa110_contimg.calibration.catalogs import calibrator as find

        entry = find(calibrator)
        chosen = sky.point(entry["ra_deg"], entry["dec_deg"], entry["flux_jy"], name=entry["name"])
    chosen["beam"] = beam
    with console.bar("model", quiet=json_output) as progress:
        report = stages.write_model(ms, chosen, field=field, spw=spw, progress=progress)
    console.emit(
        report,
        json_output,
        lambda: console.out.print(
            f"{ms}: {report['sources']} sources into MODEL_DATA of {report['rows']} rows, mean {report['mean_jy']:.4g} Jy"
        ),
    )


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("model")(model)
