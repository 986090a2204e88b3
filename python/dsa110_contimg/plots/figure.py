"""How figures look, and how they leave: as PNG bytes, without a display and without global state."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Looks shared by all figures.
STYLE: dict[str, Any] = {
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "legend.frameon": False,
    "figure.dpi": 110,
}
INK = {"data": "#1f4e79", "lens": "#b3261e", "flare": "#c77700", "quiet": "#5f6b76", "baseline": "#2e7d5b"}


@contextmanager
def figure(width_in: float, height_in: float) -> Iterator[Figure]:
    """A figure with the house style, made without pyplot (no global state, no window)."""
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with mpl.rc_context(STYLE):
        fig = Figure(figsize=(width_in, height_in), layout="constrained")
        FigureCanvasAgg(fig)
        yield fig


def png(fig: Figure) -> bytes:
    """The figure as PNG."""
    buffer = io.BytesIO()
    fig.savefig(buffer, format="png")
    return buffer.getvalue()


def shown(fig: Figure) -> Figure:
    """The figure, which now shows itself where it is the result of a notebook's cell, without pyplot or magics."""
    fig._repr_png_ = partial(png, fig)  # type: ignore[attr-defined]
    return fig
