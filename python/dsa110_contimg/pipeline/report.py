"""The self-contained HTML report of a run: image, light curves, tables, timings."""

from __future__ import annotations

import base64
import json
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dsa110_contimg import __version__
from dsa110_contimg.pipeline import calibrating
from dsa110_contimg.pipeline.dossier import dossier
from dsa110_contimg.plots.curves import light_curve_png
from dsa110_contimg.plots.tile import image_png

if TYPE_CHECKING:
    from dsa110_contimg.database import Database

#: Verdicts whose sources get pages of their own.
_SHOWN = ("candidate", "variable")
_RANK = {"candidate": 0, "variable": 1, "steady": 2, "insufficient": 3}


def stage_costs(stages: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Sum wall and CPU seconds of each stage over its runs; the peak memory is the largest."""
    totals: dict[str, dict[str, Any]] = {}
    for stage in stages:
        if stage.get("status") == "skipped":
            continue
        entry = totals.setdefault(
            stage["name"], {"name": stage["name"], "runs": 0, "wall_s": 0.0, "cpu_s": 0.0, "peak_rss_mb": 0.0}
        )
        entry["runs"] += 1
        entry["wall_s"] += stage["wall_s"]
        entry["cpu_s"] += stage["cpu_s"]
        entry["peak_rss_mb"] = max(entry["peak_rss_mb"], stage["peak_rss_mb"])
    return list(totals.values())


def ranked(sources: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Candidates first, then by score."""
    return sorted(sources, key=lambda s: (_RANK.get(s["verdict"], 9), -(s["score"]["total"] or 0.0)))


def write_report(
    path: Path,
    *,
    title: str,
    subtitle: str,
    sources: Sequence[Mapping[str, Any]],
    epochs: Sequence[Mapping[str, Any]],
    stages: Sequence[Mapping[str, Any]],
    image: tuple[Path, str] | None = None,
    truth: Mapping[str, tuple[Sequence[float], Sequence[float]]] | None = None,
    products: Database | None = None,
) -> None:
    """Write the report; the file appears whole or not at all.

    Parameters
    ----------
    path : Path
        HTML file.
    title, subtitle : str
        Heading.
    sources : sequence of mapping
        As `light_curves.update_light_curves` returns them.
    epochs : sequence of mapping
        Rows of the epoch table: ``group``, ``mjd``, ``kind``, ``status``, ``calibration``, ``noise_jy``,
        ``expected_noise_jy``, ``correction``, ``correction_rms``, ``n_references``, ``flagged``, ``flag_report``; calibrators'
        ``tables``.
    stages : sequence of mapping
        Stage records with their cost.
    image : (Path, caption), optional
        FITS image to show.
    truth : mapping, optional
        Injected light curves by source: (mjd, flux_jy).
    products : Database, optional
        Where the measurements are: sources that stand out are then shown in each part of the band and in cutouts.
    """
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("dsa110_contimg.pipeline"), autoescape=True, undefined=jinja2.StrictUndefined
    )
    order = ranked(sources)
    costs = stage_costs(stages)
    verdicts: dict[str, int] = defaultdict(int)
    for source in sources:
        verdicts[source["verdict"]] += 1
    html = environment.get_template("report.html.j2").render(
        title=title,
        subtitle=subtitle,
        cards=[
            {
                "value": verdicts["candidate"],
                "label": "ESE candidate" if verdicts["candidate"] == 1 else "ESE candidates",
            },
            {"value": verdicts["variable"], "label": "other variables"},
            {"value": len(sources), "label": "sources"},
            {"value": len(epochs), "label": "groups"},
            {"value": f"{sum(c['wall_s'] for c in costs):.0f} s", "label": "wall time of the stages"},
        ],
        image=_picture(image, order) if image else None,
        dossiers=[_shown(dossier(products, s)) for s in order if s["verdict"] in _SHOWN] if products else [],
        sources=[_source_row(s) for s in order],
        curves=[{"name": s["source_id"], "png": _curve(s, (truth or {}).get(s["source_id"]))} for s in order],
        epochs=[_epoch_row(e) for e in epochs],
        flags=_flags(epochs),
        tables=calibrating.judged(epochs),
        solutions=[(caption, _text(png)) for caption, png in calibrating.pictures(epochs)],
        timings=[
            {
                "name": c["name"],
                "runs": c["runs"],
                "wall": f"{c['wall_s']:.2f}",
                "cpu": f"{c['cpu_s']:.2f}",
                "peak": f"{c['peak_rss_mb']:.0f}",
            }
            for c in costs
        ],
        version=__version__,
        written=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    )
    partial = path.with_suffix(".partial")
    partial.write_text(html, encoding="utf-8")
    partial.replace(path)


