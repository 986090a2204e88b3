"""``contimg selfcal``: self-calibration with a stop rule."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from dsa110_contimg.cli import console
from dsa110_contimg.cli.console import JsonOption


def selfcal(
    ms: Annotated[Path, typer.Argument(help="Measurement Set, flagged.")],
    *,
    out: Annotated[Path, typer.Option("--out", help="Directory of images and tables.")],
    tables: Annotated[list[Path] | None, typer.Option("--tables", "-t", help="Applied beforehand; repeat.")] = None,
    phase_solints: Annotated[
        str, typer.Option("--phase-solints", help="Comma list, one round each.")
    ] = "300s,120s,60s",
    amp_solint: Annotated[str, typer.Option("--amp-solint", help="Last round, ap; '' leaves it out.")] = "inf",
    max_iterations: Annotated[int, typer.Option("--max-iterations", min=1, help="Most rounds.")] = 5,
    min_gain: Annotated[float, typer.Option("--min-gain", help="Growth of peak/rms that asks for more.")] = 1.05,
    minsnr: Annotated[float, typer.Option("--minsnr", help="Flag solutions below this signal to noise.")] = 3.0,
    refant: Annotated[str, typer.Option("--refant", help="Ranked list; the array's chain stands behind it.")] = "103",
    uvrange: Annotated[str, typer.Option("--uvrange", help="Baselines used in solves.")] = "",
    imsize: Annotated[int, typer.Option("--imsize", help="Pixels a side; 0 covers the beam.")] = 0,
    cell: Annotated[float, typer.Option("--cell", help="Pixel [arcsec]; 0 is a fifth of the finest fringe.")] = 0.0,
    niter: Annotated[int, typer.Option("--niter", help="Most CLEAN iterations of each image.")] = 10_000,
    robust: Annotated[float, typer.Option("--robust", help="Briggs' robustness, -2 to 2.")] = 0.5,
    json_output: JsonOption = False,
) -> None:
    """Image, solve against the image's model, apply; a round that does not help is undone."""
    from dsa110_contimg.pipeline.selfcal import SelfcalOptions
    from dsa110_contimg.pipeline.selfcal import selfcal as run

    options = SelfcalOptions(
        phase_solints=tuple(s.strip() for s in phase_solints.split(",") if s.strip()),
        amp_solint=amp_solint.strip(), max_iterations=max_iterations, min_gain=min_gain, minsnr=minsnr, refant=refant,
        uvrange=uvrange,
    )  # fmt: skip
    image: dict[str, Any] = {"niter": niter, "robust": robust}
    if imsize:
        image["imsize"] = imsize
    if cell:
        image["cell_arcsec"] = cell
    report = run(ms, out, base_tables=tables or [], options=options, image_options=image)
    console.emit(report, json_output, lambda: _print(report))


def _print(report: dict[str, Any]) -> None:
    table = Table("round", "kind", "interval", "peak/rms", "kept", "why")
    for r in report["rounds"]:
        snr = "" if r["snr"] is None else f"{r['snr']:.1f}"
        table.add_row(
            str(r["round"]), r["kind"], r.get("solint", ""), snr, "yes" if r["accepted"] else "no", r["reason"]
        )
    console.out.print(table)
    console.out.print(
        f"peak/rms {report['snr_before']:.1f} -> {report['snr_after']:.1f} (round {report['best']}); {report['stopped']}"
    )


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("selfcal")(selfcal)
