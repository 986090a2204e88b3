"""``contimg tile``: the fast path, one group from UVH5 to images and fluxes in memory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from dsa110_contimg.cli import console
from dsa110_contimg.cli.console import CommandError, JsonOption

if TYPE_CHECKING:
    from dsa110_contimg.conversion.groups import SubbandGroup
    from dsa110_contimg.pipeline.meter import Cost
    from dsa110_contimg.pipeline.sky import CatalogSource

_OWN = ("none", "p", "ap")


def tile(
    group: Annotated[Path, typer.Argument(help="Directory of UVH5 files, or one file of the group.")],
    *,
    caltables: Annotated[
        list[Path] | None, typer.Option("--caltables", "-t", help="A table; repeat in the order of the signal path.")
    ] = None,
    catalog: Annotated[
        Path | None, typer.Option("--catalog", help="CSV of positions to measure: ra_deg, dec_deg, flux_jy[, name].")
    ] = None,
    name: Annotated[
        Path | None, typer.Option("--name", help="Prefix of the products; the group's id by default.")
    ] = None,
    group_id: Annotated[str, typer.Option("--group", help="Which group, where the directory has several.")] = "",
    uncalibrated: Annotated[bool, typer.Option("--uncalibrated", help="No tables: the data are calibrated.")] = False,
    own_gain: Annotated[
        str, typer.Option("--own-gain", help="A gain of the group's own on the catalogue: none, p or ap.")
    ] = "none",
    refant: Annotated[str, typer.Option("--refant", help="Reference antenna of the own gain.")] = "103",
    imsize: Annotated[int, typer.Option("--imsize", help="Pixels a side, even; 0 covers the beam.")] = 2048,
    cell: Annotated[float, typer.Option("--cell", help="Pixel [arcsec]; 0 is a fifth of the finest fringe.")] = 6.0,
    robust: Annotated[float, typer.Option("--robust", help="Briggs' robustness, -2 to 2.")] = 0.5,
    nsigma: Annotated[float, typer.Option("--nsigma", help="CLEAN to this many times the noise.")] = 5.0,
    niter: Annotated[int, typer.Option("--niter", help="Most iterations; 0 makes dirty images.")] = 1_000_000,
    subbands: Annotated[int, typer.Option("--subbands", help="Subband images.")] = 16,
    pblimit: Annotated[float, typer.Option("--pblimit", help="Primary-beam limit.")] = 0.2,
    rfi: Annotated[bool, typer.Option("--rfi", help="Flag interference too.")] = False,
    archive: Annotated[Path | None, typer.Option("--archive", help="Write the Measurement Set here meanwhile.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")] = False,
    max_age_days: Annotated[float, typer.Option("--max-age", help="Oldest table [days].")] = 1.0,
    max_dec_deg: Annotated[float, typer.Option("--max-dec", help="Table furthest in declination [deg].")] = 5.0,
    max_memory_gb: Annotated[float, typer.Option("--max-memory", help="Most memory of the imager [GB].")] = 4.0,
    json_output: JsonOption = False,
) -> None:
    """Flag, calibrate, image and measure one group in memory; the Measurement Set is an archive product or not made at all."""
    from dsa110_contimg.imaging import calibration_cards
    from dsa110_contimg.imaging.tile import tile as work
    from dsa110_contimg.imaging.tile import write_fluxes
    from dsa110_contimg.pipeline.meter import metered
    from dsa110_contimg.pipeline.sky import read_catalog

    if not caltables and not uncalibrated and own_gain == "none":
        raise CommandError("--caltables: expected at least one table (or --uncalibrated), found none")
    chosen = find_group(group, group_id)
    prefix = name or Path(chosen.group_id)
    for existing in (Path(f"{prefix}-image.fits"), Path(f"{prefix}-fluxes.csv")):
        if existing.exists() and not overwrite:
            raise CommandError(f"{existing}: expected nothing there (or --overwrite), found a file")
    sources = read_catalog(catalog) if catalog else []
    options: dict[str, Any] = {
        "uncalibrated": uncalibrated,
        "own_gain": _own_gain(own_gain, sources, f"{prefix}_2gcal", refant),
        "archive": archive,
        "overwrite": overwrite,
        "max_age_days": max_age_days,
        "max_dec_deg": max_dec_deg,
        "flag": _steps() if rfi else None,
    }
    image = {
        "imsize": imsize or None,
        "cell_arcsec": cell or None,
        "robust": robust,
        "nsigma": nsigma,
        "niter": niter,
        "subbands": subbands,
        "pblimit": pblimit,
        "max_memory_gb": max_memory_gb,
        "cards": {"GROUPID": chosen.group_id, **calibration_cards(caltables or [])},
    }
    ra, dec = [s.ra_deg for s in sources], [s.dec_deg for s in sources]
    with console.bar("tile", quiet=json_output) as progress, metered() as cost:
        report = work(
            chosen.paths,
            prefix,
            tables=caltables or [],
            ra_deg=ra,
            dec_deg=dec,
            image=image,
            photometry={"min_pb": pblimit},
            progress=progress,
            **options,
        )
    written = (
        write_fluxes(report, f"{prefix}-fluxes.csv", names=[s.name for s in sources], ra_deg=ra, dec_deg=dec)
        if sources
        else None
    )
    payload = summary(report, chosen.group_id, written, cost)
    ok = report["image"]["outcome"] != "diverged" and report["archive_error"] is None
    console.emit(payload, json_output, lambda: print_tile(payload), ok=ok)


def find_group(path: Path, group_id: str = "") -> SubbandGroup:
    """The group of a directory (with `group_id` where there are several), or the one that a file belongs to."""
    from dsa110_contimg.conversion.groups import classify_groups

    if not path.exists():
        raise CommandError(f"{path}: expected a directory of UVH5 files or one of them, found nothing")
    found = classify_groups(path if path.is_dir() else path.parent)
    usable = [*found.complete, *found.semi_complete]
    if group_id:
        usable = [g for g in usable if g.group_id == group_id]
    elif not path.is_dir():
        usable = [g for g in usable if path.resolve() in {p.resolve() for p in g.paths}]
    if len(usable) == 1:
        return usable[0]
    names = ", ".join(g.group_id for g in usable) or f"none of 12 to 16 subbands ({len(found.incomplete)} incomplete)"
    raise CommandError(f"{path}: expected one group (choose with --group), found {names}")


def _own_gain(mode: str, sources: list[CatalogSource], table: str, refant: str) -> dict[str, Any] | None:
    from dsa110_contimg.calibration import sky, stages

    if mode not in _OWN:
        raise CommandError(f"--own-gain: expected {', '.join(_OWN)}, found {mode!r}")
    if mode == "none":
        return None
    if not sources:
        raise CommandError("--own-gain: expected --catalog with the sources of the field, found none")
    model = sky.model([sky.source(s.name, s.ra_deg, s.dec_deg, s.flux_jy, alpha=s.alpha) for s in sources])
    return {
        "output": table,
        "term": "G",
        "model": model,
        "calmode": mode,
        "combine": "scan,field,spw",
        "solint": "inf",
        **stages.refants(refant),
        "overwrite": True,
    }


def _steps() -> list[dict[str, Any]]:
    from dsa110_contimg.calibration import stages

    return [dict(step) for step in (*stages.STANDARD_STEPS, *stages.RFI_STEPS)]


def summary(report: dict[str, Any], group_id: str, fluxes: Path | None, cost: Cost) -> dict[str, Any]:
    """What ``--json`` prints of a tile."""
    image = report["image"]
    keep = ("rms_jy", "expected_rms_jy", "peak_jy", "dynamic_range", "beam", "outcome", "n_major", "iterations")
    return {
        "group_id": group_id,
        "products": image["products"],
        "subbands": image["subbands"],
        "fluxes": fluxes,
        "positions": report["positions"],
        "measured": int((report["fluxes"]["flux_jy"][:1] == report["fluxes"]["flux_jy"][:1]).sum()),
        **{key: image[key] for key in keep},
        "flags": report["flags"],
        "tables": report["tables"],
        "own_gain": report["own_gain"],
        "stages": report["stages"],
        "latency_s": report["latency_s"],
        "wall_s": cost.wall_s,
        "cpu_s": cost.cpu_s,
        "peak_rss_mb": cost.peak_rss_mb,
        "archive": report["archive"],
        "archive_error": report["archive_error"],
        "warnings": report["warnings"],
    }


def print_tile(payload: dict[str, Any]) -> None:
    """Stages with their shares, then what came out."""
    table = Table("stage", "wall [s]", "CPU [s]", "share of CPU", title=f"Tile {payload['group_id']}")
    for column in table.columns[1:3]:
        column.justify = "right"
    total = sum(s["cpu_s"] for s in payload["stages"]) or 1.0
    for s in payload["stages"]:
        share = s["cpu_s"] / total
        table.add_row(s["name"], f"{s['wall_s']:.2f}", f"{s['cpu_s']:.2f}", f"{share:4.0%} {'█' * round(20 * share)}")
    table.add_section()
    table.add_row("until the fluxes", f"{payload['latency_s']:.2f}", f"{total:.2f}", "")
    console.out.print(table)
    console.out.print(
        f"noise {1e3 * payload['rms_jy']:.3f} mJy/beam (thermal {1e3 * payload['expected_rms_jy']:.3f}), peak "
        f"{payload['peak_jy']:.4f} Jy/beam, {payload['outcome']} after {payload['n_major']} major cycles; "
        f"peak memory {payload['peak_rss_mb'] / 1e3:.2f} GB"
    )
    if payload["fluxes"]:
        console.out.print(
            f"{payload['measured']} of {payload['positions']} positions measured in the band and {len(payload['subbands'])} "
            f"subbands: {payload['fluxes']}"
        )
    if payload["archive"]:
        console.out.print(f"Measurement Set: {payload['archive']}")
    if payload["archive_error"]:
        console.out.print(f"[red]no Measurement Set:[/] {payload['archive_error']}")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("tile")(tile)
