"""Primary beams."""

from __future__ import annotations

from typing import Any

import numpy as np

from dsa110_contimg import _core
from dsa110_contimg.plots.figure import INK, figure, png


def beam_png(report: dict[str, Any]) -> bytes:
    """Draw the power of :func:`dsa110_contimg.beam.describe` against angle: the lowest, middle and highest frequency.

    Returns
    -------
    bytes
        PNG; the Airy beam of the array's dish is dashed.
    """
    freqs = report["freq_hz"]
    chosen = sorted({0, len(freqs) // 2, len(freqs) - 1})
    radius = np.asarray(report["radius_deg"])
    tones = (INK["data"], INK["baseline"], INK["flare"])
    with figure(6.0, 3.6) as fig:
        axes = fig.subplots()
        for tone, k in zip(tones, chosen, strict=False):
            power = np.maximum(np.asarray(report["power_fs"][k]), 1e-6)
            axes.semilogy(radius, power, color=tone, label=f"{freqs[k] / 1e9:.3f} GHz")
            airy = np.maximum(_core.beam.airy_power(np.radians(radius), freqs[k]), 1e-6)
            axes.semilogy(radius, airy, "--", color=tone, linewidth=0.8)
        axes.plot([], [], "--", color=INK["quiet"], linewidth=0.8, label="Airy, 4.65 m")
        shown = radius[np.asarray(report["power_fs"]).max(axis=0) > 1e-4]
        axes.set(xlim=(0, max(1.0, float(shown[-1]) if len(shown) else 1.0)), ylim=(1e-4, 1.5))
        axes.set_xlabel("Angle from the axis [deg]")
        axes.set_ylabel("Power, 1 on the axis")
        axes.set_title("Primary beam")
        axes.legend(loc="upper right")
        return png(fig)
