"""The stages of one observation: a calibrator's way to tables, a target's way to measurements.

Stage functions take and give plain values (paths as text), so that the runner can remember them. What each stage does is in
the package of its name; here is only who calls whom.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dsa110_contimg.pipeline import sky
from dsa110_contimg.pipeline.choice import Provenance, choose_tables
from dsa110_contimg.pipeline.sky import CatalogSource
from dsa110_contimg.pipeline.stage import Outputs, Stage

if TYPE_CHECKING:
    from dsa110_contimg.config import Config
    from dsa110_contimg.conversion.groups import SubbandGroup
    from dsa110_contimg.database import Database

ProgressCallback = Callable[[int, int], object]


@dataclass(frozen=True)
class Pointing:
    """Where a group points: HA 0 at its mid time.

    Attributes
    ----------
    mid_mjd : float
        UTC [MJD days].
    ra_deg, dec_deg : float
        ICRS [degrees].
    """

    mid_mjd: float
    ra_deg: float
    dec_deg: float


def pointing_of(path: str | os.PathLike[str]) -> Pointing:
    """Pointing of a UVH5 file from its header alone."""
    import numpy as np

    from dsa110_contimg import _core

    header = _core.uvh5.read_header(path)
    mid_mjd_s = float(header["mid_mjd_s"])
    ra, dec = _core.coords.meridian_icrs(np.array([mid_mjd_s]), float(header["phase_center_dec_rad"]))
    return Pointing(mid_mjd_s / 86400.0, float(np.degrees(ra[0])), float(np.degrees(dec[0])))


@dataclass
class Context:
    """What the stages of all groups share.

    Attributes
    ----------
    config : Config
        Configuration.
    products, registry : Database
        Databases.
    catalog, calibrators : list of CatalogSource
        What is measured, and what may calibrate.
    progress : callable
        Progress within a stage.
    """

    config: Config
    products: Database
    registry: Database
    catalog: list[CatalogSource]
    calibrators: list[CatalogSource]
    progress: ProgressCallback = field(default=lambda _done, _total: None)


@dataclass
class Observation:
    """One group with its pointing and, if it holds one, its calibrator."""

    context: Context
    group: SubbandGroup
    pointing: Pointing
    calibrator: CatalogSource | None

    @property
    def kind(self) -> str:
        """`calibrator` or `target`."""
        return "target" if self.calibrator is None else "calibrator"

    @property
    def day(self) -> str:
        """Date of the group, UTC."""
        return self.group.group_id[:10]

    def given(self) -> Outputs:
        """What is known before the first stage."""
        files = [{"path": str(p), "bytes": p.stat().st_size} for p in self.group.paths]
        return {"files": files, "mid_mjd": self.pointing.mid_mjd}

    def stages(self) -> list[Stage]:
        """Stages in order."""
        first = [self._convert(), self._flag()]
        if self.calibrator is not None:
            return [*first, self._solve()]
        return [*first, self._calibrate(), self._image(), self._measure()]

    # Each builder below returns one stage; the work is in the method it names.

    def _convert(self) -> Stage:
        return Stage("convert", self.convert, ("files",), ("ms",), lambda o: [o["ms"]])

    def _flag(self) -> Stage:
        return Stage("flag", self.flag, ("ms",), ("flagged_fraction",))

    def _solve(self) -> Stage:
        calibration = self.context.config.calibration.model_dump()
        model = [s.name for s in self.model_sources()]
        return Stage(
            "solve",
            self.solve,
            ("ms", "flagged_fraction"),
            ("tables",),
            lambda o: o["tables"],
            {"calibration": calibration, "model": model},
        )

    def _calibrate(self) -> Stage:
        choice = self.choose()
        depends = {"tables": choice.tables, "calibration": self.context.config.calibration.model_dump()}
        return Stage(
            "apply", self.calibrate, ("ms", "flagged_fraction"), ("calibration", "provenance"), fingerprint=depends
        )

    def _image(self) -> Stage:
        imaging = self.context.config.imaging.model_dump()
        return Stage(
            "image", self.image, ("ms", "calibration"), ("image",), lambda o: [o["image"], o["pb"]], {"imaging": imaging}
        )

    def _measure(self) -> Stage:
        positions = [(s.name, s.ra_deg, s.dec_deg) for s in self.context.catalog]
        return Stage("measure", self.measure, ("image",), ("measured",), fingerprint={"positions": positions})

    # The work.

    def model_sources(self) -> list[CatalogSource]:
        """Catalogue sources and the calibrator within the beam, brightest first."""
        radius = 3.0
        near = sky.within(self.context.catalog, self.pointing.ra_deg, self.pointing.dec_deg, radius)
        if self.calibrator is not None and self.calibrator.name not in {s.name for s in near}:
            near = [self.calibrator, *near]
        return near

    def choose(self) -> Any:
        """Calibration tables for this observation."""
        settings = self.context.config.calibration
        return choose_tables(self.context.registry, self.pointing.mid_mjd, self.pointing.dec_deg, settings)
