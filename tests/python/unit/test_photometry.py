"""Forced photometry on images made with astropy, and the original's calls."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from dsa110_contimg._core import photometry as core
from dsa110_contimg.photometry import cli, forced

CELL = 3.0 / 3600.0
BEAM = (21.0 / 3600.0, 15.0 / 3600.0, 25.0)


def wcs_of(image: Path) -> WCS:
    header = fits.getheader(image)
    # astropy warns when it derives MJD-OBS.
    del header["DATE-OBS"]
    return WCS(header)


def make_image(
    path: Path, sources: list[tuple[float, float, float]], *, n: int = 240, noise: float = 0.0, ra: float = 0.02
) -> Path:
    """An image with Gaussian sources (ra, dec, flux), placed by astropy's WCS; beam at PA 25 degrees (N to E)."""
    header = fits.Header()
    for axis, (kind, value, step) in enumerate([("RA---SIN", ra, -CELL), ("DEC--SIN", 54.0, CELL)], start=1):
        header[f"CTYPE{axis}"], header[f"CRVAL{axis}"], header[f"CDELT{axis}"] = kind, value, step
        header[f"CRPIX{axis}"], header[f"CUNIT{axis}"] = n / 2 + 1, "deg"
    header["BMAJ"], header["BMIN"], header["BPA"] = BEAM
    wcs = WCS(header)
    header["BUNIT"], header["DATE-OBS"] = "JY/BEAM", "2026-01-25T22:26:05.000"
    y, x = np.mgrid[:n, :n]
    data = np.random.default_rng(5).normal(0, noise, (n, n)) if noise else np.zeros((n, n))
    pa, k = math.radians(BEAM[2]), 4 * math.log(2)
    for ra_deg, dec_deg, flux in sources:
        px, py = wcs.all_world2pix(ra_deg, dec_deg, 0)
        east, north = -(x - px) * CELL, (y - py) * CELL
        along, across = east * math.sin(pa) + north * math.cos(pa), east * math.cos(pa) - north * math.sin(pa)
        data += flux * np.exp(-k * ((along / BEAM[0]) ** 2 + (across / BEAM[1]) ** 2))
    fits.writeto(path, data.astype(np.float32), header)
    return path


def test_fluxes_positions_and_angle_agree_with_astropy(tmp_path: Path) -> None:
    # Either side of RA 0 h.
    sources = [(0.06, 54.03, 1.5), (359.97, 53.95, -0.4), (359.95, 54.05, 0.02)]
    image = make_image(tmp_path / "a.fits", sources)
    for (ra, dec, flux), got in zip(sources, forced.measure_many(image, [s[:2] for s in sources]), strict=True):
        # Single-precision pixels, and the wings of the 1.5 Jy source at 40 beam widths.
        assert got.peak_jyb == pytest.approx(flux, abs=1e-6)
        assert got.flags == 0
        assert got.dof == 23 * 23 - 1
        x, y = wcs_of(image).all_world2pix(ra, dec, 0)
        assert (got.pix_x, got.pix_y) == pytest.approx((float(x), float(y)), abs=1e-4)


def test_missing_files_and_far_positions_give_nan(tmp_path: Path) -> None:
    image = make_image(tmp_path / "a.fits", [])
    for got in (
        forced.measure_forced_peak(image, 180.0, -54.0),
        forced.measure_forced_peak(tmp_path / "no.fits", 0.0, 54.0),
    ):
        assert math.isnan(got.peak_jyb)
        assert math.isnan(got.peak_err_jyb)
        assert got.flags & core.OUTSIDE


def test_blends_need_the_joint_fit(tmp_path: Path) -> None:
    sources = [(0.02, 54.0, 1.0), (0.02, 54.0 + 18 / 3600, 0.3)]
    image = make_image(tmp_path / "a.fits", sources)
    alone = forced.measure_many(image, [s[:2] for s in sources])
    joint = forced.measure_many(image, [s[:2] for s in sources], use_cluster_fitting=True)
    assert abs(alone[1].peak_jyb - 0.3) > 0.1
    assert [r.peak_jyb for r in joint] == pytest.approx([1.0, 0.3], abs=1e-5)
    assert joint[0].cluster_id == joint[1].cluster_id == 0
    assert alone[0].cluster_id is None


def test_injected_sources_come_back(tmp_path: Path) -> None:
    image = make_image(tmp_path / "a.fits", [], noise=1e-3)
    out = forced.inject_source(image, 359.98, 54.02, 0.05, output_path=tmp_path / "b.fits")
    before, after = (forced.measure_forced_peak(p, 359.98, 54.02) for p in (image, out))
    assert after.peak_jyb - before.peak_jyb == pytest.approx(0.05, abs=1e-6)
    # The error is the noise per pixel: 600 pixels of the ring give 3 %, the clip takes 1.3 %.
    assert after.peak_err_jyb == pytest.approx(1e-3, rel=0.1)


