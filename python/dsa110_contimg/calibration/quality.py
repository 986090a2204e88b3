"""Verdicts on calibration tables: value, limit and reason of each, over working receptors."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dsa110_contimg.products.verdict import Verdict, overall

StrPath = str | os.PathLike[str]


@dataclass(frozen=True)
class Limits:
    """Limits of the verdicts; `warn` asks for a look, `fail` keeps the table from use.

    Flagged fractions are over working receptors: an antenna without data says nothing about the solve.
    """

    flagged_warn: float = 0.2
    flagged_fail: float = 0.5
    snr_warn: float = 10.0
    snr_fail: float = 3.0
    antennas_fail: int = 10
    amplitude_low: float = 0.1
    amplitude_high: float = 10.0
    scatter_warn: float = 0.5
    phase_scatter_warn_deg: float = 90.0
    delay_fail_ns: float = 500.0
    coverage_warn: float = 0.8


def judge(table: Mapping[str, Any], limits: Limits | None = None) -> list[Verdict]:
    """Judge a table as `dsa110_contimg.calibration.caltables.read` gives it."""
    import numpy as np

    limits = limits or Limits()
    windows = table["windows"]
    good = [~w["flag_tafr"] for w in windows]
    values = np.concatenate([w["value_tafr"][g] for w, g in zip(windows, good, strict=True)] or [np.zeros(0, complex)])
    snr = np.concatenate([w["snr_tafr"][g] for w, g in zip(windows, good, strict=True)] or [np.zeros(0)])
    present = np.zeros(len(table["antennas"]), bool)
    for g in good:
        present |= g.any(axis=(0, 2, 3))
    out = [
        _above("antennas", float(present.sum()), limits.antennas_fail, None, "working antennas"),
        _below(
            "flagged_working", float(table["flagged_fraction_working"]), limits.flagged_fail, limits.flagged_warn,
            "flagged fraction of working receptors' solutions",
        ),
    ]  # fmt: skip
    if not values.size:
        return [*out, Verdict("solutions", 0.0, 1.0, "fail", "no unflagged solution")]
    out.append(_above("median_snr", float(np.median(snr)), limits.snr_fail, limits.snr_warn, "median SNR"))
    if table["term"] == "K":
        worst = float(np.abs(values.real).max())
        return [*out, _below("delay_ns", worst, limits.delay_fail_ns, None, "largest delay [ns]")]
    sizes = np.abs(values)
    middle = float(np.median(sizes))
    scatter = float(np.std(sizes)) / max(middle, 1e-30)
    if table["term"] == "B":  # normalised: an amplitude of correlator units says nothing about a gain
        inside = limits.amplitude_low <= middle <= limits.amplitude_high
        limit = limits.amplitude_low if middle < limits.amplitude_low else limits.amplitude_high
        out.append(Verdict("median_amplitude", middle, limit, "pass" if inside else "warn", "median amplitude"))
    out.append(_below("amplitude_scatter", scatter, None, limits.scatter_warn, "amplitude scatter over its median"))
    phase = phase_scatter_deg(table)
    out.append(
        _below(
            "phase_scatter_deg",
            phase,
            None,
            limits.phase_scatter_warn_deg,
            "rms phase about each receptor's mean [deg]",
        )
    )
    return out


def phase_scatter_deg(table: Mapping[str, Any]) -> float:
    """Rms of the phases of unflagged solutions about the mean direction of each antenna and receptor, wrapped."""
    import numpy as np

    total, count = 0.0, 0
    for w in table["windows"]:
        g = np.where(w["flag_tafr"], 0.0, w["value_tafr"])
        unit = np.divide(g, np.abs(g), out=np.zeros_like(g), where=np.abs(g) > 0)
        mean = unit.sum(axis=(0, 2), keepdims=True)
        off = np.degrees(np.angle(unit * np.conj(mean)))[~w["flag_tafr"]]
        total += float((off**2).sum())
        count += off.size
    return (total / count) ** 0.5 if count else 0.0


def _below(name: str, value: float, fail: float | None, warn: float | None, what: str) -> Verdict:
    """The smaller the better."""
    if fail is not None and not value <= fail:
        return Verdict(name, value, fail, "fail", f"{what}: expected at most {fail:g}, found {value:.4g}")
    if warn is not None and not value <= warn:
        return Verdict(name, value, warn, "warn", f"{what}: expected at most {warn:g}, found {value:.4g}")
    limit = warn if warn is not None else (fail if fail is not None else 0.0)
    return Verdict(name, value, limit, "pass", what)


def _above(name: str, value: float, fail: float, warn: float | None, what: str) -> Verdict:
    """The greater the better."""
    if not value >= fail:
        return Verdict(name, value, fail, "fail", f"{what}: expected at least {fail:g}, found {value:.4g}")
    if warn is not None and not value >= warn:
        return Verdict(name, value, warn, "warn", f"{what}: expected at least {warn:g}, found {value:.4g}")
    return Verdict(name, value, warn if warn is not None else fail, "pass", what)


def report(tables: list[StrPath], out: StrPath | None = None, *, limits: Limits | None = None) -> dict[str, Any]:
    """Summaries and verdicts of tables; with `out` also a PNG for each table and ``index.html`` in that directory."""
    from dsa110_contimg.calibration import caltables

    entries = []
    for path in tables:
        table = caltables.read(path)
        verdicts = judge(table, limits)
        entry = {
            **caltables.summary(path),
            "verdict": overall(verdicts),
            "verdicts": [v.record() for v in verdicts],
        }
        if out is not None:
            from dsa110_contimg.plots.calibration import solutions_png

            directory = Path(out)
            directory.mkdir(parents=True, exist_ok=True)
            file = directory / f"{Path(path).name}.png"
            file.write_bytes(solutions_png(table, f"{Path(path).name}: {table['term']}, {entry['ms_name']}"))
            entry["png"] = str(file)
        entries.append(entry)
    worst = {e["verdict"] for e in entries}
    result: dict[str, Any] = {
        "tables": entries,
        "verdict": "fail" if "fail" in worst else "warn" if "warn" in worst else "pass",
    }
    if out is not None:
        page = Path(out) / "index.html"
        page.write_text(_html(entries), encoding="utf-8")
        result["html"] = str(page)
    return result


def _html(entries: list[dict[str, Any]]) -> str:
    from html import escape

    colours = {"pass": "#2e7d5b", "warn": "#c77700", "fail": "#b3261e"}
    parts = []
    for e in entries:
        rows = "".join(
            f"<tr><td>{escape(v['name'])}</td><td>{v['value']:.4g}</td><td>{v['limit']:.4g}</td>"
            f"<td style='color:{colours[v['verdict']]}'>{v['verdict']}</td><td>{escape(v['reason'])}</td></tr>"
            for v in e["verdicts"]
        )
        parts.append(
            f"<h2>{escape(Path(e['table']).name)} <small style='color:{colours[e['verdict']]}'>{e['verdict']}</small></h2>"
            f"<p>{e['term']}, {e['working_receptors']} working receptors, {e['solutions']} solutions, "
            f"from {escape(e['ms_name'])}</p><table><tr><th>what</th><th>value</th><th>limit</th><th></th><th>reason</th>"
            f"</tr>{rows}</table><img src='{escape(Path(e['png']).name)}' alt='solutions'>"
        )
    style = (
        "body{font:15px/1.45 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#1b1f23}"
        "table{border-collapse:collapse}td,th{padding:.25rem .7rem;text-align:left;border-bottom:1px solid #d8dee4}"
        "img{max-width:100%;margin:1rem 0}"
    )
    return (
        f"<!doctype html><html lang='en'><meta charset='utf-8'><title>Calibration</title><style>{style}</style>"
        f"<h1>Calibration tables</h1>{''.join(parts)}</html>\n"
    )
