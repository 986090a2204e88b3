"""What every command shares: one JSON object on stdout, everything for people on stderr, honest exit codes."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout and nothing else there.")]

#: For people: tables, bars, warnings. Never stdout, which belongs to the result.
err = Console(stderr=True, highlight=False, emoji=False)
out = Console(highlight=False, emoji=False)

ProgressCallback = Callable[[int, int], None]


class CommandError(Exception):
    """A command cannot go on; its text is the one line the user sees.

    Parameters
    ----------
    message : str
        What was expected, what was found, where.
    payload : dict, optional
        What `--json` prints beside ``error``.
    """

    def __init__(self, message: str, payload: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.payload = payload or {}


def _plain(value: object) -> object:
    """JSON form of paths, numpy scalars, dataclass-like models and non-finite numbers (which JSON does not have)."""
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(v) for v in value]
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "model_dump"):
        return _plain(value.model_dump())
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def emit(
    payload: dict[str, Any], json_output: bool, human: Callable[[], None] | None = None, *, ok: bool = True
) -> None:
    """Print the result of a command and end it with exit code 1 unless `ok`.

    Parameters
    ----------
    payload : dict
        The documented result; printed as one JSON object with ``--json``.
    json_output : bool
        Whether ``--json`` was given.
    human : callable, optional
        Prints the same for a person (tables on `out`); not called with ``--json``.
    ok : bool
        Whether the command did all of what it was asked for.
    """
    if json_output:
        typer.echo(json.dumps(_plain(payload), allow_nan=False, sort_keys=False))
    elif human is not None:
        human()
    if not ok:
        raise typer.Exit(1)


@contextmanager
def bar(description: str, *, quiet: bool = False) -> Iterator[ProgressCallback]:
    """A progress bar on stderr as a callback ``(done, total)`` for the core's long calls.

    Silent when `quiet`, when stderr is not a terminal, or when ``CONTIMG_DISABLE_PROGRESS`` is set.
    """
    from dsa110_contimg.config import progress_disabled

    if quiet or not err.is_terminal or progress_disabled():
        yield lambda _done, _total: None
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=err, transient=True) as progress:
        task = progress.add_task(description, total=None)

        def update(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total or None)

        yield update
