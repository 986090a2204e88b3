"""Subband groups to Measurement Sets, with the original system's interface."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from datetime import datetime

from dsa110_contimg.conversion.groups import classify_groups
from dsa110_contimg.conversion.subband_files import EXPECTED_SUBBANDS

__all__ = ["find_subband_groups"]


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
