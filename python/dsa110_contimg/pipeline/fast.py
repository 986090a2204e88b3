"""Targets by the fast path: one stage from UVH5 files to images, nothing but products on the disk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dsa110_contimg.pipeline import calibrating
from dsa110_contimg.pipeline.choice import Provenance
from dsa110_contimg.pipeline.measuring import image_files
from dsa110_contimg.pipeline.observation import Observation
from dsa110_contimg.pipeline.stage import Outputs, Stage


@dataclass
class FastObservation(Observation):
    """An observation whose target groups are flagged, calibrated and imaged in memory.

    Calibrator groups go the staged way: their Measurement Sets are kept beside their tables. The images and measurements of
    targets, their records and their own gain tables are those of the staged way.

    Attributes
    ----------
    archive : bool
        Also write the Measurement Set, while the tile is imaged.
    """

    archive: bool = False

    def stages(self) -> list[Stage]:
        """Stages in order."""
        if self.calibrator is not None:
            return super().stages()
        return [self._tile(), self._measure()]

    def _tile(self) -> Stage:
        config = self.context.config
        depends: dict[str, Any] = {
            "tables": self.choose().tables,
            "flagging": config.flagging.requests(),
            "calibration": config.calibration.model_dump(),
            "imaging": config.imaging.model_dump(),
            "model": [s.name for s in self.model_sources()],
            "archive": self.archive,
        }
        return Stage(
            "tile",
            self.tile,
            ("files",),
            ("image", "pb", "calibration", "provenance"),
            lambda o: [*image_files(o), *([o["ms"]] if o.get("ms") else [])],
            depends,
        )

    def tile(self, _outputs: Outputs) -> Outputs:
        """Flag, solve the target's own gain, calibrate and image in memory; record what the staged way records."""
        from dsa110_contimg import DataError
        from dsa110_contimg.calibration import stages
        from dsa110_contimg.imaging.tile import tile

        choice = self.choose()
        config = self.context.config
        settings, paths = config.calibration, config.paths
        if choice.provenance is Provenance.NONE:
            raise DataError(
                f"{self.group.group_id}: expected a bandpass within {settings.borrow_days} days "
                f"and {settings.borrow_dec_deg} degrees of declination, found none"
            )
        own = self.product(paths.caltables, self.day, f"{self.group.group_id}_2gcal")
        name = self.product(paths.images, self.day, self.group.group_id)
        archive = self.product(paths.ms, "science", self.day, f"{self.group.group_id}.ms") if self.archive else None
        request = self.own_gain(choice)
        uses = stages.table_uses(request.pop("gaintable"))
        report = tile(
            self.group.paths,
            name,
            tables=uses,
            image=self.image_options(choice.provenance.value, choice.tables),
            own_gain={"output": str(own), "term": "G", "gaintable": uses, **request},
            flag=config.flagging.requests(),
            reset_flags=True,
            **calibrating.reach(settings, choice.provenance),
            archive=archive,
            overwrite=True,
            progress=self.context.progress,
        )
        if report["archive_error"]:
            raise OSError(f"{archive}: {report['archive_error']}")
        made = self.record_image(report["image"], str(archive or self.group.paths[0]), choice.provenance.value)
        if archive is not None:
            self._index(str(archive), str(name))
        tables = [*choice.tables, str(own)]
        return {
            **made,
            "ms": str(archive) if archive else None,
            "calibration": calibrating.record(choice, tables),
            "provenance": choice.provenance.value,
        }

    def _index(self, archive: str, name: str) -> None:
        from dsa110_contimg.database import products

        products.ms_index_upsert(
            self.context.products,
            archive,
            mid_mjd=self.pointing.mid_mjd,
            status="done",
            stage="imaged",
            imagename=name,
            pointing_ra_deg=self.pointing.ra_deg,
            pointing_dec_deg=self.pointing.dec_deg,
        )
