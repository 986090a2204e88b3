"""`contimg iers`: the table of Earth orientation (UT1, polar motion, leap seconds)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from dsa110_contimg.cli.console import JsonOption, emit, out


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(help="Table of Earth orientation: what is in use, and how to renew it.", no_args_is_help=True)
    group.command("status")(status)
    group.command("update")(update)
    app.add_typer(group, name="iers")


def status(
    date: Annotated[str | None, typer.Option(help="UTC date to ask about (ISO or MJD); today when left out.")] = None,
    json_output: JsonOption = False,
) -> None:
    """Say which table is in use, up to when it reaches, and how large the error is at a date."""
    from dsa110_contimg._core import time as clock

    mjd = _mjd(date)
    report: dict[str, Any] = {"mjd": mjd, **clock.iers_status(mjd)}
    user = clock.iers_user_file()
    report["user_file"] = None if user is None else str(user[0])
    emit(report, json_output, lambda: _print(report))


def update(
    file: Annotated[Path, typer.Argument(help="finals2000A.all, .data, .daily or .csv of the IERS.")],
    json_output: JsonOption = False,
) -> None:
    """Renew the table from a file of the IERS (finals2000A); nothing is downloaded.

    The files are at https://datacenter.iers.org (Rapid data and predictions, finals2000A).
    """
    from dsa110_contimg._core import time as clock

    before = clock.iers_status()
    written = clock.iers_update(file)
    in_use = clock.iers_status()
    report = {
        "path": str(written["path"]),
        "first_mjd": written["first_mjd"],
        "last_measured_mjd": written["last_measured_mjd"],
        "last_mjd": written["last_mjd"],
        "previous_last_measured_mjd": before["last_measured_mjd"],
        "in_use": in_use["source"],
    }
    emit(report, json_output, lambda: _print_update(report))


def _mjd(date: str | None) -> float:
    import time

    from dsa110_contimg.utils.site import SECONDS_PER_DAY, mjd_s_of

    if date is None:
        return 40587.0 + time.time() / SECONDS_PER_DAY
    try:
        return float(date)
    except ValueError:
        return mjd_s_of(date) / SECONDS_PER_DAY


def _print(report: dict[str, Any]) -> None:
    out.print(f"table: {report['source']}")
    out.print(
        f"covers MJD {report['first_mjd']:.0f} to {report['last_mjd']:.0f}, "
        f"measured to {report['last_measured_mjd']:.0f}"
    )
    out.print(f"MJD {report['mjd']:.2f}: {report['coverage']}", end="")
    if report["coverage"] == "outside":
        out.print(
            f" by {report['days_outside']:.0f} days; UT1-UTC may be off by {report['dut1_error_ms']:.0f} ms, "
            f"directions by {report['direction_error_mas']:.0f} mas, w by {report['w_error_mm']:.1f} mm",
            end="",
        )
    out.print()


def _print_update(report: dict[str, Any]) -> None:
    out.print(
        f"wrote {report['path']}: measured to MJD {report['last_measured_mjd']:.0f}, "
        f"predicted to {report['last_mjd']:.0f}"
    )
    if report["in_use"] != report["path"]:
        out.print(f"still in use, because it is newer: {report['in_use']}")
