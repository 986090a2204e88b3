"""`contimg photometry`: forced fluxes of catalogue positions on an image."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from dsa110_contimg.cli.console import CommandError, JsonOption, bar, emit, out


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("photometry")(photometry)


def photometry(
    image: Annotated[Path, typer.Argument(help="FITS image [Jy/beam].")],
    ra: Annotated[float | None, typer.Option(help="One position instead of a catalogue [degrees].")] = None,
    dec: Annotated[float | None, typer.Option(help="[degrees]")] = None,
    catalog: Annotated[
        Path | None, typer.Option(help="Catalogue file or database; default: the configured NVSS.")
    ] = None,
    min_mjy: Annotated[float, typer.Option(help="Least catalogue flux [mJy].")] = 10.0,
    pb: Annotated[Path | None, typer.Option(help="Primary-beam FITS to divide by.")] = None,
    min_pb: Annotated[float, typer.Option(help="Least primary-beam response.")] = 0.0,
    nbeam: Annotated[float, typer.Option(help="Width of the fit window in beams.")] = 3.0,
    cluster_beams: Annotated[float, typer.Option(help="Fit sources closer than this jointly; 0: never [beams].")] = 1.5,
    blank_fits: Annotated[int, typer.Option(help="Blank-sky fits that scale the errors; 0: plain errors.")] = 4000,
    mesh_beams: Annotated[float, typer.Option(help="Side of the boxes of the noise map; 0: rings [beams].")] = 20.0,
    db: Annotated[Path | None, typer.Option(help="Products database to record in.")] = None,
    json_output: JsonOption = False,
) -> None:
    """Measure the flux of every catalogue source on an image, or of one position."""
    from dsa110_contimg.photometry.field import measure_field
    from dsa110_contimg.photometry.forced import measure_positions

    if (ra is None) != (dec is None):
        raise CommandError("--ra, --dec: expected both or neither, found one")
    options: dict[str, Any] = {
        "pb": pb,
        "min_pb": min_pb,
        "nbeam": nbeam,
        "cluster_beams": cluster_beams or None,
        "blank_fits": blank_fits,
        "mesh_beams": mesh_beams or None,
    }
    with bar("measuring", quiet=json_output) as progress:
        if ra is not None and dec is not None:
            table, about = measure_positions(image, [ra], [dec], progress=progress, **options)
        else:
            table, about = measure_field(
                image, catalog_path=catalog, min_mjy=min_mjy, products_db=db, progress=progress, **options
            )
    rows = table.to_dict("records")
    payload = {"image": str(image), **about, "measurements": rows}

    def human() -> None:
        from rich.table import Table

        shown = Table("source", "RA [deg]", "Dec [deg]", "flux [mJy]", "error", "rms", "flags")
        for row in rows:
            flux = [f"{1e3 * row[name]:.2f}" for name in ("flux_jy", "flux_err_jy", "local_rms_jy")]
            shown.add_row(
                row.get("source_id", ""), f"{row['ra_deg']:.5f}", f"{row['dec_deg']:+.5f}", *flux, str(row["flags"])
            )
        out.print(shown)

    emit(payload, json_output, human)
