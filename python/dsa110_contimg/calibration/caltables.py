"""Calibration tables as arrays and summaries."""

from __future__ import annotations

from os import PathLike, fspath
from typing import Any

import numpy as np


def read(path: str | PathLike[str]) -> dict[str, Any]:
    """A table as a dict: ``term, antennas, fields, windows``; a window has ``freq_hz``, ``value_tafr``, ..."""
    from dsa110_contimg import _core

    return _core.calibration.read_table(fspath(path))


def summary(path: str | PathLike[str]) -> dict[str, Any]:
    """Counts and statistics, over working receptors where a fraction says so."""
    table = read(path)
    good = [w["value_tafr"][~w["flag_tafr"]] for w in table["windows"]]
    values = np.concatenate(good) if good else np.zeros(0, complex)
    sizes = values.real if table["term"] == "K" else np.abs(values)
    snr = np.concatenate([w["snr_tafr"][~w["flag_tafr"]] for w in table["windows"]])
    total = sum(int(w["flag_tafr"].size) for w in table["windows"])
    return {
        "table": fspath(path),
        "term": table["term"],
        "ms_name": table["ms_name"],
        "antennas": len(table["antennas"]),
        "working_receptors": table["working_receptors"],
        "solutions": total,
        "flagged_fraction": 1.0 - len(values) / max(total, 1),
        "flagged_fraction_working": table["flagged_fraction_working"],
        "median_amplitude": float(np.median(sizes)) if len(sizes) else None,
        "amplitude_scatter": float(np.std(sizes)) if len(sizes) else None,
        "median_snr": float(np.median(snr)) if len(snr) else None,
        "flux_scale_error": flux_scale_error(table),
        "windows": [
            {
                "spw": w["spw"],
                "freq_range_mhz": [float(w["freq_hz"].min()) / 1e6, float(w["freq_hz"].max()) / 1e6],
                "intervals": len(w["time_mjd_s"]),
                "flagged_fraction": float(w["flag_tafr"].mean()),
            }
            for w in table["windows"]
        ],
    }


def flux_scale_error(table: dict[str, Any]) -> float | None:
    """Relative 1-sigma error that the errors of the gains put on every flux of the data they calibrate.

    The mean amplitude of N gains of relative error e has, with their correlations (a baseline measures the sum of two),
    the variance ``e^2 / (2 N)``, and a flux is its square: ``sqrt(2 <e^2> / N)`` of one solution, averaged over the independent
    solutions (intervals, channels, windows, receptors). None for delays and where nothing is solved.
    """
    if table["term"] == "K":
        return None
    variance, cells = 0.0, 0
    for w in table["windows"]:
        good = ~w["flag_tafr"] & (np.abs(w["value_tafr"]) > 0)
        size = np.where(good, np.abs(w["value_tafr"]), 1.0)
        squares = np.where(good, (w["error_tafr"] / size) ** 2, 0.0).sum(axis=1)
        n = good.sum(axis=1)
        variance += float((2.0 * squares[n > 0] / n[n > 0] ** 2).sum())
        cells += int((n > 0).sum())
    return float(np.sqrt(variance)) / cells if cells else None


def compare(first: str | PathLike[str], second: str | PathLike[str], tolerance: float = 1e-6) -> dict[str, Any]:
    """Greatest difference of unflagged solutions of two tables of one shape, and whether it is within `tolerance`.

    Raises
    ------
    ValueError
        When terms or shapes differ.
    """
    a, b = read(first), read(second)
    shapes = [[(w["spw"], w["value_tafr"].shape) for w in t["windows"]] for t in (a, b)]
    if a["term"] != b["term"] or shapes[0] != shapes[1]:
        raise ValueError(
            f"tables: expected one term and shape, found {a['term']} {shapes[0]} and {b['term']} {shapes[1]}"
        )
    worst, flags = 0.0, 0
    for x, y in zip(a["windows"], b["windows"], strict=True):
        both = ~(x["flag_tafr"] | y["flag_tafr"])
        flags += int((x["flag_tafr"] != y["flag_tafr"]).sum())
        if both.any():
            worst = max(worst, float(np.abs(x["value_tafr"] - y["value_tafr"])[both].max()))
    return {"max_difference": worst, "flags_differ": flags, "same": worst <= tolerance and flags == 0}
