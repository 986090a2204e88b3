"""Images on paper."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from dsa110_contimg.utils.files import whole

StrPath = str | os.PathLike[str]


def save_png(
    image: StrPath,
    out: StrPath,
    *,
    marks: Sequence[tuple[float, float]] = (),
    sigma_range: tuple[float, float] = (-3.0, 12.0),
    title: str | None = None,
    dpi: int = 120,
) -> Path:
    """Draw a FITS image in grey, stretched about its robust noise.

    Parameters
    ----------
    image : path
        FITS image of one plane.
    out : path
        PNG to write; it appears whole or not at all.
    marks : sequence of (ra_deg, dec_deg)
        Places to circle, ICRS [degrees].
    sigma_range : (float, float)
        Black and white in units of the noise about the median.

    Returns
    -------
    Path
        `out`.
    """
    import numpy as np
    from astropy.io import fits
    from astropy.wcs import WCS
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with fits.open(image) as hdus:
        header = hdus[0].header
        data = np.squeeze(hdus[0].data)
    wcs = WCS(header).celestial
    finite = data[np.isfinite(data)]
    median = float(np.median(finite)) if finite.size else 0.0
    noise = 1.4826 * float(np.median(np.abs(finite - median))) if finite.size else 1.0
    noise = noise or (float(np.ptp(finite)) if finite.size else 1.0) or 1.0
    figure = Figure(figsize=(7.5, 6.5))
    FigureCanvasAgg(figure)
    axes = figure.add_subplot(projection=wcs)
    low, high = (median + k * noise for k in sigma_range)
    shown = axes.imshow(data, origin="lower", cmap="gray_r", vmin=low, vmax=high, interpolation="nearest")
    figure.colorbar(shown, ax=axes, label=str(header.get("BUNIT", "")))
    axes.set_xlabel("RA (ICRS)")
    axes.set_ylabel("Dec (ICRS)")
    axes.set_title(title if title is not None else Path(image).name, fontsize=9)
    if marks:
        ra, dec = np.asarray(marks, dtype=float).T
        x, y = wcs.all_world2pix(ra, dec, 0)
        axes.scatter(x, y, s=40, facecolors="none", edgecolors="#c1562b", linewidths=0.7)
    with whole(out) as file:
        figure.savefig(file, dpi=dpi, format="png")
    return Path(out)
