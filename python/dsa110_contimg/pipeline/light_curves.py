"""From stored measurements to light curves, statistics and candidates.

Everything is computed from the measurements each time, so that adding an epoch gives what computing from scratch gives.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dsa110_contimg._core import ese as _ese
from dsa110_contimg._core import photometry as _photometry
from dsa110_contimg.config import Photometry

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from dsa110_contimg.database import Database

    FloatArray = NDArray[np.float64]

#: Tiles of one transit follow each other within this [days]; the next transit is a sidereal day later.
TRANSIT_GAP_DAYS = 0.02
#: A reference whose reduced chi-square exceeds this, and three times that of its peers, is variable.
REFERENCE_CHI2 = 2.0
#: Measurements with one of these bits are kept but are no reference.
_UNFIT = _photometry.OUTSIDE | _photometry.EDGE | _photometry.BLEND | _photometry.RESOLVED


@dataclass
class Correction:
    """Gain of one image as its references see it; `factor` is NaN where there is none."""

    factor: float = float("nan")
    rms: float = float("nan")
    err: float = float("nan")
    references: list[str] = field(default_factory=list)


@dataclass
class Campaign:
    """Measurements as arrays of axes source (s) and image (e), sorted by name and time.

    Attributes
    ----------
    sources, images : list of str
        Names and paths.
    mjd_e : array
        Mid times, UTC [MJD days].
    flux_se, err_se : array
        Flux densities corrected for the beam, and 1-sigma errors [Jy]; NaN where not measured.
    fit_se : array of bool
        Measured without a blend, an edge or a resolved source.
    position_s : dict
        Source name to (ra_deg, dec_deg, catalogue flux in mJy).
    norm_se, norm_err_se : array
        Normalised; NaN where no correction exists.
    corrections : list of Correction
        One an image.
    references : list of str
        Sources of the ensemble.
    """

    sources: list[str]
    images: list[str]
    mjd_e: FloatArray
    flux_se: FloatArray
    err_se: FloatArray
    fit_se: NDArray[np.bool_]
    position_s: dict[str, tuple[float, float, float | None]]
    norm_se: FloatArray
    norm_err_se: FloatArray
    corrections: list[Correction] = field(default_factory=list)
    references: list[str] = field(default_factory=list)


def load_campaign(db: Database) -> Campaign:
    """Read every measurement that passed the gates."""
    import numpy as np

    rows = db.select("photometry", ("quality_flag", "=", "ok"), order_by=["mjd", "image_path", "source_id"])
    images = sorted({(row["mjd"], row["image_path"]) for row in rows})
    sources = sorted({row["source_id"] for row in rows})
    image_index = {path: e for e, (_, path) in enumerate(images)}
    source_index = {name: s for s, name in enumerate(sources)}
    shape = (len(sources), len(images))
    flux_se, err_se = np.full(shape, np.nan), np.full(shape, np.nan)
    fit_se = np.zeros(shape, dtype=bool)
    positions: dict[str, tuple[float, float, float | None]] = {}
    for row in rows:
        s, e = source_index[row["source_id"]], image_index[row["image_path"]]
        positions[row["source_id"]] = (row["ra_deg"], row["dec_deg"], row["nvss_flux_mjy"])
        if row["flux_jy"] is None or row["flux_err_jy"] is None:
            continue
        flux_se[s, e], err_se[s, e] = row["flux_jy"], row["flux_err_jy"]
        fit_se[s, e] = not row["flags"] & _UNFIT
    mjd_e = np.array([mjd for mjd, _ in images], dtype=float)
    empty = np.full(shape, np.nan)
    return Campaign(
        sources, [path for _, path in images], mjd_e, flux_se, err_se, fit_se, positions, empty, empty.copy()
    )


def normalise_campaign(campaign: Campaign, settings: Photometry) -> None:
    """Normalise every image by its references, each reference by the others; variable references are demoted.

    The method is the ensemble one: baseline = median of the first epochs, correction = clipped median ratio.
    """
    import numpy as np

    bases = np.array([_baseline(campaign, s, settings) for s in range(len(campaign.sources))], dtype=float)
    chosen = _choose_references(campaign, bases, settings)
    while True:
        _apply(campaign, bases, chosen)
        demoted = _most_variable(campaign, chosen)
        if demoted is None or len(chosen) <= 5:
            break
        chosen.remove(demoted)
    campaign.references = [campaign.sources[s] for s in chosen]


def _baseline(campaign: Campaign, s: int, settings: Photometry) -> float:
    found = _photometry.baseline(campaign.mjd_e, campaign.flux_se[s], epochs=settings.baseline_epochs)
    return float("nan") if found is None else found[0]


def _choose_references(campaign: Campaign, bases: FloatArray, settings: Photometry) -> list[int]:
    import numpy as np

    candidates = []
    for s in range(len(campaign.sources)):
        fit = campaign.fit_se[s]
        if not np.isfinite(bases[s]) or fit.sum() < 0.8 * len(campaign.images):
            continue
        snr = float(np.median(campaign.flux_se[s][fit] / campaign.err_se[s][fit]))
        if snr >= settings.reference_min_snr:
            candidates.append((snr, s))
    return [s for _, s in sorted(candidates, reverse=True)[: settings.reference_count]]


def _apply(campaign: Campaign, bases: FloatArray, chosen: Sequence[int]) -> None:
    import numpy as np

    campaign.corrections = []
    base = np.ascontiguousarray(bases[list(chosen)])
    for e in range(len(campaign.images)):
        flux = np.ascontiguousarray(np.where(campaign.fit_se[chosen, e], campaign.flux_se[chosen, e], np.nan))
        if np.count_nonzero(flux > 0) < 3:
            campaign.corrections.append(Correction())
            campaign.norm_se[:, e] = campaign.norm_err_se[:, e] = np.nan
            continue
        factor, rms, err, used = _photometry.ensemble_correction(flux, base)
        names = [campaign.sources[s] for s, taken in zip(chosen, used, strict=True) if taken]
        campaign.corrections.append(Correction(factor, rms, err, names))
        factors = np.full(len(campaign.sources), factor)
        spreads = np.full(len(campaign.sources), rms)
        own_factor, own_rms, _ = _photometry.leave_one_out(flux, base)
        has_own = np.isfinite(own_factor)
        factors[list(chosen)] = np.where(has_own, own_factor, factor)
        spreads[list(chosen)] = np.where(has_own, own_rms, rms)
        flux_e, err_e = campaign.flux_se[:, e], campaign.err_se[:, e]
        campaign.norm_se[:, e] = flux_e / factors
        campaign.norm_err_se[:, e] = np.hypot(err_e / factors, flux_e * spreads / factors**2)


def _most_variable(campaign: Campaign, chosen: Sequence[int]) -> int | None:
    """The reference that varies most, if it varies more than its errors and its peers allow."""
    import numpy as np

    if not chosen or not np.isfinite(campaign.norm_se[list(chosen)]).any():
        return None
    chi2 = []
    for s in chosen:
        good = np.isfinite(campaign.norm_se[s])
        flux, err = campaign.norm_se[s][good], campaign.norm_err_se[s][good]
        chi2.append(float(np.sum(((flux - np.median(flux)) / err) ** 2) / max(good.sum() - 1, 1)))
    worst = int(np.argmax(chi2))
    limit = max(REFERENCE_CHI2, 3.0 * float(np.median(chi2)))
    return chosen[worst] if chi2[worst] > limit else None


def epochs_of(mjd: FloatArray, flux: FloatArray, err: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Join the tiles of each transit: inverse-variance means (errors are those of the beam-corrected fluxes, so the
    weights are pb^2 / sigma^2)."""
    import numpy as np

    good = np.isfinite(flux) & np.isfinite(err) & (err > 0)
    mjd, flux, err = mjd[good], flux[good], err[good]
    if not mjd.size:
        return mjd, flux, err
    epoch = np.concatenate([[0], np.cumsum(np.diff(mjd) > TRANSIT_GAP_DAYS)])
    weight = err**-2.0
    total = np.bincount(epoch, weight)
    mean_mjd = np.bincount(epoch, weight * mjd) / total
    return mean_mjd, np.bincount(epoch, weight * flux) / total, total**-0.5


