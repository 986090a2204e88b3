"""``contimg qa image|mosaic``: verdicts on images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from dsa110_contimg.cli import console
from dsa110_contimg.cli.console import JsonOption
from dsa110_contimg.utils.files import whole

_app = typer.Typer(help="Verdicts on images: noise, dynamic range, flux scale, astrometry.", no_args_is_help=True)


def _check(
    image: Annotated[Path, typer.Argument(help="Beam-corrected FITS image.")],
    *,
    catalog: Annotated[str, typer.Option("--catalog", help="Catalogue by name (nvss) or a CSV; empty: none.")] = "",
    min_snr: Annotated[float, typer.Option("--min-snr", help="Faintest catalogue source asked for [sigma].")] = 20.0,
    min_flux: Annotated[float, typer.Option("--min-flux", help="Faintest catalogue source [Jy].")] = 0.01,
    max_flux_error: Annotated[float, typer.Option("--max-flux-error", help="Of the median flux ratio.")] = 0.2,
    plot: Annotated[Path | None, typer.Option("--plot", help="PNG of flux scale and astrometry.")] = None,
    json_output: JsonOption = False,
) -> None:
    """Judge an image; exit 0 only when every verdict that could be made is good."""
    from dsa110_contimg.qa import Limits, check_image
    from dsa110_contimg.qa.reference import reference_sources

    sources = reference_sources(image, catalog, min_flux_jy=min_flux) if catalog else None
    report = check_image(image, sources, limits=Limits(min_snr=min_snr, flux_error=max_flux_error))
    if plot is not None:
        from dsa110_contimg.plots.verdicts import matches_png

        with whole(plot) as file:
            file.write(matches_png(report["matches"], title=image.name))
        report["plot"] = str(plot)
    console.emit(report, json_output, lambda: _print(report), ok=report["ok"])


def _print(report: dict[str, Any]) -> None:
    table = Table("verdict", "value", "limit", "", "reason")
    for v in report["verdicts"]:
        mark = {True: "ok", False: "[red]bad[/red]", None: "not judged"}[v["ok"]]
        table.add_row(v["name"], f"{v['value']:.4g}", f"{v['limit']:.4g}", mark, v["reason"])
    console.out.print(table)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    _app.command("image")(_check)
    _app.command("mosaic")(_check)
    app.add_typer(_app, name="qa")
