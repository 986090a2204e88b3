"""One synthetic group of subband files."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dsa110_contimg.simulation.models import Source

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Progress = Callable[[int, int], object]

_MJD_EPOCH = datetime(1858, 11, 17, tzinfo=UTC)


@dataclass(frozen=True)
class SimulatedGroup:
    """What was written: the group's name (time of its first file), the files, and the truth (see the stage's page)."""

    group: str
    files: tuple[Path, ...]
    truth_path: Path
    truth: dict[str, Any]


def mjd_seconds(start: str | float | datetime) -> float:
    """MJD seconds (UTC) of an ISO time, a datetime (UTC when naive) or a number that is one already."""
    if isinstance(start, int | float):
        return float(start)
    if isinstance(start, str):
        try:
            start = datetime.fromisoformat(start)
        except ValueError:
            raise ValueError(f"start: expected an ISO time such as 2026-01-25T22:26:05, found {start!r}") from None
    if start.tzinfo is None:
        start = start.replace(tzinfo=UTC)
    return (start - _MJD_EPOCH).total_seconds()


def simulate_group(
    out: str | Path,
    *,
    start: str | float | datetime = "2026-01-25T22:26:05",
    dec_deg: float = 16.15,
    sources: Iterable[Source] = (),
    stations: Sequence[int] | int | None = None,
    integrations: int = 24,
    interval_s: float | None = None,
    subbands: Sequence[int] = tuple(range(16)),
    channels: int = 48,
    beam: str = "airy",
    smear: bool = True,
    accuracy: float = 1e-5,
    gains: bool | dict[str, float] | tuple[NDArray[np.complex128], NDArray[np.complex128]] = False,
    sefd_jy: float = 0.0,
    rfi: dict[str, Any] | None = None,
    dead: Sequence[int] = (),
    units_per_jy: float = 1.0,
    seed: int = 0,
    epoch: int = 0,
    name_jitter_s: int = 0,
    antennas: str | Path | None = None,
    replace: bool = False,
    progress: Progress | None = None,
) -> SimulatedGroup:
    """Write one group of UVH5 files in the correlator's layout, and its truth below ``out/truth``.

    Parameters
    ----------
    out : path
        Directory; made when missing.
    start : str, float or datetime
        Beginning of the first integration, UTC (a number is MJD seconds).
    dec_deg : float
        Declination of the pointing, of date [degrees]; the hour angle is zero.
    sources : iterable of Source
        The sky.
    stations : sequence of int, int, optional
        Station numbers, or how many to choose over all arms; the active array when left out.
    integrations, interval_s, subbands, channels
        Shape of the data; `channels` a subband divides 48 (wider channels when fewer).
    beam : {"airy", "none"}
        Primary beam, per frequency and time.
    smear : bool
        Average over integrations and channels as the correlator does, to `accuracy` of the summed flux.
    gains : bool, dict or pair of arrays
        Random antenna gains (a dict overrides their scatter), or ``(bandpass_apf, gain_apt)``.
    sefd_jy : float
        Thermal noise and the level of the autocorrelations [Jy]; 6500 is the array's, 0 is none.
    rfi : dict, optional
        ``{"events": [...], "random": 5, "strength_jy": [10, 300]}``.
    dead : sequence of int
        Stations whose data are zeros.
    seed, epoch : int
        Random numbers; instrument and bandpass follow the seed, noise and daily gains seed and epoch.
    replace : bool
        Replace files of the same name.
    progress : callable, optional
        Called with ``(done, total)``.

    Returns
    -------
    SimulatedGroup
        Files and truth.
    """
    from dsa110_contimg._core import simulate

    if isinstance(stations, int):
        stations = choose_stations(stations, antennas=antennas)
    given = gains if isinstance(gains, tuple) else (None, None)
    params: dict[str, Any] = {
        "start_mjd_s": mjd_seconds(start),
        "dec_deg": dec_deg,
        "sources": [source.as_dict() for source in sources],
        "stations": list(stations) if stations is not None else None,
        "integrations": integrations,
        "subbands": list(subbands),
        "channels": channels,
        "beam": beam,
        "smear": smear,
        "accuracy": accuracy,
        "gains": gains if isinstance(gains, dict) else ({} if gains is True else None),
        "sefd_jy": sefd_jy,
        "rfi": rfi or {},
        "dead": list(dead),
        "units_per_jy": units_per_jy,
        "seed": seed,
        "epoch": epoch,
        "name_jitter_s": name_jitter_s,
    }
    if interval_s is not None:
        params["interval_s"] = interval_s
    report = simulate.group(
        json.dumps(params),
        out,
        antennas=antennas,
        bandpass_apf=given[0],
        gain_apt=given[1],
        replace=replace,
        progress=progress,
    )
    files = tuple(Path(name) for name in report["files"])
    return SimulatedGroup(report["group"], files, Path(report["truth_path"]), json.loads(report["truth"]))


def choose_stations(count: int, *, antennas: str | Path | None = None) -> list[int]:
    """Active stations spread over the arms: about two fifths each of east-west and north-south, the rest outriggers."""
    import numpy as np

    from dsa110_contimg._core import array

    table = array.antennas(antennas)
    active = [int(s) for s, on in zip(table["station"], table["active"], strict=True) if on]
    if not 1 <= count <= len(active):
        raise ValueError(f"stations: expected a number from 1 to {len(active)}, found {count}")
    arms = [[s for s in active if lo <= s <= hi] for lo, hi in ((1, 51), (52, 102), (103, 10_000))]
    shares = [min(len(arms[0]), round(0.4 * count)), min(len(arms[1]), round(0.35 * count))]
    shares.append(min(len(arms[2]), count - sum(shares)))
    chosen: set[int] = set()
    for arm, share in zip(arms, shares, strict=True):
        if share:
            chosen.update(arm[int(i)] for i in np.linspace(0, len(arm) - 1, share).round())
    spare = [s for s in active if s not in chosen]
    return sorted([*chosen, *spare[: count - len(chosen)]])


def random_sky(**params: Any) -> list[Source]:
    """A field of random sources with NVSS-like counts.

    Parameters
    ----------
    **params
        ``count`` (20), ``ra_deg``, ``dec_deg``, ``radius_deg`` (1.5), ``min_flux_jy`` (0.01), ``max_flux_jy`` (2),
        ``slope`` (1.8, of dN/dS), ``alpha_mean`` (-0.7), ``alpha_rms`` (0.25), ``min_separation_arcmin`` (0), ``seed``.

    Returns
    -------
    list of Source
        Constant point sources.
    """
    from dsa110_contimg._core import simulate

    return [Source.from_dict(values) for values in json.loads(simulate.sky(json.dumps(params)))]


def read_sky(path: str | Path) -> list[Source]:
    """Sources of a CSV file.

    Columns ``ra_deg, dec_deg, flux_jy`` (1.4 GHz; or ``flux_mjy``), optional ``name, alpha, size_arcsec, major_arcsec,
    minor_arcsec, pa_deg``.
    """
    from dsa110_contimg._core import simulate

    text = Path(path).read_text(encoding="utf-8")
    return [Source.from_dict(values) for values in json.loads(simulate.sky_csv(text, str(path)))]
