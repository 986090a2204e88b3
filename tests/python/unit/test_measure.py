"""Forced fits of what is not a point on an empty sky: resolved, smeared, faint, in parts of the band, near the Sun; and rows of it."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from dsa110_contimg._core import detection
from dsa110_contimg._core import photometry as core
from dsa110_contimg.database import open_database, query
from dsa110_contimg.photometry import cli
from dsa110_contimg.photometry.adaptive import bin_spectrum
from dsa110_contimg.photometry.forced import measure_positions
from dsa110_contimg.photometry.rows import prune, record, sources_in_cone

CELL = 3.0 / 3600.0
BEAM = (21.0 / 3600.0, 15.0 / 3600.0, 25.0)


def moments(major: float, minor: float, pa_deg: float) -> np.ndarray:
    """Second moments (east, north) of a Gaussian of full widths, in the same unit squared."""
    s, c = math.sin(math.radians(pa_deg)), math.cos(math.radians(pa_deg))
    axes = np.array([[s, c], [c, -s]])
    return axes.T @ np.diag([major**2, minor**2]) @ axes / (8 * math.log(2))


def write(
    path: Path,
    sources: list[tuple[float, float, float, tuple[float, float, float]]],
    *,
    noise: float = 0.0,
    n: int = 256,
    centre: tuple[float, float] = (0.0, 54.0),
    date: str = "2026-01-25T22:26:05.000",
    freq_hz: float = 1.4e9,
    seed: int = 1,
) -> Path:
    """An image of sources (ra, dec, flux density [Jy], size), each convolved with the beam in its second moments."""
    header = fits.Header()
    for axis, (kind, value, step) in enumerate(
        [("RA---SIN", centre[0], -CELL), ("DEC--SIN", centre[1], CELL)], start=1
    ):
        header[f"CTYPE{axis}"], header[f"CRVAL{axis}"], header[f"CDELT{axis}"] = kind, value, step
        header[f"CRPIX{axis}"], header[f"CUNIT{axis}"] = n / 2 + 1, "deg"
    header["BMAJ"], header["BMIN"], header["BPA"] = BEAM
    wcs = WCS(header)
    header["BUNIT"], header["DATE-OBS"], header["TELESCOP"] = "JY/BEAM", date, "DSA_110"
    header["CTYPE3"], header["CRVAL3"], header["CDELT3"], header["CRPIX3"] = "FREQ", freq_hz, 1e7, 1.0
    y, x = np.mgrid[:n, :n]
    data = np.random.default_rng(seed).normal(0, noise, (n, n)) if noise else np.zeros((n, n))
    beam = moments(*BEAM)
    for ra, dec, flux, size in sources:
        px, py = wcs.all_world2pix(ra, dec, 0)
        offset = np.stack([-(x - px) * CELL, (y - py) * CELL])
        whole = beam + moments(*size)
        z = np.einsum("iyx,ij,jyx->yx", offset, np.linalg.inv(whole), offset)
        data += flux * math.sqrt(np.linalg.det(beam) / np.linalg.det(whole)) * np.exp(-0.5 * z)
    fits.writeto(path, data[None].astype(np.float32), header)
    return path


def test_a_resolved_source_gives_its_whole_flux_and_says_so(tmp_path: Path) -> None:
    size = (24.0 / 3600, 9.0 / 3600, -40.0)
    image = write(tmp_path / "a.fits", [(0.02, 54.03, 0.5, size), (359.95, 53.96, 0.2, (0.0, 0.0, 0.0))], noise=1e-6)
    where = [0.02, 359.95], [54.03, 53.96]
    table, _ = measure_positions(image, *where, sizes_deg=[size, None])
    # Single-precision pixels; the window of three widened beams holds the source.
    assert table["flux_jy"].tolist() == pytest.approx([0.5, 0.2], rel=1e-4)
    assert [bool(f & core.RESOLVED) for f in table["flags"]] == [True, False]
    assert table["peak_jy"][0] < 0.3
    alone, _ = measure_positions(image, *where)
    assert alone["flux_jy"][0] < 0.45
    # A size far below the beam is as likely noise: fitted as a point, not flagged.
    small, _ = measure_positions(image, *where, sizes_deg=[None, (1.0 / 3600, 0.0, 0.0)])
    assert small["flux_jy"][1] == pytest.approx(0.2, rel=1e-4)
    assert not small["flags"][1] & core.RESOLVED


def test_averaging_is_undone_away_from_the_centre(tmp_path: Path) -> None:
    # 0.09 degrees from the centre; a channel so wide that it draws 30 arcsec along the radius.
    dec, offset = 54.09, 0.09
    channel = 1.4e9 * (30.0 / 3600) / offset
    box = 30.0 / 3600 / math.sqrt(12) * math.sqrt(8 * math.log(2))
    image = write(tmp_path / "a.fits", [(0.0, dec, 0.3, (box, 0.0, 0.0))], noise=1e-6)
    plain, _ = measure_positions(image, [0.0], [dec])
    undone, _ = measure_positions(image, [0.0], [dec], averaging=(1e-6, channel))
    assert plain["flux_jy"][0] < 0.27
    # The sine projection shortens 0.09 degrees by 4e-7; pixels are single precision.
    assert undone["flux_jy"][0] == pytest.approx(0.3, rel=1e-3)
    assert not undone["flags"][0] & core.RESOLVED


def test_what_was_left_counts_by_its_value_at_the_source(tmp_path: Path) -> None:
    """Half of a source cleaned, half left in a bowl: the fit takes twice the bowl, the value takes it once."""
    place, bowl = (0.01, 54.02), -0.01
    image = write(tmp_path / "a.fits", [(*place, 1.0, (0.0, 0.0, 0.0))])
    left = write(tmp_path / "r.fits", [(*place, 0.5, (0.0, 0.0, 0.0))])
    for path in (image, left):
        with fits.open(path, mode="update") as hdus:
            hdus[0].data += bowl
    plain, _ = measure_positions(image, [place[0]], [place[1]])
    table, about = measure_positions(
        image, [place[0]], [place[1]], residual=left, bands=[(image, None, left), (image,)]
    )
    # The bowl's share of the fit is sum K / sum K^2 = 2 but for the window's end.
    assert plain["flux_jy"][0] == pytest.approx(1.0 + 2 * bowl, abs=1e-3)
    # Cubic interpolation of half a source on pixels of a fifth of the beam.
    assert table["flux_jy"][0] == pytest.approx(1.0 + bowl, abs=2e-3)
    assert about["bands"][0]["flux_jy"][0] == table["flux_jy"][0]
    assert about["bands"][1]["flux_jy"][0] == plain["flux_jy"][0]
    small = write(tmp_path / "s.fits", [], n=64)
    with pytest.raises(ValueError, match=r"residual.*\(256, 256\).*\(64, 64\)"):
        measure_positions(image, [place[0]], [place[1]], residual=small)
    with pytest.raises(ValueError, match="bands"):
        measure_positions(image, [place[0]], [place[1]], bands=[(None, None)])


def test_limits_stand_apart_from_signed_fluxes_and_floors_add(tmp_path: Path) -> None:
    image = write(
        tmp_path / "a.fits", [(0.02, 54.03, 0.5, (0.0, 0.0, 0.0)), (0.05, 53.95, -0.004, (0.0, 0.0, 0.0))], noise=1e-3
    )
    table, about = measure_positions(
        image, [0.02, 0.05], [54.03, 53.95], blank_fits=2000, mesh_beams=10.0, fraction_floor=0.02, cluster_beams=None
    )
    assert math.isnan(table["upper_limit_jy"][0])
    assert table["flux_jy"][1] < 0
    assert table["upper_limit_jy"][1] == pytest.approx(5 * table["fit_err_jy"][1])
    assert table["flux_err_jy"][0] == pytest.approx(math.hypot(table["fit_err_jy"][0], 0.02 * table["flux_jy"][0]))
    # White noise: the correlation and the blank fits both find 1 / sqrt(sum K^2), about 0.23 for this beam of 7 x 5 pixels.
    expected = 1 / math.sqrt(math.pi / (8 * math.log(2)) * 7 * 5)
    assert about["correlation"]["error_factor"] == pytest.approx(expected, rel=0.1)
    assert about["blank_sky"]["error_factor"] == pytest.approx(expected, rel=0.1)
    assert about["correlation"]["pixels_per_dof"] == pytest.approx(1.0, abs=0.3)


def test_the_sun_a_low_field_and_unequal_polarisations_are_flagged(tmp_path: Path) -> None:
    # 2026-01-25: the Sun at RA 20 h 31 m, Dec -18.8; at 22:26 UTC it is 2 h past the meridian of the site.
    point = (0.0, 0.0, 0.0)
    near = write(tmp_path / "sun.fits", [(307.0, -15.0, 0.1, point)], noise=1e-4, centre=(307.0, -15.0))
    assert measure_positions(near, [307.0], [-15.0])[0]["flags"][0] & core.BODY_NEAR
    far = write(tmp_path / "far.fits", [(0.0, 54.0, 0.1, point)], noise=1e-4)
    assert measure_positions(far, [0.0], [54.0])[0]["flags"][0] == 0
    low = write(tmp_path / "low.fits", [(10.0, -50.0, 0.1, point)], noise=1e-4, centre=(10.0, -50.0))
    assert measure_positions(low, [10.0], [-50.0])[0]["flags"][0] & core.LOW_ELEVATION
    other = write(tmp_path / "yy.fits", [(0.0, 54.0, 0.15, point)], noise=1e-4, seed=2)
    assert measure_positions(far, [0.0], [54.0], pols=[far, other])[0]["flags"][0] == core.POLS_DIFFER
    assert measure_positions(far, [0.0], [54.0], pols=[far, far])[0]["flags"][0] == 0


def test_bands_are_packed_in_the_row_and_unpacked_by_the_view(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    point, freqs = (0.0, 0.0, 0.0), [1.35e9, 1.40e9, 1.45e9]
    parts = [
        write(tmp_path / f"b{i}.fits", [(0.02, 54.03, 0.1 + 0.01 * i, point)], noise=1e-3, freq_hz=f, seed=i)
        for i, f in enumerate(freqs)
    ]
    image = write(tmp_path / "a.fits", [(0.02, 54.03, 0.11, point)], noise=6e-4)
    table, about = measure_positions(image, [0.02, 40.0], [54.03, 10.0], bands=[(p, None) for p in parts])
    table = table.assign(source_id=["here", "elsewhere"], mjd=about["mjd"])
    path = tmp_path / "p.sqlite3"
    db = open_database(path, "products")
    for _ in range(2):
        assert record(db, str(image), table, about) == 1
    rows = query(path, "SELECT * FROM photometry_bands ORDER BY band")
    assert rows["freq_hz"].tolist() == pytest.approx(freqs)
    # Written to a tenth of a microjansky.
    measured = [float(b["flux_jy"][0]) for b in about["bands"]]
    assert rows["flux_jy"].tolist() == pytest.approx(measured, abs=6e-8)
    assert measured == pytest.approx([0.1, 0.11, 0.12], abs=2e-3)
    assert len(db.select("photometry")) == 1
    assert sources_in_cone(db, 359.99, 54.0, 0.1)["source_id"].tolist() == ["here"]
    assert sources_in_cone(db, 180.0, -54.0, 0.1).empty
    assert prune(db, 10.0) == 0
    assert prune(db, 10.0, now_mjd=about["mjd"] + 11) == 1
    assert len(db.select("photometry_timeseries")) == 1
    arguments = ["adaptive", "--images", *map(str, parts), "--ra", "0.02", "--dec", "54.03"]
    assert cli.main(arguments) == 0
    assert [d["channels"] for d in json.loads(capsys.readouterr().out)["detections"]] == [[0], [1], [2]]


def test_bins_widen_until_the_source_is_seen() -> None:
    found = bin_spectrum([1.0, 2.0, 3.0, 4.0], [6.0, 3.6, 3.6, float("nan")], [1.0] * 4)
    assert [(d["channels"], d["freq_hz"]) for d in found] == [([0], 1.0), ([1, 2], 2.5)]
    with pytest.raises(ValueError, match="expected"):
        bin_spectrum([1.0], [1.0], [1.0], target_snr=-1.0)


def test_sources_are_found_without_a_catalogue(tmp_path: Path) -> None:
    wide = (30.0 / 3600, 12.0 / 3600, 60.0)
    truth = [(0.02, 54.03, 0.05, (0.0, 0.0, 0.0)), (359.95, 53.96, 0.08, wide)]
    found = pd.DataFrame(
        {k: v for k, v in detection.find_sources(write(tmp_path / "a.fits", truth, noise=3e-4)).items() if np.ndim(v)}
    )
    assert len(found) == 2
    for ra, dec, flux, size in truth:
        one = found.iloc[int(np.argmin(np.hypot((found["ra_deg"] - ra + 180) % 360 - 180, found["dec_deg"] - dec)))]
        assert one["flux_jy"] == pytest.approx(flux, abs=5 * one["flux_err_jy"])
        assert abs(one["dec_deg"] - dec) * 3600 < 5 * one["dec_err_arcsec"]
        if size[0] > 0:
            assert one["deconv_maj_arcsec"] == pytest.approx(30.0, rel=0.1)
            assert one["deconv_pa_deg"] % 180 == pytest.approx(60.0, abs=5.0)
