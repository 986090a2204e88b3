"""`contimg transits`: when a position crosses the meridian."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from dsa110_contimg.cli.console import CommandError, JsonOption, emit, out


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("transits")(transits)


def transits(
    ra_deg: Annotated[float, typer.Argument(help="Right ascension, ICRS [degrees].")],
    dec_deg: Annotated[
        float | None,
        typer.Argument(help="Declination, ICRS [degrees]; without it the right ascension is taken as of date."),
    ] = None,
    *,
    start: Annotated[str | None, typer.Option(help="UTC (ISO or MJD); now when left out.")] = None,
    n: Annotated[int, typer.Option("-n", "--count", min=1, max=1000, help="How many.")] = 3,
    after: Annotated[bool, typer.Option("--next", help="Coming transits instead of past ones.")] = False,
    json_output: JsonOption = False,
) -> None:
    """List transits of a position over the DSA-110."""
    import math

    from dsa110_contimg.calibration.schedule import next_transits, previous_transits

    if not math.isfinite(ra_deg) or (dec_deg is not None and not abs(dec_deg) <= 90):
        raise CommandError(f"expected a position in degrees (Dec in [-90, 90]), found {ra_deg} {dec_deg}")
    walk = next_transits if after else previous_transits
    times = walk(ra_deg, dec_deg=dec_deg, n=n, start_time=_start(start))
    report: dict[str, Any] = {
        "ra_deg": ra_deg,
        "dec_deg": dec_deg,
        "transits": [{"utc": time.isot, "mjd": float(time.mjd)} for time in times],
    }
    emit(report, json_output, lambda: _print(report))


def _start(text: str | None) -> str | float | None:
    if text is None:
        return None
    try:
        return float(text)
    except ValueError:
        return text


def _print(report: dict[str, Any]) -> None:
    for transit in report["transits"]:
        out.print(f"{transit['utc']}  MJD {transit['mjd']:.6f}")
