"""Noise is not fitted away: what CLEAN and the fits of sources leave is as noisy as the weights say, however few the data."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from dsa110_contimg import _core, imaging
from dsa110_contimg.simulation import random_sky, simulate_group
from dsa110_contimg.simulation.group import choose_stations

DEC = 33.0


def simulated(root: Path, *, count: int, seed: int, **more: Any) -> str:
    """Thirty antennas, six integrations, 64 channels: the benchmark's small tile, with `count` sources within half a degree."""
    centre = _core.coords.meridian_icrs(np.array([61065.934 * 86400.0]), math.radians(DEC))
    ra, dec = (math.degrees(float(v[0])) for v in centre)
    sources = random_sky(count=count, ra_deg=ra, dec_deg=dec, radius_deg=0.5, seed=1) if count else []
    options: dict[str, Any] = {"sefd_jy": 6500.0, "channels": 4, **more}
    group = simulate_group(
        root / "in",
        dec_deg=DEC,
        stations=choose_stations(30),
        integrations=6,
        sources=sources,
        gains=False,
        seed=seed,
        **options,
    )
    _core.ms.convert(group.files, str(root / "a.ms"))
    return str(root / "a.ms")


def made(ms: str, name: Path, **options: Any) -> dict[str, Any]:
    asked: dict[str, Any] = {"imsize": 768, "cell_arcsec": 4.0, "datacolumn": "data", **options}
    return imaging.image(ms, name, products=["model", "residual"], **asked)


@pytest.mark.parametrize("seed", [1, 2])
def test_noise_alone_gives_an_empty_model(tmp_path: Path, seed: int) -> None:
    report = made(simulated(tmp_path, count=0, seed=seed), tmp_path / "a")
    model = fits.getdata(report["products"]["model"])
    # Seeds of five sigma in 3500 beams: one in 500 runs has a component. Fits of sources have none.
    assert not np.any(model)
    assert not report["bright"]
    assert not report["surroundings"]
    # 3500 beams (1.2 %), of which the weights make some fewer: four of those.
    assert report["rms_jy"] == pytest.approx(report["expected_rms_jy"], rel=0.06)


@pytest.mark.parametrize("weighting", ["natural", "briggs", "uniform"])
def test_sources_take_no_noise_with_them(tmp_path: Path, weighting: str) -> None:
    report = made(simulated(tmp_path, count=20, seed=1), tmp_path / "a", weighting=weighting)
    residual = np.squeeze(fits.getdata(report["products"]["residual"]))
    # What 20 sources' own pixels take (1 %) and the scatter of the rms; above by what is left of sources of 1000 sigma.
    assert 0.93 < report["rms_jy"] / report["expected_rms_jy"] < 1.15
    assert residual.std() > 0.93 * report["expected_rms_jy"]


def test_scales_take_no_noise_with_them(tmp_path: Path) -> None:
    report = made(simulated(tmp_path, count=20, seed=1), tmp_path / "a", multiscale=True)
    assert 0.93 < report["rms_jy"] / report["expected_rms_jy"] < 1.15


@pytest.mark.parametrize(("factor", "sefd"), [(0.01, 6500.0), (1.0, 300.0), (1.0, 1e6)])
def test_an_expected_noise_that_cannot_be_is_replaced(
    tmp_path: Path, factor: float, sefd: float, caplog: pytest.LogCaptureFixture
) -> None:
    """Data in units of the correlator, or an SEFD of another array: thresholds count from the visibilities' own scatter."""
    report = made(simulated(tmp_path, count=20, seed=1, units_per_jy=factor), tmp_path / "a", sefd_jy=sefd)
    truth = factor * report["expected_rms_jy"] * 6500.0 / sefd
    # Channels of 3 MHz keep some of the sky in their differences.
    assert report["noise_used_jy"] == pytest.approx(truth, rel=0.1)
    assert "scatter of" in caplog.text
    assert 0.93 < report["rms_jy"] / truth < 1.15
    assert np.any(fits.getdata(report["products"]["model"]))
