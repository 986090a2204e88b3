"""``contimg flag``: bad data and RFI; flag versions."""

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
        str,
        typer.Option("--mode", help="zeros (zeros, autocorrelations, dead antennas), rfi (these, then RFI) or none."),
    ] = "zeros",
    steps: Annotated[
        str, typer.Option("--steps", help="Instead of --mode: a comma list of steps, in their order.")
    ] = "",
    backend: Annotated[str, typer.Option("--backend", help="RFI by native, aoflagger or casa.")] = "native",
    strategy: Annotated[str, typer.Option("--strategy", help="Strategy file of aoflagger.")] = "",
    false_alarm: Annotated[float | None, typer.Option("--false-alarm", help="Share of noise RFI may take.")] = None,
    clip: Annotated[
        tuple[float, float] | None, typer.Option("--clip", help="Least and greatest amplitude kept [data units].")
    ] = None,
    uvrange: Annotated[str, typer.Option("--uvrange", help="Flag baselines inside, e.g. '2~50m'.")] = "",
    antenna: Annotated[
        str, typer.Option("--antenna", help="Flag antennas by name, comma list; '24&103' a baseline, '!24' all but.")
    ] = "",
    baseline: Annotated[str, typer.Option("--baseline", help="Flag baselines, e.g. '24&103'.")] = "",
    channels: Annotated[str, typer.Option("--channels", help="Flag channels, e.g. '3:10~20;30'.")] = "",
    timerange: Annotated[str, typer.Option("--timerange", help="Flag times, UTC, 'from~to', '>from'.")] = "",
    shadow: Annotated[float | None, typer.Option("--shadow", help="Flag shadowed antennas; tolerance [m].")] = None,
    quack: Annotated[float | None, typer.Option("--quack", help="Flag ends of the observation; length [s].")] = None,
    quackmode: Annotated[str, typer.Option("--quackmode", help="Which end: beg, endb; all but it: tail, end.")] = "beg",
    elevation: Annotated[tuple[float, float] | None, typer.Option("--elevation", help="Limits kept [deg].")] = None,
    growtime: Annotated[float, typer.Option("--growtime", help="Flag channels flagged above, percent of times.")] = 0,
    growfreq: Annotated[float, typer.Option("--growfreq", help="Flag times flagged above, percent of channels.")] = 0,
    channel_fraction: Annotated[
        float | None, typer.Option("--channel-flag-threshold", help="Flag channels flagged above this fraction.")
    ] = None,
    reset: Annotated[bool, typer.Option("--reset", help="Forget all flags first.")] = False,
    field: Annotated[str, typer.Option("--field", help="Fields in CASA's words.")] = "",
    spw: Annotated[str, typer.Option("--spw", help="Spectral windows in CASA's words.")] = "",
    column: Annotated[str, typer.Option("--column", help="data or corrected.")] = "data",
    trial: Annotated[bool, typer.Option("--trial", help="Count only, write nothing.")] = False,
    save: Annotated[
        str,
        typer.Option(
            "--save", help="Save the flags as they are under this name first; one of that name is kept as NAME.old.1."
        ),
    ] = "",
    restore: Annotated[str, typer.Option("--restore", help="Put saved flags back; no step is run.")] = "",
    versions: Annotated[bool, typer.Option("--versions", help="List saved flags; no step is run.")] = False,
    provenance: Annotated[Path | None, typer.Option("--provenance", help="Directory: which step flagged what.")] = None,
    plot: Annotated[Path | None, typer.Option("--plot", help="PNG of the flagged fractions.")] = None,
    json_output: JsonOption = False,
) -> None:
    """Flag a Measurement Set, step by step, and say what each step did."""
    from dsa110_contimg.calibration import flagging, stages

    if versions or restore:
        if restore:
            flagging.restore_flags(ms, restore)
        found = flagging.list_flag_versions(ms)
        report = {"ms": str(ms), "versions": found, "restored": restore or None}
        console.emit(report, json_output, lambda: _print_versions(report))
        return
    for option, percent in (("--growtime", growtime), ("--growfreq", growfreq)):
        if not 0 <= percent <= 100:
            raise CommandError(f"{option}: expected percent from 0 to 100, found {percent:g}")
    named: dict[str, dict[str, Any] | None] = {
        "clip": {"min": clip[0], "max": clip[1]} if clip else None,
        "shadow": {"tolerance_m": shadow} if shadow is not None else None,
        "quack": {"interval_s": quack, "mode": quackmode} if quack is not None else None,
        "elevation": {"lower_deg": elevation[0], "upper_deg": elevation[1]} if elevation else None,
        "uvrange": {"uvrange": uvrange} if uvrange else None,
        "manual": _manual(ms, antenna, baseline, channels, timerange),
        "rfi": {"false_alarm": false_alarm} if false_alarm is not None else None,
        "channels": {"fraction": channel_fraction} if channel_fraction is not None else None,
        "extend": {"grow_time": growtime / 100, "grow_freq": growfreq / 100} if growtime or growfreq else None,
    }
    chosen = _chosen(mode, steps, named)
    flagging.require_backend(backend)
    if backend != "native" and all(step["step"] != "rfi" for step in chosen):
        raise CommandError(f"--backend {backend}: expected --mode rfi (or rfi among --steps), found no such step")
    if save:
        flagging.save_flags(ms, save)
    before = None
    if backend != "native" and any(step["step"] == "rfi" for step in chosen) and not trial:
        if provenance is not None:
            raise CommandError("--provenance: expected --backend native, which knows its steps")
        before, chosen = flagging.around_rfi(chosen)
        if reset or before:
            stages.flag(ms, before, reset=reset, field=field, spw=spw, column=column)
        flagging.run_backend(ms, backend, datacolumn=column, strategy=strategy or None)
    with console.bar("flag", quiet=json_output) as progress:
        report = stages.flag(
            ms, chosen, reset=reset and before is None, field=field, spw=spw, column=column, trial=trial,
            provenance=provenance, waterfall=plot is not None, progress=progress,
        )  # fmt: skip
    report["backend"] = backend
    if plot is not None:
        from dsa110_contimg.plots import flags as plots

        report["plot"] = str(plots.flag_report(report, plot))
    # It is for the picture: a full tile has 18432 numbers of it.
    report.pop("waterfall", None)
    console.emit(report, json_output, lambda: _print(report))


