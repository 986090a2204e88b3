"""``contimg flag``: bad data and RFI."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from dsa110_contimg.cli import console
from dsa110_contimg.cli.console import CommandError, JsonOption


def flag(
    ms: Annotated[Path, typer.Argument(help="Measurement Set.")],
    *,
    mode: Annotated[
        str, typer.Option("--mode", help="zeros (zeros, autocorrelations, dead antennas) or rfi (these, then RFI).")
    ] = "zeros",
    steps: Annotated[
        str,
        typer.Option(
            "--steps", help="Instead of --mode: comma list of zeros,autos,clip,dead,channels,rfi,residual,extend."
        ),
    ] = "",
    clip: Annotated[tuple[float, float] | None, typer.Option("--clip", help="Least and greatest amplitude.")] = None,
    uvrange: Annotated[str, typer.Option("--uvrange", help="Flag baselines inside, e.g. '2~50m'.")] = "",
    antenna: Annotated[str, typer.Option("--antenna", help="Flag antennas by name, comma list.")] = "",
    channels: Annotated[str, typer.Option("--channels", help="Flag channels, e.g. '3:10~20'.")] = "",
    shadow: Annotated[bool, typer.Option("--shadow", help="Flag shadowed antennas.")] = False,
    channel_fraction: Annotated[
        float | None, typer.Option("--channel-flag-threshold", help="Flag channels flagged above this fraction.")
    ] = None,
    reset: Annotated[bool, typer.Option("--reset", help="Forget all flags first.")] = False,
    field: Annotated[str, typer.Option("--field", help="Fields in CASA's words.")] = "",
    spw: Annotated[str, typer.Option("--spw", help="Spectral windows in CASA's words.")] = "",
    column: Annotated[str, typer.Option("--column", help="data or corrected.")] = "data",
    trial: Annotated[bool, typer.Option("--trial", help="Count only, write nothing.")] = False,
    json_output: JsonOption = False,
) -> None:
    """Flag a Measurement Set, step by step, and say what each step did."""
    from dsa110_contimg.calibration import stages

    if steps:
        chosen: list[dict[str, Any]] = [{"step": name.strip()} for name in steps.split(",") if name.strip()]
    elif mode == "zeros":
        chosen = [dict(step) for step in stages.STANDARD_STEPS]
    elif mode == "rfi":
        chosen = [dict(step) for step in (*stages.STANDARD_STEPS, *stages.RFI_STEPS)]
    else:
        raise CommandError(f"--mode: expected 'zeros' or 'rfi', found {mode!r}")
    if clip is not None:
        at = next((k for k, step in enumerate(chosen) if step["step"] == "clip"), min(2, len(chosen)))
        chosen[at : at + (1 if at < len(chosen) and chosen[at]["step"] == "clip" else 0)] = [
            {"step": "clip", "min": clip[0], "max": clip[1]}
        ]
    if uvrange:
        chosen.append({"step": "uvrange", "uvrange": uvrange})
    if antenna:
        chosen.append({"step": "manual", "antenna": antenna})
    if channels:
        chosen.append({"step": "manual", "spw": channels})
    if shadow:
        chosen.append({"step": "shadow"})
    if channel_fraction is not None:
        chosen.append({"step": "channels", "fraction": channel_fraction})
    with console.bar("flag", quiet=json_output) as progress:
        report = stages.flag(
            ms, chosen, reset=reset, field=field, spw=spw, column=column, trial=trial, progress=progress
        )
    console.emit(report, json_output, lambda: _print(report))


def _print(report: dict[str, Any]) -> None:
    table = Table("step", "added %", "before %")
    for step in report["steps"]:
        samples = max(step["samples"], 1)
        table.add_row(step["step"], f"{100 * step['added'] / samples:.3f}", f"{100 * step['before'] / samples:.3f}")
    console.out.print(table)
    console.out.print(
        f"flagged: {100 * report['before']:.2f} % before, {100 * report['after']:.2f} % after "
        f"({100 * report['after_cross']:.2f} % of cross-correlations)"
    )


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("flag")(flag)
