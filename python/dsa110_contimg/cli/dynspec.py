"""``contimg dynspec``: the dynamic spectrum of one direction."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from dsa110_contimg.cli import console
from dsa110_contimg.cli.console import CommandError, JsonOption
from dsa110_contimg.utils.files import whole


def dynspec(
    ms: Annotated[Path, typer.Argument(help="Measurement Set.")],
    *,
    ra: Annotated[float, typer.Option("--ra", help="Right ascension, ICRS [degrees].")],
    dec: Annotated[float, typer.Option("--dec", help="Declination, ICRS [degrees].")],
    average: Annotated[int, typer.Option("--average", min=1, help="Channels averaged together.")] = 48,
    uvrange: Annotated[str, typer.Option("--uvrange", help="Baselines, as '>1klambda'.")] = "",
    subtract: Annotated[
        Path | None,
        typer.Option(
            "--subtract",
            help="Sky to take out first: a WSClean source list, DS9 regions (.reg), CSV or a model image (.fits).",
        ),
    ] = None,
    beam: Annotated[Path | None, typer.Option("--beam", help="File of the primary beam, HDF5 or FITS.")] = None,
    datacolumn: Annotated[str, typer.Option("--datacolumn", help="auto, corrected, data or model.")] = "auto",
    out: Annotated[Path | None, typer.Option("--out", help="NumPy archive (.npz) of the arrays.")] = None,
    json_output: JsonOption = False,
) -> None:
    """Flux towards a direction by integration and channel, and its mean before the beam."""
    from dsa110_contimg.calibration import skyfiles
    from dsa110_contimg.imaging import dynamic_spectrum
    from dsa110_contimg.imaging.cli_imaging import parse_uvrange

    if out is not None and out.suffix != ".npz":
        raise CommandError(f"--out: expected a name that ends in .npz, found {out}")
    if out is not None and not out.parent.is_dir():
        raise CommandError(f"--out: expected a place in a directory that exists, found {out}")
    known: dict[str, Any] = skyfiles.load(subtract) if subtract else {"sky": {"sources": []}, "beam": "airy"}
    with console.bar("dynspec", quiet=json_output) as progress:
        report = dynamic_spectrum(
            ms,
            ra,
            dec,
            average=average,
            uvrange=parse_uvrange(uvrange),
            subtract=known["sky"]["sources"],
            subtract_apparent=known["beam"] == "none",
            datacolumn=datacolumn,
            beam=beam,
            progress=progress,
        )
    if out is not None:
        import numpy as np

        def array(name: str) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
            return np.asarray(report[name], dtype=np.float64)

        with whole(out) as file:
            np.savez(
                file,
                time_mjd_s=array("time_mjd_s"),
                freq_hz=array("freq_hz"),
                flux_tf_jy=array("flux_tf_jy"),
                error_tf_jy=array("error_tf_jy"),
                power_tf=array("power_tf"),
            )
        report["out"] = str(out)
    console.emit(
        report,
        json_output,
        lambda: console.out.print(
            f"{ms}: {report['flux_jy']:.5f} +- {report['flux_error_jy']:.5f} Jy before the beam, "
            f"{len(report['time_mjd_s'])} integrations x {len(report['freq_hz'])} channels"
        ),
    )


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("dynspec")(dynspec)
