"""`contimg run`: every group of a directory from UVH5 to light curves and candidates."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dsa110_contimg.cli.console import CommandError, JsonOption, bar, emit, out
from dsa110_contimg.config import load

logger = logging.getLogger(__name__)

if TYPE_CHECKING:
    from dsa110_contimg.pipeline.run import RunResult


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("run")(run)


def run(
    directory: Annotated[Path, typer.Argument(help="Directory of UVH5 files.")],
    out_dir: Annotated[Path | None, typer.Option("--out", help="Where products and state go (paths.root).")] = None,
    catalog: Annotated[
        Path | None, typer.Option(help="CSV of the sources to measure: ra_deg, dec_deg, flux_jy[, name, alpha].")
    ] = None,
    calibrators: Annotated[Path | None, typer.Option(help="CSV of calibrators, same columns.")] = None,
    config_file: Annotated[Path | None, typer.Option("--config", help="Configuration file (TOML).")] = None,
    fast: Annotated[
        bool,
        typer.Option("--fast", help="Target groups in memory, without Measurement Sets: same products and records."),
    ] = False,
    archive: Annotated[
        bool, typer.Option("--archive", help="With --fast: write their Measurement Sets too, while they are imaged.")
    ] = False,
    report: Annotated[Path | None, typer.Option(help="Also write the HTML report here.")] = None,
    json_output: JsonOption = False,
) -> None:
    """Process every group of a directory: convert, flag, calibrate, image, measure, normalise, judge.

    May be stopped and run again: finished work is skipped, results do not change. Groups that fail do not stop the others.
    """
    from dsa110_contimg.pipeline.run import run_directory
    from dsa110_contimg.pipeline.sky import read_catalog

    if not directory.is_dir():
        raise CommandError(f"{directory}: expected a directory of UVH5 files, found none")
    config = load(config_file, **({"paths": {"root": out_dir}} if out_dir else {}))
    source_file = catalog or config.photometry.catalog
    if source_file is None:
        raise CommandError(
            "--catalog: expected a CSV of sources (or photometry.catalog in the configuration), found none"
        )
    sources = read_catalog(source_file)
    known = read_catalog(calibrators) if calibrators else []
    with bar("groups", quiet=json_output) as update:

        def on_group(done: int, total: int, text: str) -> None:
            update(done, total)
            logger.info(text)

        result = run_directory(
            directory, config, catalog=sources, calibrators=known, fast=fast, archive=archive, on_group=on_group
        )
    if report is not None:
        _write_report(report, directory, result, config.paths.products)
    payload = {
        "groups": result.groups,
        "sources": result.sources,
        "nominated": [s["source_id"] for s in result.sources if s["verdict"] == "candidate"],
        "stages": _costs(result),
        "report": report,
    }
    emit(payload, json_output, lambda: print_result(result), ok=result.ok)


def _costs(result: RunResult) -> list[dict[str, Any]]:
    from dsa110_contimg.pipeline.report import stage_costs

    return stage_costs(result.stages)


def _write_report(path: Path, directory: Path, result: RunResult, products: Path) -> None:
    from dsa110_contimg.database import Database
    from dsa110_contimg.pipeline.report import write_report

    images = [Path(e["image"]) for e in result.epochs if e.get("image")]
    write_report(
        path,
        title="DSA-110 continuum run",
        subtitle=str(directory),
        sources=result.sources,
        epochs=result.epochs,
        stages=result.stages,
        image=(images[-1], "Last tile of the run, restored; circles are catalogue positions.") if images else None,
        products=Database(products, "products"),
    )


def print_result(result: RunResult) -> None:
    """Tables for a person: sources by interest, groups that did not finish, costs."""
    from rich.table import Table

    from dsa110_contimg.pipeline.report import ranked, stage_costs

    table = Table("source", "mean [mJy]", "epochs", "eta", "V", "max Vs", "score", "verdict", title="Sources")
    for column in table.columns[1:7]:
        column.justify = "right"
    style = {"candidate": "bold red", "variable": "yellow"}
    for s in ranked(result.sources):
        summary, score = s["summary"], s["score"]["total"]
        table.add_row(
            s["source_id"],
            _cell(summary["mean"], ".1f", 1e3),
            str(summary["n"]),
            _cell(summary["eta"], ".2f"),
            _cell(summary["v"], ".3f"),
            _cell(summary["vs_max"], ".1f"),
            _cell(score, ".2f"),
            s["verdict"],
            style=style.get(s["verdict"]),
        )
    out.print(table)
    for group in result.groups:
        if group["status"] not in ("done", "skipped"):
            out.print(f"[yellow]{group['group_id']}[/] {group['status']}: {group['reason']}")
    costs = Table("stage", "runs", "wall [s]", "CPU [s]", "peak [MB]", title="Cost")
    for column in costs.columns[1:]:
        column.justify = "right"
    for c in stage_costs(result.stages):
        row = (c["name"], str(c["runs"]), f"{c['wall_s']:.2f}", f"{c['cpu_s']:.2f}", f"{c['peak_rss_mb']:.0f}")
        costs.add_row(*row)
    out.print(costs)


def _cell(value: float | None, form: str, scale: float = 1.0) -> str:
    return "-" if value is None else format(scale * value, form)
