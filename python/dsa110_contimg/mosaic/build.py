"""Tiles on disk to a mosaic on disk."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from dsa110_contimg import _core

StrPath = str | os.PathLike[str]

METHODS = ("pbweighted", "weighted", "mean")


def tile_of(image: StrPath, *, sigma_jy: float | None = None) -> dict[str, Any]:
    """The tile behind one of its images: the flat-noise image and the beam beside it.

    Parameters
    ----------
    image : path
        ``NAME-image.fits`` or ``NAME-image.pbcor.fits``.
    sigma_jy : float, optional
        Noise [Jy/beam]; the header's when left out.

    Raises
    ------
    ValueError
        A name without the ending of a tile.
    FileNotFoundError
        The image or its ``NAME-pb.fits`` is not there.
    """
    path = Path(image)
    for ending in ("-image.pbcor.fits", "-image.fits"):
        if path.name.endswith(ending):
            stem = path.name.removesuffix(ending)
            break
    else:
        raise ValueError(f"tile: expected NAME-image.fits or NAME-image.pbcor.fits, found {path.name}")
    flat, pb = path.with_name(f"{stem}-image.fits"), path.with_name(f"{stem}-pb.fits")
    for needed in (flat, pb):
        if not needed.is_file():
            raise FileNotFoundError(f"tile {stem}: expected {needed}, found no such file")
    return {"image": str(flat), "pb": str(pb), "sigma_jy": sigma_jy}


def build_mosaic(
    images: Sequence[StrPath],
    output: StrPath,
    *,
    method: str = "pbweighted",
    interpolation: str = "lanczos",
    pb_floor: float = 0.1,
    max_side: int = 8192,
    ignore_validation: bool = False,
    dry_run: bool = False,
    progress: Callable[[int, int], object] | None = None,
) -> dict[str, Any]:
    """Add tiles on one grid; writes the mosaic and, beside it, its weight map [1/Jy^2].

    Parameters
    ----------
    images : sequence of paths
        Images of the tiles, see :func:`tile_of`.
    output : path
        Mosaic to write.
    method : str
        ``pbweighted`` (pb^2 / sigma^2), ``weighted`` (1 / sigma^2) or ``mean``.
    interpolation : str
        ``lanczos``, ``bilinear`` or ``nearest``.
    pb_floor : float
        Tiles count where their primary beam is at least this.
    max_side : int
        Longest side [pixels]; a larger mosaic gets coarser pixels.
    ignore_validation : bool
        Write although a verdict failed.
    dry_run : bool
        Judge only.

    Returns
    -------
    dict
        ``products``, ``verdicts``, ``passed``, ``imsize``, ``noise_jy``, ...
    """
    if method not in METHODS:
        raise ValueError(f"method: expected one of {', '.join(METHODS)}, found {method!r}")
    options = {
        "tiles": [tile_of(image) for image in images],
        "output": str(output),
        "method": method,
        "interpolation": interpolation,
        "pb_floor": pb_floor,
        "max_side": max_side,
        "ignore_validation": ignore_validation,
        "dry_run": dry_run,
    }
    return _core.mosaic.build(json.dumps(options), progress=progress)
