"""Matching on the sphere and the HEALPix index."""

import numpy as np
from numpy.typing import NDArray

Column = NDArray[np.float64]

HEALPIX_DEPTH: int

def match_nearest(
    ra_deg: Column, dec_deg: Column, catalog_ra_deg: Column, catalog_dec_deg: Column, radius_arcsec: float
) -> tuple[NDArray[np.int64], Column]: ...
def match_pairs(
    ra_deg: Column, dec_deg: Column, catalog_ra_deg: Column, catalog_dec_deg: Column, radius_arcsec: float
) -> tuple[NDArray[np.int64], NDArray[np.int64], Column]: ...
def healpix(ra_deg: Column, dec_deg: Column) -> NDArray[np.int64]: ...
def cone_ranges(ra_deg: float, dec_deg: float, radius_deg: float) -> list[tuple[int, int]]: ...
