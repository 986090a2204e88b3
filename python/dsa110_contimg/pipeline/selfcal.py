"""Self-calibration: image, solve against the image's model, apply; stop when it no longer helps, keep the last good result."""

from __future__ import annotations

import logging
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from dsa110_contimg import ConvergenceError, DataError

logger = logging.getLogger(__name__)

StrPath = str | PathLike[str]

#: Flag version of a Measurement Set before its self-calibration.
FLAGS_BEFORE = "before_selfcal"
_SOLINT = re.compile(r"inf|infinite|int|\d+(\.\d*)?\s*(s|sec|m|min|h|hr)?")


@dataclass(frozen=True)
class SelfcalOptions:
    """How far to go.

    Parameters
    ----------
    phase_solints : tuple of str
        One phase-only round each, in this order.
    amp_solint : str
        Interval of the final amplitude-and-phase round; '' leaves it out.
    max_iterations : int
        Most rounds altogether.
    minsnr, amp_minsnr : float
        Least SNR of phase and of amplitude solutions.
    min_gain : float
        A round must raise peak / rms by this factor for another of its kind to follow.
    max_phase_scatter_deg, max_amp_scatter : float
        Solutions that scatter more than this (rms about each receptor's mean; over the median) are not used.
    combine : str
        Boundaries an interval may cross.
    """

    phase_solints: tuple[str, ...] = ("300s", "120s", "60s")
    amp_solint: str = "inf"
    max_iterations: int = 5
    minsnr: float = 3.0
    amp_minsnr: float = 10.0
    min_gain: float = 1.05
    max_phase_scatter_deg: float = 30.0
    max_amp_scatter: float = 0.3
    refant: str = "103"
    uvrange: str = ""
    combine: str = "scan,field,spw"

    def rounds(self) -> list[tuple[str, str, float]]:
        """``(calmode, solint, minsnr)`` of every round.

        Raises
        ------
        ValueError
            An interval that is none.
        """
        for solint in (*self.phase_solints, *([self.amp_solint] if self.amp_solint else [])):
            if not _SOLINT.fullmatch(solint.strip()):
                raise ValueError(f"solint: expected 'inf', 'int' or a time such as '60s' or '2min', found {solint!r}")
        found = [("p", solint, self.minsnr) for solint in self.phase_solints]
        if self.amp_solint:
            found.append(("ap", self.amp_solint, self.amp_minsnr))
        return found[: self.max_iterations]


def selfcal(
    ms: StrPath,
    out: StrPath,
    *,
    base_tables: Sequence[StrPath] = (),
    options: SelfcalOptions | None = None,
    image_options: Mapping[str, Any] | None = None,
    on_round: Callable[[dict[str, Any]], object] | None = None,
) -> dict[str, Any]:
    """Self-calibrate a Measurement Set.

    Every round solves on DATA, with the base tables applied beforehand, against the model of the best image so far; its
    table takes the place of the round before. A round that makes the image worse (peak / rms), or whose solutions scatter
    beyond the limits, or that does not converge, is undone: CORRECTED_DATA and MODEL_DATA at the end are those of the best
    round. DATA is never touched, and flags are those found (kept as version ``before_selfcal``) with those of the best round's tables.

    Parameters
    ----------
    ms : path
        Measurement Set, flagged.
    out : path
        Directory of images (``selfcal<k>-*.fits``) and tables (``selfcal<k>_gpcal``).
    base_tables : sequence of path
        Tables applied before (the bandpass).
    image_options : mapping
        Options of `dsa110_contimg.imaging.image`. `nsigma` counts double here (see `_Run`), and bright sources, sources outside
        the image and the deep end of CLEAN are off unless they are named.
    on_round : callable
        Called with the record of each round.

    Returns
    -------
    dict
        ``rounds`` (kind, snr, accepted, reason), ``best``, ``snr_before``, ``snr_after``, ``tables``, ``stopped``.
    """
    options = options or SelfcalOptions()
    options.rounds()  # what makes no sense is refused before the first image
    run = _Run(Path(ms), Path(out), [fspath(t) for t in base_tables], options, dict(image_options or {}))
    return run.go(on_round or (lambda _: None))