def update_light_curves(
    db: Database, settings: Photometry, *, progress: Callable[[int, int], object] | None = None
) -> list[dict[str, Any]]:
    """Normalise, compute statistics, judge, and store all of it in one transaction.

    Parameters
    ----------
    db : Database
        Products.
    settings : Photometry
        Reference and nomination thresholds.
    progress : callable, optional
        Progress of the judgement.

    Returns
    -------
    list of dict
        One a source: name, position, statistics, score, verdict, reasons, and the light curve
        (``mjd``, ``flux_jy``, ``flux_err_jy`` of its epochs).
    """
    import numpy as np

    campaign = load_campaign(db)
    normalise_campaign(campaign, settings)
    curves = [
        epochs_of(campaign.mjd_e, campaign.norm_se[s], campaign.norm_err_se[s]) for s in range(len(campaign.sources))
    ]
    offsets = [0, *np.cumsum([len(c[0]) for c in curves], dtype=int).tolist()]
    columns = [np.concatenate([c[k] for c in curves]) if curves else np.zeros(0) for k in range(3)]
    options = {"min_score": settings.score_threshold, "min_epochs": settings.min_epochs}
    judged = _ese.judge(offsets, *columns, options=options, progress=progress)
    results = []
    for name, curve, judgement in zip(campaign.sources, curves, judged, strict=True):
        ra_deg, dec_deg, catalogue_mjy = campaign.position_s[name]
        results.append(
            {
                "source_id": name,
                "ra_deg": ra_deg,
                "dec_deg": dec_deg,
                "nvss_flux_mjy": catalogue_mjy,
                "is_reference": name in campaign.references,
                "mjd": curve[0].tolist(),
                "flux_jy": curve[1].tolist(),
                "flux_err_jy": curve[2].tolist(),
                **judgement,
            }
        )
    _store(db, campaign, results)
    return results


