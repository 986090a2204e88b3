"""Tiles on disk to a mosaic on disk."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dsa110_contimg import _core

if TYPE_CHECKING:
    import pandas as pd

StrPath = str | os.PathLike[str]

METHODS = ("pbweighted", "weighted", "mean")
INTERPOLATIONS = ("matched", "lanczos", "bilinear", "nearest")
#: Faintest source of a catalogue that tiles are compared with [mJy].
MINIMUM_MJY = 10.0
#: Smallest of the longest sides that can be asked for [pixels]: what is smaller is a slip.
LEAST_SIDE = 16


#: Endings of a tile's images, and of its flat-noise image and beam: ours and WSClean's way, and that of CASA's exports.
_ENDINGS = (
    ("-image.pbcor.fits", "-image.fits", "-pb.fits"),
    ("-image.fits", "-image.fits", "-pb.fits"),
    (".image.pbcor.fits", ".image.fits", ".pb.fits"),
    (".image.fits", ".image.fits", ".pb.fits"),
)


def is_tile(image: StrPath) -> bool:
    """Whether a file's name is that of a tile's image, corrected for the beam or not."""
    return Path(image).name.endswith(tuple(ending for ending, *_ in _ENDINGS))


def tile_of(image: StrPath, *, sigma_jy: float | None = None) -> dict[str, Any]:
    """The tile behind one of its images: the flat-noise image and the beam beside it.

    Parameters
    ----------
    image : path
        ``NAME-image.fits`` or ``NAME-image.pbcor.fits`` (or CASA's ``NAME.image.fits``, ``NAME.image.pbcor.fits``).
    sigma_jy : float, optional
        Noise [Jy/beam]; the header's when left out.

    Raises
    ------
    ValueError
        A name without the ending of a tile.
    FileNotFoundError
        The image or its beam (``NAME-pb.fits``, ``NAME.pb.fits``) is not there.
    """
    path = Path(image)
    for ending, *products in _ENDINGS:
        if path.name.endswith(ending):
            stem = path.name.removesuffix(ending)
            flat, pb = (path.with_name(stem + product) for product in products)
            break
    else:
        raise ValueError(f"tile: expected NAME-image.fits or NAME-image.pbcor.fits, found {path.name}")
    for needed in (flat, pb):
        if not needed.is_file():
            raise FileNotFoundError(f"tile {stem}: expected {needed}, found no such file")
    return {"image": str(flat), "pb": str(pb), "sigma_jy": sigma_jy}


def build_mosaic(
    images: Sequence[StrPath],
    output: StrPath,
    *,
    method: str = "pbweighted",
    interpolation: str = "matched",
    pb_floor: float = 0.1,
    max_side: int = 8192,
    flux_conserving: bool = False,
    common_beam: bool = True,
    catalog: StrPath | pd.DataFrame | None = None,
    correct_flux: bool = True,
    correct_astrometry: bool = True,
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
        ``matched`` (to Gaussian beams of three pixels and more), ``lanczos``, ``bilinear`` or ``nearest``.
    pb_floor : float
        Tiles count where their primary beam is at least this.
    max_side : int
        Longest side [pixels]; a larger mosaic gets coarser pixels.
    flux_conserving : bool
        Average over the area of a mosaic's pixel; images per pixel are also scaled by the ratio of areas.
    common_beam : bool
        Convolve all tiles to the smallest beam that holds theirs.
    catalog : path or DataFrame, optional
        Catalogue (ra_deg, dec_deg, flux_mjy at 1.4 GHz) that tiles are compared with and corrected to.
    correct_flux, correct_astrometry : bool
        What is corrected with a catalogue.
    ignore_validation : bool
        Write although a verdict failed.
    dry_run : bool
        Judge only.

    Returns
    -------
    dict
        ``products``, ``verdicts``, ``passed``, ``corrections``, ``beam`` [arcsec, arcsec, deg], ``imsize``, ``noise_jy``, ...

    Raises
    ------
    ValueError
        Tiles or options that cannot be; an output that is one of the tiles.
    """
    if method not in METHODS:
        raise ValueError(f"method: expected one of {', '.join(METHODS)}, found {method!r}")
    if interpolation not in INTERPOLATIONS:
        raise ValueError(f"interpolation: expected one of {', '.join(INTERPOLATIONS)}, found {interpolation!r}")
    if not 0.0 <= pb_floor < 1.0:
        raise ValueError(f"pb_floor: expected at least 0 and below 1, found {pb_floor}")
    if max_side < LEAST_SIDE:
        raise ValueError(f"max_side: expected at least {LEAST_SIDE} pixels, found {max_side}")
    if Path(output).suffix != ".fits":
        raise ValueError(f"output: expected a name that ends in .fits, found {output}")
    tiles = [tile_of(image) for image in images]
    once: set[str] = set()
    for tile in tiles:
        if (path := os.path.realpath(tile["image"])) in once:
            raise ValueError(f"tiles: expected each tile once, found {tile['image']} twice")
        once.add(path)
        if os.path.realpath(output) in (path, os.path.realpath(tile["pb"])):
            raise ValueError(f"output: expected another file than the tiles', found {output}")
    options: dict[str, Any] = {
        "tiles": tiles,
        "output": str(output),
        "method": method,
        "interpolation": interpolation,
        "pb_floor": pb_floor,
        "max_side": max_side,
        "flux_conserving": flux_conserving,
        "common_beam": common_beam,
        "correct_flux": correct_flux,
        "correct_astrometry": correct_astrometry,
        "ignore_validation": ignore_validation,
        "dry_run": dry_run,
    }
    if catalog is not None:
        options["catalog"] = _references(catalog, options)
    return _core.mosaic.build(json.dumps(options), progress=progress)


def _references(catalog: StrPath | pd.DataFrame, options: dict[str, Any]) -> list[dict[str, float]]:
    """Sources of 10 mJy and more over the tiles, whose place a first look tells."""
    from dsa110_contimg.catalog.loaders import load_catalog
    from dsa110_contimg.catalog.query import within

    look = _core.mosaic.build(json.dumps({**options, "dry_run": True}))
    table = load_catalog(catalog) if isinstance(catalog, str | os.PathLike) else catalog
    radius_deg = min(float(np.hypot(*look["imsize"])) / 2 * look["cell_arcsec"] / 3600, 90.0)
    ra_deg, dec_deg = look["centre_deg"]
    near = within(table, ra_deg, dec_deg, radius_deg, min_flux_mjy=MINIMUM_MJY)
    columns = zip(near["ra_deg"], near["dec_deg"], near["flux_mjy"], strict=True)
    return [{"ra_deg": float(r), "dec_deg": float(d), "flux_jy": float(f) * 1e-3} for r, d, f in columns]
