"""Groups of subband files: which files of a directory belong to one observation, judged by names and ``stat`` alone.

An observation is 16 files ``<UTC time>_sbNN.hdf5``. The time in a name is the clock of the node that opened the file,
so the names of one observation differ by a second, sometimes by a minute, while observations follow each other after
309 s. Files whose names lie within a window after the earliest one are one group, named by that earliest time.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from statistics import median

from dsa110_contimg.conversion.subband_files import EXPECTED_SUBBANDS, SubbandFile, Unusable, scan, timestamp
from dsa110_contimg.conversion.verification import verify_files

#: Fewest subbands of a group that is still worth converting.
MIN_SUBBANDS = 12
#: Names within this of the earliest are one group [s].
WINDOW_S = 60.0
#: A file that arrives this long after most of its group is late [s]: two observations.
LATE_AFTER_S = 600.0


class GroupStatus(StrEnum):
    """How much of an observation is there."""

    COMPLETE = "complete"
    SEMI_COMPLETE = "semi_complete"
    INCOMPLETE = "incomplete"


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Two files for one subband of one group: which was kept, which was not, and why."""

    group_id: str
    kept: Path
    dropped: Path
    reason: str


@dataclass(frozen=True, slots=True)
class SubbandGroup:
    """The files of one observation, descending in subband (ascending in frequency).

    ``group_id`` is the earliest name's time, ``missing`` the absent subbands, ``late`` the files among ``files`` that
    arrived long after the others.
    """

    group_id: str
    status: GroupStatus
    files: tuple[SubbandFile, ...]
    missing: tuple[int, ...]
    late: tuple[Path, ...] = ()

    @property
    def paths(self) -> list[Path]:
        """Paths, sb15 first."""
        return [file.path for file in self.files]

    @property
    def start(self) -> datetime:
        """Time of the group's name, UTC."""
        return datetime.fromisoformat(self.group_id).replace(tzinfo=UTC)

    def as_dict(self) -> dict[str, object]:
        """Plain values for JSON."""
        return {
            "group_id": self.group_id,
            "status": self.status.value,
            "subbands": len(self.files),
            "missing": [f"sb{subband:02d}" for subband in self.missing],
            "late": [str(path) for path in self.late],
            "files": [str(path) for path in self.paths],
        }


@dataclass(frozen=True, slots=True)
class Classification:
    """What a directory holds: groups in order of time, and the files that stand apart."""

    directory: Path
    groups: tuple[SubbandGroup, ...]
    duplicates: tuple[Duplicate, ...]
    foreign: tuple[Unusable, ...]
    rejected: tuple[Unusable, ...] = ()

    def _of(self, status: GroupStatus) -> list[SubbandGroup]:
        return [group for group in self.groups if group.status is status]

    @property
    def complete(self) -> list[SubbandGroup]:
        """Groups with every subband."""
        return self._of(GroupStatus.COMPLETE)

    @property
    def semi_complete(self) -> list[SubbandGroup]:
        """Groups that miss a few subbands and can be converted with those flagged."""
        return self._of(GroupStatus.SEMI_COMPLETE)

    @property
    def incomplete(self) -> list[SubbandGroup]:
        """Groups with too few subbands."""
        return self._of(GroupStatus.INCOMPLETE)

    @property
    def late(self) -> list[Path]:
        """Files that arrived long after the rest of their group (they are members of it nevertheless)."""
        return [path for group in self.groups for path in group.late]

    def as_dict(self) -> dict[str, object]:
        """Plain values for JSON."""
        return {
            "directory": str(self.directory),
            "counts": {status.value: len(self._of(status)) for status in GroupStatus}
            | {
                "late": len(self.late),
                "duplicate": len(self.duplicates),
                "foreign": len(self.foreign),
                "rejected": len(self.rejected),
            },
            "groups": [group.as_dict() for group in self.groups],
            "duplicates": [
                {"group_id": d.group_id, "kept": str(d.kept), "dropped": str(d.dropped), "reason": d.reason}
                for d in self.duplicates
            ],
            "foreign": [{"path": str(f.path), "reason": f.reason} for f in self.foreign],
            "rejected": [{"path": str(f.path), "reason": f.reason} for f in self.rejected],
        }


