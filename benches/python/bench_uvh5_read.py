"""Reading one full-size UVH5 subband: our reader against h5py and pyuvdata, CPU seconds and wall.

The file (145 MB: 111,744 rows, 48 channels, 2 products) is grown integration by integration with h5py, which chunks
it as the correlator's files are, (128, 1, 12, 1). Run ``python benches/python/bench_uvh5_read.py [DIRECTORY]``.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import h5py
import numpy as np

ANTENNAS, TIMES, CHANNELS = 96, 24, 48
TOP_HZ, WIDTH_HZ = 1498643188.4765625, 244140.625

WORK = {
    "ours, open + read": "from dsa110_contimg import _core\nblock = _core.uvh5.read(path)",
    "h5py, whole datasets": (
        "import h5py\nwith h5py.File(path) as f:\n"
        "    parts = [f['Data'][n][()] for n in ('visdata', 'flags', 'nsamples')]\n"
        "    head = [f['Header'][n][()] for n in ('ant_1_array', 'ant_2_array', 'uvw_array', 'time_array')]"
    ),
    "pyuvdata, checks off": (
        "import warnings\nwarnings.simplefilter('ignore')\nfrom pyuvdata import UVData\nuv = UVData()\n"
        "uv.read(path, file_type='uvh5', run_check=False, check_extra=False, run_check_acceptability=False,"
        " strict_uvw_antpos_check=False)"
    ),
}
RUN = """
import resource, sys, time
path = sys.argv[1]
{imports}
def cpu():
    use = resource.getrusage(resource.RUSAGE_SELF)
    return use.ru_utime + use.ru_stime
best = (9e9, 9e9)
for _ in range(3):
    wall, used = time.perf_counter(), cpu()
{work}
    best = min(best, (time.perf_counter() - wall, cpu() - used))
print(best[0], best[1], resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6)
"""


def make(path: Path) -> None:
    """A full-size subband in the correlator's layout, grown as the correlator grows it."""
    dice = np.random.default_rng(1)
    pairs = np.array([(j, i) for i in range(ANTENNAS) for j in range(i + 1)])
    count = len(pairs)
    with h5py.File(path, "w") as file:
        header, data = file.create_group("Header"), file.create_group("Data")
        for key, value in {
            "latitude": 37.2314, "longitude": -118.2817, "altitude": 1222.0, "telescope_name": np.bytes_("OVRO_MMA"),
            "instrument": np.bytes_("DSA"), "object_name": np.bytes_("search"), "history": np.bytes_("bench"),
            "phase_type": np.bytes_("drift"), "Nants_data": ANTENNAS, "Nants_telescope": 117, "Nbls": count,
            "Nblts": count * TIMES, "Ntimes": TIMES, "Nfreqs": CHANNELS, "Npols": 2, "Nspws": 1,
            "antenna_diameters": np.full(117, 4.65), "antenna_numbers": np.arange(117),
            "antenna_names": np.array([str(i + 1) for i in range(117)], "S4"),
            "antenna_positions": dice.normal(size=(117, 3)) * 500, "channel_width": WIDTH_HZ, "spw_array": [1],
            "freq_array": (TOP_HZ - WIDTH_HZ * np.arange(CHANNELS))[None], "polarization_array": [-5, -6],
        }.items():  # fmt: skip
            header[key] = value
        extra = header.create_group("extra_keywords")
        extra["phase_center_dec"], extra["ha_phase_center"] = 0.5, 0.0
        kinds = {"ant_1_array": ("i8", ()), "ant_2_array": ("i8", ()), "uvw_array": ("f4", (3,)),
                 "time_array": ("f8", ()), "integration_time": ("f8", ())}  # fmt: skip
        columns = {
            name: header.create_dataset(name, (0, *rest), kind, maxshape=(None, *rest), chunks=True)
            for name, (kind, rest) in kinds.items()
        }
        axes = (1, CHANNELS, 2)
        for name, kind in (("visdata", np.complex64), ("flags", bool), ("nsamples", "f4")):
            columns[name] = data.create_dataset(name, (0, *axes), kind, maxshape=(None, *axes), chunks=True)
        assert columns["visdata"].chunks == (128, 1, 12, 1)
        for step in range(TIMES):
            vis = dice.normal(size=(count, *axes, 2)).astype(np.float32).view(np.complex64)[..., 0]
            values = {
                "ant_1_array": pairs[:, 0], "ant_2_array": pairs[:, 1], "uvw_array": dice.normal(size=(count, 3)),
                "time_array": np.full(count, 2461066.4 + 12.8849 * step / 86400),
                "integration_time": np.full(count, 12.8849), "visdata": vis, "flags": np.zeros((count, *axes), bool),
                "nsamples": np.full((count, *axes), 768, np.float32),
            }  # fmt: skip
            for name, column in columns.items():
                column.resize(count * (step + 1), axis=0)
                column[count * step :] = values[name]


def main(directory: str | None = None) -> None:
    """Make the file, read it three times by each in a process of its own, print the best of each."""
    with tempfile.TemporaryDirectory(dir=directory) as place:
        path = Path(place) / "2026-01-25T22:26:05_sb00.hdf5"
        make(path)
        print(f"{path.stat().st_size / 1e6:.0f} MB, {resource.getpagesize()} byte pages, cached")
        print(f"{'':24s}{'wall s':>8s}{'CPU s':>8s}{'peak GB':>9s}")
        for name, code in WORK.items():
            lines = code.split("\n")
            imports = [line for line in lines if line.startswith(("import", "from", "warnings"))]
            work = ["    " + line for line in lines if line not in imports]
            script = RUN.format(imports="\n".join(imports), work="\n".join(work))
            time.sleep(0.1)
            done = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True)
            wall, cpu, peak = map(float, done.stdout.split())
            print(f"{name:24s}{wall:8.3f}{cpu:8.3f}{peak:9.2f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
