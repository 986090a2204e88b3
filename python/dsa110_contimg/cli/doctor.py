"""`contimg doctor`: what is installed, where things live, and what is wrong."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
from pathlib import Path
from typing import Annotated, Any

import typer

from dsa110_contimg import ContimgError, __version__, _core
from dsa110_contimg.cli.console import JsonOption, emit, out
from dsa110_contimg.config import Config, load

_PYTHON_BACKENDS = ("casatasks", "casatools", "python-casacore", "pyuvdata", "astroquery", "dask", "bokeh", "fastapi")
_PROGRAMS = {"wsclean": "imaging backend", "aoflagger": "flagging backend", "chgcentre": "phase shifts", "DP3": "peer"}
_GET = {
    "wsclean": "Debian package wsclean",
    "aoflagger": "Debian package aoflagger",
    "casatasks": "pip install casatasks",
}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("doctor")(doctor)


def doctor(
    root: Annotated[Path | None, typer.Option(help="Where products and state live.")] = None,
    config_file: Annotated[Path | None, typer.Option("--config", help="Configuration file (TOML).")] = None,
    json_output: JsonOption = False,
) -> None:
    """Say what is installed, which optional backends are there, where data and databases live, and what is wrong."""
    config = load(config_file, **({"paths": {"root": root}} if root else {}))
    report = {
        "version": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "threads": _core.get_threads(),
        "backends": _backends(),
        "directories": _directories(config),
        "databases": _databases(config),
    }
    report["problems"] = _problems(report)
    emit(report, json_output, lambda: _print(report), ok=not report["problems"])


def _backends() -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for name in _PYTHON_BACKENDS:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = None
    found.update({name: shutil.which(name) for name in _PROGRAMS})
    return found


def _directories(config: Config) -> dict[str, dict[str, Any]]:
    paths = config.paths
    places: dict[str, Path | None] = {
        "root": paths.root,
        "input": paths.input_dir,
        "scratch": paths.scratch_dir,
        "state": paths.state,
        "ms": paths.ms,
        "caltables": paths.caltables,
        "images": paths.images,
        "mosaics": paths.mosaics,
    }
    report = {}
    for name, place in places.items():
        if place is None:
            continue
        existing = next(p for p in (place.absolute(), *place.absolute().parents) if p.exists())
        report[name] = {
            "path": str(place),
            "exists": place.is_dir(),
            "writable": os.access(existing, os.W_OK),
            "free_gb": round(shutil.disk_usage(existing).free / 1e9, 1),
        }
    return report


def _databases(config: Config) -> dict[str, dict[str, Any]]:
    from dsa110_contimg.database import Database

    files = {"queue": config.paths.queue, "registry": config.paths.registry, "products": config.paths.products}
    report: dict[str, dict[str, Any]] = {}
    for schema, path in files.items():
        entry: dict[str, Any] = {"path": str(path), "exists": path.is_file(), "errors": []}
        if path.is_file():
            try:
                entry["errors"] = Database(path, schema).core.integrity_errors()
            except (ContimgError, OSError) as error:
                entry["errors"] = [str(error)]
        report[schema] = entry
    return report


def _problems(report: dict[str, Any]) -> list[str]:
    problems = []
    for name, place in report["directories"].items():
        if name == "input" and not place["exists"]:
            problems.append(f"input: expected a directory, found none: {place['path']}")
        if name not in ("input",) and not place["writable"]:
            problems.append(f"{name}: expected a writable directory: {place['path']}")
        if place["free_gb"] < 5:
            problems.append(f"{name}: expected at least 5 GB free, found {place['free_gb']}: {place['path']}")
    for database in report["databases"].values():
        problems.extend(f"{database['path']}: {error}" for error in database["errors"])
    return list(dict.fromkeys(problems))


def _print(report: dict[str, Any]) -> None:
    from rich.table import Table

    out.print(f"dsa110_contimg {report['version']}, Python {report['python']}, {report['threads']} threads")
    table = Table("optional", "found", "how to get it", title="Backends", title_justify="left")
    for name, value in report["backends"].items():
        table.add_row(name, value or "[dim]-[/]", "" if value else _GET.get(name, f"pip install {name}"))
    out.print(table)
    table = Table("place", "path", "exists", "free GB", title="Directories", title_justify="left")
    for name, place in report["directories"].items():
        table.add_row(name, place["path"], "yes" if place["exists"] else "not yet", f"{place['free_gb']:.0f}")
    out.print(table)
    table = Table("database", "path", "state", title="Databases", title_justify="left")
    for name, database in report["databases"].items():
        state = "; ".join(database["errors"]) or ("sound" if database["exists"] else "not yet")
        table.add_row(name, database["path"], state)
    out.print(table)
    if report["problems"]:
        for problem in report["problems"]:
            out.print(f"[bold red]problem:[/] {problem}")
    else:
        out.print("[green]nothing is wrong[/]")
