"""Pictures of a tile for reports, in the house style."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dsa110_contimg.plots.figure import INK, figure, png

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def read_plane(path: str | os.PathLike[str]) -> tuple[NDArray[np.float32], Any]:
    """First plane of a FITS image (y, x) and its celestial WCS."""
    import warnings

    import numpy as np
    from astropy.io import fits
    from astropy.wcs import WCS, FITSFixedWarning

    with fits.open(path) as hdus, warnings.catch_warnings():
        # Only notes on spellings of dates and units.
        warnings.simplefilter("ignore", FITSFixedWarning)
        data = np.asarray(hdus[0].data, dtype=np.float32)
        wcs = WCS(hdus[0].header).celestial
    return data.reshape((-1, *data.shape[-2:]))[0], wcs


def image_png(
    path: str | os.PathLike[str],
    *,
    title: str = "",
    sources: Sequence[tuple[str, float, float]] = (),
    highlight: Sequence[str] = (),
    width_in: float = 6.2,
) -> bytes:
    """Draw an image with an arcsinh stretch, a colour bar in mJy/beam and circles around sources.

    Parameters
    ----------
    path : path
        FITS image.
    title : str
        Title.
    sources : sequence of (name, ra_deg, dec_deg)
        Circled positions, ICRS degrees.
    highlight : sequence of str
        Names drawn in red, with their label.
    width_in : float
        Width [inches].

    Returns
    -------
    bytes
        PNG.
    """
    import numpy as np
    from matplotlib.colors import AsinhNorm
    from matplotlib.patches import Circle

    data, wcs = read_plane(path)
    shown = data * 1e3
    finite = shown[np.isfinite(shown)]
    sigma = 1.4826 * float(np.median(np.abs(finite - np.median(finite)))) if finite.size else 1.0
    sigma = sigma or float(np.std(finite)) or 1.0
    with figure(width_in, 0.86 * width_in) as fig:
        axes = fig.add_subplot(projection=wcs)
        top = max(float(finite.max(initial=sigma)), 10 * sigma)
        norm = AsinhNorm(linear_width=3 * sigma, vmin=-4 * sigma, vmax=top)
        picture = axes.imshow(shown, origin="lower", cmap="gray_r", norm=norm, interpolation="nearest")
        radius = 0.018 * max(data.shape)
        for name, ra_deg, dec_deg in sources:
            x, y = wcs.world_to_pixel_values(ra_deg, dec_deg)
            if not (0 <= x < data.shape[1] and 0 <= y < data.shape[0]):
                continue
            chosen = name in highlight
            colour = INK["lens"] if chosen else INK["data"]
            axes.add_patch(Circle((x, y), radius, fill=False, lw=1.4 if chosen else 0.6, color=colour))
            if chosen:
                axes.annotate(name, (x, y + 1.3 * radius), ha="center", color=colour, fontsize=8)
        axes.set_xlabel("right ascension")
        axes.set_ylabel("declination")
        axes.set_title(title)
        axes.grid(alpha=0.2)
        bar = fig.colorbar(picture, ax=axes, label="mJy/beam", shrink=0.85)
        ticks = _asinh_ticks(3 * sigma, top)
        bar.set_ticks(ticks, labels=[f"{tick:g}" for tick in ticks])
        bar.minorticks_off()
        return png(fig)


def _asinh_ticks(linear_width: float, top: float) -> list[float]:
    """Round values that lie apart on an arcsinh scale: zero, then 1, 2, 5 times powers of ten above the noise."""
    import math

    ticks, last = [0.0], 0.0
    span = math.asinh(top / linear_width)
    for exponent in range(math.floor(math.log10(linear_width)) - 1, math.ceil(math.log10(top)) + 1):
        for digit in (1, 2, 5):
            value = digit * 10.0**exponent
            place = math.asinh(value / linear_width)
            if value <= top and place - last > 0.07 * span:
                ticks.append(value)
                last = place
    return ticks
