"""``contimg model``: a sky model into MODEL_DATA."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from dsa110_contimg.cli import console
from dsa110_contimg.cli.console import CommandError, JsonOption


def model(
    ms: Annotated[Path, typer.Argument(help="Measurement Set.")],
    *,
    sky_csv: Annotated[
        Path | None,
        typer.Option(
            "--sky",
            help="CSV (ra_deg, dec_deg, flux_jy at 1.4 GHz, alpha), DS9 regions (.reg), a model image (.fits, Jy/pixel) "
            "or a WSClean source list.",
        ),
    ] = None,
    point: Annotated[str, typer.Option("--point", help="RA_DEG,DEC_DEG,FLUX_JY[,ALPHA].")] = "",
    calibrator: Annotated[str, typer.Option("--calibrator", help="Name in the VLA calibrator list.")] = "",
    flux_scale: Annotated[str, typer.Option("--perley-butler", help="Flux calibrator of Perley & Butler 2017.")] = "",
    catalog: Annotated[str, typer.Option("--catalog", help="Sources about the middle field: nvss or a file.")] = "",
    radius: Annotated[float, typer.Option("--radius", help="For --catalog [degrees].")] = 1.5,
    min_flux: Annotated[float, typer.Option("--min-flux", help="For --catalog [mJy].")] = 5.0,
    beam: Annotated[
        str,
        typer.Option(
            "--beam",
            help="airy, a file of a beam, or none: the fluxes are apparent (as those of images and WSClean's lists are).",
        ),
    ] = "",
    field: Annotated[str, typer.Option("--field", help="Fields in CASA's words.")] = "",
    spw: Annotated[str, typer.Option("--spw", help="Spectral windows in CASA's words.")] = "",
    json_output: JsonOption = False,
) -> None:
    """Write MODEL_DATA by exact prediction, every field about its own phase centre."""
    from dsa110_contimg.calibration import sky, skyfiles
    from dsa110_contimg.calibration.model import middle_field_deg

    options = {
        "--sky": sky_csv,
        "--point": point,
        "--calibrator": calibrator,
        "--perley-butler": flux_scale,
        "--catalog": catalog,
    }
    given = [name for name, value in options.items() if value]
    if len(given) != 1:
        raise CommandError(f"model: expected one of {', '.join(options)}, found {' and '.join(given) or 'none'}")
    if sky_csv is not None:
        chosen = skyfiles.load(sky_csv)
    elif point:
        chosen = sky.parse_point(point)
    elif flux_scale:
        chosen = sky.flux_calibrator(flux_scale)
    elif catalog:
        ra, dec = middle_field_deg(ms)
        file = Path(catalog) if Path(catalog).exists() else None
        chosen = skyfiles.from_catalog(
            ra, dec, catalog="nvss" if file else catalog, path=file, radius_deg=radius, min_flux_mjy=min_flux
        )
    else:
        from dsa110_contimg.calibration.catalogs import calibrator as find

        entry = find(calibrator)
        chosen = sky.point(entry["ra_deg"], entry["dec_deg"], entry["flux_jy"], name=entry["name"])
    if beam:
        chosen["beam"] = beam
    write(ms, chosen, field=field, spw=spw, json_output=json_output)


def write(ms: Path, chosen: dict[str, Any], *, field: str, spw: str, json_output: bool) -> None:
    """Write a model into MODEL_DATA and say so."""
    from dsa110_contimg.calibration import stages

    with console.bar("model", quiet=json_output) as progress:
        report = stages.write_model(ms, chosen, field=field, spw=spw, progress=progress)
    report["beam"] = chosen["beam"]
    console.emit(
        report,
        json_output,
        lambda: console.out.print(
            f"{ms}: {report['sources']} sources into MODEL_DATA of {report['rows']} rows, "
            f"mean {report['mean_jy']:.4g} Jy, beam {report['beam']}"
        ),
    )


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("model")(model)
