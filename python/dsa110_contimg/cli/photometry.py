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
    residual: Annotated[
        Path | None, typer.Option(help="What CLEAN left (NAME-residual.fits): counts by its value at the source.")
    ] = None,
    matched: Annotated[
        tuple[Path, Path] | None,
        typer.Option(help="Matched image and psf (NAME-matched.fits NAME-psf.fits): points are read from them."),
    ] = None,
    min_pb: Annotated[float, typer.Option(help="Least primary-beam response.")] = 0.0,
    nbeam: Annotated[float, typer.Option(help="Width of the fit window in beams.")] = 3.0,
    cluster_beams: Annotated[float, typer.Option(help="Fit sources closer than this jointly; 0: never [beams].")] = 1.5,
    blank_fits: Annotated[int, typer.Option(help="Blank-sky fits that scale the errors; 0: plain errors.")] = 4000,
    mesh_beams: Annotated[float, typer.Option(help="Side of the boxes of the noise map; 0: rings [beams].")] = 20.0,
    band: Annotated[list[Path] | None, typer.Option(help="Image of a part of the band, in order; repeat.")] = None,
    floor: Annotated[float, typer.Option(help="Fractional error added to each flux.")] = 0.0,
    averaging: Annotated[
        tuple[float, float], typer.Option(help="Integration [s] and channel [Hz], to undo smearing; 0 0: leave it.")
    ] = (0.0, 0.0),
    blind: Annotated[bool, typer.Option("--blind", help="Find sources without a catalogue instead.")] = False,
    seed_sigma: Annotated[float, typer.Option(help="Least peak of a found source [sigma].")] = 5.0,
    db: Annotated[Path | None, typer.Option(help="Products database to record in.")] = None,
    json_output: JsonOption = False,
) -> None:
    """Measure the flux of every catalogue source on an image, or of one position."""
    from dsa110_contimg.catalog.names import check_cone
    from dsa110_contimg.photometry.field import measure_field
    from dsa110_contimg.photometry.forced import measure_positions

    if blind:
        _find(image, seed_sigma, json_output)
        return
    if (ra is None) != (dec is None):
        raise CommandError("--ra, --dec: expected both or neither, found one")
    if ra is not None and dec is not None:
        check_cone(ra, dec)
    options: dict[str, Any] = {
        "pb": pb,
        "residual": residual,
        "matched": matched,
        "min_pb": min_pb,
        "nbeam": nbeam,
        "cluster_beams": cluster_beams or None,
        "blank_fits": blank_fits,
        "mesh_beams": mesh_beams or None,
        "bands": [(path, None) for path in band or []],
        "fraction_floor": floor,
        "averaging": averaging if any(averaging) else None,
    }
    with bar("measuring", quiet=json_output) as progress:
        if ra is not None and dec is not None:
            table, about = measure_positions(image, [ra], [dec], progress=progress, **options)
        else:
            table, about = measure_field(
                image, catalog_path=catalog, min_mjy=min_mjy, products_db=db, progress=progress, **options
            )
    rows = table.to_dict("records")
    bands = [{k: v.tolist() if hasattr(v, "tolist") else v for k, v in part.items()} for part in about.pop("bands", [])]
    payload = {"image": str(image), **about, "bands": bands, "measurements": rows}

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


def _find(image: Path, seed_sigma: float, json_output: bool) -> None:
    from dsa110_contimg._core import detection

    with bar("finding", quiet=json_output) as progress:
        found = detection.find_sources(image, seed_sigma=seed_sigma, progress=progress)
    about = {key: found.pop(key) for key in ("mjd", "freq_hz")}
    names = list(found)
    rows = [dict(zip(names, values, strict=True)) for values in zip(*(found[n].tolist() for n in names), strict=True)]

    def human() -> None:
        from rich.table import Table

        shown = Table("RA [deg]", "Dec [deg]", "peak [mJy/beam]", "flux [mJy]", "size [arcsec]", "S/N")
        for row in rows:
            peak, flux = (
                f"{1e3 * row[k]:.2f} ± {1e3 * row[e]:.2f}"
                for k, e in (("peak_jy", "peak_err_jy"), ("flux_jy", "flux_err_jy"))
            )
            size = f"{row['maj_arcsec']:.1f} x {row['min_arcsec']:.1f}"
            shown.add_row(f"{row['ra_deg']:.5f}", f"{row['dec_deg']:+.5f}", peak, flux, size, f"{row['snr']:.1f}")
        out.print(shown)

    emit({"image": str(image), **about, "found": rows}, json_output, human)
