"""Forced fits, noise maps and light-curve statistics side by side with numpy, photutils: CPU seconds of one run."""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from astropy.io import fits

from dsa110_contimg._core import ese, photometry, variability


def cpu(work: Callable[[], object], repeat: int = 3) -> tuple[float, float]:
    """Best CPU and wall seconds of a few runs."""
    best = (float("inf"), float("inf"))
    for _ in range(repeat):
        before, wall = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
        work()
        after = resource.getrusage(resource.RUSAGE_SELF)
        spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        best = min(best, (spent, time.perf_counter() - wall))
    return best


def numpy_fits(image: np.ndarray, x: np.ndarray, y: np.ndarray, fwhm: tuple[float, float], half: int) -> np.ndarray:
    """The same fit, all sources at once."""
    offset = np.arange(-half, half + 1)
    x0, y0 = np.rint(x).astype(int), np.rint(y).astype(int)
    stamps = image[(y0[:, None] + offset)[:, :, None], (x0[:, None] + offset)[:, None, :]]
    k = 4 * np.log(2)
    kx = np.exp(-k * ((x0[:, None] + offset - x[:, None]) / fwhm[1]) ** 2)
    ky = np.exp(-k * ((y0[:, None] + offset - y[:, None]) / fwhm[0]) ** 2)
    kernel = ky[:, :, None] * kx[:, None, :]
    flux = (stamps * kernel).sum((1, 2)) / (kernel**2).sum((1, 2))
    ((stamps - flux[:, None, None] * kernel) ** 2).sum((1, 2))
    return flux


def photutils_fits(image: np.ndarray, x: np.ndarray, y: np.ndarray, fwhm: tuple[float, float], side: int) -> None:
    """PSF photometry at fixed positions by photutils."""
    from astropy.modeling.fitting import LevMarLSQFitter
    from astropy.table import Table
    from photutils.psf import GaussianPSF, PSFPhotometry

    model = GaussianPSF(x_fwhm=fwhm[1], y_fwhm=fwhm[0], theta=0.0)
    for name in ("x_0", "y_0", "x_fwhm", "y_fwhm", "theta"):
        getattr(model, name).fixed = True
    fitter = PSFPhotometry(model, fit_shape=side, aperture_radius=4.0, fitter=LevMarLSQFitter())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # In the noise's own units: its fitter does not settle on numbers far from one.
        fitter(image.astype(float) / 1e-3, init_params=Table({"x": x, "y": y, "flux": np.ones(len(x))}))


def most_variable(rng: np.random.Generator, sources: int, epochs: int) -> None:
    """Structure function, Gaussian process and lens bank of sources that all have a deep dip: the dearest case."""
    mjd = np.arange(float(epochs))
    edges = np.geomspace(1.0, 60.0, 12)
    for _ in range(sources):
        dip = 1 - 0.3 * np.exp(-0.5 * ((mjd - rng.uniform(0.2, 0.8) * epochs) / 8) ** 2)
        flux, err = dip + 0.02 * rng.normal(size=epochs), np.full(epochs, 0.02)
        variability.structure_function(mjd, flux, err, edges)
        variability.gaussian_process(mjd, flux, err)
        ese.judge_bands([0, 1], [1.4e9], [0, epochs], (mjd, flux, err))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=4096)
    parser.add_argument("--sources", type=int, default=10000)
    options = parser.parse_args()
    n, rng = options.size, np.random.default_rng(1)
    image = rng.normal(0, 1e-3, (n, n)).astype(np.float32)
    x, y = rng.uniform(40, n - 40, (2, options.sources))
    rows = []
    pixels = np.ascontiguousarray(np.stack([x, y], axis=1))
    beam = (6.0, 4.0, 0.0)
    rows.append(("forced fits, numpy vectorised", *cpu(lambda: numpy_fits(image, x, y, beam[:2], 9))))
    rows.append(
        ("forced fits, ours (constant noise)", *cpu(lambda: photometry.measure_pixels(image, pixels, beam, noise=1e-3)))
    )
    rows.append(("forced fits with ring noise, ours", *cpu(lambda: photometry.measure_pixels(image, pixels, beam))))
    ours, theirs = photometry.measure_pixels(image, pixels, beam, noise=1e-3)[0], numpy_fits(image, x, y, beam[:2], 9)
    assert np.allclose(ours, theirs, atol=1e-8)
    rows.append(("noise and background maps, ours", *cpu(lambda: photometry.background_maps(image))))
    try:
        from photutils.background import Background2D, MADStdBackgroundRMS, MedianBackground

        estimators = {"bkg_estimator": MedianBackground(), "bkg_rms_estimator": MADStdBackgroundRMS()}
        rows.append(
            (
                "noise and background maps, photutils",
                *cpu(lambda: Background2D(image, 128, **estimators).background_rms, 1),
            )
        )
    except ImportError:
        pass
    try:
        spent = cpu(lambda: photutils_fits(image, x, y, beam[:2], 19), 1)
        rows.append(("forced fits, photutils PSF photometry", *spent))
    except ImportError:
        pass
    rows.append(("structure function, process, lens: 1000 dips x 100", *cpu(lambda: most_variable(rng, 1000, 100), 1)))
    sources, epochs = 100_000, 100
    flux = rng.normal(1.0, 0.1, sources * epochs)
    err, mjd = np.full(sources * epochs, 0.1), np.tile(np.arange(float(epochs)), sources)
    offsets = list(range(0, sources * epochs + 1, epochs))
    rows.append(
        ("all closed-form statistics, 1e5 x 100, ours", *cpu(lambda: variability.summarise(offsets, mjd, flux, err)))
    )

    def plain() -> None:
        f, w = flux.reshape(sources, epochs), 1 / err.reshape(sources, epochs) ** 2
        mean = (w * f).mean(1) / w.mean(1)
        (w * (f - mean[:, None]) ** 2).sum(1)
        f.std(1, ddof=1) / f.mean(1)
        (w * (f - f.mean(1)[:, None]) ** 2).sum(1)

    rows.append(("V, eta, chi2 only, numpy", *cpu(plain)))
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "i.fits"
        header = fits.Header({"CTYPE1": "RA---SIN", "CTYPE2": "DEC--SIN", "CRVAL1": 10.0, "CRVAL2": 54.0})
        header.update({"CRPIX1": n // 2 + 1, "CRPIX2": n // 2 + 1, "CDELT1": -1 / 1200, "CDELT2": 1 / 1200})
        header.update({"BMAJ": 6 / 1200, "BMIN": 4 / 1200, "BPA": 0.0})
        fits.writeto(path, image, header)
        dec, ra = rng.uniform(52.5, 55.5, (1, options.sources))[0], rng.uniform(8, 12, options.sources)
        rows.append(
            (
                "file to fluxes: read, noise map, fits",
                *cpu(lambda: photometry.measure_image(path, ra, dec, options={"mesh_beams": 20.0}), 1),
            )
        )
    print(f"{n}^2 pixels, {options.sources} sources, beam 6 x 4 pixels")
    for name, spent, wall in rows:
        print(f"{name:52s} CPU {spent:8.3f} s   wall {wall:8.3f} s")


if __name__ == "__main__":
    main()
