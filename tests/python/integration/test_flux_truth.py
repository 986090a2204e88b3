"""Fluxes of cleaned and of fitted sources are what was put in: on pixels and off, bright and faint, to the edge of the beam."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dsa110_contimg import _core, imaging
from dsa110_contimg.photometry.forced import measure_positions
from dsa110_contimg.simulation.group import choose_stations, simulate_group
from dsa110_contimg.simulation.models import Source

SEFD = 300.0
CELL = 5.0
#: Intrinsic fluxes: 12 to 300 times the noise of the image. The brightest of them would be fitted by default.
FLUXES = (0.06, 0.15, 0.4, 1.0)


def sky(dec_deg: float) -> list[Source]:
    """Sources on rings: near the centre, half-way, and at a beam of 0.3; some on pixels, most between them."""
    ra, dec = _core.coords.meridian_icrs(np.array([61065.934 * 86400.0 + 90.0]), math.radians(dec_deg))
    ra0, dec0 = math.degrees(ra[0]), math.degrees(dec[0])
    rng = np.random.default_rng(17)
    found = []
    for ring, radius_deg in enumerate((0.25, 0.8, 1.3)):
        for k, flux in enumerate(FLUXES):
            angle = 0.5 * math.pi * k + 0.4 * ring + float(rng.uniform(-0.2, 0.2))
            x, y = radius_deg * math.sin(angle), radius_deg * math.cos(angle)
            found.append(
                Source(f"r{ring}f{k}", ra0 + x / math.cos(math.radians(dec0)), dec0 + y, flux * (1 + ring), alpha=-0.7)
            )
    return found


@pytest.fixture(scope="module")
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, list[Source], Path]:
    root = tmp_path_factory.mktemp("truth")
    sources = sky(request.param)
    group = simulate_group(
        root / "incoming",
        dec_deg=request.param,
        stations=choose_stations(48),
        integrations=4,
        channels=6,
        sources=sources,
        gains=False,
        sefd_jy=SEFD,
        dead=(),
        seed=29,
    )
    ms = str(root / "group.ms")
    _core.ms.convert(group.files, ms)
    return ms, sources, root


@pytest.mark.parametrize(
    ("made", "bright_sigma"),
    [(16.15, 0.0), (16.15, 200.0), (33.0, 200.0)],
    indirect=["made"],
    ids=["cleaned", "fitted", "fitted-33"],
)
def test_fluxes_are_those_of_the_sky(made: tuple[str, list[Source], Path], bright_sigma: float) -> None:
    ms, sources, root = made
    options: dict[str, Any] = {
        "datacolumn": "data",
        "imsize": 2048,
        "cell_arcsec": CELL,
        "sefd_jy": SEFD,
        "bright_sigma": bright_sigma,
        "outliers": False,
        "products": ["restored", "pbcor"],
    }
    report = imaging.image(ms, root / f"t{bright_sigma}", **options)
    ra, dec = [s.ra_deg for s in sources], [s.dec_deg for s in sources]
    # pbcor holds the beam and the correlator's averaging: 3 MHz channels here lose several per cent at the edge.
    table, _ = measure_positions(report["products"]["pbcor"], ra, dec)
    flux, error = table["flux_jy"].to_numpy(), table["flux_err_jy"].to_numpy()
    truth = np.array([s.flux_jy * (report["freq_hz"] / 1.4e9) ** s.alpha for s in sources])
    assert np.isfinite(flux).all()
    pull = (flux / truth - 1.0) / np.hypot(error / truth, 0.01)
    # Each within the per cent and four sigma; all together unbiased within a per cent and three sigma of their mean.
    assert np.abs(pull).max() < 4.0, list(zip(flux / truth, error / truth, strict=True))
    weight = (truth / error) ** 2
    mean = float(np.sum((flux / truth - 1.0) * weight) / weight.sum())
    assert abs(mean) < 0.01 + 3.0 / math.sqrt(weight.sum())
    faint = truth < 0.5
    assert abs(float(np.median((flux / truth)[faint])) - 1.0) < 0.01 + 3.0 * float(np.median((error / truth)[faint]))
    if bright_sigma:
        assert report["bright"]
        assert report["rms_jy"] < 1.3 * report["expected_rms_jy"]
