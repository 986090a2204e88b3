"""Matching on the sphere and the HEALPix index."""

import numpy as np
from numpy.typing import NDArray

_Column = NDArray[np.float64]

HEALPIX_DEPTH: int

def match_nearest(
    ra_deg: _Column, dec_deg: _Column, catalog_ra_deg: _Column, catalog_dec_deg: _Column, radius_arcsec: float
) -> tuple[NDArray[np.int64], _Column]: ...
def match_pairs(
    ra_deg: _Column, dec_deg: _Column, catalog_ra_deg: _Column, catalog_dec_deg: _Column, radius_arcsec: float
) -> tuple[NDArray[np.int64], NDArray[np.int64], _Column]: ...
def healpix(ra_deg: _Column, dec_deg: _Column) -> NDArray[np.int64]: ...
def cone_ranges(ra_deg: float, dec_deg: float, radius_deg: float) -> list[tuple[int, int]]: ...
