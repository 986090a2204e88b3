"""Continuum imaging and light curves for the DSA-110 array.

Importing this package does nothing but define names: no directory is changed, no log file is opened,
no environment variable is set and CASA is not imported.
"""

from dsa110_contimg._core import ContimgError, ConvergenceError, DataError, __version__

__all__ = ["ContimgError", "ConvergenceError", "DataError", "__version__"]
