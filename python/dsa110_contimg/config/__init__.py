"""One typed configuration: defaults, a TOML file, and `CONTIMG_*` environment variables, in that order."""

from dsa110_contimg.config.environment import progress_disabled, telescope_name
from dsa110_contimg.config.schema import Calibration, Config, Flagging, Grouping, Imaging, Paths, Photometry, load

__all__ = [
    "Calibration",
    "Config",
    "Flagging",
    "Grouping",
    "Imaging",
    "Paths",
    "Photometry",
    "load",
    "progress_disabled",
    "telescope_name",
]
