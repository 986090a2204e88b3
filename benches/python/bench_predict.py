"""Exact prediction of 100 sources, and a simulated group of full size.

Run ``python benches/python/bench_predict.py [directory]``. The prediction is timed on one subband of a full-size group
(96 antennas, 24 integrations, 48 channels: 5.25 M Stokes-I cross-correlations) and scaled to sixteen; the peer is
numpy: the same sum factored into antennas, one complex matrix product a channel (BLAS), phases in f64. With a
directory, a whole group of 2.3 GB is simulated there. Prints CPU seconds.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from pathlib import Path

import numpy as np

from dsa110_contimg import _core
from dsa110_contimg.simulation import Source, random_sky, simulate_group

C = 299_792_458.0
START = 61_065.935 * 86_400
DEC = np.radians(16.15)
SOURCES = 100
CHANNELS = 48


def _layout() -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray, np.ndarray]:
    table = _core.array.antennas(None)
    active = np.asarray(table["active"], dtype=bool)
    itrf = np.ascontiguousarray(np.asarray(table["itrf_m"])[active])
    times = START + 12.8849 * np.arange(24)
    ra, dec = _core.coords.meridian_icrs(times, DEC)
    uvw_ta = _core.coords.antenna_uvw(times, itrf, ra, dec)
    i, j = np.triu_indices(len(itrf), 1)
    n = len(i)
    rows = {
        "time_mjd_s": np.repeat(times, n),
        "interval_s": np.full(24 * n, 12.8849),
        "antenna1": np.tile(i, 24).astype(np.uint32),
        "antenna2": np.tile(j, 24).astype(np.uint32),
        "field": np.repeat(np.arange(24, dtype=np.uint32), n),
        "uvw_m": np.ascontiguousarray((uvw_ta[:, i] - uvw_ta[:, j]).reshape(-1, 3)),
    }
    return rows, np.stack([ra, dec], axis=1), uvw_ta, times


def _numpy(
    sources: list[Source], fields: np.ndarray, uvw_ta: np.ndarray, times: np.ndarray, freq: np.ndarray
) -> np.ndarray:
    n_ant = uvw_ta.shape[1]
    i, j = np.triu_indices(n_ant, 1)
    ra, dec = np.radians([s.ra_deg for s in sources]), np.radians([s.dec_deg for s in sources])
    out = np.empty((len(times), len(i), len(freq)), np.complex64)
    for t, time_s in enumerate(times):
        lmn = _core.coords.apparent_lmn(float(time_s), (fields[t, 0], fields[t, 1]), ra, dec)
        path = uvw_ta[t] @ lmn.T
        theta = np.arcsin(np.hypot(lmn[:, 0], lmn[:, 1]))
        for f, hz in enumerate(freq):
            flux = np.array([s.flux_jy * (hz / 1.4e9) ** s.alpha for s in sources])
            flux *= _core.beam.airy_power(theta, hz)
            phasor = np.exp(2j * np.pi * hz / C * path).astype(np.complex64)
            out[t, :, f] = ((phasor * flux.astype(np.float32)) @ phasor.conj().T)[i, j]
    return out.reshape(-1, len(freq))


def main(directory: str | None = None) -> None:
    """Print the table."""
    rows, fields, uvw_ta, times = _layout()
    ra, dec = np.degrees(fields[12])
    sources = random_sky(count=SOURCES, ra_deg=ra, dec_deg=dec, radius_deg=2.0, seed=1)
    text = json.dumps([s.as_dict() for s in sources])
    freq = 1.4e9 + 244_140.625 * np.arange(CHANNELS)
    width = np.full(CHANNELS, 244_140.625)
    results: dict[str, np.ndarray] = {}

    def clock(name: str, work: object) -> None:
        start, wall = time.process_time(), time.perf_counter()
        results[name] = work()  # type: ignore[operator]
        cpu, wall = time.process_time() - start, time.perf_counter() - wall
        rate = results[name].size * SOURCES / cpu / 1e9
        print(f"{name:32s} {cpu:8.2f} CPU s {wall:8.2f} s wall   full tile {16 * cpu:7.1f} CPU s   {rate:6.2f} Gvis/s")

    print(f"{SOURCES} sources, {rows['time_mjd_s'].size * CHANNELS / 1e6:.2f} M visibilities")

    def predict(smear: bool) -> np.ndarray:
        return _core.predict.rows(text, rows, freq, width, fields, dec_deg=16.15, smear=smear)

    clock("ours, centre samples", lambda: predict(False))
    clock("ours, smeared to 1e-4", lambda: predict(True))
    clock("numpy, centre samples", lambda: _numpy(sources, fields, uvw_ta, times, freq))
    a, b = results["ours, centre samples"], results["numpy, centre samples"]
    print(f"largest difference {np.abs(a - b).max() / np.abs(b).max():.1e} of the peak")
    if directory is not None:
        out = Path(directory) / "bench_predict_group"
        start, wall = time.process_time(), time.perf_counter()
        simulate_group(out, sources=sources, gains=True, sefd_jy=6500.0, replace=True)
        print(f"whole group: {time.process_time() - start:.1f} CPU s, {time.perf_counter() - wall:.1f} s wall")
        shutil.rmtree(out)


if __name__ == "__main__":
    main(*sys.argv[1:2])
