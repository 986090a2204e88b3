"""``contimg predict``: another name of ``contimg model --sky`` for images and source lists."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dsa110_contimg.cli.console import CommandError, JsonOption
from dsa110_contimg.cli.model import write


def predict(
    ms: Annotated[Path, typer.Argument(help="Measurement Set.")],
    *,
    image: Annotated[Path | None, typer.Option("--image", help="Model FITS [Jy/pixel].")] = None,
    sources: Annotated[
        Path | None, typer.Option("--sources", help="WSClean source list, DS9 regions (.reg) or CSV.")
    ] = None,
    beam: Annotated[
        str, typer.Option("--beam", help="airy, none or a file of a beam; as `contimg model` has it when left out.")
    ] = "",
    field: Annotated[str, typer.Option("--field", help="Fields in CASA's words.")] = "",
    spw: Annotated[str, typer.Option("--spw", help="Spectral windows in CASA's words.")] = "",
    json_output: JsonOption = False,
) -> None:
    """Fill MODEL_DATA from a file: the same as `contimg model --sky`."""
    from dsa110_contimg.calibration import skyfiles

    file = image or sources
    if file is None or (image is not None and sources is not None):
        raise CommandError("predict: expected one of --image and --sources")
    write(ms, skyfiles.load(file, beam=beam), field=field, spw=spw, json_output=json_output)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("predict")(predict)
