"""Images of tiles: the package's own imager, WSClean and CASA tclean behind the same options, masks and exports."""

from dsa110_contimg.imaging.backends import MissingBackendError, tclean, wsclean
from dsa110_contimg.imaging.gridder import dirty2vis, vis2dirty
from dsa110_contimg.imaging.masks import create_catalog_mask
from dsa110_contimg.imaging.native import default_options, image
from dsa110_contimg.imaging.tile import flux_table, tile

__all__ = [
    "MissingBackendError",
    "create_catalog_mask",
    "default_options",
    "dirty2vis",
    "flux_table",
    "image",
    "tclean",
    "tile",
    "vis2dirty",
    "wsclean",
]
