"""Catalogues of sources: loaders, cones, names."""

from dsa110_contimg.catalog.names import source_name
from dsa110_contimg.catalog.query import query_sources, resolve_catalog_path

__all__ = ["query_sources", "resolve_catalog_path", "source_name"]