def _text(png: bytes) -> str:
    return base64.b64encode(png).decode("ascii")


def _shown(made: dict[str, Any]) -> dict[str, Any]:
    return made | {"pictures": [(caption, _text(png)) for caption, png in made["pictures"]]}


def _number(value: float | None, form: str, scale: float = 1.0) -> str:
    return "-" if value is None or not math.isfinite(value) else format(scale * value, form)


def _picture(image: tuple[Path, str], order: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    path, caption = image
    positions = [(s["source_id"], s["ra_deg"], s["dec_deg"]) for s in order]
    chosen = [s["source_id"] for s in order if s["verdict"] in ("candidate", "variable")]
    return {
        "title": path.name,
        "png": _text(image_png(path, sources=positions, highlight=chosen, width_in=7.5)),
        "caption": caption,
    }


def _curve(source: Mapping[str, Any], truth: tuple[Sequence[float], Sequence[float]] | None) -> str:
    title = f"{source['source_id']}  ·  {source['verdict']}"
    png = light_curve_png(
        title, source["mjd"], source["flux_jy"], source["flux_err_jy"], verdict=source["verdict"], truth=truth
    )
    return _text(png)


def _source_row(source: Mapping[str, Any]) -> dict[str, str]:
    summary = source["summary"]
    return {
        "name": source["source_id"] + (" (reference)" if source.get("is_reference") else ""),
        "ra": f"{source['ra_deg']:.4f}",
        "dec": f"{source['dec_deg']:+.4f}",
        "flux": _number(summary["mean"], ".1f", 1e3),
        "epochs": str(summary["n"]),
        "eta": _number(summary["eta"], ".2f"),
        "v": _number(summary["v"], ".3f"),
        "vs": _number(summary["vs_max"], ".1f"),
        "m": _number(summary["m_max"], ".2f"),
        "score": _number(source["score"]["total"], ".2f"),
        "verdict": source["verdict"],
        "reasons": "; ".join(source["reasons"]),
    }


def _epoch_row(epoch: Mapping[str, Any]) -> dict[str, str]:
    return {
        "group": epoch["group"],
        "mjd": _number(epoch.get("mjd"), ".4f"),
        "kind": epoch["kind"],
        "status": epoch["status"],
        "calibration": epoch.get("calibration") or "-",
        "noise": _number(epoch.get("noise_jy"), ".2f", 1e3),
        "expected": _number(epoch.get("expected_noise_jy"), ".2f", 1e3),
        "correction": _number(epoch.get("correction"), ".3f"),
        "rms": _number(epoch.get("correction_rms"), ".3f"),
        "references": str(epoch.get("n_references") or "-"),
        "method": epoch.get("method") or "-",
        "floor": _interval(epoch),
        "gate": epoch.get("flux_scale") or "-",
        "flagged": _number(epoch.get("flagged"), ".2f", 1e2),
    }


def _flags(epochs: Sequence[Mapping[str, Any]]) -> dict[str, str] | None:
    """The flags of the group that lost most, as a picture."""
    from dsa110_contimg.plots.flags import flag_report_png

    known = [e for e in epochs if e.get("flag_report") and Path(e["flag_report"]).is_file()]
    if not known:
        return None
    worst = max(known, key=lambda e: e.get("flagged") or 0.0)
    report = json.loads(Path(worst["flag_report"]).read_text(encoding="utf-8"))
    return {"group": worst["group"], "png": _text(flag_report_png(report))}


def _interval(epoch: Mapping[str, Any]) -> str:
    """The fractional noise of the epoch beyond rms, with its interval [%]."""
    value, low, high = (epoch.get(key) for key in ("floor", "floor_low", "floor_high"))
    if value is None or low is None or high is None:
        return "-"
    return f"{100 * value:.2f} ({100 * low:.2f} to {100 * high:.2f})"
