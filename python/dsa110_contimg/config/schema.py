"""The configuration schema: the array's values where a value is the array's, and safe paths."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", validate_default=True, frozen=True)


class Paths(_Section):
    """Directories and databases. Relative entries are below `root`."""

    root: Path = Field(Path("contimg"), description="Where products and state live")
    input_dir: Path | None = Field(None, description="Incoming UVH5 files")
    scratch_dir: Path | None = Field(None, description="Fast scratch disk")
    state_dir: Path = Field(Path("state"), description="Databases and logs")
    ms_dir: Path = Field(Path("ms"), description="Measurement Sets")
    caltables_dir: Path = Field(Path("caltables"), description="Calibration tables")
    images_dir: Path = Field(Path("images"), description="Tile images")
    mosaics_dir: Path = Field(Path("mosaics"), description="Mosaics")
    queue_db: Path | None = None
    registry_db: Path | None = None
    products_db: Path | None = None

    def _below(self, path: Path) -> Path:
        return path if path.is_absolute() else self.root / path

    @property
    def state(self) -> Path:
        """Directory of the databases."""
        return self._below(self.state_dir)

    @property
    def ms(self) -> Path:
        """Directory of Measurement Sets."""
        return self._below(self.ms_dir)

    @property
    def caltables(self) -> Path:
        """Directory of calibration tables."""
        return self._below(self.caltables_dir)

    @property
    def images(self) -> Path:
        """Directory of tile images."""
        return self._below(self.images_dir)

    @property
    def mosaics(self) -> Path:
        """Directory of mosaics."""
        return self._below(self.mosaics_dir)

    @property
    def queue(self) -> Path:
        """Ingest queue database."""
        return self.queue_db or self.state / "ingest.sqlite3"

    @property
    def registry(self) -> Path:
        """Calibration registry database."""
        return self.registry_db or self.state / "cal_registry.sqlite3"

    @property
    def products(self) -> Path:
        """Products database."""
        return self.products_db or self.state / "products.sqlite3"

    @property
    def catalogs(self) -> Path:
        """Directory of catalogue databases."""
        return self.state / "catalogs"


class Grouping(_Section):
    """How files become groups (facts: names jitter by seconds, observations follow every 309 s)."""

    window_s: float = Field(60.0, gt=0, lt=150)
    expected_subbands: int = Field(16, ge=1, le=64)
    min_subbands: int = Field(12, ge=1)


#: Steps of the flagger that have a default for each of their parameters.
_PLAIN_STEPS = ("zeros", "autos", "dead", "channels", "shadow", "quack", "rfi", "residual", "extend")


class Flagging(_Section):
    """What is flagged before anything is solved."""

    steps: tuple[str | dict[str, Any], ...] = Field(
        ("zeros", "autos", "dead", "rfi"),
        description="Steps in their order: names, or tables with step and its parameters",
    )
    false_alarm: float = Field(2e-4, gt=0, lt=0.5, description="Part of quiet data that rfi may take of a baseline")

    @field_validator("steps", mode="before")
    @classmethod
    def _names(cls, value: Any) -> Any:
        """A comma list, as environment variables have it, is a list."""
        return tuple(name.strip() for name in value.split(",") if name.strip()) if isinstance(value, str) else value

    @field_validator("steps")
    @classmethod
    def _known(cls, value: tuple[str | dict[str, Any], ...]) -> tuple[str | dict[str, Any], ...]:
        for step in value:
            if isinstance(step, str) and step not in _PLAIN_STEPS:
                raise ValueError(f"expected {', '.join(_PLAIN_STEPS)}, or a table with 'step' and its parameters")
            if isinstance(step, dict) and not isinstance(step.get("step"), str):
                raise ValueError("expected 'step' in every table")
        return value

    def requests(self) -> list[dict[str, Any]]:
        """Steps as the core wants them."""
        named = [{"step": step} if isinstance(step, str) else dict(step) for step in self.steps]
        return [{"false_alarm": self.false_alarm, **step} if step["step"] == "rfi" else step for step in named]


class Calibration(_Section):
    """Solving and validity."""

    refant: str = "103"
    bandpass_minsnr: float = Field(3.0, ge=0)
    gain_minsnr: float = Field(3.0, ge=0)
    gain_solint: str = "inf"
    uvrange: str = ""
    bandpass_validity_h: float = Field(12.0, gt=0, description="Validity either side of the calibrator's transit")
    gain_validity_min: float = Field(30.0, gt=0)
    borrow_days: float = Field(30.0, ge=0, description="How far back a bandpass may be borrowed from")
    borrow_dec_deg: float = Field(5.0, ge=0)
    calibrator_radius_deg: float = Field(1.0, gt=0)


class Imaging(_Section):
    """The tile image."""

    imsize: int = Field(0, ge=0, description="Pixels a side; 0 covers 3.5 degrees")
    cell_arcsec: float = Field(0.0, ge=0, description="Pixel; 0 takes a fifth of the resolution")
    weighting: str = "briggs"
    robust: float = Field(0.5, ge=-2, le=2)
    niter: int = Field(1_000_000, ge=0)
    nsigma: float = Field(3.0, ge=0)
    pblimit: float = Field(0.2, gt=0, lt=1)
    epsilon: float = Field(1e-4, gt=0, lt=0.1)
    subbands: int = Field(16, ge=0, le=64, description="Parts of the band imaged and measured on their own; 0: none")


class Photometry(_Section):
    """Forced fits, normalisation and nomination."""

    catalog: Path | None = Field(None, description="CSV with ra_deg, dec_deg, flux_jy (or nvss_flux_mjy)")
    min_flux_mjy: float = Field(10.0, ge=0)
    reference_min_snr: float = Field(50.0, ge=0)
    reference_count: int = Field(20, ge=3)
    baseline_epochs: int = Field(10, ge=3)
    min_epochs: int = Field(20, ge=2)
    normalisation: Literal["auto", "ensemble", "field"] = Field(
        "auto",
        description="ensemble: one gain an epoch; field: over beam and frequency; auto: field where references suffice",
    )
    gate: bool = Field(True, description="Epochs off the catalogue's flux scale enter no light curve")
    max_rms_mjy: float = Field(17.1, gt=0, description="Largest median noise of an epoch that passes the gate")
    score_threshold: float = Field(0.6, gt=0)
    blank_fits: int = Field(
        2000, ge=0, description="Empty positions of each image whose fits scale the errors; 0: noise per beam"
    )


class Config(_Section):
    """Everything that the pipeline reads."""

    paths: Paths = Paths()
    grouping: Grouping = Grouping()
    flagging: Flagging = Flagging()
    calibration: Calibration = Calibration()
    imaging: Imaging = Imaging()
    photometry: Photometry = Photometry()


#: Environment variable -> place in the schema. The original's PIPELINE_* names count where no CONTIMG_* is set.
_ENVIRONMENT = {
    "INPUT_DIR": ("paths", "input_dir"),
    "OUTPUT_DIR": ("paths", "root"),
    "SCRATCH_DIR": ("paths", "scratch_dir"),
    "STATE_DIR": ("paths", "state_dir"),
    "MS_DIR": ("paths", "ms_dir"),
    "CALTABLES_DIR": ("paths", "caltables_dir"),
    "IMAGES_DIR": ("paths", "images_dir"),
    "MOSAICS_DIR": ("paths", "mosaics_dir"),
    "QUEUE_DB": ("paths", "queue_db"),
    "REGISTRY_DB": ("paths", "registry_db"),
    "PRODUCTS_DB": ("paths", "products_db"),
    "EXPECTED_SUBBANDS": ("grouping", "expected_subbands"),
    "FLAG_STEPS": ("flagging", "steps"),
    "FLAG_FALSE_ALARM": ("flagging", "false_alarm"),
    "CAL_BP_MINSNR": ("calibration", "bandpass_minsnr"),
    "CAL_GAIN_MINSNR": ("calibration", "gain_minsnr"),
    "CAL_GAIN_SOLINT": ("calibration", "gain_solint"),
    "CAL_BP_UVRANGE": ("calibration", "uvrange"),
    "DEFAULT_REFANT": ("calibration", "refant"),
}


def _from_environment() -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for name, (section, key) in _ENVIRONMENT.items():
        value = os.environ.get(f"CONTIMG_{name}", os.environ.get(f"PIPELINE_{name}"))
        if value:
            found.setdefault(section, {})[key] = value
    return found


def load(path: Path | None = None, **overrides: dict[str, Any]) -> Config:
    """Read the configuration.

    Parameters
    ----------
    path : Path, optional
        TOML file; `CONTIMG_CONFIG` when left out; none is needed.
    **overrides : dict
        Sections with values that win over file and environment, for example ``paths={"root": out}``.

    Raises
    ------
    ValueError
        An unknown key or a value out of range, with the key's name and what was found.
    OSError
        The file cannot be read.
    """
    path = path or (Path(os.environ["CONTIMG_CONFIG"]) if os.environ.get("CONTIMG_CONFIG") else None)
    data: dict[str, Any] = {}
    if path is not None:
        try:
            data = tomllib.loads(path.read_text(encoding="utf-8"))
        except tomllib.TOMLDecodeError as error:
            raise ValueError(f"{path}: expected TOML, found {error}") from error
    for source in (_from_environment(), overrides):
        for section, values in source.items():
            data[section] = {**data.get(section, {}), **values}
    try:
        return Config.model_validate(data)
    except ValidationError as error:
        lines = (f"{'.'.join(map(str, e['loc']))}: {e['msg']}, found {e['input']!r}" for e in error.errors())
        raise ValueError(f"{path or 'configuration'}: " + "; ".join(lines)) from error
