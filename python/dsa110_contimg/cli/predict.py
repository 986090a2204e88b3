"""``contimg predict``: MODEL_DATA from a model image or a list of sources."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dsa110_contimg.cli import console
from dsa110_contimg.cli.console import CommandError, JsonOption

#: Components that the exact prediction takes in reasonable time: some 0.2 CPU-s each on a full tile.
_MOST = 20_000


def predict(
    ms: Annotated[Path, typer.Argument(help="Measurement Set.")],
    *,
    image: Annotated[Path | None, typer.Option("--image", help="Model FITS [Jy/pixel], behind the beam.")] = None,
    sources: Annotated[
        Path | None, typer.Option("--sources", help="WSClean source list (.txt) or CSV, before the beam.")
    ] = None,
    beam: Annotated[
        str, typer.Option("--beam", help="airy, none or a file of a beam; a model image is behind the beam.")
    ] = "",
    field: Annotated[str, typer.Option("--field", help="Fields in CASA's words.")] = "",
    spw: Annotated[str, typer.Option("--spw", help="Spectral windows in CASA's words.")] = "",
    json_output: JsonOption = False,
) -> None:
    """Fill MODEL_DATA by exact prediction, every field about its own phase centre."""
    from dsa110_contimg.calibration import sky, stages
    from dsa110_contimg.imaging import components_of_model, read_wsclean_list

    if (image is None) == (sources is None):
        raise CommandError("predict: expected one of --image and --sources")
    if image is not None:
        chosen = sky.model(components_of_model(image), beam=beam or "none")
    elif sources is not None and sources.suffix == ".csv":
        chosen = sky.from_csv(sources, beam=beam or "airy")
    else:
        chosen = sky.model(read_wsclean_list(sources or ""), beam=beam or "airy")
    count = len(chosen["sky"]["sources"])
    if not 0 < count <= _MOST:
        raise CommandError(f"predict: expected 1 to {_MOST} components, found {count}")
    with console.bar("predict", quiet=json_output) as progress:
        report = stages.write_model(ms, chosen, field=field, spw=spw, progress=progress)
    console.emit(
        report,
        json_output,
        lambda: console.out.print(
            f"{ms}: {report['sources']} components into MODEL_DATA of {report['rows']} rows, "
            f"mean {report['mean_jy']:.4g} Jy"
        ),
    )


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("predict")(predict)
