"""``contimg simulate``: a synthetic group of subband files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dsa110_contimg.cli import console
from dsa110_contimg.cli.console import CommandError, JsonOption

if TYPE_CHECKING:
    from dsa110_contimg.simulation import SimulatedGroup, Source


def simulate(
    out: Annotated[Path, typer.Argument(help="Directory for the files; the truth goes to truth/ below it.")],
    *,
    start: Annotated[str, typer.Option("--start", help="Beginning, UTC.")] = "2026-01-25T22:26:05",
    dec_deg: Annotated[float, typer.Option("--dec", help="Declination of the pointing, of date [deg].")] = 16.15,
    sky: Annotated[Path | None, typer.Option("--sky", help="CSV: ra_deg,dec_deg,flux_jy[,alpha,...].")] = None,
    n_sources: Annotated[int, typer.Option("--n-sources", help="Random sources about the pointing.")] = 20,
    radius_deg: Annotated[float, typer.Option("--radius", help="Radius of the random sources [deg].")] = 1.5,
    separation: Annotated[float, typer.Option("--min-separation", help="Closest pair [arcmin].")] = 0.0,
    cal_flux_jy: Annotated[
        float, typer.Option("--cal-flux", help="A calibrator at the pointing of this flux [Jy].")
    ] = 0.0,
    antennas: Annotated[int | None, typer.Option("--antennas", help="How many antennas, over all arms.")] = None,
    stations: Annotated[str | None, typer.Option("--stations", help="Station numbers: 1,11,103.")] = None,
    antenna_table: Annotated[
        Path | None, typer.Option("--antenna-table", help="CSV of stations instead of the shipped one.")
    ] = None,
    integrations: Annotated[int, typer.Option("--integrations", help="12.9 s integrations.")] = 24,
    subbands: Annotated[str, typer.Option("--subbands", help="0-15, or 0,3,7; 0 is the highest.")] = "0-15",
    channels: Annotated[int, typer.Option("--channels", help="Channels a subband; divides 48.")] = 48,
    beam: Annotated[str, typer.Option("--beam", help="airy or none.")] = "airy",
    smear: Annotated[bool, typer.Option("--smear/--no-smear", help="Average within samples.")] = True,
    accuracy: Annotated[float, typer.Option("--accuracy", help="Of the averages, of the summed flux.")] = 1e-5,
    gains: Annotated[bool, typer.Option("--gains/--no-gains", help="Random antenna gains.")] = True,
    sefd_jy: Annotated[float, typer.Option("--sefd", help="Noise [Jy]; 0 is none.")] = 6500.0,
    rfi: Annotated[int, typer.Option("--rfi", help="Random interference events.")] = 0,
    dead: Annotated[str | None, typer.Option("--dead", help="Stations whose data are zeros.")] = None,
    seed: Annotated[int, typer.Option("--seed", help="Everything random.", min=0)] = 0,
    epoch: Annotated[int, typer.Option("--epoch", help="Noise and daily gains differ by it.", min=0)] = 0,
    jitter: Annotated[int, typer.Option("--name-jitter", help="File names differ by up to [s].", min=0)] = 1,
    replace: Annotated[bool, typer.Option("--replace", help="Replace files of the same name.")] = False,
    json_output: JsonOption = False,
) -> None:
    """Write a synthetic group in the correlator's own layout: sky, beam, smearing, gains, noise, interference."""
    from dsa110_contimg.simulation import random_sky, read_sky, simulate_group

    wanted = _numbers("--stations", stations) if stations else antennas
    if sky is not None:
        sources = read_sky(sky)
    else:
        ra, dec = _pointing(start, dec_deg)
        sources = random_sky(
            count=n_sources,
            ra_deg=ra,
            dec_deg=dec,
            radius_deg=radius_deg,
            min_separation_arcmin=separation,
            seed=seed,
        )
    if cal_flux_jy > 0.0:
        sources = [_calibrator(start, dec_deg, cal_flux_jy), *sources]
    with console.bar("simulate", quiet=json_output) as progress:
        made = simulate_group(
            out,
            start=start,
            dec_deg=dec_deg,
            sources=sources,
            stations=wanted,
            antennas=antenna_table,
            integrations=integrations,
            subbands=_numbers("--subbands", subbands),
            channels=channels,
            beam=beam,
            smear=smear,
            accuracy=accuracy,
            gains=gains,
            sefd_jy=sefd_jy,
            rfi={"random": rfi, "strength_jy": [10.0, 300.0]} if rfi else None,
            dead=_numbers("--dead", dead) if dead else (),
            seed=seed,
            epoch=epoch,
            name_jitter_s=jitter,
            replace=replace,
            progress=progress,
        )
    console.emit(_payload(made), json_output, lambda: _print(made))


def _payload(made: SimulatedGroup) -> dict[str, Any]:
    truth = made.truth
    return {
        "group_id": made.group,
        "files": [str(path) for path in made.files],
        "truth": str(made.truth_path),
        "antennas": len(truth["stations"]),
        "integrations": len(truth["time_mjd_s"]),
        "channels": len(truth["freq_hz"]),
        "sources": len(truth["sources"]),
        "pointing_ra_deg": truth["pointing_ra_deg"],
        "pointing_dec_deg": truth["pointing_dec_deg"],
        "noise_sigma_jy": truth["noise_sigma_jy"],
    }


def _print(made: SimulatedGroup) -> None:
    facts = _payload(made)
    console.out.print(
        f"{made.group}: {len(made.files)} subbands, {facts['antennas']} antennas, {facts['integrations']} "
        f"integrations, {facts['channels']} channels, {facts['sources']} sources"
    )
    console.out.print(f"truth: {made.truth_path}")


def _numbers(option: str, text: str) -> list[int]:
    """``0-3,7`` as a list."""
    numbers: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdigit() or (dash and not last.isdigit()):
            raise CommandError(f"{option}: expected numbers such as 0-3,7, found {text!r}")
        numbers.extend(range(int(first), int(last) + 1) if dash else [int(first)])
    return numbers


def _pointing(start: str, dec_deg: float) -> tuple[float, float]:
    import math

    import numpy as np

    from dsa110_contimg._core import coords
    from dsa110_contimg.simulation.group import mjd_seconds

    ra, dec = coords.meridian_icrs(np.array([mjd_seconds(start) + 154.6]), math.radians(dec_deg))
    return math.degrees(float(ra[0])), math.degrees(float(dec[0]))


def _calibrator(start: str, dec_deg: float, flux_jy: float) -> Source:
    from dsa110_contimg.simulation import Source

    ra, dec = _pointing(start, dec_deg)
    return Source("CAL", ra, dec, flux_jy, -0.7)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(simulate)