class _Run:
    def __init__(
        self, ms: Path, out: Path, base: list[str], options: SelfcalOptions, image_options: dict[str, Any]
    ) -> None:
        self.ms, self.out, self.base, self.options, self.image_options = ms, out, base, options, image_options
        self.image_options.setdefault("datacolumn", "corrected" if base else "data")
        # What wrong phases leave of a source is no source: it is far above the noise of the visibilities, in the source's own
        # island and about it, and a model of it would be solved for. Where the visibilities' noise is low the imager counts
        # from half the image's noise, hence twice as many.
        for option in ("deep_sigma", "bright_sigma"):
            self.image_options.setdefault(option, 0.0)
        self.image_options["nsigma"] = 2.0 * self.image_options.get("nsigma", 3.0)
        self.image_options.setdefault("outliers", False)
        out.mkdir(parents=True, exist_ok=True)

    def go(self, on_round: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
        from dsa110_contimg.calibration import flagging, stages

        # What a table flags goes with it, when it is undone or another takes its place.
        flagging.save_flags(self.ms, FLAGS_BEFORE, "as self-calibration found them", replace=True)
        if self.base:
            stages.apply(self.ms, self.base)
        best = self._image(0)
        best["tables"] = list(self.base)
        rounds = [{"round": 0, "kind": "start", "snr": best["snr"], "accepted": True, "reason": "before"}]
        on_round(rounds[0])
        first = best["snr"]
        stopped = "all rounds done"
        skip = ""
        for k, (mode, solint, minsnr) in enumerate(self.options.rounds(), 1):
            if mode == skip:
                continue
            record, image = self._round(k, mode, solint, minsnr, best)
            rounds.append(record)
            on_round(record)
            if image is None:
                # Shorter intervals of the same kind have less signal still.
                stopped, skip = f"round {k}: {record['reason']}", mode
                continue
            grown = image["snr"] / best["snr"]
            best = image
            if grown < self.options.min_gain:
                stopped, skip = f"round {k}: peak/rms grew by {grown:.3f}, less than {self.options.min_gain}", mode
        self._restore(best)
        return {
            "ms": str(self.ms),
            "rounds": rounds,
            "best": best["round"],
            "snr_before": first,
            "snr_after": best["snr"],
            "tables": best["tables"],
            "products": best["products"],
            "stopped": stopped,
        }

    def _image(self, k: int) -> dict[str, Any]:
        from dsa110_contimg import imaging

        report = imaging.image(self.ms, self.out / f"selfcal{k}", **self.image_options)
        if k == 0 and not report["iterations"] and not report["bright"]:
            # With wrong phases a source may drown in its own sidelobes: look deeper before giving up; a false component is
            # undone by the rounds' own check.
            deeper = {**self.image_options, "nsigma": 3.0, "auto_mask": 3.0}
            report = imaging.image(self.ms, self.out / f"selfcal{k}", **deeper)
        if report["outcome"] == "diverged":
            raise ConvergenceError(
                f"{self.ms}: expected an image that converges, found a CLEAN that diverged (round {k})"
            )
        return {
            "round": k,
            "snr": report["peak_jy"] / report["rms_jy"],
            "rms_jy": report["rms_jy"],
            "products": {key: str(path) for key, path in report["products"].items()},
        }

    def _round(
        self, k: int, mode: str, solint: str, minsnr: float, best: dict[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any] | None]:
        from dsa110_contimg.calibration import caltables, flagging, quality, skyfiles, stages

        table = str(self.out / f"selfcal{k}_gpcal")
        record: dict[str, Any] = {"round": k, "kind": mode, "solint": solint, "accepted": False, "snr": None}
        flagging.restore_flags(self.ms, FLAGS_BEFORE)
        try:
            # CLEAN's own model has what the image shows; its beam and smearing are in it already.
            model = skyfiles.from_image(best["products"]["model"])
        except ValueError as problem:  # an image without any component
            record["reason"] = str(problem)
            return record, None
        try:
            stages.write_model(self.ms, model)
            report = stages.solve(
                self.ms, table, "G", calmode=mode, solint=solint, minsnr=minsnr, combine=self.options.combine,
                **stages.refants(self.options.refant), uvrange=self.options.uvrange, gaintable=self.base,
                overwrite=True,
            )  # fmt: skip
        except (DataError, ConvergenceError) as problem:
            record["reason"] = str(problem)
            return record, None
        phase = quality.phase_scatter_deg(caltables.read(table))
        summary = caltables.summary(table)
        spread = (summary["amplitude_scatter"] or 0.0) / (summary["median_amplitude"] or 1.0)
        record |= {
            "table": table,
            "phase_scatter_deg": phase,
            "amp_scatter": spread,
            "median_snr": report["median_snr"],
        }
        if phase > self.options.max_phase_scatter_deg:
            return self._refuse(record, f"phases scatter by {phase:.1f} deg"), None
        if mode != "p" and spread > self.options.max_amp_scatter:
            return self._refuse(record, f"amplitudes scatter by {spread:.2f} of their median"), None
        tables = [*self.base, table]
        stages.apply(self.ms, tables)
        self.image_options["datacolumn"] = "corrected"
        try:
            image = self._image(k)
        except ConvergenceError as problem:
            return self._refuse(record, str(problem)), None
        record["snr"] = image["snr"]
        if image["snr"] < best["snr"]:
            return self._refuse(record, f"peak/rms fell from {best['snr']:.1f} to {image['snr']:.1f}"), None
        record |= {"accepted": True, "reason": f"peak/rms {best['snr']:.1f} -> {image['snr']:.1f}"}
        return record, {**image, "tables": tables}

    def _refuse(self, record: dict[str, Any], reason: str) -> dict[str, Any]:
        logger.warning("%s: round %d undone: %s", self.ms, record["round"], reason)
        table = Path(record.get("table", ""))
        if table.name:
            shutil.rmtree(table, ignore_errors=True)
        return {**record, "accepted": False, "reason": reason}

    def _restore(self, best: dict[str, Any]) -> None:
        """CORRECTED_DATA, FLAG and MODEL_DATA of the best round; with no table at all CORRECTED_DATA are DATA."""
        from dsa110_contimg.calibration import flagging, skyfiles, stages

        flagging.restore_flags(self.ms, FLAGS_BEFORE)
        if best["tables"]:
            stages.apply(self.ms, best["tables"])
        else:
            stages.clear(self.ms)
        try:
            stages.write_model(self.ms, skyfiles.from_image(best["products"]["model"]))
        except ValueError as problem:  # an image without any component has no model to write
            logger.warning("%s: %s", self.ms, problem)
