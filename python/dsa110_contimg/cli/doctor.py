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

# Optional parts: what they are for here, and how they come.
_PACKAGES = {
    "casatasks": ("imaging and flagging backend `casa`; comparisons", "pip install casatasks casadata"),
    "python-casacore": ("comparisons", "pip install python-casacore"),
    "pyuvdata": ("comparisons", "pip install pyuvdata"),
    "ducc0": ("comparisons", "pip install ducc0"),
    "astroquery": ("external cross-matches", "pip install astroquery"),
    "bokeh": ("interactive plots in notebooks", "pip install bokeh"),
}
_PROGRAMS = {
    "wsclean": ("imaging backend `wsclean`", "Debian package wsclean"),
    "aoflagger": ("flagging backend `aoflagger`", "Debian package aoflagger"),
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
        "earth_orientation": _earth_orientation(),
    }
    report["problems"] = _problems(report)
    emit(report, json_output, lambda: _print(report), ok=not report["problems"])


def _backends() -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = None
    found.update({name: shutil.which(name) for name in _PROGRAMS})
    return found


def _earth_orientation() -> dict[str, Any]:
    import time

    from dsa110_contimg._core import time as clock

    status = clock.iers_status(40587.0 + time.time() / 86400.0)
    return {key: status[key] for key in ("source", "coverage", "last_measured_mjd", "last_mjd")}


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
    if report["earth_orientation"]["coverage"] == "outside":
        problems.append(
            "Earth orientation: expected a table that reaches today, found one that ends at MJD "
            f"{report['earth_orientation']['last_mjd']:.0f}: renew it with `contimg iers update FILE`"
        )
    for database in report["databases"].values():
        problems.extend(f"{database['path']}: {error}" for error in database["errors"])
    return list(dict.fromkeys(problems))


def _print(report: dict[str, Any]) -> None:
    from rich.table import Table

    out.print(f"dsa110_contimg {report['version']}, Python {report['python']}, {report['threads']} threads")
    table = Table("optional", "for", "found", "how to get it", title="Backends", title_justify="left")
    for name, (purpose, source) in {**_PACKAGES, **_PROGRAMS}.items():
        value = report["backends"][name]
        table.add_row(name, purpose, value or "[dim]-[/]", "" if value else source)
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
    earth = report["earth_orientation"]
    out.print(
        f"Earth orientation: {earth['source']}, measured to MJD {earth['last_measured_mjd']:.0f}, predicted to "
        f"{earth['last_mjd']:.0f}; today is {earth['coverage']}"
    )
    if report["problems"]:
        for problem in report["problems"]:
            out.print(f"[bold red]problem:[/] {problem}")
    else:
        out.print("[green]nothing is wrong[/]")
