"""The package's own imager."""

from __future__ import annotations

import difflib
import json
import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from dsa110_contimg import _core

StrPath = str | os.PathLike[str]


def image(
    ms: StrPath | Sequence[StrPath],
    name: StrPath,
    *,
    progress: Callable[[int, int], object] | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Image Measurement Sets into FITS files.

    Parameters
    ----------
    ms : path or sequence of paths
        Measurement Sets that go into one image.
    name : path
        Prefix of the products, ``NAME-image.fits`` and so on.
    progress : callable, optional
        Called with ``(done, total)``.
    **options
        Options of the stage, see :func:`default_options`: ``imsize`` (pixels, one number or two), ``cell_arcsec``,
        ``weighting``, ``robust``, ``niter``, ``threshold_jy``, ``nsigma``, ``pblimit``, ``subbands``, ...

    Returns
    -------
    dict
        ``products`` (``dirty``, ``psf``, ``model``, ``residual``, ``restored``, ``pb``, ``pbcor``), beam, noise,
        outcome, timings.

    Raises
    ------
    ValueError
        An unknown option (the nearest known one is named) or a value that cannot be.
    """
    known = default_options()
    for key in options:
        if key not in known or key in ("ms", "name"):
            close = difflib.get_close_matches(key, known, 1)
            hint = f" (did you mean {close[0]}?)" if close else ""
            raise ValueError(f"option: expected one of {', '.join(sorted(known))}, found {key!r}{hint}")
    for key, value in options.items():
        if value is not None:
            _check_number(key, value, known[key])
    paths = [ms] if isinstance(ms, str | os.PathLike) else list(ms)
    size = options.get("imsize")
    if isinstance(size, int):
        options["imsize"] = [size, size]
    request = {**options, "ms": [str(Path(p)) for p in paths], "name": str(Path(name))}
    return _core.imaging.image_ms(json.dumps(request, default=str), progress=progress)


def _check_number(key: str, value: Any, default: Any) -> None:
    """JSON, in which the core is asked, has no NaN; and a count below zero would be told by its column there."""
    for number in value if isinstance(value, list | tuple) else [value]:
        if isinstance(number, float) and not math.isfinite(number):
            raise ValueError(f"{key}: expected a finite number, found {number}")
        counts = (isinstance(default, int) and not isinstance(default, bool)) or key == "imsize"
        if counts and (isinstance(number, bool) or not isinstance(number, int) or number < 0):
            raise ValueError(f"{key}: expected a whole number, zero or more, found {number!r}")


def default_options() -> dict[str, Any]:
    """Every option of :func:`image` with its default."""
    return _core.imaging.default_options()


def calibration_cards(tables: Sequence[StrPath]) -> dict[str, str]:
    """Header cards that name the calibration tables behind an image: ``CALTABS``, empty without any.

    Mosaics compare the card between tiles.
    """
    names = ",".join(Path(t).name for t in tables)
    return {"CALTABS": names} if names else {}
