"""``contimg registry``: which calibration tables hold when."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from dsa110_contimg.cli import console
from dsa110_contimg.cli.console import CommandError, JsonOption

app = typer.Typer(no_args_is_help=True, help="The calibration registry.")
DbOption = Annotated[Path | None, typer.Option("--db", help="Registry; the configured one when left out.")]


def _db(path: Path | None) -> Path:
    if path is not None:
        return path
    from dsa110_contimg.config import load

    return Path(load().paths.registry)


def _existing(path: Path | None) -> Path:
    db = _db(path)
    if not db.is_file():
        raise CommandError(f"{db}: expected a registry ('contimg registry init' makes one), found none")
    return db


@app.command()
def init(*, db: DbOption = None, json_output: JsonOption = False) -> None:
    """Make the registry, or bring it up to date."""
    from dsa110_contimg.database import registry

    path = _db(db)
    path.parent.mkdir(parents=True, exist_ok=True)
    registry.ensure_db(path)
    console.emit({"db": str(path)}, json_output, lambda: console.out.print(f"{path} is ready"))


@app.command("register")
def register_tables(
    prefix: Annotated[Path, typer.Argument(help="What the tables' paths begin with.")],
    *,
    name: Annotated[str, typer.Option("--name", help="Name of the set.")],
    cal_field: Annotated[str | None, typer.Option("--cal-field", help="Field of the calibrator.")] = None,
    refant: Annotated[str | None, typer.Option("--refant", help="Reference antenna of the solutions.")] = None,
    valid_start: Annotated[float | None, typer.Option("--valid-start", help="[MJD days]; open when left out.")] = None,
    valid_end: Annotated[float | None, typer.Option("--valid-end", help="[MJD days]; open when left out.")] = None,
    db: DbOption = None,
    json_output: JsonOption = False,
) -> None:
    """Register every table of a prefix: the endings tell the terms and the order."""
    from dsa110_contimg.database import registry

    tables = registry.register_set_from_prefix(
        _db(db), name, prefix, cal_field=cal_field, refant=refant, valid_start_mjd=valid_start, valid_end_mjd=valid_end
    )
    console.emit({"set_name": name, "tables": tables}, json_output, lambda: console.out.print("\n".join(tables)))


@app.command()
def active(
    mjd: Annotated[float, typer.Argument(help="Observation time [MJD days].")],
    *,
    name: Annotated[str | None, typer.Option("--set", help="Only this set.")] = None,
    db: DbOption = None,
    json_output: JsonOption = False,
) -> None:
    """Tables to apply to an observation, in order."""
    from dsa110_contimg.database import registry

    tables = registry.get_active_applylist(_existing(db), mjd, name)
    console.emit(
        {"mjd": mjd, "tables": tables},
        json_output,
        lambda: console.out.print("\n".join(tables) or "no set is valid then"),
    )


@app.command("list")
def list_(*, db: DbOption = None, json_output: JsonOption = False) -> None:
    """All sets, newest first."""
    from dsa110_contimg.database import registry

    sets = registry.list_sets(_existing(db))
    console.emit({"sets": sets}, json_output, lambda: _print(sets))


@app.command()
def retire(
    name: Annotated[str, typer.Argument(help="Name of the set.")],
    *,
    reason: Annotated[str | None, typer.Option("--reason", help="Why, for the record.")] = None,
    db: DbOption = None,
    json_output: JsonOption = False,
) -> None:
    """Take a set out of use; its tables stay on disk."""
    from dsa110_contimg.database import registry

    path = _existing(db)
    count = registry.retire_set(path, name, reason=reason)
    if not count:
        known = ", ".join(s["set_name"] for s in registry.list_sets(path)) or "none"
        raise CommandError(f"set: expected one of {known}, found {name!r}")
    console.emit(
        {"set_name": name, "retired": count}, json_output, lambda: console.out.print(f"{name}: {count} retired")
    )


def _print(sets: list[dict[str, Any]]) -> None:
    table = Table("set", "active", "calibrator", "refant", "provenance", "tables", "valid [MJD]")
    for s in sets:
        spans = [" to ".join("open" if t is None else f"{t:.4f}" for t in span) for span in s["valid"]]
        table.add_row(
            s["set_name"], f"{s['active']}/{s['total']}", s["cal_field"] or "", s["refant"] or "", s["provenance"] or "",
            "\n".join(Path(t).name for t in s["tables"]), "\n".join(spans),
        )  # fmt: skip
    console.out.print(table)


def register(main: typer.Typer) -> None:
    """Add the commands."""
    main.add_typer(app, name="registry")
