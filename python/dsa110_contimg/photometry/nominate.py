"""Stages vary and nominate over the products database: statistics, verdicts, candidates, and what people say of them."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from dsa110_contimg import __version__
from dsa110_contimg.photometry import ese
from dsa110_contimg.utils.columns import column

if TYPE_CHECKING:
    from dsa110_contimg.database import Database

Bands = list[tuple[float | None, tuple[Any, Any, Any]]]


def light_curves(db: Database, source_ids: Iterable[str] | None = None) -> dict[str, tuple[Any, Any, Any]]:
    """Normalised light curves ``(mjd, flux_jy, err_jy)`` by source, in order of time, epochs without correction out."""
    return {name: bands[0][1] for name, bands in _curves(db, source_ids).items()}


def _curves(db: Database, source_ids: Iterable[str] | None) -> dict[str, Bands]:
    """The whole band first, then the bands of its own where every epoch of the source has them."""
    conditions = [[("source_id", "=", s)] for s in source_ids] if source_ids is not None else [[]]
    out: dict[str, Bands] = {}
    freq: dict[str, dict[int, float]] = {}
    for row in db.select("image_bands", columns=["image_path", "band", "freq_hz"]):
        freq.setdefault(row["image_path"], {})[row["band"]] = row["freq_hz"]
    for condition in conditions:
        frame = db.frame("photometry_timeseries", *condition)
        if frame.empty:
            continue
        frame = frame[frame["peak_norm"].notna()].sort_values(["source_id", "mjd", "image_path"])
        for name, part in frame.groupby("source_id", sort=True):
            whole = (column(part["mjd"]), column(part["peak_norm"]), column(part["peak_norm_err"]))
            out[str(name)] = [(None, whole), *_bands(part.to_dict("records"), freq)]
    return out


def _bands(rows: list[Any], freq: Mapping[str, Mapping[int, float]]) -> Bands:
    """Light curves of the bands of one source; none unless all its epochs have bands of known frequency."""
    points: dict[int, list[tuple[float, float, float, float]]] = {}
    for row in rows:
        flux, err = row.get("band_norm_ujy"), row.get("band_norm_err_ujy")
        known = freq.get(row["image_path"])
        if not isinstance(flux, str) or not isinstance(err, str) or not known:
            return []
        for band, (f, e) in enumerate(zip(json.loads(flux), json.loads(err), strict=True)):
            if f is not None and e is not None and band in known:
                points.setdefault(band, []).append((row["mjd"], 1e-6 * f, 1e-6 * e, known[band]))
    out: Bands = []
    for _, series in sorted(points.items()):
        mjd, value, error, hz = (column(c) for c in zip(*series, strict=True))
        out.append((float(hz.mean()), (mjd, value, error)))
    return out


def judge_curves(
    curves: Mapping[str, Bands], *, options: Mapping[str, Any] | None = None, min_log_bf: float | None = None
) -> dict[str, dict[str, Any]]:
    """Verdicts from the bands where there are any, statistics from the whole band: its keys are those of `ese.judge`, with
    ``events``, ``lens``, ``alternatives``, ``log_bf_lens``, ``in_progress`` and ``trigger`` of `ese.judge_bands`."""
    whole = ese.judge({name: bands[0][1] for name, bands in curves.items()}, options=options)
    split = {name: bands[1:] if len(bands) > 2 else bands for name, bands in curves.items()}
    lensed = ese.judge_bands(split, options=options, min_log_bf=min_log_bf)
    keys = ("verdict", "events", "lens", "alternatives", "log_bf_lens", "in_progress", "trigger", "reasons")
    judged = {}
    for name, j in whole.items():
        events = lensed[name]["events"]
        strongest = max(events, key=lambda e: float(e["snr"])) if events else None
        judged[name] = j | {key: lensed[name][key] for key in keys} | {"dip": strongest}
    return judged


def vary_and_nominate(
    db: Database,
    *,
    options: Mapping[str, Any] | None = None,
    min_log_bf: float | None = None,
    source_ids: Iterable[str] | None = None,
) -> dict[str, dict[str, Any]]:
    """Judge the light curves and record statistics and candidates, all in one transaction.

    A candidate is a dip for which a plasma lens is likelier than everything else, see
    `dsa110_contimg.photometry.ese.judge_bands`. An automatic candidate that is none any more is withdrawn while nobody
    has touched it: what a person decided or noted stays. The rows depend on the measurements alone: whether epochs came
    one by one or all at once is no matter. Sources whose points, thresholds and program are those of the last time are not judged
    again (table ``judgements``).

    Returns
    -------
    dict
        Judgements of all sources asked for, as `judge_curves` gives them.
    """
    names = None if source_ids is None else list(source_ids)
    curves = _curves(db, names)
    made, judged = _judged(db, curves, options, min_log_bf)
    now = time.time()
    auto = {r["source_id"]: r for r in db.select("ese_candidates", ("flag_type", "=", "auto"))}
    noted = {r["source_id"] for r in db.select("candidate_notes", columns=["source_id"])}
    stats, fresh, again, gone = [], [], [], []
    for name, j in judged.items():
        if name in made:
            stats.append(_stats(name, j, _newest(db, name), now))
        old = auto.get(name)
        if j["verdict"] == "candidate":
            row = {"source_id": name, "flag_type": "auto", "flagged_by": "auto"} | _found(j)
            if old is None:
                fresh.append(row | {"flagged_at": now})
            elif any(old[key] != value for key, value in row.items()):
                again.append({"id": old["id"]} | row | {"flagged_at": now})
        elif old is not None and old["status"] == "active" and name not in noted:
            gone.append(("ese_candidates", [("id", "=", old["id"])]))
    db.replace_all(
        gone,
        [
            ("variability_stats", stats, ("source_id",)),
            ("judgements", list(made.values()), ("source_id",)),
            ("ese_candidates", fresh, ()),
            ("ese_candidates", again, ("id",)),
        ],
    )
    return judged


def _judged(
    db: Database, curves: Mapping[str, Bands], options: Mapping[str, Any] | None, min_log_bf: float | None
) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, Any]]]:
    """Rows of ``judgements`` of the sources that had to be judged, and the judgements of all."""
    asked = json.dumps([dict(options or {}), min_log_bf, __version__], sort_keys=True)
    prints = {name: _fingerprint(asked, bands) for name, bands in curves.items()}
    known = {
        row["source_id"]: row["judgement"]
        for row in db.select("judgements")
        if row["fingerprint"] == prints.get(row["source_id"])
    }
    changed = {name: bands for name, bands in curves.items() if name not in known}
    fresh = judge_curves(changed, options=options, min_log_bf=min_log_bf) if changed else {}
    made = {
        name: {"source_id": name, "fingerprint": prints[name], "judgement": json.dumps(j)} for name, j in fresh.items()
    }
    return made, {name: fresh[name] if name in fresh else json.loads(known[name]) for name in curves}


def _fingerprint(asked: str, bands: Bands) -> str:
    digest = hashlib.sha256(asked.encode())
    for freq, columns in bands:
        digest.update(repr(freq).encode())
        for values in columns:
            digest.update(values.tobytes())
    return digest.hexdigest()


def _newest(db: Database, source_id: str) -> dict[str, Any]:
    """The newest measurement of a source."""
    columns = ["source_id", "ra_deg", "dec_deg", "nvss_flux_mjy", "mjd", "measured_at"]
    own = ("source_id", "=", source_id)
    last = db.select("photometry_timeseries", own, columns=["image_path"], order_by=[("mjd", True)], limit=1)
    rows = db.select("photometry", ("image_path", "=", last[0]["image_path"]), own, columns=columns) if last else []
    return rows[0] if rows else {}


def _found(j: Mapping[str, Any]) -> dict[str, Any]:
    dip, lens = j["dip"], j["lens"]
    return {
        "significance": float(dip["snr"]),
        "log_bf_lens": j["log_bf_lens"],
        "depth": dip["depth"],
        "mjd_start": dip["mjd_start"],
        "mjd_end": dip["mjd_end"],
        "in_progress": int(j["in_progress"]),
        "lens": json.dumps(lens),
        "notes": "; ".join(j["reasons"]),
    }


def _stats(name: str, judgement: Mapping[str, Any], where: Mapping[str, Any], now: float) -> dict[str, Any]:
    s = judgement["summary"]
    milli = {key: None if s[key] is None else 1e3 * s[key] for key in ("mean", "std", "min", "max")}
    return {
        "source_id": name,
        "ra_deg": where.get("ra_deg"),
        "dec_deg": where.get("dec_deg"),
        "nvss_flux_mjy": where.get("nvss_flux_mjy"),
        "n_obs": s["n"],
        "mean_flux_mjy": milli["mean"],
        "std_flux_mjy": milli["std"],
        "min_flux_mjy": milli["min"],
        "max_flux_mjy": milli["max"],
        "chi2_nu": s["chi2_nu"],
        "sigma_deviation": s["sigma_deviation"],
        "eta_metric": s["eta"],
        "v_metric": s["v"],
        "vs_metric": s["vs_max"],
        "m_metric": s["m_max"],
        "modulation_index": s["modulation_index"],
        "von_neumann": s["von_neumann"],
        "timescale_days": s["timescale_days"],
        "asymmetry": s["asymmetry"],
        "ese_score": judgement["score"]["total"],
        "log_bf_lens": judgement["log_bf_lens"],
        "verdict": judgement["verdict"],
        "reasons": json.dumps(judgement["reasons"]),
        "last_measured_at": where.get("measured_at"),
        "last_mjd": where.get("mjd"),
        "updated_at": now,
    }