#: Where a step that an option asks for goes, when the mode does not have it: selections before RFI is looked for.
_ORDER = (
    "zeros", "autos", "clip", "shadow", "quack", "elevation", "uvrange", "manual", "dead", "rfi", "residual", "channels",
    "extend",
)  # fmt: skip


def _chosen(mode: str, steps: str, named: dict[str, dict[str, Any] | None]) -> list[dict[str, Any]]:
    from dsa110_contimg.calibration import stages

    if steps:
        names = [name.strip() for name in steps.split(",") if name.strip()]
        missing = [name for name, given in named.items() if given is not None and name not in names]
        needy = [name for name in names if name in ("clip", "uvrange", "manual") and named[name] is None]
        if missing or needy:
            raise CommandError(
                f"--steps: expected the steps that options are given for, found none for: {', '.join(missing + needy)}"
            )
        return [{"step": name, **(named.get(name) or {})} for name in names]
    modes = {"zeros": stages.STANDARD_STEPS, "rfi": (*stages.STANDARD_STEPS, *stages.RFI_STEPS), "none": ()}
    if mode not in modes:
        raise CommandError(f"--mode: expected 'zeros', 'rfi' or 'none', found {mode!r}")
    chosen = {step["step"]: dict(step) for step in modes[mode]}
    for name, given in named.items():
        if given is not None:
            if name == "rfi" and name not in chosen:
                raise CommandError("--false-alarm: expected --mode rfi")
            chosen[name] = {"step": name, **given}
    return [chosen[name] for name in _ORDER if name in chosen]


def _manual(ms: Path, antenna: str, baseline: str, channels: str, timerange: str) -> dict[str, Any] | None:
    given: dict[str, Any] = {
        key: text for key, text in (("antenna", antenna), ("baseline", baseline), ("spw", channels)) if text
    }
    if timerange:
        from dsa110_contimg.calibration import flagging

        given["time_range_mjd_s"] = list(flagging.parse_timerange(timerange, ms))
    return given or None


def _print(report: dict[str, Any]) -> None:
    table = Table("step", "added %", "before %", "parameters")
    for step in report["steps"]:
        samples = max(step["samples"], 1)
        given = ", ".join(f"{key} {value}" for key, value in step["parameters"].items() if value not in (None, []))
        added, before = 100 * step["added"] / samples, 100 * step["before"] / samples
        table.add_row(step["step"], f"{added:.3f}", f"{before:.3f}", given)
    console.out.print(table)
    console.out.print(
        f"flagged: {100 * report['before']:.2f} % before, {100 * report['after']:.2f} % after "
        f"({100 * report['after_cross']:.2f} % of cross-correlations)"
    )


def _print_versions(report: dict[str, Any]) -> None:
    table = Table("version", "comment")
    for version in report["versions"]:
        table.add_row(version["name"], version["comment"])
    console.out.print(table)
    if report["restored"]:
        console.out.print(f"restored: {report['restored']}")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("flag")(flag)
