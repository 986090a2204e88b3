"""Where the array looked, by the headers of a directory's files."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from dsa110_contimg import ContimgError
from dsa110_contimg._core import coords
from dsa110_contimg.pointing.meridian import Pointing, pointing_of_file
from dsa110_contimg.utils.site import SECONDS_PER_DAY, mjd_s_of, time_of

_NAME = re.compile(r"(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})_sb\d{2}\.hdf5", re.ASCII)


def observations(directory: str | os.PathLike[str]) -> list[Path]:
    """One file an observation, in order of time: names within 60 s are one observation, and its first file is taken."""
    chosen: list[Path] = []
    last = -np.inf
    for path in sorted(p for p in Path(directory).iterdir() if _NAME.fullmatch(p.name)):
        time_s = mjd_s_of(path.name[:19])
        if time_s - last > 60.0:
            chosen.append(path)
            last = time_s
    return chosen


def pointings(directory: str | os.PathLike[str]) -> tuple[list[Pointing], list[dict[str, str]]]:
    """Pointing of every observation of a directory, and the files that tell none with their reasons.

    Raises
    ------
    OSError
        The directory cannot be read.
    """
    found: list[Pointing] = []
    bad: list[dict[str, str]] = []
    for path in observations(directory):
        try:
            found.append(pointing_of_file(path))
        except (ContimgError, OSError) as error:
            bad.append({"path": str(path), "reason": str(error)})
    found.sort(key=lambda pointing: pointing.mjd)
    return found, bad


def jumps(found: Sequence[Pointing], threshold_deg: float) -> list[dict[str, float]]:
    """Where the declination changed by more than a threshold [degrees] from one observation to the next."""
    if not threshold_deg > 0:
        raise ValueError(f"jump_threshold_deg: expected a positive angle, found {threshold_deg}")
    return [
        {"mjd": after.mjd, "from_dec_deg": before.app_dec_deg, "to_dec_deg": after.app_dec_deg}
        for before, after in pairwise(found)
        if abs(after.app_dec_deg - before.app_dec_deg) > threshold_deg
    ]


def crossmatch(
    found: Sequence[Pointing],
    ra_deg: float,
    dec_deg: float,
    *,
    dec_tolerance_deg: float = 1.5,
    time_pad_minutes: float = 10.0,
    days_back: int = 21,
) -> list[dict[str, Any]]:
    """Transits of an ICRS position with an observation close by in time and declination, the latest first.

    The days are counted back from the newest observation. ``minutes`` is the middle of the observation minus the transit.
    """
    if not found:
        return []
    newest = found[-1].mjd * SECONDS_PER_DAY + 60.0 * time_pad_minutes
    ra, dec = float(np.radians(ra_deg)), float(np.radians(dec_deg))
    matches = []
    for transit in coords.transits(ra, newest, days_back + 1, dec_rad=dec, previous=True):
        nearest = min(found, key=lambda pointing: abs(pointing.mjd * SECONDS_PER_DAY - transit))
        minutes = (nearest.mjd * SECONDS_PER_DAY - float(transit)) / 60.0
        offset = nearest.dec_deg - dec_deg
        if abs(minutes) <= time_pad_minutes and abs(offset) <= dec_tolerance_deg:
            matches.append(
                {
                    "transit_iso": str(time_of(float(transit)).isot),
                    "transit_mjd": float(transit) / SECONDS_PER_DAY,
                    "minutes": minutes,
                    "dec_offset_deg": offset,
                }
            )
    return matches
