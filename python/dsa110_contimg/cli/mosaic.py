"""``contimg mosaic``: tiles to a mosaic."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from dsa110_contimg.cli import console
from dsa110_contimg.cli.console import JsonOption


def mosaic_plan(
    name: Annotated[str, typer.Argument(help="Name of the mosaic.")],
    *,
    products_db: Annotated[Path | None, typer.Option("--products-db", help="Products database.")] = None,
    since: Annotated[float | None, typer.Option("--since", help="First mid time [Unix seconds].")] = None,
    until: Annotated[float | None, typer.Option("--until", help="Last mid time [Unix seconds].")] = None,
    transit_of: Annotated[
        tuple[float, float] | None, typer.Option("--transit-of", help="About the last transit of RA DEC [deg].")
    ] = None,
    minutes: Annotated[float, typer.Option("--minutes", help="Window about the transit.")] = 60.0,
    method: Annotated[str, typer.Option("--method", help="pbweighted, weighted or mean.")] = "pbweighted",
    json_output: JsonOption = False,
) -> None:
    """Record which tiles a mosaic will hold."""
    from dsa110_contimg.config import load
    from dsa110_contimg.database.products import ensure_products_db
    from dsa110_contimg.mosaic import plan

    db = ensure_products_db(products_db or load().paths.products)
    planned = plan(db, name, since=since, until=until, transit_of=transit_of, minutes=minutes, method=method)
    console.emit(planned, json_output, lambda: console.out.print("\n".join(planned["tiles"])))


def mosaic_build(
    output: Annotated[Path, typer.Argument(help="Mosaic FITS to write; NAME-weight.fits comes beside it.")],
    tiles: Annotated[list[Path] | None, typer.Argument(help="Tiles: NAME-image.fits with NAME-pb.fits.")] = None,
    *,
    name: Annotated[str, typer.Option("--name", help="Build this plan of the products database.")] = "",
    products_db: Annotated[Path | None, typer.Option("--products-db", help="Products database.")] = None,
    method: Annotated[str, typer.Option("--method", help="pbweighted, weighted or mean.")] = "pbweighted",
    interpolation: Annotated[
        str, typer.Option("--interpolation", help="matched, lanczos, bilinear, nearest.")
    ] = "matched",
    pb_floor: Annotated[float, typer.Option("--pb-floor", help="Tiles count where the beam is above.")] = 0.1,
    max_side: Annotated[int, typer.Option("--max-side", help="Longest side [pixels].")] = 8192,
    flux_conserving: Annotated[bool, typer.Option("--flux-conserving", help="Average over pixel areas.")] = False,
    common_beam: Annotated[bool, typer.Option(help="Convolve tiles to their smallest common beam.")] = True,
    catalog: Annotated[Path | None, typer.Option("--catalog", help="Compare and correct tiles to this.")] = None,
    ignore_validation: Annotated[bool, typer.Option("--ignore-validation", help="Build all the same.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Judge only.")] = False,
    json_output: JsonOption = False,
) -> None:
    """Add tiles on one grid, weighted by pb^2 / sigma^2."""
    from dsa110_contimg.config import load
    from dsa110_contimg.database.products import ensure_products_db
    from dsa110_contimg.mosaic import build, build_mosaic

    options: dict[str, Any] = {
        "interpolation": interpolation,
        "pb_floor": pb_floor,
        "max_side": max_side,
        "flux_conserving": flux_conserving,
        "common_beam": common_beam,
        "catalog": catalog,
        "ignore_validation": ignore_validation,
        "dry_run": dry_run,
    }
    with console.bar("mosaic", quiet=json_output) as progress:
        if name:
            db = ensure_products_db(products_db or load().paths.products)
            report = build(db, name, output, progress=progress, **options)
        else:
            report = build_mosaic(tiles or [], output, method=method, progress=progress, **options)
    console.emit(report, json_output, lambda: _print(report), ok=report["passed"] or not dry_run)


def _print(report: dict[str, Any]) -> None:
    table = Table("check", "value", "limit", "verdict", "where")
    for verdict in (*report["verdicts"], *report["checks"]):
        poor = "[red]bad[/]" if verdict["blocking"] else "[yellow]odd[/]"
        word = "[green]good[/]" if verdict["passed"] else poor
        value = "" if verdict["value"] is None else f"{verdict['value']:.4g}"
        table.add_row(verdict["name"], value, f"{verdict['limit']:.4g}", word, verdict["reason"])
    console.out.print(table)
    for k, correction in enumerate(report["corrections"]):
        if correction is not None:
            console.out.print(
                f"tile {k}: flux scale {correction['flux_scale']:.3f}, offset {correction['east_arcsec']:+.2f} "
                f"{correction['north_arcsec']:+.2f} arcsec (east, north) from {correction['sources']} sources"
            )
    console.out.print(f"{report['n_tiles']} tiles, {report['imsize'][0]} x {report['imsize'][1]} pixels")
    for key, path in report["products"].items():
        console.out.print(f"{key}: {path}")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Mosaics of tiles.", no_args_is_help=True)
    group.command("plan")(mosaic_plan)
    group.command("build")(mosaic_build)
    app.add_typer(group, name="mosaic")
