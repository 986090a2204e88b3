"""Flagged fractions of a flag report."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from dsa110_contimg.plots.figure import INK, figure, png


def flag_report_png(report: Mapping[str, Any]) -> bytes:
    """Draw the flagged fractions of a flag report by antenna, channel, time and baseline length, and what each step added.

    Parameters
    ----------
    report : dict
        As `dsa110_contimg.calibration.stages.flag` gives it.

    Returns
    -------
    bytes
        PNG.
    """
    import numpy as np

    with figure(10.0, 9.0 if report.get("waterfall") else 6.4) as fig:
        grid = fig.add_gridspec(3 if report.get("waterfall") else 2, 3)
        if report.get("waterfall"):
            _waterfall(fig, fig.add_subplot(grid[2, :]), report)
        by_step, by_antenna, by_length = (fig.add_subplot(grid[0, k]) for k in range(3))
        spectrum, times_axes = fig.add_subplot(grid[1, :2]), fig.add_subplot(grid[1, 2])

        steps = report["steps"]
        added = [100 * step["added"] / max(step["samples"], 1) for step in steps]
        by_step.barh(range(len(steps)), added, color=INK["data"])
        by_step.set_yticks(range(len(steps)), [step["step"] for step in steps])
        by_step.invert_yaxis()
        by_step.set_xlim(0, 1.08 * max(added, default=0.0) or 1.0)
        by_step.set_xlabel("added [%]")
        by_step.set_title("steps")

        names, fractions = zip(*report["antennas"], strict=True) if report["antennas"] else ((), ())
        values = 100 * np.asarray(fractions, dtype=float)
        by_antenna.bar(range(len(names)), values, width=1.0, color=INK["data"])
        every = max(len(names) // 8, 1)
        by_antenna.set_xticks(range(0, len(names), every), names[::every], rotation=90)
        by_antenna.set_ylabel("flagged [%]")
        by_antenna.set_title("antennas")

        ends, fractions = zip(*report["lengths"], strict=True) if report["lengths"] else ((), ())
        by_length.plot(ends, 100 * np.asarray(fractions, dtype=float), "o-", ms=3, lw=1, color=INK["data"])
        by_length.set_xscale("log")
        by_length.set_xlabel("baseline, up to [m]")
        by_length.set_ylabel("flagged [%]")
        by_length.set_title("baselines")
        _from_zero(by_length, 100 * np.asarray(fractions, dtype=float))

        start = 0
        for (window, _), channels in zip(report["windows"], report["channels"], strict=True):
            x = np.arange(start, start + len(channels)) + 0.5
            spectrum.step(x, 100 * np.asarray(channels), where="mid", lw=0.8, color=INK["data"])
            spectrum.axvline(start, lw=0.4, color="0.85", zorder=0)
            spectrum.text(start + len(channels) / 2, 1.0, str(window), transform=spectrum.get_xaxis_transform(),
                          ha="center", va="bottom", fontsize=6)  # fmt: skip
            start += len(channels)
        spectrum.set_xlim(0, max(start, 1))
        _from_zero(spectrum, [100 * f for channels in report["channels"] for f in channels])
        spectrum.set_xlabel("channel, windows side by side (numbers above)")
        spectrum.set_ylabel("flagged [%]")

        when, fractions = zip(*report["times"], strict=True) if report["times"] else ((), ())
        seconds = np.asarray(when, dtype=float)
        since = seconds - seconds.min() if seconds.size else seconds
        times_axes.plot(since, 100 * np.asarray(fractions, dtype=float), "o-", ms=3, lw=1, color=INK["data"])
        _from_zero(times_axes, 100 * np.asarray(fractions, dtype=float))
        times_axes.set_xlabel("time since start [s]")
        times_axes.set_title("times")
        fig.suptitle(
            f"{Path(report['ms']).name}: {100 * report['after_cross']:.2f} % of cross-correlations flagged", fontsize=10
        )
        return png(fig)


def _from_zero(axes: Any, values: Any) -> None:
    """An ordinate from zero to a little above the greatest value."""
    axes.set_ylim(0, 1.08 * max((float(v) for v in values), default=0.0) or 1.0)


def _waterfall(fig: Any, axes: Any, report: Mapping[str, Any]) -> None:
    """Flagged fraction by time and channel, windows side by side."""
    import numpy as np

    planes = [np.asarray(plane, dtype=float) for plane in report["waterfall"]]
    rows = max(plane.shape[0] for plane in planes)
    # A window that lacks times ends earlier.
    padded = [np.pad(p, ((0, rows - p.shape[0]), (0, 0)), constant_values=np.nan) for p in planes]
    image = axes.imshow(
        100 * np.concatenate(padded, axis=1), aspect="auto", origin="lower", interpolation="nearest",
        cmap="magma", vmin=0, vmax=100, extent=(0, sum(p.shape[1] for p in planes), 0, rows),
    )  # fmt: skip
    edges = np.cumsum([p.shape[1] for p in planes])[:-1]
    for edge in edges:
        axes.axvline(edge, lw=0.3, color="0.5")
    axes.set_xlabel("channel, windows side by side")
    axes.set_ylabel("integration")
    axes.grid(visible=False)
    axes.set_title("time and channel")
    fig.colorbar(image, ax=axes, pad=0.01, label="flagged [%]")


def flag_report(report: Mapping[str, Any], path: str | PathLike[str]) -> Path:
    """Write the picture of a flag report as PNG."""
    place = Path(path)
    staged = place.with_name(f".{place.name}.partial")
    staged.write_bytes(flag_report_png(report))
    return staged.replace(place)
