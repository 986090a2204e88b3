"""Images of tiles: the package's own imager, WSClean and CASA tclean behind the same options, masks and exports."""

from dsa110_contimg.imaging.backends import MissingBackendError, tclean, wsclean
from dsa110_contimg.imaging.cli_imaging import image_ms
from dsa110_contimg.imaging.dynspec import dynamic_spectrum
from dsa110_contimg.imaging.gridder import dirty2vis, vis2dirty
from dsa110_contimg.imaging.masks import create_catalog_mask
from dsa110_contimg.imaging.native import calibration_cards, default_options, image
from dsa110_contimg.imaging.sources import (
    bright_sources,
    write_regions,
    write_source_regions,
    write_wsclean_list,
)
from dsa110_contimg.imaging.tile import flux_table, tile

__all__ = [
    "MissingBackendError",
    "bright_sources",
    "calibration_cards",
    "create_catalog_mask",
    "default_options",
    "dirty2vis",
    "dynamic_spectrum",
    "flux_table",
    "image",
    "image_ms",
    "tclean",
    "tile",
    "vis2dirty",
    "write_regions",
    "write_source_regions",
    "write_wsclean_list",
    "wsclean",
]
