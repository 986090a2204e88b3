"""Calibration tables as arrays and summaries."""

from __future__ import annotations

from os import PathLike, fspath
from typing import Any

import numpy as np


def read(path: str | PathLike[str]) -> dict[str, Any]:
    """A table as a dict: ``term, antennas, fields, windows``; each window has ``freq_hz``, ``value_tafr``, ``flag_tafr``, ..."""
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
