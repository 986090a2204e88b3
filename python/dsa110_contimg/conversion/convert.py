"""Converting groups of subband files to Measurement Sets."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from dsa110_contimg import ContimgError, DataError, _core
from dsa110_contimg.conversion.groups import MIN_SUBBANDS, GroupStatus, SubbandGroup, classify_groups
from dsa110_contimg.conversion.layout import check_writable, ms_path
from dsa110_contimg.conversion.staging import choose_scratch

_log = logging.getLogger(__name__)

#: Checks without which a Measurement Set is of no use; the others are warnings.
FATAL = frozenset({"columns", "rows", "frequency_order", "phase_centres", "antenna_positions", "uvw"})


@dataclass(frozen=True, slots=True)
class ConversionOptions:
    """How to convert.

    ``phase_center`` is ``per-integration`` (one FIELD an integration) or ``shared``; ``fringe_stopped`` overrules what
    the files say; ``telescope_name`` is ``DSA_110`` (of another array the file's) unless CASA must know it; ``antennas`` is a station
    list that replaces the package's own; ``model_flux_jy`` fills MODEL_DATA with a source at the phase centre [Jy].
    """

    phase_center: str = "per-integration"
    merge_spws: bool = False
    telescope_name: str | None = None
    fringe_stopped: bool | None = None
    antennas: str | os.PathLike[str] | None = None
    expected_subbands: int = 16
    tmpfs: bool = False
    tmpfs_path: str | os.PathLike[str] = "/dev/shm"  # noqa: S108 - the tmpfs that Linux has
    scratch_dir: str | os.PathLike[str] | None = None
    checksums: bool = True
    model_flux_jy: float | None = None


@dataclass(frozen=True, slots=True)
class GroupResult:
    """What became of a group: ``status`` is converted, skipped, incomplete or failed."""

    group_id: str
    status: str
    ms: Path | None = None
    reason: str = ""
    report: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        plain = {
            "group_id": self.group_id,
            "status": self.status,
            "ms": self.ms and str(self.ms),
            "reason": self.reason,
        }
        return plain | ({"report": self.report} if self.report else {})


def convert_group(
    group: SubbandGroup | Sequence[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    progress: Callable[[int, int], object] | None = None,
    options: ConversionOptions | None = None,
    **settings: Any,
) -> GroupResult:
    """Convert one group to one Measurement Set, which appears whole or not at all.

    Parameters
    ----------
    group : SubbandGroup or sequence of path
        The files, in any order.
    out : path
        The Measurement Set.
    overwrite : bool
        Replace an existing one.
    progress : callable, optional
        Called with rows done and rows announced.
    options : ConversionOptions, optional
        How to convert; `settings` (its fields as keywords) take precedence.

    Returns
    -------
    GroupResult
        With the core's report: rows, fields, missing subbands, warnings and verdicts.

    Raises
    ------
    DataError
        Damaged, foreign or inconsistent files.
    OSError
        No permission, no space, no such file.
    """
    chosen = _options(options, settings)
    files = group.paths if isinstance(group, SubbandGroup) else [Path(file) for file in group]
    group_id = group.group_id if isinstance(group, SubbandGroup) else Path(out).stem
    check_writable(out)
    scratch = choose_scratch(files, tmpfs=chosen.tmpfs, tmpfs_path=chosen.tmpfs_path, scratch_dir=chosen.scratch_dir)
    report = _core.ms.convert(
        files,
        out,
        phase_center=chosen.phase_center,
        merge_spws=chosen.merge_spws,
        telescope_name=chosen.telescope_name,
        scratch=scratch,
        overwrite=overwrite,
        fringe_stopped=chosen.fringe_stopped,
        antennas=chosen.antennas,
        expected_subbands=chosen.expected_subbands,
        checksums=chosen.checksums,
        model_flux_jy=chosen.model_flux_jy,
        progress=progress,
    )
    for warning in report["warnings"]:
        _log.warning("%s: %s", group_id, warning)
    return GroupResult(group_id, "converted", Path(out), "; ".join(report["warnings"]), report)


def convert_directory(
    directory: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    start: str | datetime | None = None,
    end: str | datetime | None = None,
    kind: str = "science",
    skip_existing: bool = False,
    overwrite: bool = False,
    semi_complete: bool = True,
    window_s: float = 60.0,
    path_mapper: Callable[[str, str], str | os.PathLike[str]] | None = None,
    progress: Callable[[int, int], object] | None = None,
    on_result: Callable[[GroupResult], object] | None = None,
    options: ConversionOptions | None = None,
    **settings: Any,
) -> list[GroupResult]:
    """Convert the groups of a directory; one that fails does not keep the others.

    Parameters
    ----------
    directory : path
        A flat directory of ``<time>_sbNN.hdf5`` files.
    out : path
        Base of the layout ``science|calibrators|failed/YYYY-MM-DD/<time>.ms``, or a path ending in ``.ms`` (one group).
    start, end : str or datetime, optional
        First and last group, UTC.
    kind : str
        ``science`` or ``calibrators``.
    skip_existing : bool
        Leave a Measurement Set that is already there, opens, passes its checks and was made from the same files.
    overwrite : bool
        Replace existing ones.
    semi_complete : bool
        Also convert groups of 12 to 15 subbands, the missing ones flagged.
    window_s : float
        Names this close are one group [s].
    path_mapper : callable, optional
        ``(group_id, out) -> path`` instead of the layout.
    progress, on_result : callable, optional
        Rows done and announced; each group's result as soon as it is known.
    options, **settings
        As for :func:`convert_group`.

    Returns
    -------
    list of GroupResult
        One a group, in order of time.
    """
    chosen = _options(options, settings)
    found = classify_groups(
        directory,
        window_s=window_s,
        expected_subbands=chosen.expected_subbands,
        min_subbands=min(MIN_SUBBANDS, chosen.expected_subbands),
        start=start,
        end=end,
    )
    single = Path(out).suffix == ".ms"
    if single and len(found.groups) > 1:
        raise ValueError(f"out: expected a directory for {len(found.groups)} groups, found the path {out}")
    results = []
    for group in found.groups:
        if single:
            target = Path(out)
        elif path_mapper is not None:
            target = Path(path_mapper(group.group_id, os.fspath(out)))
        else:
            target = ms_path(out, group.group_id, kind)
        job = _Job(target, out, chosen, skip_existing, overwrite, semi_complete, single)
        result = _one(group, job, progress)
        results.append(result)
        if on_result is not None:
            on_result(result)
    return results


@dataclass(frozen=True, slots=True)
class _Job:
    target: Path
    base: str | os.PathLike[str]
    options: ConversionOptions
    skip_existing: bool
    overwrite: bool
    semi_complete: bool
    single: bool


def _one(group: SubbandGroup, job: _Job, progress: Callable[[int, int], object] | None) -> GroupResult:
    missing = " ".join(f"sb{subband:02d}" for subband in group.missing)
    partial = group.status is GroupStatus.SEMI_COMPLETE
    if group.status is GroupStatus.INCOMPLETE or (partial and not job.semi_complete):
        return GroupResult(group.group_id, "incomplete", None, f"{len(group.files)} subbands, missing {missing}")
    overwrite = job.overwrite
    try:
        if job.skip_existing and job.target.exists():
            problem = existing_problem(job.target, [path.name for path in group.paths])
            if problem is None:
                return GroupResult(group.group_id, "skipped", job.target, "already converted")
            _log.warning("%s: converted again: %s", job.target, problem)
            overwrite = True
        result = convert_group(group, job.target, overwrite=overwrite, progress=progress, options=job.options)
    except (ContimgError, OSError, ValueError) as error:
        _log.error("%s: %s", group.group_id, error)
        return GroupResult(group.group_id, "failed", None, str(error))
    bad = [v for v in result.report["verdicts"] if not v["ok"] and v["name"] in FATAL]
    if not bad:
        return result
    reason = "; ".join(f"{v['name']}: {v['value']:g} exceeds {v['limit']:g} ({v['reason']})" for v in bad)
    return GroupResult(group.group_id, "failed", _set_apart(result, job), reason, result.report)


def _set_apart(result: GroupResult, job: _Job) -> Path | None:
    """Move a Measurement Set that failed its checks to the layout's ``failed``."""
    if result.ms is None or job.single:
        return result.ms
    target = ms_path(job.base, result.group_id, "failed")
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        target = target.with_name(f"{result.group_id}.{os.getpid()}.ms")
    result.ms.rename(target)
    return target


def existing_problem(ms: str | os.PathLike[str], names: Sequence[str]) -> str | None:
    """Why an existing Measurement Set does not do for these files, or None when it does."""
    try:
        meta = _core.ms.meta(ms)
        report = _core.ms.verify(ms)
    except (DataError, OSError) as error:
        return str(error)
    inputs = (meta.get("provenance") or {}).get("inputs")
    if inputs is None:
        return "it bears no record of its inputs"
    made_from = {Path(item["path"]).name for item in inputs}
    if made_from != set(names):
        return f"it was made from {len(made_from)} files, {len(made_from & set(names))} of them these {len(names)}"
    bad = [v for v in report["verdicts"] if not v["ok"] and v["name"] in FATAL]
    return f"{bad[0]['name']}: {bad[0]['reason']}" if bad else None


def _options(options: ConversionOptions | None, settings: dict[str, Any]) -> ConversionOptions:
    from dataclasses import fields, replace

    known = {item.name for item in fields(ConversionOptions)}
    unknown = sorted(set(settings) - known)
    if unknown:
        import difflib

        close = difflib.get_close_matches(unknown[0], sorted(known), 1)
        hint = f" (did you mean {close[0]}?)" if close else ""
        raise ValueError(f"{unknown[0]}: expected one of {', '.join(sorted(known))}{hint}, found an unknown option")
    return replace(options or ConversionOptions(), **settings)
