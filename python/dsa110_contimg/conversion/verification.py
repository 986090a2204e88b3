"""Looking into the headers of a group: do the contents agree with the names and with each other?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from typing import Any

from dsa110_contimg import DataError, _core
from dsa110_contimg.conversion.subband_files import SubbandFile, Unusable

#: Entries of a header that all subbands of one observation share, with the words for a person.
_SHARED = {
    "start_mjd_s": "first time [MJD s]",
    "end_mjd_s": "last time [MJD s]",
    "rows": "rows",
    "baselines": "baselines",
    "phase_center_dec_rad": "declination of the pointing [rad]",
}


def verify_files(files: Sequence[SubbandFile]) -> tuple[list[SubbandFile], list[Unusable]]:
    """Open every header of a group.

    Parameters
    ----------
    files : sequence of SubbandFile
        The files of one group as their names sort them.

    Returns
    -------
    good : list of SubbandFile
        Files whose frequencies are those of their name's subband and whose times, rows and pointing are the majority's.
    rejected : list of Unusable
        The others, each with what was expected and found.
    """
    headers: dict[SubbandFile, dict[str, Any]] = {}
    rejected: list[Unusable] = []
    for file in files:
        try:
            header = _core.uvh5.read_header(file.path)
        except (DataError, OSError) as error:
            rejected.append(Unusable(file.path, str(error)))
            continue
        if header["subband"] != file.subband:
            found = "frequencies of no subband" if header["subband"] is None else f"those of sb{header['subband']:02d}"
            rejected.append(Unusable(file.path, f"expected the frequencies of sb{file.subband:02d}, found {found}"))
            continue
        headers[file] = header
    for key, words in _SHARED.items():
        usual = _majority([header[key] for header in headers.values()])
        for file in [file for file, header in headers.items() if header[key] != usual]:
            value = headers.pop(file)[key]
            rejected.append(Unusable(file.path, f"{words}: expected {usual} as most of the group, found {value}"))
    return list(headers), rejected


def _majority(values: list[Any]) -> object:
    counts = Counter(value for value in values if isinstance(value, Hashable))
    return max(counts, key=lambda value: (counts[value], str(value)), default=None)
