"""The demo: a simulated campaign through the whole pipeline, judged against what was injected."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dsa110_contimg.config import Config, load
from dsa110_contimg.database import Database
from dsa110_contimg.pipeline.meter import metered
from dsa110_contimg.pipeline.report import stage_costs, write_report
from dsa110_contimg.pipeline.run import RunResult, run_directory
from dsa110_contimg.pipeline.sky import CatalogSource, write_catalog


@dataclass
class DemoOutcome:
    """What the demo found.

    Attributes
    ----------
    nominated, injected : list of str
        Candidates of the pipeline, and the lens event put in.
    run : RunResult
        The run.
    stages : list of dict
        Cost of each stage: ``name``, ``runs``, ``wall_s``, ``cpu_s``, ``peak_rss_mb``.
    report : Path
        The HTML report.
    """

    nominated: list[str]
    injected: list[str]
    run: RunResult
    stages: list[dict[str, Any]]
    report: Path

    @property
    def ok(self) -> bool:
        """Whether exactly the lens was nominated and no group failed."""
        return self.nominated == self.injected and self.run.ok


def demo_config(root: Path) -> Config:
    """Configuration of the demo: small images, the band in half as many parts, everything else as on the sky."""
    return load(
        None,
        paths={"root": root},
        imaging={"imsize": 512, "cell_arcsec": 18.0, "robust": 0.5, "pblimit": 0.2, "subbands": 4},
    )


def _simulated(incoming: Path, epochs: int, seed: int, on_epoch: Callable[[int, int], object]) -> Any:
    """The campaign in `incoming`: as it was left, or simulated anew when it is not whole."""
    import json
    import shutil

    from dsa110_contimg.simulation.campaign import Campaign, campaign
    from dsa110_contimg.simulation.models import Source

    record = incoming / "campaign.json"
    if not record.is_file():
        if incoming.exists():
            shutil.rmtree(incoming)
        return campaign(incoming, epochs=epochs, seed=seed, progress=on_epoch)
    values = json.loads(record.read_text(encoding="utf-8"))
    values["out"] = incoming
    values["sources"] = tuple(Source.from_dict(s) for s in values["sources"])
    values["calibrator"] = Source.from_dict(values["calibrator"])
    values["stations"], values["epochs"] = tuple(values["stations"]), tuple(values["epochs"])
    return Campaign(**values)


def run_demo(
    out: Path,
    *,
    epochs: int = 24,
    seed: int = 110,
    on_epoch: Callable[[int, int], object] = lambda _done, _total: None,
    on_group: Callable[[int, int, str], None] = lambda _done, _total, _text: None,
) -> DemoOutcome:
    """Simulate (unless the same campaign is there), run, judge and report.

    Parameters
    ----------
    out : Path
        Directory; ``incoming``, products, state and ``report.html`` go below it.
    epochs, seed : int
        Size and randomness of the campaign.
    on_epoch, on_group : callable
        Progress of the simulation and of the run.

    Returns
    -------
    DemoOutcome
        Nominations against injections.
    """
    import numpy as np

    incoming = out / f"incoming-{epochs}-{seed}"
    with metered() as cost:
        truth = _simulated(incoming, epochs, seed, on_epoch)
    catalog = [CatalogSource(s.name, s.ra_deg, s.dec_deg, s.flux_jy, s.alpha) for s in truth.sources]
    calibrator = truth.calibrator
    known = [
        CatalogSource(calibrator.name, calibrator.ra_deg, calibrator.dec_deg, calibrator.flux_jy, calibrator.alpha)
    ]
    write_catalog(out / "catalog.csv", catalog)
    write_catalog(out / "calibrators.csv", known)
    run = run_directory(incoming, demo_config(out / "products"), catalog=catalog, calibrators=known, on_group=on_group)
    stages = stage_costs([{"name": "simulate", "status": "done", **vars(cost)}, *run.stages])
    nominated = sorted(s["source_id"] for s in run.sources if s["verdict"] == "candidate")
    mjd = np.array([e["mjd"] for e in truth.epochs])
    curves = {
        s.name: (mjd.tolist(), (s.flux_jy * s.variability.factor(mjd)).tolist())
        for s in truth.sources
        if s.variability is not None
    }
    images = [Path(e["image"]) for e in run.epochs if e.get("image")]
    report = out / "report.html"
    write_report(
        report,
        title="First light of a simulated campaign",
        subtitle=f"{epochs} epochs, {len(catalog)} sources; injected: a lens event in {truth.ese}, a flare in {truth.flare}",
        sources=run.sources,
        epochs=run.epochs,
        stages=[{"name": "simulate", "status": "done", **vars(cost)}, *run.stages],
        image=(images[len(images) // 2], "The tile at the middle of the campaign, restored; circles are the catalogue.")
        if images
        else None,
        truth=curves,
        products=Database(out / "products" / "state" / "products.sqlite3", "products"),
    )
    return DemoOutcome(nominated, [truth.ese], run, stages, report)
