"""Where the array looks: the meridian at a fixed declination."""

from dsa110_contimg.pointing.meridian import Pointing, pointing_at, pointing_of_file

__all__ = ["Pointing", "pointing_at", "pointing_of_file"]
