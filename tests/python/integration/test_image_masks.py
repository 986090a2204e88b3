"""Regions, circles, sources to begin from and masks of another projection lie on their sources all over a slant image."""

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

#: Far south the array is steepest to its images: the slant shifts the sky by 100 arcsec a degree from the centre.
DEC_DEG = -30.0
CELL, SIZE = 12.0, 800
OPTIONS: dict[str, Any] = {"imsize": SIZE, "cell_arcsec": CELL, "datacolumn": "data", "sefd_jy": 300.0}
OPTIONS |= {"bright_sigma": 0.0, "outliers": False, "auto_mask": 0.0}
RADIUS = 40.0


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, list[Source]]:
    root = tmp_path_factory.mktemp("masks")
    ra, dec = _core.coords.meridian_icrs(np.array([61065.934 * 86400.0 + 90.0]), math.radians(DEC_DEG))
    ra0, dec0 = math.degrees(ra[0]), math.degrees(dec[0])
    east = 1.0 / math.cos(math.radians(dec0))
    places = [(0.02, 0.03), (-0.9 * east, -0.8), (0.95 * east, -0.6), (0.1 * east, 0.9)]
    sources = [Source(f"s{k}", ra0 + x, dec0 + y, 1.0) for k, (x, y) in enumerate(places)]
    group = simulate_group(
        root / "in",
        dec_deg=DEC_DEG,
        stations=choose_stations(24),
        integrations=3,
        channels=2,
        sources=sources,
        gains=False,
        sefd_jy=300.0,
        dead=(),
        seed=4,
    )
    _core.ms.convert(group.files, str(root / "a.ms"))
    return str(root / "a.ms"), sources


def components(report: dict[str, Any], sources: list[Source]) -> tuple[np.ndarray, np.ndarray]:
    """Distance of each component to the nearest source [arcsec], and its flux [Jy]."""
    with fits.open(report["products"]["model"]) as hdus:
        data, wcs = hdus[0].data.squeeze(), WCS(hdus[0].header).celestial
    assert abs(wcs.wcs.get_pv()[1][2]) > 1.0
    y, x = np.nonzero(data)
    ra, dec = np.radians(wcs.all_pix2world(x, y, 0))
    apart = [np.hypot((ra - math.radians(s.ra_deg)) * np.cos(dec), dec - math.radians(s.dec_deg)) for s in sources]
    return np.degrees(np.min(apart, axis=0)) * 3600.0, data[y, x]


def regions(path: Path, sources: list[Source]) -> Path:
    imaging.write_regions(path, [(s.ra_deg, s.dec_deg) for s in sources], radius_arcsec=RADIUS)
    return path


@pytest.mark.parametrize("kind", ["regions", "positions", "plain", "its own"])
def test_components_lie_in_the_mask(made: tuple[str, list[Source]], tmp_path: Path, kind: str) -> None:
    ms, sources = made
    places = [[s.ra_deg, s.dec_deg] for s in sources]
    if kind == "regions":
        how: dict[str, Any] = {"mask": str(regions(tmp_path / "m.reg", sources))}
    elif kind == "positions":
        how = {"mask_positions_deg": places, "mask_radius_arcsec": RADIUS}
    else:
        image = imaging.image(ms, tmp_path / "d", niter=0, products=["restored"], **OPTIONS)["products"]["restored"]
        if kind == "plain":
            with fits.open(image, mode="update") as hdus:
                del hdus[0].header["PV2_1"], hdus[0].header["PV2_2"]
        mask = tmp_path / "mask.fits"
        imaging.create_catalog_mask(image, mask, [(s.ra_deg, s.dec_deg) for s in sources], radius_arcsec=RADIUS)
        how = {"mask": str(mask)}
    apart, flux = components(imaging.image(ms, tmp_path / "x", nsigma=5.0, **OPTIONS, **how), sources)
    # A pixel counts by its centre; the plain mask is read by the nearest of its own pixels.
    assert apart.max() <= RADIUS + CELL * (1.5 if kind == "plain" else 0.75)
    # Where the beam is 0.4 of its peak and more; all would be missed but the one at the centre.
    assert flux.sum() > 0.4 * len(sources)


def test_sources_to_begin_from_lie_on_their_pixels(made: tuple[str, list[Source]], tmp_path: Path) -> None:
    ms, sources = made
    seeds = [[s.ra_deg, s.dec_deg, 0.5] for s in sources]
    apart, flux = components(imaging.image(ms, tmp_path / "x", niter=0, seeds=seeds, **OPTIONS), sources)
    assert list(flux) == [0.5] * len(sources)
    assert apart.max() <= CELL * math.sqrt(0.5) + 0.01


def test_a_model_of_another_projection_is_refused(made: tuple[str, list[Source]], tmp_path: Path) -> None:
    ms, _ = made
    model = imaging.image(ms, tmp_path / "d", niter=100, **OPTIONS)["products"]["model"]
    imaging.image(ms, tmp_path / "again", niter=0, model=model, **OPTIONS)
    with fits.open(model, mode="update") as hdus:
        hdus[0].header["PV2_2"] = 0.0
    with pytest.raises(ValueError, match=r"model: expected the projection of the image, PV2 .* found .* pixels apart"):
        imaging.image(ms, tmp_path / "x", niter=0, model=model, **OPTIONS)
    assert not list(tmp_path.glob("x-*"))
