"""``contimg groups``: what a directory of subband files holds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from dsa110_contimg.cli import console
from dsa110_contimg.cli.console import CommandError, JsonOption

if TYPE_CHECKING:
    from dsa110_contimg.conversion.groups import Classification
    from dsa110_contimg.conversion.normalisation import Rename

#: Colours of the three kinds of group.
_STYLES = {"complete": "green", "semi_complete": "yellow", "incomplete": "red"}


def groups(
    directory: Annotated[Path, typer.Argument(help="Directory of <time>_sbNN.hdf5 files.")],
    *,
    window_s: Annotated[float, typer.Option("--window", help="Names this close are one group [s].")] = 60.0,
    expected: Annotated[int, typer.Option("--expected", help="Subbands of a complete group.")] = 16,
    least: Annotated[int, typer.Option("--min-subbands", help="Fewest subbands of a semi-complete group.")] = 12,
    start: Annotated[str | None, typer.Option("--start", help="First group, UTC, '2026-01-25 22:26:05'.")] = None,
    end: Annotated[str | None, typer.Option("--end", help="Last group, UTC.")] = None,
    verify: Annotated[bool, typer.Option("--verify", help="Open every header and check it.")] = False,
    normalise: Annotated[
        bool, typer.Option("--normalise", help="Say which files would be renamed to their group's time.")
    ] = False,
    apply: Annotated[bool, typer.Option("--apply", help="With --normalise: rename them.")] = False,
    json_output: JsonOption = False,
) -> None:
    """Sort subband files into complete, semi-complete and incomplete groups; late, duplicate and foreign ones apart."""
    from dsa110_contimg.conversion.groups import classify_groups
    from dsa110_contimg.conversion.normalisation import normalise_names

    if apply and not normalise:
        raise CommandError("--apply: expected together with --normalise, found alone")
    if normalise:
        renames = normalise_names(directory, window_s=window_s, apply=apply)
        payload = {"directory": str(directory), "applied": apply, "renames": [step.as_dict() for step in renames]}
        ok = not any(step.problem for step in renames)
        console.emit(payload, json_output, lambda: _print_renames(renames, apply), ok=ok)
        return
    found = classify_groups(
        directory,
        window_s=window_s,
        expected_subbands=expected,
        min_subbands=least,
        start=start,
        end=end,
        verify=verify,
    )
    console.emit(found.as_dict(), json_output, lambda: _print(found), ok=not found.rejected)


def _print(found: Classification) -> None:
    table = Table("group", "status", "subbands", "missing", "late")
    for group in found.groups:
        missing = " ".join(f"sb{subband:02d}" for subband in group.missing)
        status = f"[{_STYLES[group.status.value]}]{group.status.value}[/]"
        table.add_row(group.group_id, status, str(len(group.files)), missing, str(len(group.late) or ""))
    console.out.print(table)
    console.out.print(
        f"{len(found.complete)} complete, {len(found.semi_complete)} semi-complete, {len(found.incomplete)} incomplete"
    )
    for duplicate in found.duplicates:
        words = f"{duplicate.dropped.name} ({duplicate.kept.name} is kept: {duplicate.reason})"
        console.out.print("duplicate:", words, markup=False)
    for path in found.late:
        console.out.print("late:", path.name, markup=False)
    for bad in found.foreign:
        console.out.print("foreign:", f"{bad.path.name}: {bad.reason}", markup=False)
    for bad in found.rejected:
        console.out.print("rejected:", f"{bad.path.name}: {bad.reason}", markup=False)


def _print_renames(renames: list[Rename], apply: bool) -> None:
    for step in renames:
        words = step.problem or ("renamed" if step.done else "would be renamed")
        console.out.print(f"{step.source.name} -> {step.target.name}: {words}", markup=False)
    if not renames:
        console.out.print("every file carries its group's time")
    elif not apply:
        console.out.print("nothing was changed; add --apply to rename")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("groups")(groups)
