"""Quality of epochs on paper."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dsa110_contimg.plots.figure import shown

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


def plot_floor(epochs: pd.DataFrame, *, figsize: tuple[float, float] = (8.0, 3.2)) -> Figure:
    """Draw the fractional noise of each epoch with its interval, and the line of one percent.

    Parameters
    ----------
    epochs : pandas.DataFrame
        Columns ``mjd``, ``floor``, ``floor_low``, ``floor_high``, ``residual_rms`` [1]; epochs without a floor are not drawn.
    """
    import numpy as np
    import pandas as pd
    from matplotlib.figure import Figure

    columns = ["mjd", "floor", "floor_low", "floor_high", "residual_rms"]
    known = epochs[columns].apply(pd.to_numeric).dropna()
    figure = Figure(figsize=figsize, layout="constrained")
    axes = figure.subplots()
    below, above = known["floor"] - known["floor_low"], known["floor_high"] - known["floor"]
    axes.errorbar(
        known["mjd"],
        100 * known["floor"],
        100 * np.array([below.clip(lower=0), above.clip(lower=0)]),
        fmt="o",
        ms=4,
        lw=0.9,
        color="#20507a",
        label="noise beyond thermal, fitted",
    )
    axes.plot(
        known["mjd"],
        100 * known["residual_rms"],
        "_",
        ms=8,
        color="#c1562b",
        label="scatter of references, thermal included",
    )
    axes.axhline(1.0, color="#3a8f5c", lw=0.9, ls="--", label="1 %")
    axes.set_ylim(bottom=-0.05)
    axes.ticklabel_format(axis="x", useOffset=False, style="plain")
    axes.set_xlabel("MJD [days]")
    axes.set_ylabel("fraction of flux [%]")
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside lower center", frameon=False, fontsize=8, ncols=3)
    return shown(figure)
