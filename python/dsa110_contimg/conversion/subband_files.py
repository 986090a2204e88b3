"""The subband files of a directory: what their names and ``stat`` say."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from stat import S_ISREG
from typing import NamedTuple

#: Subbands of one observation.
EXPECTED_SUBBANDS = 16

_NAME = re.compile(r"(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}:\d{2})_sb(\d{2})\.hdf5", re.ASCII)


class SubbandFile(NamedTuple):
    """One subband file; a tuple, because there are tens of thousands of them, and in the order they are sorted by."""

    #: UTC time of the name [Unix s].
    time_s: float
    #: 0 has the highest frequencies.
    subband: int
    name: str
    directory: str
    #: Size [bytes].
    size: int
    #: Time of the last change [Unix s].
    mtime_s: float

    @property
    def path(self) -> Path:
        """Where it is."""
        return Path(self.directory, self.name)


@dataclass(frozen=True, slots=True)
class Unusable:
    """A file that is not taken: it has another kind of name, or (with ``verify``) its contents contradict its group."""

    path: Path
    reason: str


def scan(
    directory: str | os.PathLike[str], expected_subbands: int = EXPECTED_SUBBANDS
) -> tuple[list[SubbandFile], list[Unusable]]:
    """Subband files of a directory, sorted by time, subband and name; and its other files (directories left out)."""
    root = os.fspath(directory)
    files: list[SubbandFile] = []
    foreign: list[Unusable] = []
    seconds: dict[str, float | None] = {}
    with os.scandir(root) as entries:
        for entry in entries:
            match = _NAME.fullmatch(entry.name)
            if match is None:
                if not entry.is_dir():
                    foreign.append(Unusable(Path(entry.path), "not a name like 2026-01-25T22:26:05_sb03.hdf5"))
                continue
            day, clock, code = match.groups()
            stamp = f"{day}T{clock}"
            if stamp not in seconds:
                seconds[stamp] = _seconds(stamp)
            file = _look(entry, seconds[stamp], int(code), root, expected_subbands)
            if isinstance(file, SubbandFile):
                files.append(file)
            else:
                foreign.append(file)
    files.sort()
    foreign.sort(key=lambda bad: bad.path)
    return files, foreign


def _look(
    entry: os.DirEntry[str], time_s: float | None, subband: int, root: str, expected: int
) -> SubbandFile | Unusable:
    if time_s is None:
        return Unusable(Path(entry.path), "not a time of the calendar")
    if subband >= expected:
        return Unusable(Path(entry.path), f"expected subbands sb00 to sb{expected - 1:02d}")
    try:
        status = entry.stat()
    except OSError as error:
        return Unusable(Path(entry.path), f"cannot be looked at: {error.strerror}")
    if not S_ISREG(status.st_mode):
        return Unusable(Path(entry.path), "not a regular file")
    if status.st_size == 0:
        return Unusable(Path(entry.path), "empty")
    return SubbandFile(time_s, subband, entry.name, root, status.st_size, status.st_mtime)


def _seconds(stamp: str) -> float | None:
    try:
        return datetime.fromisoformat(stamp).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None


def timestamp(time_s: float) -> str:
    """A group's name: UTC, whole seconds, as in ``2026-01-25T22:26:05``."""
    return datetime.fromtimestamp(time_s, UTC).strftime("%Y-%m-%dT%H:%M:%S")