def classify_groups(
    directory: str | os.PathLike[str],
    *,
    window_s: float = WINDOW_S,
    expected_subbands: int = EXPECTED_SUBBANDS,
    min_subbands: int = MIN_SUBBANDS,
    late_after_s: float = LATE_AFTER_S,
    start: str | datetime | None = None,
    end: str | datetime | None = None,
    verify: bool = False,
) -> Classification:
    """Sort the files of a directory into groups, by names and ``stat`` alone unless `verify`.

    Parameters
    ----------
    directory : path
        A flat directory of subband files.
    window_s : float
        Names up to this long after the earliest are one group [s].
    expected_subbands, min_subbands : int
        Subbands of a complete group, and the fewest of a semi-complete one.
    late_after_s : float
        A file modified this long after its group's median is reported as late [s].
    start, end : str or datetime, optional
        Only groups named from `start` to `end`, both included (UTC). Groups are formed first, so an edge splits none.
    verify : bool
        Open every header: subband of the name against frequencies, and times, rows and pointing against the group's
        majority. Files that fail are rejected and count as missing.

    Returns
    -------
    Classification
        The same for any order of arrival.

    Raises
    ------
    OSError
        When the directory cannot be read.
    ValueError
        For a window or counts that make no sense.
    """
    _check_limits(window_s, expected_subbands, min_subbands)
    files, foreign = scan(directory, expected_subbands)
    limits = _Limits(expected_subbands, min_subbands, late_after_s)
    first, last = _moment(start, "start"), _moment(end, "end")
    groups: list[SubbandGroup] = []
    duplicates: list[Duplicate] = []
    for members in _cluster(files, window_s):
        time_s = members[0].time_s
        if (first is not None and time_s < first) or (last is not None and time_s > last):
            continue
        group, dropped = _form(members, limits)
        groups.append(group)
        duplicates.extend(dropped)
    rejected: list[Unusable] = []
    if verify:
        checked = [verify_files(group.files) for group in groups]
        rejected = [bad for _, list_ in checked for bad in list_]
        groups = [_judge(group.group_id, good, limits) for group, (good, _) in zip(groups, checked, strict=True)]
    return Classification(Path(directory), tuple(groups), tuple(duplicates), tuple(foreign), tuple(rejected))


@dataclass(frozen=True, slots=True)
class _Limits:
    expected: int
    least: int
    late_after_s: float


def _check_limits(window_s: float, expected: int, least: int) -> None:
    if not window_s >= 0:
        raise ValueError(f"window_s: expected seconds, 0 or more, found {window_s}")
    if not 1 <= expected <= 100:
        raise ValueError(f"expected_subbands: expected 1 to 100, found {expected}")
    if not 1 <= least <= expected:
        raise ValueError(f"min_subbands: expected 1 to {expected}, found {least}")


def _moment(value: str | datetime | None, name: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.strip())
        except ValueError:
            raise ValueError(f"{name}: expected a UTC time like '2026-01-25 22:26:05', found {value!r}") from None
    return (value.replace(tzinfo=UTC) if value.tzinfo is None else value).timestamp()


def _cluster(files: Sequence[SubbandFile], window_s: float) -> Iterable[list[SubbandFile]]:
    """Runs of sorted files within the window after each run's first."""
    members: list[SubbandFile] = []
    for file in files:
        if members and file.time_s - members[0].time_s > window_s:
            yield members
            members = []
        members.append(file)
    if members:
        yield members


def _form(members: list[SubbandFile], limits: _Limits) -> tuple[SubbandGroup, list[Duplicate]]:
    group_id = timestamp(members[0].time_s)
    kept: dict[int, SubbandFile] = {}
    duplicates: list[Duplicate] = []
    # Ranked best first: a cut-off transfer is smaller; of equals the earlier name; then any fixed order.
    for file in sorted(members, key=lambda f: (-f.size, f.time_s, f.name)):
        best = kept.setdefault(file.subband, file)
        if best is not file:
            reason = (
                f"it is larger ({best.size} against {file.size} bytes)"
                if best.size > file.size
                else "its name is earlier"
                if best.time_s < file.time_s
                else "its name sorts first"
            )
            duplicates.append(Duplicate(group_id, best.path, file.path, reason))
    duplicates.sort(key=lambda d: (d.kept, d.dropped))
    return _judge(group_id, kept.values(), limits), duplicates


def _judge(group_id: str, files: Iterable[SubbandFile], limits: _Limits) -> SubbandGroup:
    ordered = tuple(sorted(files, key=lambda file: -file.subband))
    present = {file.subband for file in ordered}
    count = len(ordered)
    status = (
        GroupStatus.COMPLETE
        if count == limits.expected
        else GroupStatus.SEMI_COMPLETE
        if count >= limits.least
        else GroupStatus.INCOMPLETE
    )
    group = SubbandGroup(group_id, status, ordered, tuple(s for s in range(limits.expected) if s not in present))
    if not ordered:
        return group
    deadline = median(file.mtime_s for file in ordered) + limits.late_after_s
    return replace(group, late=tuple(file.path for file in ordered if file.mtime_s > deadline))
