"""Forced fits on an image that WSClean made of visibilities that WSClean predicted: photutils measures the same."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from dsa110_contimg._core import ms as core_ms
from dsa110_contimg._core import photometry as core
from dsa110_contimg.simulation.group import simulate_group

pytestmark = pytest.mark.oracle
SIZE, CELL = 1024, 3.0
NOISE_JY = 4.0


def wsclean(directory: Path, *arguments: str) -> None:
    subprocess.run(
        ["wsclean", "-quiet", "-reorder", "-j", "2", *arguments],
        cwd=directory,
        check=True,
        capture_output=True,
        timeout=300,
    )


def wcs_of(header: fits.Header) -> WCS:
    # astropy warns when it derives MJD-OBS.
    header = header.copy()
    header.remove("DATE-OBS", ignore_missing=True)
    return WCS(header).celestial


@pytest.fixture(scope="module")
def sky(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, np.ndarray]:
    """An image with noise of a grid of sources on whole pixels, a beam or more apart; rows of ra, dec, flux."""
    if shutil.which("wsclean") is None:
        pytest.skip("needs WSClean")
    tables = pytest.importorskip("casacore.tables")
    where = tmp_path_factory.mktemp("wsclean")
    stations = list(range(1, 100, 4))
    group = simulate_group(
        where / "uvh5",
        dec_deg=54.6,
        stations=stations,
        integrations=1,
        channels=2,
        beam="none",
        smear=False,
        sefd_jy=1.0,
    )
    core_ms.convert(list(group.files), where / "a.ms", overwrite=True)
    grid = ("-size", str(SIZE), str(SIZE), "-scale", f"{CELL}asec", "-no-update-model-required")
    wsclean(where, "-name", "empty", *grid, "-data-column", "DATA", "a.ms")
    rng = np.random.default_rng(11)
    model = np.zeros((1, 1, SIZE, SIZE), dtype=np.float32)
    lattice = np.arange(100, SIZE - 99, 118)
    x, y = (v.ravel() + rng.integers(-20, 21, v.size) for v in np.meshgrid(lattice, lattice))
    flux = np.exp(rng.uniform(np.log(0.3), np.log(5.0), x.size))
    model[0, 0, y, x] = flux
    header = fits.getheader(where / "empty-image.fits")
    fits.writeto(where / "sky-model.fits", model, header)
    wsclean(where, "-predict", "-name", "sky", "a.ms")
    with tables.table(str(where / "a.ms"), readonly=False, ack=False) as table:
        data = table.getcol("MODEL_DATA")
        noise = rng.normal(size=(2, *data.shape)) * NOISE_JY
        table.putcol("DATA", data + noise[0] + 1j * noise[1])
    clean = ("-niter", "30000", "-mgain", "0.8", "-auto-threshold", "1", "-auto-mask", "5")
    wsclean(where, "-name", "w", *grid, "-weight", "briggs", "0", *clean, "-data-column", "DATA", "a.ms")
    ra, dec = wcs_of(header).all_pix2world(x, y, 0)
    return where / "w-image.fits", np.stack([ra, dec, flux], axis=1)


def test_photutils_gives_the_same_fluxes(sky: tuple[Path, np.ndarray]) -> None:
    psf = pytest.importorskip("photutils.psf")
    from astropy.table import Table

    image, truth = sky
    data, header = fits.getdata(image)[0, 0].astype(float), fits.getheader(image)
    x, y = wcs_of(header).all_world2pix(truth[:30, 0], truth[:30, 1], 0)
    sigma = [header[k] * 3600 / CELL for k in ("BMAJ", "BMIN")]
    # photutils' angle is from +x; the beam's from +y towards -x.
    model = psf.GaussianPSF(x_fwhm=sigma[0], y_fwhm=sigma[1], theta=header["BPA"] + 90.0)
    model.x_fwhm.fixed = model.y_fwhm.fixed = model.theta.fixed = True
    model.x_0.fixed = model.y_0.fixed = True
    half = round(1.5 * sigma[0])
    fitter = psf.PSFPhotometry(model, fit_shape=2 * half + 1, aperture_radius=4.0)
    found = fitter(data, init_params=Table({"x": x, "y": y}))
    peak = found["flux_fit"] * 4 * np.log(2) / np.pi / (sigma[0] * sigma[1])
    ours = core.measure_image(image, truth[:30, 0].copy(), truth[:30, 1].copy(), options={"cluster_beams": None})
    # The same least squares; photutils integrates nothing and rounds its windows as we do.
    assert np.allclose(ours["flux_jy"], peak, rtol=2e-3, atol=1e-3)
