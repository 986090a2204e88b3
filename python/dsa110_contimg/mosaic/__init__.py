"""Mosaics of tiles: planned from the images table, judged, and added with weights pb^2 / sigma^2."""

from dsa110_contimg.mosaic.build import build_mosaic, tile_of
from dsa110_contimg.mosaic.plan import build, plan

__all__ = ["build", "build_mosaic", "plan", "tile_of"]
