"""A campaign: many epochs of a calibrator and a target field, with sources that vary."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from dsa110_contimg.simulation.group import choose_stations, mjd_seconds, random_sky, simulate_group
from dsa110_contimg.simulation.models import Flare, Lens, Source

Progress = Callable[[int, int], object]

#: Mean sidereal day [s].
SIDEREAL_DAY_S = 86_164.0905
_DAY_S = 86_400.0


@dataclass(frozen=True)
class CampaignSizes:
    """Size of every group of a campaign: antennas, integrations, subbands and channels of each."""

    antennas: int = 28
    integrations: int = 6
    subbands: tuple[int, ...] = tuple(range(16))
    channels: int = 12


@dataclass(frozen=True)
class Campaign:
    """What a campaign holds; also in ``campaign.json`` in its directory.

    ``epochs`` has one entry an epoch: ``epoch``, ``mjd`` (middle of the target group), ``target`` and ``calibrator``
    (group names; the calibrator's is None on days that have no usable one), ``files``.
    """

    out: Path
    sources: tuple[Source, ...]
    calibrator: Source
    ese: str
    flare: str
    dec_deg: float
    stations: tuple[int, ...]
    epochs: tuple[dict[str, Any], ...] = field(default_factory=tuple)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        values = asdict(replace(self, sources=(), epochs=()))
        values.update(
            out=str(self.out),
            sources=[source.as_dict() for source in self.sources],
            calibrator=self.calibrator.as_dict(),
            epochs=list(self.epochs),
        )
        return values


def campaign(
    out: str | Path,
    *,
    epochs: int = 24,
    cadence_days: int = 5,
    start: str = "2026-01-10",
    ra_deg: float = 150.0,
    dec_deg: float = 16.15,
    n_sources: int = 20,
    radius_deg: float = 1.0,
    min_flux_jy: float = 0.25,
    max_flux_jy: float = 2.0,
    ese_depth: float = 0.4,
    ese_fwhm_days: float = 25.0,
    flare_amplitude: float = 1.0,
    calibrator_flux_jy: float = 12.0,
    calibrator_lead_deg: float = 7.5,
    days_without_calibrator: Sequence[int] = (7,),
    sizes: CampaignSizes | None = None,
    gains: dict[str, float] | None = None,
    sefd_jy: float = 6500.0,
    seed: int = 110,
    progress: Progress | None = None,
) -> Campaign:
    """Simulate epochs of one field, each with a group on a calibrator that transits before it.

    A plasma lens dims one source (`ese_depth`, `ese_fwhm_days` at 1.4 GHz) in the middle of the campaign, one flares after it;
    all others are constant. The antennas' bandpass and delays are the same on all days up to 5 %; amplitude and
    phase of each antenna are drawn anew every epoch and drift by a few degrees within one.

    Parameters
    ----------
    out : path
        Directory of the files; truth of each group in ``truth/``, of the campaign in ``campaign.json``.
    epochs, cadence_days : int
        Number of epochs and sidereal days between them.
    start : str
        Date from which the first transit is looked for, UTC.
    ra_deg, dec_deg : float
        Field centre [degrees]: right ascension ICRS, declination of date (the pointing).
    n_sources, radius_deg, min_flux_jy, max_flux_jy
        The field's random sources.
    days_without_calibrator : sequence of int
        Epochs (0-based) whose calibrator group was not observed: their bandpass must be borrowed.
    sizes : CampaignSizes, optional
        Size of the groups.
    gains : dict, optional
        Overrides of the gains' scatter (see :func:`simulate_group`).
    sefd_jy : float
        Thermal noise [Jy].
    seed : int
        Everything random.
    progress : callable, optional
        Called with ``(done, total)`` in groups.

    Returns
    -------
    Campaign
        Truth of the whole.
    """
    if epochs < 1 or n_sources < 2:
        raise ValueError(f"campaign: expected at least 1 epoch and 2 sources, found {epochs} and {n_sources}")
    sizes = sizes or CampaignSizes()
    out = Path(out)
    times = _transits(ra_deg, dec_deg, start, epochs, cadence_days)
    centre_dec = _icrs_dec(times[epochs // 2], dec_deg)
    middle = times[epochs // 2] / _DAY_S
    span = (times[-1] - times[0]) / _DAY_S
    curves = (
        plasma_lens(middle, ese_fwhm_days, ese_depth),
        Flare(times[0] / _DAY_S + 0.8 * span, 3.0, max(2.0, 0.06 * span), flare_amplitude),
    )
    sky = random_sky(
        count=n_sources,
        ra_deg=ra_deg,
        dec_deg=centre_dec,
        radius_deg=radius_deg,
        min_flux_jy=min_flux_jy,
        max_flux_jy=max_flux_jy,
        min_separation_arcmin=8.0 * radius_deg,
        seed=seed,
    )
    sources, ese, flare = _with_curves(sky, ra_deg, centre_dec, curves)
    lead_s = calibrator_lead_deg / 360.0 * SIDEREAL_DAY_S
    calibrator = Source("CAL", (ra_deg - calibrator_lead_deg) % 360.0, centre_dec, calibrator_flux_jy, -0.7)
    stations = choose_stations(sizes.antennas)
    scatter = {"phase_rms_deg": 25.0, "static_phase_deg": 360.0, "drift_phase_deg": 3.0, **(gains or {})}
    shared: dict[str, Any] = {
        "dec_deg": dec_deg,
        "stations": stations,
        "integrations": sizes.integrations,
        "subbands": sizes.subbands,
        "channels": sizes.channels,
        "gains": scatter,
        "sefd_jy": sefd_jy,
        "seed": seed,
        "name_jitter_s": 1,
    }
    half_s = 0.5 * 12.884901888 * sizes.integrations
    records = []
    for epoch, transit in enumerate(times):
        record: dict[str, Any] = {"epoch": epoch, "mjd": transit / _DAY_S, "calibrator": None, "files": []}
        plan = [("target", transit - half_s, sources)]
        if epoch not in days_without_calibrator:
            plan.insert(0, ("calibrator", transit - lead_s - half_s, [calibrator]))
        for kind, begin, sky_now in plan:
            # File names have whole seconds: the observation begins on one.
            made = simulate_group(out, start=float(round(begin)), sources=sky_now, epoch=epoch, **shared)
            record[kind] = made.group
            record["files"] += [path.name for path in made.files]
        records.append(record)
        if progress is not None:
            progress(epoch + 1, epochs)
    result = Campaign(out, tuple(sources), calibrator, ese, flare, dec_deg, tuple(stations), tuple(records))
    _write_aside(out / "campaign.json", json.dumps(result.as_dict(), indent=1))
    return result


def plasma_lens(t0_mjd: float, fwhm_days: float, depth: float) -> Lens:
    """A lens whose dip is `depth` deep for a point source and, half that deep, `fwhm_days` wide at 1.4 GHz."""
    import numpy as np

    if not 0.0 < depth < 1.0:
        raise ValueError(f"lens: expected a depth between 0 and 1, found {depth}")
    lens = Lens(0.0, 1.0, depth / (1.0 - depth), source_sigma=0.05)
    time = np.linspace(0.0, 8.0, 1601)
    flux = lens.factor(time.tolist())
    half = float(time[np.argmax(flux > 0.5 * (1.0 + flux[0]))])
    return Lens(t0_mjd, fwhm_days / (2.0 * half), lens.alpha, source_sigma=lens.source_sigma)


def _transits(ra_deg: float, dec_deg: float, start: str, epochs: int, cadence_days: int) -> list[float]:
    import math

    from dsa110_contimg._core import coords

    first = coords.transits(math.radians(ra_deg), mjd_seconds(start), 1, dec_rad=math.radians(dec_deg))[0]
    return [float(first) + k * cadence_days * SIDEREAL_DAY_S for k in range(epochs)]


def _icrs_dec(time_mjd_s: float, dec_deg: float) -> float:
    import math

    import numpy as np

    from dsa110_contimg._core import coords

    _, dec = coords.meridian_icrs(np.array([time_mjd_s]), math.radians(dec_deg))
    return math.degrees(float(dec[0]))


def _with_curves(
    sky: list[Source], ra_deg: float, dec_deg: float, curves: tuple[Lens, Flare]
) -> tuple[list[Source], str, str]:
    """Let two of the brighter half of the sources vary: those closest to the centre, where the beam is widest open."""
    import math

    def offset(source: Source) -> float:
        d_ra = (source.ra_deg - ra_deg + 180.0) % 360.0 - 180.0
        return math.hypot(d_ra * math.cos(math.radians(dec_deg)), source.dec_deg - dec_deg)

    bright = sorted(sky, key=lambda s: -s.flux_jy)[: max(2, len(sky) // 2)]
    dipping, flaring = sorted(bright, key=offset)[:2]
    changed: dict[str, Lens | Flare] = {dipping.name: curves[0], flaring.name: curves[1]}
    sources = [replace(s, variability=changed.get(s.name)) for s in sky]
    return sources, dipping.name, flaring.name


def _write_aside(path: Path, text: str) -> None:
    import os

    aside = path.with_suffix(".part")
    with aside.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)
