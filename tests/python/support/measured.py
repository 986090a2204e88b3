"""A small campaign in a products database: measured, normalised and judged."""

from __future__ import annotations

import resource
import signal
from pathlib import Path

import numpy as np
import pandas as pd

from dsa110_contimg.database import open_database
from dsa110_contimg.photometry import campaign
from dsa110_contimg.photometry.rows import record

SOURCES, EPOCHS = 40, 24


def everything(path: str | Path) -> None:
    """Record, normalise and judge epoch after epoch."""
    db = open_database(path, "products")
    for e in range(EPOCHS):
        rng = np.random.default_rng(e)
        flux = 0.05 * np.linspace(1, 3, SOURCES) * np.exp(0.1 * rng.normal())
        # A dip that goes as the wavelength squared.
        parts = [flux.copy(), flux.copy()]
        for part, depth in zip(parts, (0.55, 0.45), strict=True):
            part[3] *= 1 - depth * np.exp(-0.5 * ((e - 12) / 3) ** 2)
        flux[3] = 0.5 * (parts[0][3] + parts[1][3])
        table = pd.DataFrame({"source_id": [f"S{i:02d}" for i in range(SOURCES)], "flux_jy": flux})
        table = table.assign(ra_deg=10.0 + np.arange(SOURCES) * 0.01, dec_deg=54.0, flux_err_jy=2e-4, mjd=61000.0 + e)
        table = table.assign(flags=0, local_rms_jy=2e-4, nvss_flux_mjy=1e3 * flux, x_deg=0.0, y_deg=0.0)
        bands = [
            {"path": f"b{k}", "freq_hz": 1.3e9 + 1e8 * k, "bandwidth_hz": 1e8, "noise_jy": 1e-4, "beam_deg": None}
            | {"flux_jy": parts[k], "flux_err_jy": np.full(SOURCES, 3e-4)}
            for k in range(2)
        ]
        record(db, f"image{e:02d}.fits", table, {"bands": bands})
        if e % 4 == 3:
            campaign.normalise(db)
            campaign.vary_and_nominate(db)


def limited(path: str, largest_file: int) -> None:
    """`everything`, on a disk that is full when a file reaches `largest_file` bytes (0: never)."""
    if largest_file:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))
    everything(path)
