"""``contimg convert``: groups of subband files become Measurement Sets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from dsa110_contimg.cli import console
from dsa110_contimg.cli.console import CommandError, JsonOption

if TYPE_CHECKING:
    from dsa110_contimg.conversion.convert import GroupResult

_STYLES = {"converted": "green", "skipped": "blue", "incomplete": "yellow", "failed": "red"}
_FRINGES = {"auto": None, "yes": True, "no": False}


def convert(
    directory: Annotated[Path, typer.Argument(help="Directory of <time>_sbNN.hdf5 files.")],
    out: Annotated[Path, typer.Argument(help="Base of science/YYYY-MM-DD/<time>.ms, or one path ending in .ms.")],
    *,
    start: Annotated[str | None, typer.Option("--start", help="First group, UTC, '2026-01-25 22:26:05'.")] = None,
    end: Annotated[str | None, typer.Option("--end", help="Last group, UTC.")] = None,
    phase_center: Annotated[
        str, typer.Option("--phase-center", help="per-integration (24 fields) or shared (one field).")
    ] = "per-integration",
    merge_spws: Annotated[bool, typer.Option("--merge-spws", help="One spectral window of all channels.")] = False,
    telescope_name: Annotated[
        str | None,
        typer.Option("--telescope-name", help="DSA_110, or OVRO_MMA for CASA, which knows only that."),
    ] = None,
    fringe_stopped: Annotated[
        str, typer.Option("--fringe-stopped", help="yes or no where the files do not say; auto believes them.")
    ] = "auto",
    antennas: Annotated[Path | None, typer.Option("--antennas", help="Station list instead of the package's.")] = None,
    expected: Annotated[int, typer.Option("--expected", help="Subbands of a complete group.")] = 16,
    kind: Annotated[str, typer.Option("--kind", help="science or calibrators.")] = "science",
    window_s: Annotated[float, typer.Option("--window", help="Names this close are one group [s].")] = 60.0,
    tmpfs: Annotated[bool, typer.Option("--tmpfs/--no-tmpfs", help="Write in /dev/shm first if it has room.")] = False,
    skip_existing: Annotated[
        bool, typer.Option("--skip-existing", help="Leave those already made of these files and sound.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace those that are there.")] = False,
    only_complete: Annotated[bool, typer.Option("--only-complete", help="Leave groups of 12 to 15 subbands.")] = False,
    checksums: Annotated[bool, typer.Option("--checksums/--no-checksums", help="SHA-256 of the inputs.")] = True,
    json_output: JsonOption = False,
) -> None:
    """Convert the groups of a directory; each Measurement Set appears whole or not at all."""
    from dsa110_contimg.conversion.convert import ConversionOptions, convert_directory

    if fringe_stopped not in _FRINGES:
        raise CommandError(f"--fringe-stopped: expected auto, yes or no, found {fringe_stopped!r}")
    options = ConversionOptions(
        phase_center=phase_center,
        merge_spws=merge_spws,
        telescope_name=telescope_name,
        fringe_stopped=_FRINGES[fringe_stopped],
        antennas=antennas,
        expected_subbands=expected,
        tmpfs=tmpfs,
        checksums=checksums,
    )
    with console.bar("rows", quiet=json_output) as progress:
        results = convert_directory(
            directory,
            out,
            start=start,
            end=end,
            kind=kind,
            skip_existing=skip_existing,
            overwrite=overwrite,
            semi_complete=not only_complete,
            window_s=window_s,
            progress=progress,
            options=options,
        )
    if not results:
        raise CommandError(f"{directory}: expected subband files in that time range, found none", {"groups": []})
    payload = {"groups": [result.as_dict() for result in results]}
    console.emit(payload, json_output, lambda: _print(results), ok=all(r.status != "failed" for r in results))


def _print(results: list[GroupResult]) -> None:
    table = Table("group", "status", "Measurement Set", "reason")
    for result in results:
        status = f"[{_STYLES[result.status]}]{result.status}[/]"
        table.add_row(result.group_id, status, str(result.ms or ""), result.reason)
    console.out.print(table)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("convert")(convert)
