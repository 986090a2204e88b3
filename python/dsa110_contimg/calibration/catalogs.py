"""Calibrator catalogues under the original's name; they live in :mod:`dsa110_contimg.catalog.calibrators`."""

from dsa110_contimg.catalog.calibrators import (
    calibrator,
    load_vla_catalog,
    parse_vla_calibrators,
    resolve_vla_catalog,
)

__all__ = ["calibrator", "load_vla_catalog", "parse_vla_calibrators", "resolve_vla_catalog"]
