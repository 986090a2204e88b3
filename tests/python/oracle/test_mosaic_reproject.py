"""Our mosaic beside reproject's of the same tiles, pixel by pixel on our grid."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from dsa110_contimg.mosaic import build_mosaic

pytestmark = pytest.mark.oracle

N, CELL_DEG, BEAM_PX, SIGMA = 200, 12.0 / 3600, 5.0, 1e-3


def write_tile(stem: Path, ra: float, dec: float, rng: np.random.Generator) -> Path:
    """Sources that both tiles share and noise of their own, smooth on the beam's scale, under a Gaussian primary beam."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---SIN", "DEC--SIN"]
    wcs.wcs.crval = [ra % 360.0, dec]
    wcs.wcs.crpix = [N / 2 + 1, N / 2 + 1]
    wcs.wcs.cdelt = [-CELL_DEG, CELL_DEG]
    wcs.wcs.cunit = ["deg", "deg"]
    head = wcs.to_header()
    head["BMAJ"] = head["BMIN"] = BEAM_PX * CELL_DEG
    head["BPA"], head["BUNIT"], head["RMSMEAS"], head["RADESYS"] = 0.0, "JY/BEAM", SIGMA, "ICRS"
    yy, xx = np.mgrid[:N, :N]
    pb = np.exp(-4 * np.log(2) * ((xx - N // 2) ** 2 + (yy - N // 2) ** 2) / (0.8 * N) ** 2)
    width = BEAM_PX / np.sqrt(8 * np.log(2))
    freq = np.fft.fftfreq(N)
    smooth = np.exp(-2 * (np.pi * width) ** 2 * (freq[:, None] ** 2 + freq[None] ** 2))
    image = np.fft.ifft2(np.fft.fft2(rng.normal(0, 1, (N, N))) * smooth).real
    image *= SIGMA / image.std()
    for k in range(40):
        place = np.random.default_rng(k)
        x, y = wcs.all_world2pix((place.uniform(-0.3, 0.5)) % 360.0, dec + place.uniform(-0.3, 0.3), 0)
        image += 0.5 * pb * np.exp(-4 * np.log(2) * ((xx - x) ** 2 + (yy - y) ** 2) / BEAM_PX**2)
    for ending, data in (("image", image), ("pb", pb)):
        fits.PrimaryHDU(data.astype(np.float32), head).writeto(f"{stem}-{ending}.fits")
    return stem.with_name(f"{stem.name}-image.fits")


@pytest.mark.parametrize("dec", [16.15, 75.0, -5.0])
def test_equal_to_reproject_across_ra_zero(tmp_path: Path, dec: float) -> None:
    reproject = pytest.importorskip("reproject")
    rng = np.random.default_rng(4)
    step = 0.25 / np.cos(np.radians(dec))
    tiles = [write_tile(tmp_path / f"t{k}", (k - 0.5) * step, dec, rng) for k in range(2)]
    report = build_mosaic(tiles, tmp_path / "ours.fits", common_beam=False, pb_floor=0.3)
    with fits.open(report["products"]["mosaic"]) as hdus:
        ours, head = hdus[0].data.squeeze(), hdus[0].header
    target = WCS(head).celestial
    total, weights = np.zeros(ours.shape), np.zeros(ours.shape)
    for path in tiles:
        with fits.open(path) as image, fits.open(str(path).replace("-image", "-pb")) as beam:
            value, _ = reproject.reproject_interp(image[0], target, shape_out=ours.shape, order="bicubic")
            pb, _ = reproject.reproject_interp(beam[0], target, shape_out=ours.shape, order="bilinear")
        seen = np.isfinite(value) & (pb >= 0.3)
        total[seen] += (pb * value / SIGMA**2)[seen]
        weights[seen] += (pb**2 / SIGMA**2)[seen]
    theirs = np.divide(total, weights, out=np.full(ours.shape, np.nan), where=weights > 0)
    both = np.isfinite(ours) & np.isfinite(theirs)
    # Our kernel of eight pixels ends three to four pixels inside a tile's border: some 1000 of 56,000 each.
    assert (np.isfinite(ours) != np.isfinite(theirs)).mean() < 0.04
    # Bicubic splines at 5 pixels a beam are good to 1e-3 of a peak of 0.5 Jy over pb; ours to 2e-4.
    assert np.abs(ours - theirs)[both].max() < 2e-3
    assert np.nanmax(theirs) > 0.45
    weight = fits.getdata(report["products"]["weight"]).squeeze()
    # Along the border of one tile inside the other its weight is missing in ours, as above.
    assert np.isclose(weight[both], weights[both], rtol=2e-3).mean() > 0.96