def _store(db: Database, campaign: Campaign, results: Sequence[dict[str, Any]]) -> None:
    now = time.time()
    kept = {r["source_id"]: r for r in db.select("ese_candidates", ("flag_type", "=", "auto"))}
    nominated = [r for r in results if r["verdict"] == "candidate"]
    db.insert_all(
        [
            ("photometry_timeseries", _timeseries_rows(campaign), ("source_id", "mjd", "image_path")),
            ("epoch_corrections", _correction_rows(campaign, now), ("image_path",)),
            ("variability_stats", [_stats_row(r, now) for r in results], ("source_id",)),
        ]
    )
    new = [_candidate_row(r, now) for r in nominated if r["source_id"] not in kept]
    db.insert("ese_candidates", new)
    for r in nominated:
        if r["source_id"] in kept:
            values = {"significance": _significance(r), "notes": "; ".join(r["reasons"])}
            db.update("ese_candidates", values, ("id", "=", kept[r["source_id"]]["id"]))
    names = {r["source_id"] for r in nominated}
    for name, row in kept.items():
        # A nomination that the data no longer support is withdrawn, unless a person has acted on it.
        if name not in names and row["status"] == "active":
            db.delete("ese_candidates", ("id", "=", row["id"]))


def _timeseries_rows(campaign: Campaign) -> list[dict[str, Any]]:
    references = set(campaign.references)
    rows = []
    for s, name in enumerate(campaign.sources):
        ra_deg, dec_deg, _ = campaign.position_s[name]
        for e, image in enumerate(campaign.images):
            row = {
                "source_id": name,
                "mjd": float(campaign.mjd_e[e]),
                "image_path": image,
                "ra_deg": ra_deg,
                "dec_deg": dec_deg,
                "peak_jyb": float(campaign.flux_se[s, e]),
                "peak_err_jyb": float(campaign.err_se[s, e]),
                "peak_norm": float(campaign.norm_se[s, e]),
                "peak_norm_err": float(campaign.norm_err_se[s, e]),
                "is_reference": name in references,
            }
            if row["peak_jyb"] == row["peak_jyb"]:
                rows.append(row)
    return rows


def _correction_rows(campaign: Campaign, now: float) -> list[dict[str, Any]]:
    return [
        {
            "image_path": image,
            "mjd": float(mjd),
            "correction": correction.factor,
            "correction_rms": correction.rms,
            "correction_err": correction.err,
            "n_references": len(correction.references),
            "excluded": json.dumps(sorted(set(campaign.references) - set(correction.references))),
            "phase": "normalised" if correction.references else "unnormalised",
            "created_at": now,
        }
        for image, mjd, correction in zip(campaign.images, campaign.mjd_e, campaign.corrections, strict=True)
    ]


def _stats_row(result: dict[str, Any], now: float) -> dict[str, Any]:
    summary = result["summary"]

    def mjy(key: str) -> float | None:
        return None if summary[key] is None else 1e3 * summary[key]

    return {
        "source_id": result["source_id"],
        "ra_deg": result["ra_deg"],
        "dec_deg": result["dec_deg"],
        "nvss_flux_mjy": result["nvss_flux_mjy"],
        "n_obs": summary["n"],
        "mean_flux_mjy": mjy("mean"),
        "std_flux_mjy": mjy("std"),
        "min_flux_mjy": mjy("min"),
        "max_flux_mjy": mjy("max"),
        "chi2_nu": summary["chi2_nu"],
        "sigma_deviation": summary["sigma_deviation"],
        "eta_metric": summary["eta"],
        "v_metric": summary["v"],
        "vs_metric": summary["vs_max"],
        "m_metric": summary["m_max"],
        "ese_score": result["score"]["total"],
        "verdict": result["verdict"],
        "reasons": json.dumps(result["reasons"]),
        "last_measured_at": now,
        "last_mjd": result["mjd"][-1] if result["mjd"] else None,
        "updated_at": now,
    }


def _significance(result: dict[str, Any]) -> float | None:
    dip = result.get("dip")
    return dip["snr"] if dip else result["summary"]["sigma_deviation"]


def _candidate_row(result: dict[str, Any], now: float) -> dict[str, Any]:
    return {
        "source_id": result["source_id"],
        "flagged_at": now,
        "flagged_by": "auto",
        "significance": _significance(result),
        "flag_type": "auto",
        "notes": "; ".join(result["reasons"]),
    }
