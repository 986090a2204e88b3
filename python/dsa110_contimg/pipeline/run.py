"""`contimg run`: every group of a directory from UVH5 to light curves and candidates."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from dsa110_contimg import ContimgError
from dsa110_contimg.config import Config
from dsa110_contimg.database import Database
from dsa110_contimg.pipeline import sky
from dsa110_contimg.pipeline.fast import FastObservation
from dsa110_contimg.pipeline.meter import metered
from dsa110_contimg.pipeline.observation import Context, Observation, pointing_of
from dsa110_contimg.pipeline.runner import GroupResult, Runner

logger = logging.getLogger(__name__)


@dataclass
class RunResult:
    """What a run did.

    Attributes
    ----------
    groups : list of dict
        One a group: ``group_id``, ``kind``, ``status``, ``provenance``, ``reason``, ``outputs``.
    sources : list of dict
        One a source: name, position, verdict, score, statistics, reasons, light curve.
    epochs : list of dict
        Rows of the report's epoch table.
    stages : list of dict
        Every stage run with its cost.
    """

    groups: list[dict[str, Any]] = field(default_factory=list)
    sources: list[dict[str, Any]] = field(default_factory=list)
    epochs: list[dict[str, Any]] = field(default_factory=list)
    stages: list[dict[str, Any]] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether no usable group failed."""
        return not any(g["status"] == "failed" for g in self.groups)


def run_directory(
    directory: Path,
    config: Config,
    *,
    catalog: Sequence[sky.CatalogSource],
    calibrators: Sequence[sky.CatalogSource],
    fast: bool = False,
    archive: bool = False,
    on_group: Callable[[int, int, str], None] = lambda _done, _total, _text: None,
) -> RunResult:
    """Process every usable group of a directory; may be stopped and run again.

    Calibrator groups come first, so that each target finds the tables nearest to it in observation time whatever the order
    in which files arrived; what is finished is skipped; a group that fails does not stop the others.

    Parameters
    ----------
    directory : Path
        UVH5 files.
    config : Config
        Configuration.
    catalog, calibrators : sequence of CatalogSource
        What is measured, and what may calibrate.
    fast : bool
        Take target groups through `contimg tile`'s path: in memory, with the same products and records.
    archive : bool
        With `fast`: write the targets' Measurement Sets too.
    on_group : callable
        Called with (groups done, groups in all, what is being done).

    Returns
    -------
    RunResult
        Groups, sources, epochs and costs.
    """
    from dsa110_contimg.conversion.groups import classify_groups

    # Paths are what databases know products by: the same ones wherever the command is started.
    root = config.paths.root.absolute()
    config = config.model_copy(update={"paths": config.paths.model_copy(update={"root": root})})
    grouping = config.grouping
    found = classify_groups(
        directory,
        window_s=grouping.window_s,
        expected_subbands=grouping.expected_subbands,
        min_subbands=grouping.min_subbands,
    )
    result = RunResult()
    for group in found.incomplete:
        reason = f"expected {grouping.expected_subbands} subbands, found {len(group.files)}"
        result.groups.append({"group_id": group.group_id, "kind": "-", "status": "incomplete", "reason": reason})
    context = Context(
        config,
        Database(config.paths.products, "products"),
        Database(config.paths.registry, "registry"),
        list(catalog),
        list(calibrators),
    )
    runner = Runner(Database(config.paths.queue, "queue"))
    made: Callable[..., Observation] = partial(FastObservation, archive=archive) if fast else Observation
    observations = _observations([*found.complete, *found.semi_complete], context, result, made)
    for done, observation in enumerate(observations):

        def on_stage(name: str, done: int = done, observation: Observation = observation) -> None:
            on_group(done, len(observations), f"{observation.group.group_id} {observation.kind}: {name}")

        outcome = runner.run(observation.group.group_id, observation.stages(), observation.given(), on_stage=on_stage)
        _record(result, observation, outcome)
    on_group(len(observations), len(observations), "light curves")
    _light_curves(context, result)
    return result


