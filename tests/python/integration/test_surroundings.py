"""Sources beyond the image, too faint for a fit: found, taken out, and the noise within is the thermal one."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dsa110_contimg import _core, imaging
from dsa110_contimg.cli import main
from dsa110_contimg.simulation.group import choose_stations, simulate_group
from dsa110_contimg.simulation.models import Source

SEFD = 1500.0
COUNT = 24
OPTIONS: dict[str, Any] = {
    "datacolumn": "data",
    "imsize": 640,
    "cell_arcsec": 7.0,
    "sefd_jy": SEFD,
    "products": ["restored", "model"],
}


def sky() -> list[Source]:
    """A ring between 0.8 and 1.2 degrees, where the beam is 0.75 to 0.5: 10 to 18 times the noise of the image each."""
    ra, dec = _core.coords.meridian_icrs(np.array([61065.934 * 86400.0 + 40.0]), math.radians(33.0))
    ra0, dec0 = math.degrees(ra[0]), math.degrees(dec[0])
    rng = np.random.default_rng(3)
    found = []
    for k in range(COUNT):
        angle, radius = math.tau * (k + rng.uniform(-0.2, 0.2)) / COUNT, rng.uniform(0.8, 1.2)
        x, y = radius * math.sin(angle), radius * math.cos(angle)
        flux = rng.uniform(0.005, 0.008)
        found.append(Source(f"s{k}", ra0 + x / math.cos(math.radians(dec0)), dec0 + y, float(flux), alpha=-0.7))
    return found


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, list[Source], Path]:
    root = tmp_path_factory.mktemp("around")
    sources = sky()
    group = simulate_group(
        root / "in",
        dec_deg=33.0,
        stations=choose_stations(40),
        integrations=6,
        channels=8,
        sources=sources,
        gains=False,
        sefd_jy=SEFD,
        dead=(),
        seed=5,
    )
    _core.ms.convert(group.files, str(root / "a.ms"))
    return str(root / "a.ms"), sources, root


def apart_arcsec(place: dict[str, float], source: Source) -> float:
    ra, dec = math.degrees(place["ra_rad"]), math.degrees(place["dec_rad"])
    return 3600 * math.hypot((ra - source.ra_deg) * math.cos(math.radians(dec)), dec - source.dec_deg)


def test_the_noise_within_is_thermal(data: tuple[str, list[Source], Path]) -> None:
    ms, sources, root = data
    report = imaging.image(ms, root / "with", **OPTIONS)
    without = imaging.image(ms, root / "without", outliers=False, **OPTIONS)
    found = report["surroundings"] + report["bright"]
    near = [min((apart_arcsec(f["position"], s) for f in found), default=math.inf) for s in sources]
    # A beam of some 70 arcsec over twice a signal to noise of 10, and blends of sidelobes: a third of it.
    assert sum(d < 25.0 for d in near) >= 0.8 * COUNT, near
    # 1600 beams: 1.8 %; what is left of each source is under three sigma.
    assert report["rms_jy"] < 1.1 * report["expected_rms_jy"]
    assert without["rms_jy"] > 1.1 * report["rms_jy"]
    # They are no part of the image's own model: a tenth of the flux beyond may have been cleaned as sidelobes before they were found.
    assert abs(report["model_flux_jy"]) < 0.1 * sum(f["apparent_jy"] for f in found)


def test_outliers_may_be_named(data: tuple[str, list[Source], Path], capsys: pytest.CaptureFixture[str]) -> None:
    ms, sources, root = data
    named = max(sources, key=lambda s: s.flux_jy)
    listed = root / "outliers.csv"
    listed.write_text(f"ra_deg,dec_deg,flux_jy,alpha\n{named.ra_deg!r},{named.dec_deg!r},0.01,0\n")
    words = ["image", ms, "--name", str(root / "named"), "--imsize", "640", "--cell", "7", "--datacolumn", "data"]
    assert main([*words, "--sefd", str(SEFD), "--no-outliers", "--outlier-list", str(listed), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert [apart_arcsec(b["position"], named) < 25.0 for b in report["bright"]] == [True]
    assert report["surroundings"] == []
