"""One full-size group through every stage, each with its cost: what the array writes in 309 s.

A calibrator group is simulated an hour before the target's, with the same antennas and channels and a quarter of its integrations;
the target takes its tables, and a gain of its own on top: an hour later the phases have moved by some degrees. That gain is
solved on the field's catalogue, whose fluxes are 3 % off and whose spectra are unknown; normalised, so that the flux scale
stays the calibrator's. Then the same target goes through the fast path once more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from dsa110_contimg.pipeline.full_sky import catalogue, flux_ratio, meridian_ra_deg, positions
from dsa110_contimg.pipeline.meter import metered

Progress = Callable[[int, int], object]

#: The calibrator: ten times what a real one gives is not needed to calibrate 96 antennas in 77 s.
CALIBRATOR_JY = 10.0
#: Interval of the target's own gain.
OWN_SOLINT = "60s"


@dataclass
class FullOutcome:
    """Stages with their cost, and what the images say.

    Attributes
    ----------
    stages : list of dict
        ``name``, ``wall_s``, ``cpu_s``, ``peak_rss_mb``.
    image : dict
        Report of the image stage.
    tile : dict
        Report of the fast path on the same group.
    flux_ratio_median, flux_ratio_scatter : float
        Measured over injected flux of the sources above 20 sigma.
    fast_difference : float
        Largest difference of the fluxes of the two paths, in errors.
    """

    stages: list[dict[str, Any]] = field(default_factory=list)
    image: dict[str, Any] = field(default_factory=dict)
    tile: dict[str, Any] = field(default_factory=dict)
    flux_ratio_median: float = float("nan")
    flux_ratio_scatter: float = float("nan")
    fast_difference: float = float("nan")


@dataclass
class FullGroup:
    """What is simulated and how it is imaged.

    Attributes
    ----------
    seed, n_sources : int
        The sky.
    imsize, cell_arcsec : int, float
        The image.
    subbands : int
        Subband images.
    antennas, integrations, channels : int
        Size of the group (the array's by default): antennas, integrations, channels of each of 16 subbands.
    positions : int
        Positions measured: the sources and as many blank ones as it takes.
    """

    seed: int = 110
    n_sources: int = 100
    imsize: int = 2048
    cell_arcsec: float = 6.0
    subbands: int = 16
    antennas: int = 96
    integrations: int = 24
    channels: int = 48
    positions: int = 1000


def run_full(
    out: Path,
    size: FullGroup | None = None,
    *,
    on_stage: Callable[[str], Progress] = lambda _name: lambda _done, _total: None,
) -> FullOutcome:
    """Simulate a calibrator and a target group, and take the target to measurements by both paths.

    Parameters
    ----------
    out : Path
        Directory; what an earlier call left there is replaced.
    size : FullGroup
        Size of everything.
    on_stage : callable
        Gives a progress callback for the stage named.

    Returns
    -------
    FullOutcome
        Costs and quality.
    """
    out.mkdir(parents=True, exist_ok=True)
    work = _Work(out, size or FullGroup(), on_stage)
    work.simulate()
    tables = work.calibrate()
    work.staged(tables)
    work.fast(tables)
    return work.outcome


class _Work:
    """The stages; each method is a part of the way."""

    def __init__(self, out: Path, size: FullGroup, on_stage: Callable[[str], Progress]) -> None:
        self.out = out
        self.size = size
        self.on_stage = on_stage
        self.outcome = FullOutcome()
        self.files: dict[str, list[Path]] = {}
        self.dec_deg = 16.15
        self.start = {"calibrator": "2026-01-25T21:26:05", "target": "2026-01-25T22:26:05"}
        self.fluxes: Any = None
        self.sources: list[Any] = []
        self.calibrator: Any = None

    def timed(self, name: str, work: Callable[[Progress], Any]) -> Any:
        """Do a stage and note its cost."""
        with metered() as cost:
            made = work(self.on_stage(name))
        self.outcome.stages.append({"name": name, **vars(cost)})
        return made

    def simulate(self) -> None:
        """The target's sky and group, and the calibrator's."""
        from dsa110_contimg.simulation.group import choose_stations, random_sky, simulate_group
        from dsa110_contimg.simulation.models import Source

        size = self.size
        short = max(2, size.integrations // 4)
        ra_deg = meridian_ra_deg(self.start["target"], self.dec_deg, size.integrations)
        self.sources = random_sky(
            count=size.n_sources,
            ra_deg=ra_deg,
            dec_deg=self.dec_deg,
            radius_deg=1.4,
            min_flux_jy=0.05,
            max_flux_jy=5.0,
            seed=size.seed,
        )
        cal_ra = meridian_ra_deg(self.start["calibrator"], self.dec_deg, short)
        self.calibrator = Source("CAL", cal_ra, self.dec_deg, CALIBRATOR_JY)
        skies = {"calibrator": ([self.calibrator], short), "target": (self.sources, size.integrations)}
        for kind, (sources, integrations) in skies.items():
            work = partial(
                simulate_group,
                self.out / "incoming" / kind,
                start=self.start[kind],
                dec_deg=self.dec_deg,
                stations=choose_stations(size.antennas),
                integrations=integrations,
                channels=size.channels,
                sources=sources,
                gains=True,
                sefd_jy=6500.0,
                seed=size.seed,
                replace=True,
            )
            name = "simulate" if kind == "target" else "simulate calibrator"
            made = self.timed(name, partial(_with_progress, work))
            self.files[kind] = list(made.files)

    def calibrate(self) -> list[str]:
        """Bandpass and gain from the calibrator group."""
        from dsa110_contimg import _core
        from dsa110_contimg.calibration import sky, stages

        ms = str(self.out / "calibrator.ms")
        tables = [str(self.out / f"calibrator_{end}") for end in ("bpcal", "gpcal")]
        model = sky.model([sky.source("CAL", self.calibrator.ra_deg, self.calibrator.dec_deg, CALIBRATOR_JY)])
        shared: dict[str, Any] = {"model": model, **stages.refants("103"), "overwrite": True}

        def work(progress: Progress) -> None:
            _core.ms.convert(self.files["calibrator"], ms, overwrite=True, progress=progress)
            stages.flag(ms, reset=True)
            stages.solve(ms, tables[0], "B", combine="scan,field", solint="inf", progress=progress, **shared)
            stages.solve(
                ms,
                tables[1],
                "G",
                combine="scan,field",
                solint="inf",
                gaintable=tables[:1],
                progress=progress,
                **shared,
            )

        self.timed("solve calibrator", work)
        return tables

    def image_options(self) -> dict[str, Any]:
        """The image that both paths make."""
        size = self.size
        return {"imsize": [size.imsize] * 2, "cell_arcsec": size.cell_arcsec, "nsigma": 5.0, "subbands": size.subbands}

    def own_gain(self) -> dict[str, Any]:
        """Options of the solve for the target's own gain."""
        from dsa110_contimg.calibration import stages

        return {
            "model": catalogue(self.sources, self.size.seed),
            "calmode": "ap",
            "solnorm": True,
            "solint": OWN_SOLINT,
            "combine": "scan,field,spw",
            **stages.refants("103"),
            "overwrite": True,
        }

    def positions(self) -> tuple[list[float], list[float]]:
        """The sources, then blank positions."""
        ra0 = meridian_ra_deg(self.start["target"], self.dec_deg, self.size.integrations)
        return positions(
            self.sources, self.size.positions, centre_deg=(ra0, self.dec_deg), radius_deg=1.4, seed=self.size.seed
        )

    def staged(self, tables: list[str]) -> None:
        """The target by way of the disk."""
        from dsa110_contimg import _core, imaging
        from dsa110_contimg.calibration import stages
        from dsa110_contimg.photometry.forced import measure_positions

        ms = str(self.out / "target.ms")
        convert = self.files["target"]
        self.timed("convert", lambda progress: _core.ms.convert(convert, ms, overwrite=True, progress=progress))
        self.timed("flag", lambda progress: stages.flag(ms, reset=True, progress=progress))
        own = str(self.out / "target_2gcal")
        solve = partial(stages.solve, ms, own, "G", gaintable=tables, **self.own_gain())
        self.timed("solve", partial(_with_progress, solve))
        self.timed("apply", lambda progress: stages.apply(ms, [*tables, own], progress=progress))
        self.outcome.image = self.timed(
            "image",
            lambda progress: imaging.image(
                ms, self.out / "tile", datacolumn="corrected", progress=progress, **self.image_options()
            ),
        )
        made = self.outcome.image
        ra, dec = self.positions()

        def measure(progress: Progress) -> Any:
            planes = [made["products"], *made["subbands"]]
            options: dict[str, Any] = {"min_pb": 0.2, "progress": progress}
            matched = [(p["matched"], p["psf"]) if "matched" in p else None for p in planes]
            return [
                measure_positions(p["restored"], ra, dec, pb=p["pb"], residual=p["residual"], matched=m, **options)[0]
                for p, m in zip(planes, matched, strict=True)
            ]

        self.fluxes = self.timed("measure", measure)[0]
        self.outcome.flux_ratio_median, self.outcome.flux_ratio_scatter = flux_ratio(
            self.fluxes, self.sources, made["freq_hz"]
        )

    def fast(self, tables: list[str]) -> None:
        """The target in memory."""
        import numpy as np

        from dsa110_contimg.calibration import stages
        from dsa110_contimg.imaging.tile import flux_table, tile

        ra, dec = self.positions()
        self.outcome.tile = self.timed(
            "tile (fast path)",
            lambda progress: tile(
                self.files["target"],
                self.out / "fast",
                tables=tables,
                own_gain={
                    "output": str(self.out / "fast_2gcal"),
                    "term": "G",
                    "gaintable": stages.table_uses(tables),
                    **self.own_gain(),
                },
                ra_deg=ra,
                dec_deg=dec,
                image=self.image_options(),
                reset_flags=True,
                progress=progress,
            ),
        )
        fast, staged = flux_table(self.outcome.tile), self.fluxes
        with np.errstate(invalid="ignore"):
            apart = np.abs(fast["flux_jy"].to_numpy() - staged["flux_jy"].to_numpy()) / staged["flux_err_jy"].to_numpy()
        if np.isfinite(apart).any():
            self.outcome.fast_difference = float(np.nanmax(apart))


def _with_progress(work: Callable[..., Any], progress: Progress) -> Any:
    return work(progress=progress)
