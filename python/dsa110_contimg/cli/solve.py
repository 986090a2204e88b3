"""``contimg solve``: calibration tables from a Measurement Set and a model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from dsa110_contimg.cli import console
from dsa110_contimg.cli.console import CommandError, JsonOption

#: Suffix of a term's table beside the Measurement Set: the registry knows the terms by them.
SUFFIX = {"K": "_kcal", "B": "_bpcal", "G": "_gpcal", "2G": "_2gcal", "P": "_prebp_phase"}


def solve(
    ms: Annotated[Path, typer.Argument(help="Measurement Set of the calibrator.")],
    *,
    terms: Annotated[
        str, typer.Option("--terms", help="Comma list: K, P (phases for B alone), B, G, 2G; K and P go first.")
    ] = "B,G",
    model: Annotated[Path | None, typer.Option("--model", help="Sky CSV; without a model MODEL_DATA is used.")] = None,
    point: Annotated[str, typer.Option("--point", help="Model: RA_DEG,DEC_DEG,FLUX_JY[,ALPHA].")] = "",
    prefix: Annotated[Path | None, typer.Option("--prefix", help="Path of the tables before their suffix.")] = None,
    field: Annotated[str, typer.Option("--field", help="Fields in CASA's words: 0~3,5.")] = "",
    spw: Annotated[str, typer.Option("--spw", help="Windows and channels in CASA's words: 0:5~42;45,1.")] = "",
    uvrange: Annotated[str, typer.Option("--uvrange", help="Baselines used: '>1klambda', '20~500m'.")] = "",
    refant: Annotated[str, typer.Option("--refant", help="Ranked list; the array's chain stands behind it.")] = "103",
    refantmode: Annotated[
        str, typer.Option("--refantmode", help="Where it has no solution: flex takes the next one, strict flags.")
    ] = "flex",
    combine: Annotated[
        str, typer.Option("--combine", help="Boundaries that intervals cross: comma list of scan, field, spw.")
    ] = "scan,field",
    minsnr: Annotated[float, typer.Option("--minsnr", help="Flag solutions below this signal to noise.")] = 3.0,
    minblperant: Annotated[int, typer.Option("--minblperant", help="Fewest baselines of an antenna.")] = 4,
    gain_solint: Annotated[str, typer.Option("--gain-solint", help="For G: inf, int or a time (30s, 2min).")] = "inf",
    short_solint: Annotated[
        str, typer.Option("--short-solint", help="For 2G: inf, int or a time (30s, 2min).")
    ] = "60s",
    gain_calmode: Annotated[
        str, typer.Option("--gain-calmode", help="Of G and 2G: ap (amplitude and phase), p or a.")
    ] = "ap",
    solnorm: Annotated[bool, typer.Option("--solnorm/--no-solnorm", help="Normalise the bandpass.")] = True,
    fillgaps: Annotated[int, typer.Option("--fillgaps", help="Gaps of the bandpass bridged [channels].")] = 3,
    smooth_type: Annotated[
        str, typer.Option("--bp-smooth-type", help="none, hanning, boxcar, gaussian, polynomial.")
    ] = "none",
    smooth_window: Annotated[float | None, typer.Option("--bp-smooth-window", help="Channels, or a degree.")] = None,
    robust: Annotated[
        str, typer.Option("--robust", help="Down-weighting of outlying baselines: off, huber or student.")
    ] = "off",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace tables that exist.")] = False,
    json_output: JsonOption = False,
) -> None:
    """Solve terms one after the other, each with the tables before it applied."""
    from dsa110_contimg.calibration import sky, stages

    if model is not None and point:
        raise CommandError("model: expected --model or --point, found both")
    chosen = sky.from_csv(model) if model is not None else sky.parse_point(point) if point else None
    names = [term.strip().upper() for term in terms.split(",") if term.strip()]
    unknown = [term for term in names if term not in SUFFIX]
    if unknown or not names:
        raise CommandError(f"--terms: expected a comma list of {', '.join(SUFFIX)}, found {terms!r}")
    if len(set(names)) < len(names):
        raise CommandError(f"--terms: expected each term once, found {terms!r}")
    # Phases solved before delays would hold the delays' phases a second time.
    names.sort(key=lambda name: (name != "K", name != "P"))
    base = stages.table_prefix(ms, prefix)
    taken = [f"{base}{SUFFIX[name]}" for name in names if Path(f"{base}{SUFFIX[name]}").exists()]
    if taken and not overwrite:
        raise CommandError(f"tables: expected --overwrite or paths where nothing is, found {', '.join(taken)}")
    common: dict[str, Any] = {
        "field": field, "spw": spw, "uvrange": uvrange, **stages.refants(refant), "refantmode": refantmode,
        "combine": combine, "minsnr": minsnr, "minblperant": minblperant, "robust": robust, "overwrite": overwrite,
    }  # fmt: skip
    own: dict[str, dict[str, Any]] = {
        "P": {"term": "G", "calmode": "p", "solint": "30s"},
        "K": {"term": "K"},
        "B": {
            "term": "B",
            "solnorm": solnorm,
            "fillgaps": fillgaps,
            "smooth_type": smooth_type,
            "smooth_window": smooth_window,
        },
        "G": {"term": "G", "solint": gain_solint, "calmode": gain_calmode},
        "2G": {"term": "G", "solint": short_solint, "calmode": gain_calmode},
    }
    reports: list[dict[str, Any]] = []
    tables: list[str] = []
    phases: list[str] = []
    for name in names:
        before = [*tables, *(phases if name == "B" else [])]
        with console.bar(f"solve {name}", quiet=json_output) as progress:
            report = stages.solve(
                ms, f"{base}{SUFFIX[name]}", gaintable=before, model=chosen, progress=progress, **own[name], **common
            )
        reports.append(report)
        (phases if name == "P" else tables).append(report["table"])
    console.emit({"ms": str(ms), "tables": tables, "solves": reports}, json_output, lambda: _print(reports))


def _print(reports: list[dict[str, Any]]) -> None:
    table = Table("table", "refant", "SNR", "flagged % (working)", "receptors", "failed", "chi2")
    for r in reports:
        table.add_row(
            Path(r["table"]).name, r["refant"], f"{r['median_snr']:.1f}", f"{100 * r['flagged_fraction_working']:.2f}",
            str(r["working_receptors"]), str(r["failed"]), f"{r['chi2_reduced']:.3g}",
        )  # fmt: skip
    console.out.print(table)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("solve")(solve)
