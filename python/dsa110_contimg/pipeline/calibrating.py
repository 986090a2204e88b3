"""Calibration in a run: where tables come from, how far away they may be, and what the report shows of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dsa110_contimg import ContimgError
from dsa110_contimg.pipeline.choice import Provenance, TableChoice

if TYPE_CHECKING:
    from dsa110_contimg.config import Calibration


_COLUMNS = ("origin", "snr", "flagged", "receptors", "flux_error")


def origin(calibrator: str) -> Provenance:
    """Of tables solved on a calibrator: a primary flux calibrator's, or another bright source's."""
    from dsa110_contimg.calibration.sky import is_primary

    return Provenance.PRIMARY if is_primary(calibrator) else Provenance.BRIGHT_FALLBACK


def reach(settings: Calibration, provenance: Provenance) -> dict[str, Any]:
    """How far away in time [days] and declination [degrees] a table may be.

    The registry has chosen; a table registered without its declination is judged here.
    """
    strip = 0.0 if provenance is Provenance.BORROWED else 5.0
    return {
        "max_age_days": max(1.0, settings.borrow_days + 1.0),
        "max_dec_deg": max(settings.borrow_dec_deg, strip),
    }


def record(choice: TableChoice, tables: Sequence[str]) -> dict[str, Any]:
    """What an observation was calibrated with, for the runner and the report."""
    return {
        "tables": list(tables),
        "set": choice.set_name,
        "distance_days": choice.distance_days,
        "origin": choice.origin.value if choice.origin else None,
    }


def judged(epochs: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Rows of the report: every table that calibrators of a run gave, with its verdict."""
    from dsa110_contimg.calibration import quality

    rows = []
    for epoch in epochs:
        for path in _tables(epoch):
            try:
                entry = quality.report([path])["tables"][0]
            except ContimgError as problem:  # a table that has gone bad since: said, not hidden
                rows.append(
                    {
                        **dict.fromkeys(_COLUMNS, "-"),
                        "name": Path(path).name,
                        "verdict": "fail",
                        "reasons": str(problem),
                    }
                )
                continue
            bad = [v["reason"] for v in entry["verdicts"] if v["verdict"] in ("warn", "fail")]
            error = entry["flux_scale_error"]
            rows.append(
                {
                    "name": Path(path).name,
                    "origin": str(epoch.get("calibration") or "-"),
                    "snr": "-" if entry["median_snr"] is None else f"{entry['median_snr']:.0f}",
                    "flagged": f"{100 * entry['flagged_fraction_working']:.2f}",
                    "receptors": str(entry["working_receptors"]),
                    "flux_error": "-" if error is None else f"{100 * error:.2f}",
                    "verdict": entry["verdict"],
                    "reasons": "; ".join(bad),
                }
            )
    return rows


def pictures(epochs: Sequence[Mapping[str, Any]]) -> list[tuple[str, bytes]]:
    """Bandpass and gains of the run's last calibrator, as (caption, PNG)."""
    from dsa110_contimg.calibration import caltables
    from dsa110_contimg.plots.calibration import solutions_png

    last = next((e for e in reversed(epochs) if _tables(e)), None)
    if last is None:
        return []
    words = {"B": "Bandpass", "G": "Gains", "K": "Delays"}
    out = []
    for path in _tables(last):
        table = caltables.read(path)
        caption = f"{words[table['term']]} of {last['group']}: {Path(path).name}"
        out.append((caption, solutions_png(table, Path(path).name)))
    return out


def _tables(epoch: Mapping[str, Any]) -> list[str]:
    return [str(t) for t in epoch.get("tables") or [] if Path(t).is_dir()]
