"""Subband groups to Measurement Sets, with the original system's interface."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from dsa110_contimg.conversion.convert import ConversionOptions, GroupResult, convert_directory
from dsa110_contimg.conversion.groups import classify_groups
from dsa110_contimg.conversion.subband_files import EXPECTED_SUBBANDS

__all__ = ["convert_subband_groups_to_ms", "find_subband_groups"]

#: The original's writers; all of them are the one writer here.
WRITERS = ("parallel-subband", "direct-subband", "pyuvdata", "auto")


def find_subband_groups(
    input_dir: str | os.PathLike[str],
    start_time: str | datetime,
    end_time: str | datetime,
    *,
    spw: Sequence[str | int] | None = None,
    tolerance_s: float = 30.0,
) -> list[list[str]]:
    """Complete groups of subband files.

    Parameters
    ----------
    input_dir : path
        A flat directory of ``<time>_sbNN.hdf5`` files.
    start_time, end_time : str or datetime
        First and last time of a group's name, UTC, both included.
    spw : sequence of str or int, optional
        Subbands that make a group complete (``"sb03"`` or 3); all 16 by default.
    tolerance_s : float
        Names within this of the group's earliest are one group [s].

    Returns
    -------
    list of list of str
        Paths of each complete group in order of time, each from sb15 to sb00 (ascending in frequency).
    """
    wanted = set(range(EXPECTED_SUBBANDS)) if spw is None else {_subband(code) for code in spw}
    if not wanted:
        raise ValueError("spw: expected at least one subband, found none")
    groups = classify_groups(input_dir, window_s=tolerance_s, start=start_time, end=end_time).groups
    chosen = ([str(file.path) for file in group.files if file.subband in wanted] for group in groups)
    return [paths for paths in chosen if len(paths) == len(wanted)]


def _subband(code: str | int) -> int:
    match = re.fullmatch(r"(?:sb)?(\d{1,2})", str(code), re.ASCII)
    if match is None or int(match[1]) >= EXPECTED_SUBBANDS:
        raise ValueError(f"spw: expected codes sb00 to sb{EXPECTED_SUBBANDS - 1:02d}, found {code!r}")
    return int(match[1])


def convert_subband_groups_to_ms(
    input_dir: str | os.PathLike[str],
    output_dir: str | os.PathLike[str],
    start_time: str | datetime,
    end_time: str | datetime,
    *,
    flux: float | None = None,
    scratch_dir: str | os.PathLike[str] | None = None,
    writer: str = "parallel-subband",
    writer_kwargs: Mapping[str, Any] | None = None,
    skip_existing: bool = False,
    checkpoint_file: str | os.PathLike[str] | None = None,
    path_mapper: Callable[[str, str], str | os.PathLike[str]] | None = None,
) -> dict[str, list[dict[str, Any]]]:
    """Convert the groups of a time range.

    Parameters
    ----------
    input_dir, output_dir : path
        Subband files; base of the Measurement Sets' layout.
    start_time, end_time : str or datetime
        First and last group, UTC.
    flux : float, optional
        MODEL_DATA becomes a source of this flux density at the phase centre [Jy]; `contimg model` writes better ones.
    scratch_dir : path, optional
        Where to write when no tmpfs is used.
    writer : str
        One of the original's names; there is one writer.
    writer_kwargs : mapping, optional
        ``stage_to_tmpfs``, ``tmpfs_path``, ``merge_spws``; ``max_workers`` is accepted and has no meaning here.
    skip_existing : bool
        Leave Measurement Sets that are there, complete and made from the same files.
    checkpoint_file : path, optional
        JSON list of finished groups (``completed_groups``), read before and written after each group.
    path_mapper : callable, optional
        ``(group_id, output_dir) -> path``.

    Returns
    -------
    dict
        ``converted``, ``skipped``, ``incomplete``, ``failed``: lists of ``{"group_id", "status", "ms", "reason"}``.
    """
    if writer not in WRITERS:
        raise ValueError(f"writer: expected one of {', '.join(WRITERS)}, found {writer!r}")
    options = replace(_writer_options(dict(writer_kwargs or {}), scratch_dir), model_flux_jy=flux)
    done = _read_checkpoint(checkpoint_file)
    results: dict[str, list[dict[str, Any]]] = {"converted": [], "skipped": [], "incomplete": [], "failed": []}

    def note(result: GroupResult) -> None:
        plain = result.as_dict()
        plain.pop("report", None)
        results[result.status].append(plain)
        if checkpoint_file is not None and result.status in ("converted", "skipped"):
            done.add(result.group_id)
            _write_checkpoint(Path(checkpoint_file), done)

    convert_directory(
        input_dir,
        output_dir,
        start=start_time,
        end=end_time,
        skip_existing=skip_existing or bool(done),
        path_mapper=path_mapper,
        on_result=note,
        options=options,
    )
    return results


def _writer_options(settings: dict[str, Any], scratch_dir: str | os.PathLike[str] | None) -> ConversionOptions:
    settings.pop("max_workers", None)
    options = ConversionOptions(
        tmpfs=bool(settings.pop("stage_to_tmpfs", False)),
        tmpfs_path=settings.pop("tmpfs_path", "/dev/shm"),  # noqa: S108 - the tmpfs that Linux has
        merge_spws=bool(settings.pop("merge_spws", False)),
        scratch_dir=scratch_dir,
    )
    if settings:
        expected = "max_workers, merge_spws, stage_to_tmpfs, tmpfs_path"
        raise ValueError(f"writer_kwargs: expected {expected}, found {', '.join(sorted(settings))}")
    return options


def _read_checkpoint(path: str | os.PathLike[str] | None) -> set[str]:
    if path is None or not Path(path).exists():
        return set()
    content = json.loads(Path(path).read_text())
    names = content.get("completed_groups") if isinstance(content, dict) else None
    if not isinstance(names, list):
        raise ValueError(f"{path}: expected an object with the list completed_groups, found something else")
    return {str(name) for name in names}


def _write_checkpoint(path: Path, done: set[str]) -> None:
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    aside.write_text(json.dumps({"completed_groups": sorted(done)}, indent=1))
    aside.replace(path)


if __name__ == "__main__":
    import sys

    from dsa110_contimg.conversion.strategies.orchestrator_cli import main

    sys.exit(main())
