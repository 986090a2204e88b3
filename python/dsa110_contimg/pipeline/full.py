"""One full-size group through every stage, each with its cost: what the array writes in 309 s."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dsa110_contimg.config import load
from dsa110_contimg.pipeline.meter import metered

Progress = Callable[[int, int], object]


@dataclass
class FullOutcome:
    """Stages with their cost, and what the image says.

    Attributes
    ----------
    stages : list of dict
        ``name``, ``wall_s``, ``cpu_s``, ``peak_rss_mb``.
    image : dict
        Report of the image stage.
    flux_ratio_median, flux_ratio_scatter : float
        Measured over injected flux of the sources above 20 sigma.
    """

    stages: list[dict[str, Any]] = field(default_factory=list)
    image: dict[str, Any] = field(default_factory=dict)
    flux_ratio_median: float = float("nan")
    flux_ratio_scatter: float = float("nan")


def run_full(
    out: Path,
    *,
    seed: int = 110,
    n_sources: int = 100,
    imsize: int = 2048,
    cell_arcsec: float = 6.0,
    antennas: int = 96,
    integrations: int = 24,
    channels: int = 48,
    on_stage: Callable[[str], Progress] = lambda _name: lambda _done, _total: None,
) -> FullOutcome:
    """Simulate one group and take it to measurements; the bandpass is solved on the field's own catalogue.

    Parameters
    ----------
    out : Path
        Directory; what an earlier call left there is replaced.
    seed, n_sources : int
        The sky.
    imsize, cell_arcsec : int, float
        The image.
    antennas, integrations, channels : int
        Size of the group (the array's by default): antennas, integrations, channels of each of 16 subbands.
    on_stage : callable
        Gives a progress callback for the stage named.

    Returns
    -------
    FullOutcome
        Costs and quality.
    """
    import json

    import numpy as np

    from dsa110_contimg import _core
    from dsa110_contimg.calibration import sky, stages
    from dsa110_contimg.database import Database
    from dsa110_contimg.photometry.forced import measure_positions
    from dsa110_contimg.simulation.group import choose_stations, random_sky, simulate_group

    out.mkdir(parents=True, exist_ok=True)
    config = load(None, paths={"root": out / "products"})
    outcome = FullOutcome()

    def timed(name: str, work: Callable[[Progress], Any]) -> Any:
        with metered() as cost:
            made = work(on_stage(name))
        outcome.stages.append({"name": name, **vars(cost)})
        return made

    dec_deg, start = 16.15, "2026-01-25T22:26:05"
    ra_deg = _meridian_ra_deg(start, dec_deg, integrations)
    sources = random_sky(
        count=n_sources, ra_deg=ra_deg, dec_deg=dec_deg, radius_deg=1.4, min_flux_jy=0.05, max_flux_jy=5.0, seed=seed
    )
    made = timed(
        "simulate",
        lambda progress: simulate_group(
            out / "incoming",
            start=start,
            dec_deg=dec_deg,
            stations=choose_stations(antennas),
            integrations=integrations,
            channels=channels,
            sources=sources,
            gains=True,
            seed=seed,
            replace=True,
            progress=progress,
        ),
    )
    ms = str(out / "tile.ms")
    timed("convert", lambda progress: _core.ms.convert(made.files, ms, overwrite=True, progress=progress))
    timed("flag", lambda progress: stages.flag(ms, reset=True, progress=progress))
    model = sky.model([sky.source(s.name, s.ra_deg, s.dec_deg, s.flux_jy, alpha=s.alpha) for s in sources])
    bandpass = str(out / "tile_bpcal")
    options: dict[str, Any] = {"combine": "scan,field", "solint": "inf", "refant": stages.refant_list("103")}
    timed(
        "solve",
        lambda progress: stages.solve(ms, bandpass, "B", model=model, overwrite=True, progress=progress, **options),
    )
    timed("apply", lambda progress: stages.apply(ms, [bandpass], progress=progress))
    request = {
        "ms": [ms],
        "name": str(out / "tile"),
        "imsize": [imsize, imsize],
        "cell_arcsec": cell_arcsec,
        "datacolumn": "corrected",
        "niter": 20000,
    }
    outcome.image = timed("image", lambda progress: _core.imaging.image_ms(json.dumps(request), progress=progress))
    products = outcome.image["products"]
    table, _ = timed(
        "measure",
        lambda progress: measure_positions(
            products["restored"],
            [s.ra_deg for s in sources],
            [s.dec_deg for s in sources],
            pb=products["pb"],
            progress=progress,
        ),
    )
    timed("store", lambda _progress: Database(config.paths.products, "products"))
    flux, err = table["flux_jy"].to_numpy(), table["flux_err_jy"].to_numpy()
    freq_ratio = outcome.image["freq_hz"] / 1.4e9
    truth = np.array([s.flux_jy * freq_ratio**s.alpha for s in sources])
    with np.errstate(invalid="ignore"):
        good = np.isfinite(flux) & (flux > 20 * err) & (table["flags"].to_numpy() == 0)
    ratio = flux[good] / truth[good]
    if ratio.size:
        outcome.flux_ratio_median = float(np.median(ratio))
        outcome.flux_ratio_scatter = float(1.4826 * np.median(np.abs(ratio - np.median(ratio))))
    return outcome


def _meridian_ra_deg(start: str, dec_deg: float, integrations: int) -> float:
    """Right ascension on the meridian at the middle of the group [degrees]."""
    import numpy as np

    from dsa110_contimg import _core
    from dsa110_contimg.simulation.group import mjd_seconds

    middle = mjd_seconds(start) + 0.5 * integrations * 12.884901888
    ra, _ = _core.coords.meridian_icrs(np.array([middle]), float(np.radians(dec_deg)))
    return float(np.degrees(ra[0]))
