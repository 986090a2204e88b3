"""Normalisation of an epoch by a reference ensemble: the original's functions over a database handle.

The pipeline's own way is `dsa110_contimg.photometry.campaign`, which normalises all epochs at once.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import dsa110_contimg._core as _compiled
from dsa110_contimg.photometry.forced import measure_many
from dsa110_contimg.utils.columns import column

StrPath = str | os.PathLike[str]


class MeasurementStore(Protocol):
    """What is needed of a database: `dsa110_contimg.database.Database`, or anything that selects rows like it."""

    def select(
        self,
        table: str,
        *conditions: tuple[str, str, Any],
        columns: Sequence[str] | None = None,
        order_by: Iterable[str | tuple[str, bool]] = (),
    ) -> list[dict[str, Any]]:
        """Rows of a table that meet all conditions ``(column, operator, value)``."""
        ...


@dataclass(frozen=True)
class ReferenceSource:
    """A source that is trusted to be steady.

    Attributes
    ----------
    source_id : str
        Name.
    ra_deg, dec_deg : float
        Position [degrees].
    nvss_flux_mjy, snr_nvss : float
        Catalogue flux and its signal-to-noise ratio.
    flux_baseline, baseline_rms : float or None
        Median and scaled MAD of its first epochs [Jy/beam]; None before there are enough.
    is_valid : bool
        Whether it may be used.
    """

    source_id: str
    ra_deg: float
    dec_deg: float
    nvss_flux_mjy: float = float("nan")
    snr_nvss: float = float("nan")
    flux_baseline: float | None = None
    baseline_rms: float | None = None
    is_valid: bool = True


@dataclass(frozen=True)
class CorrectionResult:
    """The gain of one epoch.

    Attributes
    ----------
    correction_factor : float
        Median ratio of the references to their baselines; fluxes are divided by it.
    correction_rms, correction_err : float
        Scaled MAD of the ratios, and the error of their median.
    n_references : int
        References used.
    reference_measurements : list of float
        Flux of every reference [Jy/beam], NaN where it has none.
    valid_references : list of str
        Those used.
    """

    correction_factor: float
    correction_rms: float
    n_references: int
    correction_err: float = float("nan")
    reference_measurements: list[float] = field(default_factory=list)
    valid_references: list[str] = field(default_factory=list)


def query_reference_sources(
    db_path: StrPath | MeasurementStore,
    ra_center: float,
    dec_center: float,
    fov_radius_deg: float = 1.5,
    min_snr: float = 50.0,
    max_sources: int = 20,
) -> list[ReferenceSource]:
    """References within a cone, highest signal-to-noise ratio first; cut exactly before the limit.

    Unresolved and unconfused sources of the master catalogue's table ``sources``.
    """
    store: Any = db_path
    if not hasattr(store, "select"):
        from dsa110_contimg.database import open_database

        store = open_database(db_path, "catalog")  # type: ignore[arg-type]
    rows = store.select(
        "sources",
        ("snr_nvss", ">=", min_snr),
        ("resolved_flag", "=", 0),
        ("confusion_flag", "=", 0),
        ("dec_deg", ">=", dec_center - fov_radius_deg),
        ("dec_deg", "<=", dec_center + fov_radius_deg),
    )
    centre = (column([ra_center]), column([dec_center]))
    ra, dec = (column([row[name] for row in rows]) for name in ("ra_deg", "dec_deg"))
    _, inside, _ = _compiled.catalog.match_pairs(*centre, ra, dec, fov_radius_deg * 3600.0)
    found = sorted((rows[i] for i in inside.tolist()), key=lambda r: (-r["snr_nvss"], r["source_id"]))
    return [
        ReferenceSource(
            str(row["source_id"]),
            row["ra_deg"],
            row["dec_deg"],
            1e3 * row["s_nvss"] if row.get("s_nvss") is not None else float("nan"),
            row["snr_nvss"],
        )
        for row in found[:max_sources]
    ]


def establish_baselines(
    sources: Sequence[ReferenceSource], db: MeasurementStore, n_baseline_epochs: int = 10
) -> list[ReferenceSource]:
    """The sources with their baselines: median of the first epochs; fewer than three points make it invalid."""
    out = []
    for source in sources:
        mjd, flux = _series(db, source.source_id)
        found = _compiled.photometry.baseline(mjd, flux, epochs=n_baseline_epochs)
        if found is None:
            out.append(replace(source, is_valid=False))
        else:
            out.append(replace(source, flux_baseline=found[0], baseline_rms=found[1]))
    return out


def _series(db: MeasurementStore, source_id: str, *conditions: tuple[str, str, Any]) -> tuple[Any, Any]:
    rows = db.select(
        "photometry_timeseries",
        ("source_id", "=", source_id),
        *conditions,
        columns=["mjd", "peak_jyb"],
        order_by=["mjd"],
    )
    nan = float("nan")
    flux = [nan if row["peak_jyb"] is None else row["peak_jyb"] for row in rows]
    return column([row["mjd"] for row in rows]), column(flux)


def compute_ensemble_correction(
    fits_path: StrPath,
    ref_sources: Sequence[ReferenceSource],
    *,
    box_size_pix: int = 5,
    annulus_pix: tuple[float, float] = (12, 20),
    max_deviation_sigma: float = 3.0,
) -> CorrectionResult:
    """Measure the references on an image and compare them with their baselines.

    Raises
    ------
    DataError
        Fewer than three references with a positive flux and baseline.
    """
    usable = [s for s in ref_sources if s.is_valid and s.flux_baseline is not None]
    positions = [(s.ra_deg, s.dec_deg) for s in usable]
    measured = measure_many(fits_path, positions, box_size_pix=box_size_pix, annulus_pix=annulus_pix)
    return correction_of([m.peak_jyb for m in measured], usable, max_deviation_sigma)


def correction_of(
    fluxes: Sequence[float], references: Sequence[ReferenceSource], max_deviation_sigma: float = 3.0
) -> CorrectionResult:
    """The correction from fluxes [Jy/beam] that were measured before, one a reference."""
    baselines = column([float("nan") if r.flux_baseline is None else r.flux_baseline for r in references])
    factor, rms, err, used = _compiled.photometry.ensemble_correction(
        column(fluxes), baselines, clip_sigma=max_deviation_sigma
    )
    names = [r.source_id for r, u in zip(references, used.tolist(), strict=True) if u]
    return CorrectionResult(factor, rms, len(names), err, list(fluxes), names)


def normalize_measurement(raw_flux: float, raw_error: float, correction: CorrectionResult) -> tuple[float, float]:
    """Flux and error on the scale of the baselines: ``f / c`` and ``sqrt((e / c)^2 + (f rms / c^2)^2)``."""
    return _compiled.photometry.normalise(raw_flux, raw_error, correction.correction_factor, correction.correction_rms)


def check_reference_stability(
    source_id: str,
    db: MeasurementStore,
    *,
    time_window_days: float = 30.0,
    max_chi2: float = 2.0,
    min_points: int = 5,
    now_mjd: float | None = None,
) -> tuple[bool, float]:
    """Whether a reference was steady lately: ``(stable, chi2_nu about the mean)``.

    The window ends at `now_mjd`, or at the source's last point. Too few points: stable, with NaN.
    """
    rows = db.select("photometry_timeseries", ("source_id", "=", source_id), order_by=["mjd"])
    rows = [r for r in rows if r["peak_norm"] is not None and (r["peak_norm_err"] or 0.0) > 0.0]
    last = now_mjd if now_mjd is not None else max((r["mjd"] for r in rows), default=0.0)
    recent = [r for r in rows if last - time_window_days <= r["mjd"] <= last]
    if len(recent) < min_points:
        return True, float("nan")
    flux, err = (column([r[name] for r in recent]) for name in ("peak_norm", "peak_norm_err"))
    chi2 = _compiled.variability.chi2_nu(flux, err)
    return chi2 <= max_chi2, chi2