def test_an_image_without_a_beam_gives_the_peak_of_a_box(tmp_path: Path) -> None:
    image = make_image(tmp_path / "a.fits", [(0.02, 54.0, 1.0)])
    with fits.open(image, mode="update") as hdus:
        del hdus[0].header["BMAJ"]
    got = forced.measure_forced_peak(image, 0.02, 54.0)
    assert got.flags & core.PEAK_IN_BOX
    assert got.peak_jyb == pytest.approx(1.0, abs=1e-6)


def test_blank_sky_scales_the_errors_of_correlated_noise(tmp_path: Path) -> None:
    ndimage = pytest.importorskip("scipy.ndimage")
    image = make_image(tmp_path / "a.fits", [], n=512, noise=1.0)
    with fits.open(image, mode="update") as hdus:
        # Noise of the beam's own width: smoothing by sigma = FWHM / 2.3548 of the geometric-mean beam.
        smooth = ndimage.gaussian_filter(hdus[0].data, 5.9 / 2.3548, mode="wrap")
        hdus[0].data[:] = smooth / smooth.std()
    rng = np.random.default_rng(1)
    wcs = wcs_of(image)
    ra, dec = wcs.all_pix2world(*rng.uniform(30, 480, (2, 1500)), 0)
    table, about = forced.measure_positions(image, ra, dec, blank_fits=0, cluster_beams=None, mesh_beams=15.0)
    _, sky = forced.measure_positions(image, [0.02], [54.0], blank_fits=4000, cluster_beams=None, mesh_beams=15.0)
    plain = np.std(table["flux_jy"] / table["flux_err_jy"])
    factor = sky["blank_sky"]["error_factor"]
    # About 1500 independent beams: both scatters are good to 3 %.
    assert plain / factor == pytest.approx(1.0, abs=0.1)
    assert factor > 1.2
    assert about["blank_sky"] is None
    assert 2 < sky["blank_sky"]["effective_dof"] < 200


def test_noise_maps_are_those_of_a_plain_median() -> None:
    image = np.random.default_rng(2).normal(0.5, 2.0, (256, 300)).astype(np.float32)
    level, rms = core.background_maps(image, box_px=64, step_px=32)
    # 1024 samples a box: the median is good to 0.08, the MAD to 3.7 %; four of it at the worst of 72 boxes.
    assert np.abs(level - 0.5).max() < 0.33
    assert np.abs(rms / 2.0 - 1).max() < 0.16


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"nbeam": -1.0}, "nbeam"),
        ({"annulus_px": [5.0, 2.0]}, "annulus_px"),
        ({"nbeams": 3}, "nbeam"),
        ({"pb": "none.fits"}, "none.fits"),
    ],
)
def test_bad_options_are_one_clear_error(tmp_path: Path, options: dict[str, object], text: str) -> None:
    image = make_image(tmp_path / "a.fits", [])
    with pytest.raises((ValueError, OSError), match=text):
        forced.measure_positions(image, [0.0], [54.0], **options)


def test_the_originals_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = make_image(tmp_path / "a.fits", [(0.02, 54.0, 1.0), (0.05, 54.02, 0.5)], noise=1e-3)
    assert cli.main(["peak", "--fits", str(image), "--ra", "0.02", "--dec", "54.0"]) == 0
    assert json.loads(capsys.readouterr().out)["peak_jyb"] == pytest.approx(1.0, abs=5e-3)
    assert cli.main(["peak-many", "--fits", str(image), "--coords", "0.02,54;0.05,54.02"]) == 0
    assert len(json.loads(capsys.readouterr().out)["results"]) == 2
    assert cli.main(["peak-many", "--fits", str(image), "--coords", "0.02;54"]) == 1
    assert "--coords" in capsys.readouterr().err
    catalog = tmp_path / "nvss.csv"
    pd.DataFrame({"ra_deg": [0.02, 0.05, 90.0], "dec_deg": [54.0, 54.02, 0.0], "flux_mjy": [1000, 500, 900]}).to_csv(
        catalog
    )
    db = tmp_path / "p.sqlite3"
    assert cli.main(["nvss", "--fits", str(image), "--catalog", str(catalog), "--products-db", str(db)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["recorded"] == 2
    assert found["mjd"] == pytest.approx(61065.93478, abs=1e-4)
