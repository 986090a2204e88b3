"""`contimg catalog`: catalogues of sources: build their databases, ask for cones."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dsa110_contimg.cli.console import JsonOption, emit, out


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Catalogues of sources: build their databases, ask for cones.", no_args_is_help=True)
    group.command("ingest")(ingest)
    group.command("cone")(cone)
    group.command("build-master")(build_master)
    group.command("match")(match)
    app.add_typer(group, name="catalog")


def ingest(
    source: Annotated[Path, typer.Argument(help="Published catalogue: FITS, VOTable or CSV.")],
    survey: Annotated[str, typer.Option(help="nvss, first, rax or vlass.")] = "nvss",
    output: Annotated[Path | None, typer.Option(help="Database; default: in the configured directory.")] = None,
    dec: Annotated[float | None, typer.Option(help="Only a strip around this declination [degrees].")] = None,
    dec_range: Annotated[float, typer.Option(help="Half width of the strip [degrees].")] = 6.0,
    min_mjy: Annotated[float | None, typer.Option(help="Least flux [mJy].")] = None,
    json_output: JsonOption = False,
) -> None:
    """Build a catalogue's database from its published file."""
    from dsa110_contimg.catalog.ingest import ingest_file
    from dsa110_contimg.catalog.strip_cli import strip_path
    from dsa110_contimg.config import load

    if output is None:
        output = strip_path(survey, dec) if dec is not None else load().paths.catalogs / f"{survey}_full.sqlite3"
    output.parent.mkdir(parents=True, exist_ok=True)
    done = ingest_file(source, output, survey=survey, dec_strip=dec, dec_range=dec_range, min_flux_mjy=min_mjy)
    emit(done, json_output, lambda: out.print(f"{done['rows']} of {done['read']} sources in {done['output']}"))


def cone(
    ra: Annotated[float, typer.Option(help="Centre [degrees].")],
    dec: Annotated[float, typer.Option(help="Centre [degrees].")],
    radius: Annotated[float, typer.Option(help="[degrees]")] = 1.0,
    catalog: Annotated[str, typer.Option(help="nvss, first, rax, vlass or master.")] = "nvss",
    path: Annotated[Path | None, typer.Option(help="Catalogue file or database; default: the configured one.")] = None,
    min_mjy: Annotated[float | None, typer.Option(help="Least flux [mJy].")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many, brightest first.")] = None,
    json_output: JsonOption = False,
) -> None:
    """Sources within a radius of a position, brightest first."""
    from dsa110_contimg.catalog.query import query_sources

    table = query_sources(catalog, ra, dec, radius, min_flux_mjy=min_mjy, max_sources=limit, catalog_path=path)
    rows = table.to_dict("records")

    def human() -> None:
        from rich.table import Table

        shown = Table("source", "RA [deg]", "Dec [deg]", "flux [mJy]", "distance [arcmin]")
        for row in rows:
            place = (f"{row['ra_deg']:.5f}", f"{row['dec_deg']:+.5f}")
            shown.add_row(
                str(row.get("source_id", "")), *place, f"{row['flux_mjy']:.1f}", f"{60 * row['separation_deg']:.1f}"
            )
        out.print(shown)

    emit({"ra_deg": ra, "dec_deg": dec, "radius_deg": radius, "n": len(rows), "sources": rows}, json_output, human)


def build_master(
    nvss: Annotated[Path, typer.Option(help="NVSS file.")],
    vlass: Annotated[Path | None, typer.Option(help="VLASS file: spectral indices, confusion.")] = None,
    first: Annotated[Path | None, typer.Option(help="FIRST file: what is resolved or confused.")] = None,
    racs: Annotated[Path | None, typer.Option(help="RACS file: indices where VLASS has none.")] = None,
    output: Annotated[
        Path | None, typer.Option(help="Database; default: master_sources.sqlite3 as configured.")
    ] = None,
    match_radius: Annotated[float, typer.Option(help="[arcsec]")] = 7.5,
    stable_ids: Annotated[Path | None, typer.Option(help="Names of stable sources, one a line.")] = None,
    export_csv: Annotated[Path | None, typer.Option(help="Write the list as CSV too.")] = None,
    json_output: JsonOption = False,
) -> None:
    """Build the unified list of sources with its reference views."""
    from dsa110_contimg.catalog.build_master import build_master as build
    from dsa110_contimg.config import load

    done = build(
        nvss,
        output or load().paths.catalogs / "master_sources.sqlite3",
        vlass=vlass,
        first=first,
        racs=racs,
        match_radius_arcsec=match_radius,
        stable_ids=stable_ids,
        export_csv=export_csv,
    )
    text = f"{done['rows']} sources, {done['good_references']} good and {done['final_references']} final references"
    emit(done, json_output, lambda: out.print(f"{text} in {done['output']}"))


def match(
    db: Annotated[Path, typer.Argument(help="Products database.")],
    catalog: Annotated[str, typer.Option(help="nvss, first, rax, vlass or master.")] = "nvss",
    path: Annotated[Path | None, typer.Option(help="Catalogue file or database; default: the configured one.")] = None,
    radius_arcsec: Annotated[float, typer.Option(min=0.0, help="Largest distance.")] = 10.0,
    json_output: JsonOption = False,
) -> None:
    """Match the measured sources with a catalogue and record it in `cross_matches`."""
    from dsa110_contimg.catalog.matching import match_database
    from dsa110_contimg.cli.console import CommandError
    from dsa110_contimg.database import open_database

    if not db.is_file():
        raise CommandError(f"{db}: expected a products database, found none")
    found = match_database(open_database(db, "products"), catalog, catalog_path=path, radius_arcsec=radius_arcsec)
    rows = found.to_dict("records")

    def human() -> None:
        from rich.table import Table

        shown = Table("source", catalog, "distance [arcsec]", "flux ratio", "match")
        for r in rows:
            shown.add_row(
                r["source_id"],
                str(r["catalog_source_id"]),
                f"{r['separation_arcsec']:.2f}",
                f"{r['flux_ratio']:.3f}",
                r["match_quality"],
            )
        out.print(shown)

    emit({"db": str(db), "catalog": catalog, "n": len(rows), "matches": rows}, json_output, human)
