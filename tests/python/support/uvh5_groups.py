"""Small groups in the correlator's layout, by plain h5py: an independent hand, so that reader and writer cannot agree in error."""

from __future__ import annotations

import csv
from importlib.resources import files
from pathlib import Path

import h5py
import numpy as np

STATIONS = (1, 25, 70, 103, 110)
START_JD = 2461066.434780092  # 2026-01-25T22:26:05
DEC_RAD = 0.2818706741
INTEGRATION_S = 12.884901888


def station_positions() -> np.ndarray:
    """ITRF positions of the 117 stations [m]."""
    with (files("dsa110_contimg") / "data" / "dsa110_antennas.csv").open() as lines:
        rows = sorted(csv.DictReader(lines), key=lambda row: int(row["station"]))
    return np.array([[float(row[f"itrf_{axis}_m"]) for axis in "xyz"] for row in rows])


def channel_frequencies(subband: int, channels: int = 48) -> np.ndarray:
    """Centres of a subband's first channels, descending [Hz]."""
    return 1.53e9 - (1024 + 384 * subband + 8 * np.arange(channels) + 3.5) * 250e6 / 8192


def write_subband(
    path: Path, subband: int, *, stations=STATIONS, times: int = 3, channels: int = 48, seed: int = 0, **header
) -> Path:
    """One file of random visibilities."""
    rng = np.random.default_rng([seed, subband])
    positions = station_positions()
    numbers = np.array(stations) - 1
    pairs = [(numbers[j], numbers[i]) for i in range(len(numbers)) for j in range(i + 1)]
    ant1, ant2 = np.tile(np.array(pairs), (times, 1)).T
    shape = (len(ant1), 1, channels, 2)
    vis = (rng.normal(size=shape) + 1j * rng.normal(size=shape)).astype(np.complex64)
    jd = np.repeat(START_JD + (np.arange(times) + 0.5) * INTEGRATION_S / 86400.0, len(pairs))
    with h5py.File(path, "w") as file:
        head = file.create_group("Header")
        scalars = {
            "latitude": 37.2314,
            "longitude": -118.2817,
            "altitude": 1222.0,
            "telescope_name": np.bytes_("OVRO_MMA"),
            "instrument": np.bytes_("DSA"),
            "object_name": np.bytes_("search"),
            "history": np.bytes_("a test"),
            "phase_type": np.bytes_("drift"),
            "Nants_data": len(numbers),
            "Nants_telescope": 117,
            "Nbls": len(pairs),
            "Nblts": len(ant1),
            "Ntimes": times,
            "Nfreqs": channels,
            "Npols": 2,
            "Nspws": 1,
            "channel_width": 244140.625,
        }
        for name, value in (scalars | header).items():
            head[name] = value
        head["antenna_diameters"] = np.full(117, 4.65)
        head["antenna_names"] = np.array([str(n + 1) for n in range(117)], dtype="S4")
        head["antenna_numbers"] = np.arange(117)
        head["antenna_positions"] = positions - positions[0]
        head["ant_1_array"], head["ant_2_array"] = ant1, ant2
        head["uvw_array"] = (positions[ant2] - positions[ant1]).astype(np.float32)
        head["time_array"] = jd
        head["integration_time"] = np.full(len(ant1), INTEGRATION_S)
        head["freq_array"] = channel_frequencies(subband, channels)[None]
        head["spw_array"] = np.array([1])
        head["polarization_array"] = np.array([-5, -6])
        extra = head.create_group("extra_keywords")
        extra["phase_center_dec"] = DEC_RAD
        extra["ha_phase_center"] = 0.0
        extra["phase_center_epoch"] = np.bytes_("HADEC")
        data = file.create_group("Data")
        data.create_dataset(
            "visdata", data=vis, chunks=(min(128, shape[0]), 1, min(12, channels), 1), maxshape=(None, *shape[1:])
        )
        data.create_dataset("flags", data=np.zeros(shape, bool), chunks=True, maxshape=(None, *shape[1:]))
        data.create_dataset("nsamples", data=np.full(shape, 768, np.float32), chunks=True, maxshape=(None, *shape[1:]))
    return path


def write_group(
    directory: Path, *, start: str = "2026-01-25T22:26:05", subbands=range(16), jitter: int = 1, **settings
) -> list[Path]:
    """A group; names of odd subbands are `jitter` seconds later."""
    directory.mkdir(parents=True, exist_ok=True)
    base, seconds = start[:17], int(start[17:])
    return [
        write_subband(directory / f"{base}{seconds + jitter * (sb % 2):02d}_sb{sb:02d}.hdf5", sb, **settings)
        for sb in subbands
    ]
