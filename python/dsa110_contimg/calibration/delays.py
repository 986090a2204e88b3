"""Delays of a Measurement Set as the original's commands report them."""

from __future__ import annotations

import tempfile
from os import PathLike
from pathlib import Path
from typing import Any

StrPath = str | PathLike[str]

#: A delay of this size turns the phase by 68 degrees over the whole band [ns].
NOTABLE_NS = 1.0


def measure(
    ms: StrPath, *, field: str = "", refant: str = "103", model: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Delay of every antenna and receptor about the reference, over all windows together; nothing is kept on disk.

    Returns
    -------
    dict
        ``refant``; ``antennas``: name, ``delay_ns`` and ``error_ns`` of each receptor (None where flagged), ``notable``;
        ``median_abs_ns``, ``max_abs_ns``, ``outliers``.
    """
    import numpy as np

    from dsa110_contimg.calibration import caltables, stages

    with tempfile.TemporaryDirectory() as scratch:
        report = stages.solve(
            ms, Path(scratch) / "k", "K", field=field, combine="scan,field,spw", model=model,
            **stages.refants(refant), minsnr=0.0,
        )  # fmt: skip
        table = caltables.read(report["table"])
    window = table["windows"][0]
    flags = window["flag_tafr"][0, :, 0]
    delay, error = window["value_tafr"].real[0, :, 0], window["error_tafr"][0, :, 0]
    antennas = []
    for a, name in enumerate(table["antennas"]):
        if flags[a].all():
            continue
        values = [None if bad else float(x) for bad, x in zip(flags[a], delay[a], strict=True)]
        antennas.append(
            {
                "name": name,
                "delay_ns": values,
                "error_ns": [None if bad else float(x) for bad, x in zip(flags[a], error[a], strict=True)],
                "notable": any(v is not None and abs(v) > NOTABLE_NS for v in values),
            }
        )
    sizes = np.abs(delay[~flags])
    return {
        "ms": str(ms),
        "refant": report["refant"],
        "antennas": antennas,
        "median_abs_ns": float(np.median(sizes)),
        "max_abs_ns": float(sizes.max()),
        "outliers": report["outliers"],
    }


def slopes(ms: StrPath, *, column: str = "data", n_baselines: int = 100) -> dict[str, Any]:
    """Phase slopes of single baselines, without a model: were delays taken out by the correlator?

    Each baseline's mean spectrum over time is transformed along frequency, window by window; its peak is the residual
    delay (of a source at the phase centre). Baselines are spread evenly over the list.

    Returns
    -------
    dict
        ``baselines``: antenna pair and delay [ns] (median over windows and products); ``median_abs_ns``,
        ``corrected``: whether the median is below a tenth of the inverse width of a window.
    """
    import numpy as np

    from dsa110_contimg import _core

    meta = _core.ms.meta(str(ms))
    windows = [d["spw"] for d in meta["data_descriptions"] if d["n_rows"]]
    found: dict[tuple[int, int], list[float]] = {}
    width_hz = 0.0
    for spw in windows[: max(1, min(4, len(windows)))]:
        block = _core.ms.read(str(ms), spw, column=column)
        step = abs(float(np.median(np.diff(block["freq_hz"])))) if len(block["freq_hz"]) > 1 else 0.0
        if not step:
            continue
        width_hz = step * len(block["freq_hz"])
        vis = np.where(block["flag_rfp"], 0, block["vis_rfp"])
        keys = np.stack([block["antenna1"], block["antenna2"]], axis=1).astype(int)
        alive = (keys[:, 0] != keys[:, 1]) & (np.abs(vis).max(axis=(1, 2)) > 0)
        pairs = np.unique(keys[alive], axis=0)
        if not len(pairs):
            continue
        for i, j in pairs[np.linspace(0, len(pairs) - 1, min(n_baselines, len(pairs))).astype(int)]:
            mean = vis[(keys == (i, j)).all(axis=1)].sum(axis=0)
            size = 16 * len(mean)
            for p in range(mean.shape[1]):
                if np.abs(mean[:, p]).max() > 0:
                    lag = int(np.argmax(np.abs(np.fft.fft(mean[:, p], size))))
                    lag = lag - size if lag > size // 2 else lag
                    found.setdefault((int(i), int(j)), []).append(1e9 * lag / (size * step))
    names = [a["name"] for a in meta["antennas"]]
    lines: list[dict[str, Any]] = [
        {"antennas": [names[i], names[j]], "delay_ns": float(np.median(values))} for (i, j), values in found.items()
    ]
    if not lines:
        raise ValueError(f"{ms}: expected unflagged cross-correlations with several channels, found none")
    median = float(np.median([abs(line["delay_ns"]) for line in lines]))
    return {
        "ms": str(ms),
        "baselines": lines,
        "median_abs_ns": median,
        "corrected": median < 0.1e9 / width_hz,
        "limit_ns": 0.1e9 / width_hz,
    }
