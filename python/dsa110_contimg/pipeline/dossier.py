"""What a reader wants to see of a source that stands out: its light curve in each part of the band, cutouts, reasons."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dsa110_contimg.database import Database

#: Cutouts of one source.
EPOCHS = 10


def dossier(db: Database, source: Mapping[str, Any], size_arcmin: float = 12.0) -> dict[str, Any]:
    """Pictures and facts of one judged source.

    Parameters
    ----------
    db : Database
        Products.
    source : mapping
        As `RunResult.sources` has it.
    size_arcmin : float
        Side of the cutouts.

    Returns
    -------
    dict
        ``name``, ``verdict``, ``reasons`` (list of str), ``facts`` (pairs of name and value), ``pictures`` (pairs of caption and PNG).
    """
    from dsa110_contimg.photometry.source import Source

    found = Source(source["source_id"], products_db=db)
    pictures = []
    bands = found.bands
    if not bands.empty:
        figure = found.plot_bands(figsize=(6.4, 5.2), events=source.get("events") or [])
        pictures.append(
            ("The same light curve in parts of the band, each over its own level outside the event.", _png(figure))
        )
    cutouts = found.cutouts(size_arcmin, epochs=EPOCHS)
    if cutouts:
        from dsa110_contimg.plots.cutouts import plot_cutouts

        figure = plot_cutouts(cutouts, columns=5, to_peak=True)
        pictures.append(("Cutouts through the campaign on one grey scale.", _png(figure)))
    return {
        "name": source["source_id"],
        "verdict": source["verdict"],
        "reasons": list(source["reasons"]),
        "facts": facts(source),
        "pictures": pictures,
    }


def facts(source: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Numbers of a verdict, as text for people."""
    out: list[tuple[str, str]] = []
    if source.get("log_bf_lens") is not None:
        out.append(("ln Bayes factor of a lens", f"{source['log_bf_lens']:.1f}"))
    for event in source.get("events") or []:
        out.append(
            ("event", f"MJD {event['mjd_start']:.1f} to {event['mjd_end']:.1f}, depth {100 * event['depth']:.0f} %")
        )
    lens = source.get("lens")
    if lens:
        out += [
            ("strength", f"{lens['alpha']:.2f}, within a factor {_factor(lens['alpha_ln_err'])}"),
            ("crossing of one lens width", f"{lens['crossing_days']:.1f} ± {lens['crossing_err_days']:.1f} days"),
            (
                "source size",
                f"{lens['source_sigma']:.2f} lens widths, within a factor {_factor(lens['source_ln_err'])}",
            ),
            ("closest at", f"MJD {lens['mjd']:.1f} ± {lens['mjd_err_days']:.1f}"),
        ]
    if lens and lens.get("chromatic") is not None:
        out.append(("ln likelihood ratio, λ² over flat", f"{lens['chromatic']:.1f}"))
    return out


def _factor(ln_err: float) -> str:
    """A standard deviation of a natural logarithm as a factor."""
    return f"{math.exp(min(ln_err, 5.0)):.1f}"


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()
