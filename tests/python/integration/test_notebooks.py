"""The notebooks run from top to bottom on a simulated campaign, and are kept without output."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dsa110_contimg.catalog.names import source_name
from dsa110_contimg.database import open_database
from dsa110_contimg.photometry import campaign
from dsa110_contimg.photometry.gains import normalise_field
from dsa110_contimg.photometry.rows import record

ROOT = Path(__file__).parents[3]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def _offsets(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Squared distance of every pixel from every source [degrees^2]."""
    row, col = np.mgrid[0:200, 0:200]
    east, north = -0.002 * (col - 100), 0.002 * (row - 100)
    return (east - x[:, None, None] * np.cos(np.radians(50))) ** 2 + (north - y[:, None, None]) ** 2


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty sources in 28 epochs of two bands; one dips, more at the lower frequency; every fourth image is there."""
    from astropy.io import fits

    folder = tmp_path_factory.mktemp("notebooks")
    header = {"CTYPE1": "RA---SIN", "CRVAL1": 30.0, "CDELT1": -0.002, "CRPIX1": 101.0, "CUNIT1": "deg"}
    header |= {
        "CTYPE2": "DEC--SIN",
        "CRVAL2": 50.0,
        "CDELT2": 0.002,
        "CRPIX2": 101.0,
        "CUNIT2": "deg",
        "BMAJ": 0.01,
        "BMIN": 0.008,
    }
    path = folder / "p.sqlite3"
    db = open_database(path, "products")
    rng = np.random.default_rng(4)
    x, y = rng.uniform(-0.15, 0.15, (2, 30))
    ra, dec = 30 + x, 50 + y
    flux = 0.05 * np.exp(rng.normal(0, 0.5, 30))
    for e in range(28):
        gain = np.exp(0.1 * rng.normal())
        depth = np.exp(-0.5 * ((e - 14) / 3.0) ** 2)
        parts = [flux * gain * (1 + 0.002 * rng.normal(size=30)) for _ in range(2)]
        for part, most in zip(parts, (0.5, 0.35), strict=True):
            part[3] *= 1 - most * depth
        table = pd.DataFrame(
            {"source_id": [source_name(a, b) for a, b in zip(ra, dec, strict=True)], "ra_deg": ra, "dec_deg": dec}
        )
        table = table.assign(flux_jy=0.5 * (parts[0] + parts[1]), flux_err_jy=2e-4, local_rms_jy=2e-4, flags=0)
        table = table.assign(mjd=61000.0 + 3 * e, x_deg=x, y_deg=y, nvss_flux_mjy=1e3 * flux)
        if e % 4 == 2:
            noise = np.random.default_rng(e).normal(0, 5e-4, (200, 200))
            beams = np.exp(-4 * np.log(2) * _offsets(x, y) / 0.009**2)
            image = noise + np.tensordot(0.5 * (parts[0] + parts[1]), beams, 1)
            fits.writeto(folder / f"image{e:02d}.fits", image.astype(np.float32), fits.Header(header))
        bands = [
            {"path": f"b{k}", "freq_hz": f, "bandwidth_hz": 9e7, "noise_jy": 3e-4, "beam_deg": None}
            | {"flux_jy": parts[k], "flux_err_jy": np.full(30, 3e-4)}
            for k, f in enumerate((1.36e9, 1.45e9))
        ]
        record(db, str(folder / f"image{e:02d}.fits"), table, {"bands": bands})
    normalise_field(db)
    campaign.vary_and_nominate(db)
    return path


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_it_runs_and_is_kept_without_output(path: Path, database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    notebook = nbformat.read(path, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(not cell.outputs and cell.execution_count is None for cell in code)
    assert len(notebook.cells) <= 25
    monkeypatch.setenv("CONTIMG_NOTEBOOK_DB", str(database))
    # The kernel finds the package that is tested, wherever that is.
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT / "python"), os.environ.get("PYTHONPATH", "")]))
    client = nbclient.NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(database.parent)}}
    )
    client.execute()
    assert all(cell.execution_count for cell in code)


def test_there_are_notebooks() -> None:
    assert len(NOTEBOOKS) >= 2
