"""The stages of one observation: a calibrator's way to tables, a target's way to measurements.

Stage functions take and give plain values (paths as text), so that the runner can remember them. What each stage does is in
the package of its name; here is only who calls whom.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dsa110_contimg.pipeline import calibrating, measuring, sky
from dsa110_contimg.pipeline.choice import Provenance, TableChoice, choose_tables
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
    averaging : tuple of float or None
        Integration [s] and channel [Hz].
    """

    mid_mjd: float
    ra_deg: float
    dec_deg: float
    averaging: tuple[float, float] | None = None


def pointing_of(path: str | os.PathLike[str]) -> Pointing:
    """Pointing of a UVH5 file from its header alone."""
    import numpy as np

    from dsa110_contimg import _core

    header = _core.uvh5.read_header(path)
    mid_mjd_s = float(header["mid_mjd_s"])
    ra, dec = _core.coords.meridian_icrs(np.array([mid_mjd_s]), float(header["phase_center_dec_rad"]))
    return Pointing(
        mid_mjd_s / 86400.0, float(np.degrees(ra[0])), float(np.degrees(dec[0])), measuring.averaging_of(header)
    )


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
    #: Where the tables come from, once they have been looked for.
    found: Provenance | None = field(default=None, init=False)

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
        depends = {"steps": self.context.config.flagging.requests()}
        return Stage("flag", self.flag, ("ms",), ("flagged_fraction", "flag_report"), fingerprint=depends)

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
            "image",
            self.image,
            ("ms", "calibration"),
            ("image",),
            measuring.image_files,
            {"imaging": imaging},
        )

    def _measure(self) -> Stage:
        depends = measuring.fingerprint(self.context.catalog, self.context.config.photometry.blank_fits)
        return Stage("measure", self.measure, ("image",), ("measured",), fingerprint=depends)

    # The work.

    def model_sources(self) -> list[CatalogSource]:
        """Catalogue sources and the calibrator within the beam, brightest first."""
        radius = 3.0
        near = sky.within(self.context.catalog, self.pointing.ra_deg, self.pointing.dec_deg, radius)
        if self.calibrator is not None and self.calibrator.name not in {s.name for s in near}:
            near = [self.calibrator, *near]
        return near

    def choose(self) -> TableChoice:
        """Calibration tables for this observation; `found` keeps where they come from, should the stage fail."""
        settings = self.context.config.calibration
        choice = choose_tables(self.context.registry, self.pointing.mid_mjd, self.pointing.dec_deg, settings)
        self.found = choice.provenance
        return choice

    def product(self, base: Path, *parts: str) -> Path:
        """Path of a product below `base`; its directory is made."""
        path = base.joinpath(*parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def convert(self, _outputs: Outputs) -> Outputs:
        """UVH5 files to a Measurement Set below ``ms/science`` or ``ms/calibrators``."""
        from dsa110_contimg import _core
        from dsa110_contimg.database import products

        folder = "calibrators" if self.calibrator else "science"
        path = self.product(self.context.config.paths.ms, folder, self.day, f"{self.group.group_id}.ms")
        report = _core.ms.convert(self.group.paths, path, overwrite=True, progress=self.context.progress)
        products.ms_index_upsert(
            self.context.products,
            path,
            mid_mjd=self.pointing.mid_mjd,
            status="converted",
            stage="converted",
            pointing_ra_deg=self.pointing.ra_deg,
            pointing_dec_deg=self.pointing.dec_deg,
        )
        return {"ms": str(path), "verdicts": report.get("verdicts", [])}

    def flag(self, outputs: Outputs) -> Outputs:
        """The configured steps; the report lies beside the Measurement Set."""
        from dsa110_contimg.calibration import stages

        steps, progress = self.context.config.flagging.requests(), self.context.progress
        report = stages.flag(outputs["ms"], steps, reset=True, waterfall=True, progress=progress)
        path = Path(outputs["ms"]).with_suffix(".flags.json")
        path.write_text(json.dumps(report), encoding="utf-8")
        return {"flagged_fraction": report["after_cross"], "flag_report": str(path)}

    def _sky(self) -> dict[str, Any]:
        from dsa110_contimg.calibration import sky as model

        sources = [model.source(s.name, s.ra_deg, s.dec_deg, s.flux_jy, alpha=s.alpha) for s in self.model_sources()]
        return model.model(sources)

    def solve(self, outputs: Outputs) -> Outputs:
        """Bandpass, then gain, on the calibrator's field; both are registered with their validity."""
        from dsa110_contimg.calibration import stages
        from dsa110_contimg.database import registry

        settings = self.context.config.calibration
        prefix = self.product(self.context.config.paths.caltables, self.day, self.group.group_id)
        bandpass, gain = f"{prefix}_bpcal", f"{prefix}_gpcal"
        shared: dict[str, Any] = {
            "model": self._sky(),
            **stages.refants(settings.refant),
            "uvrange": settings.uvrange,
            "overwrite": True,
            "progress": self.context.progress,
        }
        solved = stages.solve(
            outputs["ms"], bandpass, "B", combine="scan,field", minsnr=settings.bandpass_minsnr, solint="inf", **shared
        )
        gains = stages.solve(
            outputs["ms"],
            gain,
            "G",
            gaintable=[bandpass],
            combine="scan,field",
            minsnr=settings.gain_minsnr,
            solint=settings.gain_solint,
            calmode="ap",
            **shared,
        )
        field = self.calibrator.name if self.calibrator else ""
        origin = calibrating.origin(field)
        mid, name = self.pointing.mid_mjd, f"{self.group.group_id}_{field}"
        hours, minutes = settings.bandpass_validity_h / 24.0, settings.gain_validity_min / 1440.0
        for table, report, reach in ((bandpass, solved, hours), (gain, gains, minutes)):
            entry = {
                "path": table,
                "source_ms_path": outputs["ms"],
                "solver_command": "contimg run",
                "quality_metrics": {k: v for k, v in report.items() if isinstance(v, int | float | str)},
                "pointing_dec_deg": self.pointing.dec_deg,
                "provenance": origin.value,
            }
            registry.register_set(
                self.context.registry,
                name,
                [entry],
                cal_field=field,
                refant=str(report.get("refant", settings.refant)),
                valid_start_mjd=mid - reach,
                valid_end_mjd=mid + reach,
            )
        return {"tables": [bandpass, gain], "provenance": origin.value}

    def calibrate(self, outputs: Outputs) -> Outputs:
        """Apply the chosen tables and a gain of the target's own, solved on the catalogue.

        With tables of the same date the own gain is phase only; with a borrowed bandpass it carries the amplitude too.
        """
        from dsa110_contimg import DataError
        from dsa110_contimg.calibration import stages

        choice = self.choose()
        if choice.provenance is Provenance.NONE:
            raise DataError(
                f"{self.group.group_id}: expected a bandpass within {self.context.config.calibration.borrow_days} days "
                f"and {self.context.config.calibration.borrow_dec_deg} degrees of declination, found none"
            )
        own = self.product(self.context.config.paths.caltables, self.day, f"{self.group.group_id}_2gcal")
        stages.solve(outputs["ms"], own, "G", progress=self.context.progress, **self.own_gain(choice))
        tables = [*choice.tables, str(own)]
        stages.apply(
            outputs["ms"],
            tables,
            calwt=True,
            progress=self.context.progress,
            **calibrating.reach(self.context.config.calibration, choice.provenance),
        )
        return {
            "calibration": calibrating.record(choice, tables),
            "provenance": choice.provenance.value,
        }

    def own_gain(self, choice: Any) -> dict[str, Any]:
        """Options of the solve for a gain of the target's own."""
        from dsa110_contimg.calibration import stages

        settings = self.context.config.calibration
        return {
            "gaintable": list(choice.tables),
            "model": self._sky(),
            "calmode": "p" if choice.provenance is Provenance.SAME_DATE else "ap",
            "combine": "scan,field,spw",
            "solint": "inf",
            "minsnr": settings.gain_minsnr,
            **stages.refants(settings.refant),
            "uvrange": settings.uvrange,
            "overwrite": True,
        }

    def image_options(self, provenance: str, tables: Sequence[str]) -> dict[str, Any]:
        """Options of the imager that do not depend on where the visibilities are; `tables` are those of the applied set."""
        from dsa110_contimg.imaging import calibration_cards

        settings = self.context.config.imaging
        return {
            "imsize": [settings.imsize, settings.imsize] if settings.imsize else None,
            "cell_arcsec": settings.cell_arcsec or None,
            "weighting": settings.weighting,
            "robust": settings.robust,
            "niter": settings.niter,
            "nsigma": settings.nsigma,
            "pblimit": settings.pblimit,
            "epsilon": settings.epsilon,
            "subbands": settings.subbands,
            "cards": {
                "GROUPID": self.group.group_id,
                "CALPROV": provenance,
                **calibration_cards(tables),
            },
        }

    def image(self, outputs: Outputs) -> Outputs:
        """The tile's image and its products, recorded with noise, beam and provenance."""
        import json

        from dsa110_contimg import _core
        from dsa110_contimg.database import products

        name = self.product(self.context.config.paths.images, self.day, self.group.group_id)
        options = self.image_options(outputs["provenance"], outputs["calibration"]["tables"][:-1])
        options |= {"ms": [outputs["ms"]], "name": str(name), "datacolumn": "corrected"}
        report = _core.imaging.image_ms(json.dumps(options), progress=self.context.progress)
        made = self.record_image(report, outputs["ms"], outputs["provenance"])
        products.ms_index_upsert(
            self.context.products, outputs["ms"], stage="imaged", status="done", cal_applied=1, imagename=str(name)
        )
        return made

    def record_image(self, report: dict[str, Any], ms_path: str, provenance: str) -> Outputs:
        """Record an image with its noise, beam and provenance; what later stages read of it."""
        from dsa110_contimg.database import products

        made = report["products"]
        products.images_insert(
            self.context.products,
            made["pbcor"],
            ms_path,
            "5min",
            **products.image_columns(report),
            pbcor=1,
            freq_ghz=report["freq_hz"] / 1e9,
            bandwidth_mhz=report["bandwidth_hz"] / 1e6,
            cal_provenance=provenance,
        )
        return {
            "image": made["restored"],
            "pb": made["pb"],
            "pbcor": made["pbcor"],
            "residual": made.get("residual"),
            "matched": [made["matched"], made["psf"]] if {"matched", "psf"} <= set(made) else None,
            "bands": [[part["restored"], part["pb"], part.get("residual")] for part in report.get("subbands") or []],
            "noise_jy": report["rms_jy"],
            "expected_noise_jy": report["expected_rms_jy"],
            "beam": report["beam"],
        }

    def measure(self, outputs: Outputs) -> Outputs:
        """Forced fluxes of the catalogue on the tile and on each part of its band, corrected for the primary beam."""
        pblimit = self.context.config.imaging.pblimit
        catalog = self.context.catalog
        return measuring.measure(
            self.context.products,
            catalog,
            outputs,
            self.pointing.mid_mjd,
            pblimit,
            averaging=self.pointing.averaging,
            blank_fits=self.context.config.photometry.blank_fits,
        )