def _observations(
    groups: Sequence[Any], context: Context, result: RunResult, made: Callable[..., Observation]
) -> list[Observation]:
    radius = context.config.calibration.calibrator_radius_deg
    observations = []
    for group in groups:
        try:
            pointing = pointing_of(group.paths[0])
        except (ContimgError, OSError, ValueError) as error:
            logger.warning("%s: %s", group.group_id, error)
            entry = {"group_id": group.group_id, "kind": "-", "status": "failed", "reason": str(error)}
            result.groups.append(entry)
            continue
        calibrator = sky.in_beam_calibrator(context.calibrators, pointing.ra_deg, pointing.dec_deg, radius)
        observations.append(made(context, group, pointing, calibrator))
    return sorted(observations, key=lambda o: (o.kind != "calibrator", o.group.group_id))


def _record(result: RunResult, observation: Observation, outcome: GroupResult) -> None:
    outputs = outcome.outputs
    result.stages.extend(outcome.stages)
    skipped = bool(outcome.stages) and all(s["status"] == "skipped" for s in outcome.stages)
    entry = {
        "group_id": observation.group.group_id,
        "kind": observation.kind,
        "status": "skipped" if skipped else outcome.status,
        "provenance": outputs.get("provenance") or observation.found,
        "reason": outcome.error,
        "ms": outputs.get("ms"),
        "image": outputs.get("image"),
        "tables": outputs.get("tables"),
    }
    result.groups.append(entry)
    result.epochs.append(
        {
            "group": observation.group.group_id,
            "mjd": observation.pointing.mid_mjd,
            "kind": observation.kind,
            "status": entry["status"],
            "calibration": outputs.get("provenance") or observation.found,
            "tables": outputs.get("tables"),
            "noise_jy": outputs.get("noise_jy"),
            "expected_noise_jy": outputs.get("expected_noise_jy"),
            "image": outputs.get("image"),
            "flagged": outputs.get("flagged_fraction"),
            "flag_report": outputs.get("flag_report"),
        }
    )


def _describe_epochs(context: Context, result: RunResult) -> None:
    """What normalisation and gate say of each epoch, beside its image."""
    tables = ("epoch_corrections", "epoch_gains", "epoch_scale")
    found: dict[str, dict[str, Any]] = {}
    for table in tables:
        for row in context.products.select(table):
            found.setdefault(row["image_path"], {}).update(row)
    names = ("correction", "correction_rms", "n_references", "method", "floor", "floor_low", "floor_high", "slope")
    for epoch in result.epochs:
        row = found.get(str(epoch["image"]), {})
        epoch.update({key: row.get(key) for key in names})
        epoch["flux_scale"], epoch["scale_reasons"] = row.get("verdict"), row.get("reasons")


def _light_curves(context: Context, result: RunResult) -> None:
    from dsa110_contimg.photometry import campaign

    settings = context.config.photometry
    with metered() as cost:
        campaign.normalise_by(
            context.products, settings.normalisation, gate=settings.gate, max_rms_jy=1e-3 * settings.max_rms_mjy
        )
        options = {"min_score": settings.score_threshold, "min_epochs": settings.min_epochs}
        judged = campaign.vary_and_nominate(context.products, options=options)
    result.stages.append({"name": "light curves", "status": "done", **vars(cost)})
    _describe_epochs(context, result)
    # The database knows sources that this run's catalogue no longer has.
    places = {row["source_id"]: (row["ra_deg"], row["dec_deg"]) for row in context.products.select("sources")}
    places |= {s.name: (s.ra_deg, s.dec_deg) for s in context.catalog}
    references = {
        row["source_id"]
        for row in context.products.select("photometry_timeseries", ("is_reference", "=", 1), columns=["source_id"])
    }
    curves = campaign.light_curves(context.products)
    for name, judgement in judged.items():
        mjd, flux, err = curves[name]
        ra_deg, dec_deg = places[name]
        result.sources.append(
            {
                "source_id": name,
                "ra_deg": ra_deg,
                "dec_deg": dec_deg,
                "is_reference": name in references,
                "mjd": mjd.tolist(),
                "flux_jy": flux.tolist(),
                "flux_err_jy": err.tolist(),
                **judgement,
            }
        )
