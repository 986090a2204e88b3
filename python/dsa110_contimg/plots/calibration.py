"""Bandpasses, gains and delays as PNG."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dsa110_contimg.plots.figure import INK, figure, png

if TYPE_CHECKING:
    import numpy as np

#: Colours of the two receptors.
RECEPTORS = (INK["data"], INK["flare"])


def _working(table: Mapping[str, Any]) -> list[int]:
    """Antennas with any unflagged solution."""
    windows = table["windows"]
    return [a for a in range(len(table["antennas"])) if any((~w["flag_tafr"][:, a]).any() for w in windows)]


def _phase_deg(values: np.ndarray) -> np.ndarray:
    import numpy as np

    return np.asarray((np.degrees(np.angle(values)) + 180.0) % 360.0 - 180.0)


def solutions_png(table: Mapping[str, Any], title: str, *, columns: int = 8) -> bytes:
    """Small panels of amplitude (top) and phase (bottom) for every working antenna.

    A bandpass is drawn over frequency, gains over time, delays as one value per antenna.

    Parameters
    ----------
    table : dict
        As `dsa110_contimg.calibration.caltables.read` gives it.
    title : str
        Title of the figure.
    columns : int
        Antennas in a row.

    Returns
    -------
    bytes
        PNG.
    """
    if table["term"] == "K":
        return _delays_png(table, title)
    return _panels_png(table, title, columns)


def _series(table: Mapping[str, Any], a: int, r: int) -> tuple[np.ndarray, np.ndarray]:
    """Abscissa and gains of one antenna and receptor, NaN where flagged."""
    import numpy as np

    x, y = [], []
    for w in table["windows"]:
        value = np.where(w["flag_tafr"], np.nan, w["value_tafr"])[:, a]
        if table["term"] == "B":
            x.append(w["freq_hz"] / 1e6)
            y.append(np.nanmean(value[..., r], axis=0) if value.shape[0] > 1 else value[0, :, r])
        else:
            x.append(np.append(w["time_mjd_s"] / 60.0, np.nan))
            y.append(np.append(value[:, 0, r], np.nan))
    out_x, out_y = np.concatenate(x), np.concatenate(y)
    if table["term"] == "B":
        order = np.argsort(out_x)
        return out_x[order], out_y[order]
    return out_x - np.nanmin(out_x), out_y


def _panels_png(table: Mapping[str, Any], title: str, columns: int) -> bytes:
    import numpy as np

    antennas = _working(table)
    rows = max(1, -(-len(antennas) // columns))
    receptors = table["windows"][0]["value_tafr"].shape[3] if table["windows"] else 0
    good = [np.abs(w["value_tafr"][~w["flag_tafr"]]) for w in table["windows"]]
    sizes = np.concatenate(good) if good else np.zeros(0)
    top = 1.15 * float(np.percentile(sizes, 99.5)) if sizes.size else 1.0
    with figure(1.35 * columns + 0.8, 1.9 * rows + 1.0) as fig:
        fig.suptitle(title)
        axes = fig.subplots(2 * rows, columns, squeeze=False, sharex=True)
        for axis in axes.flat:
            axis.set_visible(False)
        for k, a in enumerate(antennas):
            amp, phase = axes[2 * (k // columns), k % columns], axes[2 * (k // columns) + 1, k % columns]
            for r in range(receptors):
                x, y = _series(table, a, r)
                style = {"marker": ".", "ms": 2.0, "lw": 0.7, "color": RECEPTORS[r % 2], "alpha": 0.85}
                amp.plot(x, np.abs(y), **style)
                phase.plot(x, _phase_deg(y), **{**style, "lw": 0})
            amp.set(visible=True, ylim=(0, top))
            amp.set_title(str(table["antennas"][a]), fontsize=7, pad=2)
            phase.set(visible=True, ylim=(-190, 190), yticks=(-180, 0, 180))
            for axis in (amp, phase):
                axis.tick_params(labelsize=5, labelleft=k % columns == 0, length=2, pad=1)
        label = "MHz" if table["term"] == "B" else "minutes from the first solution"
        fig.supxlabel(f"{label};  receptors 0 (blue) and 1 (orange)", fontsize=8)
        fig.supylabel("amplitude above, phase [deg] below", fontsize=8)
        return png(fig)


def _delays_png(table: Mapping[str, Any], title: str) -> bytes:
    import numpy as np

    antennas = _working(table)
    with figure(9.0, 3.2) as fig:
        axes = fig.add_subplot(title=title, xlabel="antenna", ylabel="delay [ns]")
        window = table["windows"][0]
        for r in range(window["value_tafr"].shape[3]):
            y = np.where(window["flag_tafr"], np.nan, window["value_tafr"].real)[:, antennas, 0, r].mean(axis=0)
            error = window["error_tafr"][0, antennas, 0, r]
            axes.errorbar(
                np.arange(len(antennas)), y, error, fmt="o", ms=3, color=RECEPTORS[r % 2], label=f"receptor {r}"
            )
        step = max(1, len(antennas) // 32)
        axes.set_xticks(np.arange(0, len(antennas), step), [str(table["antennas"][a]) for a in antennas[::step]])
        axes.tick_params(axis="x", labelsize=6, rotation=90)
        axes.legend(fontsize=7)
        return png(fig)
