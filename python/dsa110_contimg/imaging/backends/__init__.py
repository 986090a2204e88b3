"""WSClean and CASA tclean as other imagers of the same data."""

from dsa110_contimg.imaging.backends.casa import export_casa_images, tclean
from dsa110_contimg.imaging.backends.missing import MissingBackendError
from dsa110_contimg.imaging.backends.program import wsclean

__all__ = ["MissingBackendError", "export_casa_images", "tclean", "wsclean"]
