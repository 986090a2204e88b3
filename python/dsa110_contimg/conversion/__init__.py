"""From UVH5 files to Measurement Sets: grouping the subbands of an observation, converting a group."""

from dsa110_contimg.conversion.convert import ConversionOptions, GroupResult, convert_directory, convert_group
from dsa110_contimg.conversion.groups import Classification, GroupStatus, SubbandGroup, classify_groups
from dsa110_contimg.conversion.normalisation import normalise_names
from dsa110_contimg.conversion.uvh5 import Uvh5File, open_uvh5

__all__ = [
    "Classification",
    "ConversionOptions",
    "GroupResult",
    "GroupStatus",
    "SubbandGroup",
    "Uvh5File",
    "classify_groups",
    "convert_directory",
    "convert_group",
    "normalise_names",
    "open_uvh5",
]
