"""One typed configuration: defaults, a TOML file, and `CONTIMG_*` environment variables, in that order."""

from dsa110_contimg.config.environment import progress_disabled, telescope_name
from dsa110_contimg.config.schema import Config, Paths, load

__all__ = ["Config", "Paths", "load", "progress_disabled", "telescope_name"]
