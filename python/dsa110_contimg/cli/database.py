"""`contimg database`: migrate, check and back up the databases."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dsa110_contimg.cli.console import CommandError, JsonOption, emit, out
from dsa110_contimg.config import load

RootOption = Annotated[Path | None, typer.Option(help="Where products and state live (default: configuration).")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Migrate, check and back up the databases.", no_args_is_help=True)
    group.command("migrate")(migrate)
    group.command("check")(check)
    group.command("backup")(backup)
    app.add_typer(group, name="database")


def _files(root: Path | None) -> dict[str, Path]:
    paths = load(None, **({"paths": {"root": root}} if root else {})).paths
    return {"queue": paths.queue, "registry": paths.registry, "products": paths.products}


def migrate(root: RootOption = None, json_output: JsonOption = False) -> None:
    """Create the databases, or bring them up to date; rows are kept and a backup is made first."""
    from dsa110_contimg.database import Database

    files = _files(root)
    for schema, path in files.items():
        Database(path, schema)
    payload = {"databases": {schema: str(path) for schema, path in files.items()}}
    emit(payload, json_output, lambda: out.print("\n".join(f"{s}: {p}" for s, p in files.items())))


def check(root: RootOption = None, json_output: JsonOption = False) -> None:
    """Run SQLite's integrity check on each database that exists."""
    from dsa110_contimg.database import Database

    report = {
        schema: {"path": str(path), "errors": Database(path, schema).core.integrity_errors()}
        for schema, path in _files(root).items()
        if path.is_file()
    }

    def human() -> None:
        for schema, entry in report.items():
            out.print(f"{schema}: {'sound' if not entry['errors'] else '; '.join(entry['errors'])}")

    emit({"databases": report}, json_output, human, ok=not any(e["errors"] for e in report.values()))


def backup(
    target: Annotated[Path, typer.Argument(help="Directory for the copies; made when missing.")],
    root: RootOption = None,
    json_output: JsonOption = False,
) -> None:
    """Copy a consistent snapshot of each database, while others read and write."""
    from dsa110_contimg.database import Database

    copies = {}
    for schema, path in _files(root).items():
        if not path.is_file():
            continue
        target.mkdir(parents=True, exist_ok=True)
        copy = target / path.name
        if copy.exists():
            raise CommandError(f"{copy}: expected no file there, found one; name another directory")
        Database(path, schema).backup(copy)
        copies[schema] = str(copy)
    emit({"copies": copies}, json_output, lambda: out.print("\n".join(f"{s}: {p}" for s, p in copies.items())))
