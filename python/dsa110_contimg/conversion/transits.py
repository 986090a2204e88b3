"""Groups of subband files that hold a calibrator's transit."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from dsa110_contimg import _core
from dsa110_contimg._core import coords, uvh5
from dsa110_contimg.conversion.groups import SubbandGroup, classify_groups
from dsa110_contimg.utils.site import mjd_s_of, time_of

#: Where the primary beam is judged [Hz].
BEAM_FREQ_HZ = 1.4e9
SECONDS_PER_DAY = 86400.0


@dataclass(frozen=True, slots=True)
class TransitSearch:
    """Which transits count.

    ``window_minutes`` is the whole window about the transit; ``min_pb_response`` the least primary-beam power towards
    the calibrator at the middle of a group; ``dec_tolerance_deg`` the largest distance of the pointing's declination.
    """

    window_minutes: float = 60.0
    max_days_back: int = 30
    min_pb_response: float = 0.3
    dec_tolerance_deg: float = 2.0

    def __post_init__(self) -> None:
        """Refuse limits that make no sense."""
        if not 0 < self.window_minutes <= 1440:
            raise ValueError(f"window_minutes: expected 0 to 1440, found {self.window_minutes}")
        if not 0 <= self.max_days_back <= 10_000:
            raise ValueError(f"max_days_back: expected 0 to 10000, found {self.max_days_back}")
        if not 0 <= self.min_pb_response <= 1:
            raise ValueError(f"min_pb_response: expected 0 to 1, found {self.min_pb_response}")
        if not self.dec_tolerance_deg > 0:
            raise ValueError(f"dec_tolerance_deg: expected a positive angle, found {self.dec_tolerance_deg}")


@dataclass(frozen=True, slots=True)
class Transit:
    """A transit with data: its time (UTC MJD, days) and the groups that see the calibrator, nearest first."""

    mjd: float
    groups: tuple[SubbandGroup, ...]
    pb_response: float
    dec_offset_deg: float

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "transit_mjd": self.mjd,
            "transit_iso": str(time_of(self.mjd * SECONDS_PER_DAY).isot),
            "group_id": self.groups[0].group_id,
            "groups": [group.group_id for group in self.groups],
            "pb_response": self.pb_response,
            "dec_offset_deg": self.dec_offset_deg,
        }


def pointing_strips(groups: Sequence[SubbandGroup]) -> list[float]:
    """Declinations of date that groups look at [degrees], to a hundredth."""
    headers = (uvh5.read_header(group.paths[0]) for group in groups)
    found = (header["phase_center_dec_rad"] for header in headers)
    return sorted({round(float(np.degrees(dec)), 2) for dec in found if dec is not None})


def find_transits(
    input_dir: str | os.PathLike[str],
    ra_deg: float,
    dec_deg: float,
    *,
    transit_date: str | datetime | None = None,
    search: TransitSearch | None = None,
    groups: Sequence[SubbandGroup] | None = None,
) -> list[Transit]:
    """Transits of a position of which there are complete groups, the latest first.

    Parameters
    ----------
    input_dir : path
        A flat directory of subband files.
    ra_deg, dec_deg : float
        ICRS [degrees].
    transit_date : str or datetime, optional
        Only the transit nearest to noon of this day, or to this time when it names one (UTC).
    search : TransitSearch, optional
        Limits.
    groups : sequence of SubbandGroup, optional
        Complete groups, when the directory has been looked at already.

    Raises
    ------
    OSError
        The directory cannot be read.
    ValueError
        A position or limits that make no sense.
    """
    limits = search or TransitSearch()
    if not (np.isfinite(ra_deg) and abs(dec_deg) <= 90):
        raise ValueError(f"position: expected degrees (Dec in [-90, 90]), found {ra_deg} {dec_deg}")
    if groups is None:
        groups = classify_groups(input_dir).complete
    if not groups:
        return []
    found = []
    for mjd_s in _times(ra_deg, dec_deg, transit_date, groups, limits):
        transit = _look(mjd_s, (ra_deg, dec_deg), groups, limits)
        if transit is not None:
            found.append(transit)
    return found


def _times(
    ra_deg: float,
    dec_deg: float,
    transit_date: str | datetime | None,
    groups: Sequence[SubbandGroup],
    limits: TransitSearch,
) -> Iterator[float]:
    """Transit times [MJD s], the latest first."""
    ra, dec = float(np.radians(ra_deg)), float(np.radians(dec_deg))
    if transit_date is not None:
        text = str(transit_date).strip()
        near = mjd_s_of(f"{text}T12:00:00" if len(text) == 10 else transit_date)
        both = [*coords.transits(ra, near, 1, dec_rad=dec), *coords.transits(ra, near, 1, dec_rad=dec, previous=True)]
        yield float(min(both, key=lambda time: abs(time - near)))
        return
    # Back from the newest data, not from today: an archive's last day counts as day 0.
    newest = mjd_s_of(max(group.start for group in groups)) + 0.5 * limits.window_minutes * 60
    yield from map(float, coords.transits(ra, newest, limits.max_days_back + 1, dec_rad=dec, previous=True))


def _look(
    transit_mjd_s: float, position: tuple[float, float], groups: Sequence[SubbandGroup], limits: TransitSearch
) -> Transit | None:
    near = []
    for group in groups:
        # The middle of a group is some 150 s after its name: the header says it exactly, for those that are close.
        start = mjd_s_of(group.start)
        if abs(start - transit_mjd_s) > 30 * limits.window_minutes + 600:
            continue
        header = uvh5.read_header(group.paths[0])
        middle = header["mid_mjd_s"]
        if abs(middle - transit_mjd_s) > 30 * limits.window_minutes or header["phase_center_dec_rad"] is None:
            continue
        response, offset = _response(middle, header, position)
        if abs(offset) <= limits.dec_tolerance_deg and response >= limits.min_pb_response:
            near.append((abs(middle - transit_mjd_s), group, response, offset))
    if not near:
        return None
    near.sort(key=lambda entry: entry[0])
    _, _, response, offset = near[0]
    return Transit(transit_mjd_s / SECONDS_PER_DAY, tuple(entry[1] for entry in near), response, offset)


def _response(mjd_s: float, header: dict[str, Any], position: tuple[float, float]) -> tuple[float, float]:
    """Primary-beam power towards a position, and its declination of date minus the pointing's [degrees]."""
    site = (np.radians(header["longitude_deg"]), np.radians(header["latitude_deg"]), header["altitude_m"])
    place = (float(site[0]), float(site[1]), float(site[2]))
    ra, dec = (np.array([np.radians(angle)]) for angle in position)
    ha, app_dec = coords.icrs_to_hadec(np.array([mjd_s]), ra, dec, site=place)
    pointing = float(header["phase_center_dec_rad"])
    cosine = np.sin(app_dec) * np.sin(pointing) + np.cos(app_dec) * np.cos(pointing) * np.cos(ha)
    theta = np.arccos(np.clip(cosine, -1.0, 1.0))
    power = _core.beam.airy_power(theta, BEAM_FREQ_HZ)
    return float(power[0]), float(np.degrees(app_dec[0] - pointing))
