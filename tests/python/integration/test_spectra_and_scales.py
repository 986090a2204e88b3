"""Spectra and extended sources through the imager: alpha right within its error, residuals at the noise, flux recovered."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from dsa110_contimg import _core, imaging
from dsa110_contimg.simulation.group import choose_stations, simulate_group
from dsa110_contimg.simulation.models import Source

CELL = 8.0
SIZE = 480
SEFD = 3000.0
#: East and north [degrees], flux at 1.4 GHz, spectral index, width [arcsec].
SKY = {
    "steep": (0.15, 0.12, 1.0, -2.0, 0.0),
    "inverted": (-0.2, -0.05, 0.6, 2.0, 0.0),
    "wide": (0.08, -0.25, 0.25, 0.0, 150.0),
}


def simulated(root: Path, *names: str) -> tuple[str, dict[str, Source]]:
    ra, dec = _core.coords.meridian_icrs(np.array([61065.934 * 86400.0 + 90.0]), math.radians(16.15))
    ra0, dec0 = math.degrees(ra[0]), math.degrees(dec[0])
    east = 1.0 / math.cos(math.radians(dec0))
    sources = {
        name: Source(name, ra0 + x * east, dec0 + y, flux, alpha=alpha, major_arcsec=width, minor_arcsec=width)
        for name, (x, y, flux, alpha, width) in SKY.items()
        if name in names
    }
    group = simulate_group(
        root / "incoming",
        dec_deg=16.15,
        stations=choose_stations(40),
        integrations=4,
        channels=4,
        sources=list(sources.values()),
        gains=False,
        sefd_jy=SEFD,
        beam="none",
        dead=(),
        seed=4,
    )
    ms = str(root / "group.ms")
    _core.ms.convert(group.files, ms)
    return ms, sources


def image(ms: str, name: Path, **options: Any) -> dict[str, Any]:
    return imaging.image(
        ms,
        name,
        datacolumn="data",
        imsize=SIZE,
        cell_arcsec=CELL,
        sefd_jy=SEFD,
        bright_sigma=0.0,
        outliers=False,
        # Fringes of five pixels and more.
        uvrange=[0, 5000],
        **options,
    )


def about(path: str, source: Source, half: int) -> tuple[np.ndarray, float, float]:
    with fits.open(path) as hdus:
        data = np.squeeze(hdus[0].data)
        x, y = (float(v) for v in WCS(hdus[0].header).celestial.all_world2pix(source.ra_deg, source.dec_deg, 0))
    i, j = round(y), round(x)
    return data[i - half : i + half + 1, j - half : j + half + 1], x - j, y - i


@pytest.fixture(scope="module")
def points(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Source], Path]:
    root = tmp_path_factory.mktemp("points")
    return *simulated(root, "steep", "inverted"), root


def test_the_spectral_index_is_right_within_its_error(points: tuple[str, dict[str, Source], Path]) -> None:
    ms, sources, root = points
    report = image(ms, root / "terms", nterms=3)
    assert report["outcome"] == "threshold", report["cycles"]
    assert [t["number"] for t in report["terms"]] == [1, 2]
    for source in sources.values():
        box, _, _ = about(report["products"]["restored"], source, 2)
        at = np.unravel_index(np.argmax(box), box.shape)
        alpha = about(report["products"]["alpha"], source, 2)[0][at]
        error = about(report["products"]["alpha_error"], source, 2)[0][at]
        assert 0.0 < error < 0.3
        # Three of its own standard deviations, and what a source between pixels leaves (2 %).
        assert abs(alpha - source.alpha) < 3 * error + 0.04, (source.name, alpha, error)
        # The image is that at the reference frequency, mid band.
        flux = source.flux_jy * (report["freq_hz"] / 1.4e9) ** source.alpha
        # On pixels of a seventh of the beam the brightest is low by up to 1.5 %.
        assert box.max() == pytest.approx(flux, abs=0.02 * flux + 4 * report["rms_jy"])
    residual = np.squeeze(fits.getdata(report["products"]["residual"]))
    # 230,000 pixels hold some 5000 beams: 1 % of scatter, and the sources' own remains at three sigma.
    assert report["rms_jy"] < 1.06 * report["expected_rms_jy"]
    assert np.abs(residual).max() < 6 * report["expected_rms_jy"]
    assert np.isnan(np.squeeze(fits.getdata(report["products"]["alpha"]))[SIZE // 2, 20])


def test_one_term_leaves_what_terms_take_away(points: tuple[str, dict[str, Source], Path]) -> None:
    ms, _, root = points
    flat = image(ms, root / "flat")
    terms = image(ms, root / "two", nterms=2)
    assert "alpha" not in flat["products"]
    assert flat["terms"] == []
    # Spectra of -2 and 2 over 13 % of bandwidth leave sidelobes of per cents of a Jy's: more model, more cycles, more noise.
    assert terms["rms_jy"] < 0.97 * flat["rms_jy"]


def test_a_faint_gaussian_is_recovered_by_scales_only(tmp_path: Path) -> None:
    ms, sources = simulated(tmp_path, "wide")
    wide = sources["wide"]
    many = image(ms, tmp_path / "many", multiscale=True)
    single = image(ms, tmp_path / "single")
    half = int(2 * 150 / CELL)
    model = {k: about(r["products"]["model"], wide, half)[0] for k, r in (("many", many), ("single", single))}
    yy, xx = np.mgrid[-half : half + 1, -half : half + 1] * CELL
    truth = np.exp(-4 * math.log(2) * (xx**2 + yy**2) / 150.0**2)
    truth *= 0.25 / truth.sum()
    error = {k: float(np.linalg.norm(m - truth) / np.linalg.norm(truth)) for k, m in model.items()}
    # Widths of the scales are a factor 1.4 from the source's. Points are spikes.
    assert error["many"] < 0.3, error
    assert error["single"] > 5 * error["many"], error
    # Five per cent, and thermal noise of its flux (1.5 %).
    assert abs(float(model["many"].sum()) / 0.25 - 1) < 0.065
    # The residual is thermal with scales; points leave the source in it.
    assert many["rms_jy"] < 1.03 * many["expected_rms_jy"]
    left = {k: about(r["products"]["residual"], wide, half)[0].sum() for k, r in (("many", many), ("single", single))}
    assert abs(left["many"]) < 0.1 * left["single"]


def test_stokes_parameters_need_their_products(points: tuple[str, dict[str, Source], Path]) -> None:
    ms, _, root = points
    with pytest.raises(ValueError, match="XY and YX"):
        image(ms, root / "v", pol="V", niter=0)
    with pytest.raises(ValueError, match="pol"):
        image(ms, root / "w", pol="W", niter=0)
    report = image(ms, root / "q", pol="Q", niter=0)
    with fits.open(report["products"]["dirty"]) as hdus:
        assert hdus[0].header["CRVAL4"] == 2.0
        # Unpolarised sources of a Jy: only noise, that of Stokes I.
        assert np.abs(hdus[0].data).max() < 6 * report["expected_rms_jy"]
    with pytest.raises(ValueError, match="nterms"):
        image(ms, root / "n", nterms=4)
    with pytest.raises(ValueError, match="scales"):
        image(ms, root / "n", multiscale=True, scales=[0, 1000])
