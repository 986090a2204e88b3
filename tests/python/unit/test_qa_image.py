"""Verdicts see what is wrong with an image, and only that."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from scipy.ndimage import gaussian_filter

from dsa110_contimg import ContimgError
from dsa110_contimg.qa import Limits, check_image, cli

N, CELL, SIGMA = 200, 10.0, 1e-3
BEAM = 4.0


PLACES = [(40.3, 50.2), (150.7, 60.1), (100.5, 100.4), (60.2, 150.9), (160.4, 160.6), (30.1, 110.0)]


def image(
    path: Path,
    *,
    scale: float = 1.0,
    shift_px: float = 0.0,
    expected: float = SIGMA,
    flux_jy: float = 0.2,
    seed: int = 1,
    correlated: bool = False,
) -> list[tuple[float, ...]]:
    """Six sources with noise on a grid across RA 0; the truth as the catalogue has it."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---SIN", "DEC--SIN"]
    wcs.wcs.crval = [0.02, 30.0]
    wcs.wcs.crpix = [N / 2 + 1, N / 2 + 1]
    wcs.wcs.cdelt = [-CELL / 3600, CELL / 3600]
    wcs.wcs.cunit = ["deg", "deg"]
    header = wcs.to_header()
    header.update(
        {
            "BMAJ": BEAM * CELL / 3600,
            "BMIN": BEAM * CELL / 3600,
            "BPA": 0.0,
            "RMSEXP": expected,
            "BUNIT": "JY/BEAM",
        }
    )
    data = np.random.default_rng(seed).normal(0.0, SIGMA, (N, N))
    if correlated:
        # As an interferometer's noise is: by the beam itself.
        data = gaussian_filter(data, BEAM / np.sqrt(16 * np.log(2)), mode="wrap")
        data *= SIGMA / data.std()
    yy, xx = np.mgrid[:N, :N]
    truth = []
    for x, y in PLACES:
        k = 4 * np.log(2) / BEAM**2
        data += flux_jy * scale * np.exp(-k * ((xx - x - shift_px) ** 2 + (yy - y) ** 2))
        ra, dec = wcs.all_pix2world(x, y, 0)
        truth.append((float(ra), float(dec), flux_jy))
    data[:5] = np.nan
    fits.PrimaryHDU(data.astype(np.float32)[None, None], header).writeto(path, overwrite=True)
    return truth


def verdicts(report: dict[str, object]) -> dict[str, bool | None]:
    return {v["name"]: v["ok"] for v in report["verdicts"]}  # type: ignore[attr-defined]


def test_a_good_image_passes_and_each_fault_is_seen_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.fits"
    good = check_image(path, image(path))
    assert good["ok"]
    assert all(verdicts(good).values())
    # Of 0.5 % noise on six sources; pixels add less.
    assert {v["name"]: v["value"] for v in good["verdicts"]}["flux_scale"] == pytest.approx(1.0, abs=0.01)
    for fault, name in (
        ({"scale": 0.7}, "flux_scale"),
        ({"shift_px": 0.3}, "astrometry_offset"),
        ({"expected": SIGMA / 3}, "noise"),
    ):
        report = check_image(path, image(path, **fault))  # type: ignore[arg-type]
        assert not report["ok"]
        assert [k for k, ok in verdicts(report).items() if not ok] == [name]


def test_noise_alone_fails_no_image_and_a_shift_does(tmp_path: Path) -> None:
    path, limits = tmp_path / "a.fits", Limits(min_snr=5.0)
    beyond = {"flux_scale": 0, "astrometry_offset": 0, "astrometry_scatter": 0, "completeness": 0}
    for seed in range(25):
        truth = image(path, flux_jy=7.0 * SIGMA, seed=seed, correlated=True)
        report = check_image(path, truth, limits=limits)
        # Of 7 mJy, in front of 1 mJy: no dynamic range to judge.
        assert [k for k, ok in verdicts(report).items() if ok is False and k != "dynamic_range"] == []
        values = {v["name"]: v["value"] for v in report["verdicts"]}
        beyond["astrometry_offset"] += values["astrometry_offset"] > limits.offset_arcsec
        beyond["astrometry_scatter"] += values["astrometry_scatter"] > limits.scatter_arcsec
        beyond["completeness"] += values["completeness"] < 1.0
    # Without their errors, most of these would have failed.
    assert beyond["astrometry_offset"] > 12
    assert beyond["astrometry_scatter"] > 12
    assert beyond["completeness"] > 0
    for seed in range(5):
        # Half a pixel, 5 arcsec, at 25 sigma: each place has an error of 0.8, the median of six one of 0.4 arcsec.
        truth = image(path, flux_jy=25.0 * SIGMA, seed=seed, correlated=True, shift_px=0.5)
        assert verdicts(check_image(path, truth, limits=limits))["astrometry_offset"] is False
        truth = image(path, flux_jy=25.0 * SIGMA, seed=seed, correlated=True, scale=0.7)
        assert verdicts(check_image(path, truth, limits=limits))["flux_scale"] is False


def test_the_noise_counts_that_is_about_a_source(tmp_path: Path) -> None:
    path = tmp_path / "a.fits"
    truth = image(path, flux_jy=30.0 * SIGMA)
    with fits.open(path, mode="update") as hdus:
        # Ten times the noise where two of the sources are, as at the edge of a beam-corrected image.
        rng = np.random.default_rng(2)
        hdus[0].data[0, 0, 130:] += rng.normal(0.0, 10.0 * SIGMA, (N - 130, N)).astype(np.float32)
    report = check_image(path, truth)
    assert len(report["matches"]) == 4
    assert verdicts(report)["completeness"] is True


def test_too_few_sources_are_not_judged(tmp_path: Path) -> None:
    path = tmp_path / "a.fits"
    truth = image(path)
    report = check_image(path, truth[:2])
    assert verdicts(report)["flux_scale"] is None
    assert report["ok"]
    missing = [(ra + 0.1, dec, 0.2) for ra, dec, _ in truth]
    assert verdicts(check_image(path, missing, limits=Limits()))["completeness"] is False


def test_what_is_no_image_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.fits"
    fits.PrimaryHDU(np.full((8, 8), np.nan, np.float32)).writeto(path)
    with pytest.raises(ContimgError, match="finite"):
        check_image(path)
    assert cli.main(["image", str(tmp_path / "none.fits")]) == 1
    assert "none.fits" in capsys.readouterr().err
    image(path)
    with fits.open(path, mode="update") as hdus:
        hdus[0].header["BUNIT"] = ""
    with pytest.raises(ContimgError, match="expected an image in Jy/beam, found BUNIT ''"):
        check_image(path)
    text = tmp_path / "text.fits"
    text.write_text("ra_deg,dec_deg\n")
    assert cli.main(["image", str(text)]) == 1
    assert "text.fits: expected a FITS image" in capsys.readouterr().err


def test_the_command_judges_by_a_csv(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, table, plot = tmp_path / "a.fits", tmp_path / "c.csv", tmp_path / "q.png"
    rows = [f"{ra},{dec},{1e3 * flux}" for ra, dec, flux in image(path)]
    table.write_text("ra_deg,dec_deg,flux_mjy\n" + "\n".join(rows) + "\n")
    asked = ["mosaic", str(path), "--check-astrometry", "--catalog", str(table), "--plot", str(plot)]
    assert cli.main(asked) == 0
    assert cli._parser().parse_args(asked).min_snr == 5.0  # the original's
    assert json.loads(capsys.readouterr().out)["ok"]
    assert plot.read_bytes()[:4] == b"\x89PNG"
    table.write_text("ra,dec\n1,2\n")
    assert cli.main(asked) == 1
    assert "ra_deg" in capsys.readouterr().err
    for text, words in (
        ("1.0,nan,3.0", "column 'dec_deg' of line 2, found 'nan'"),
        ("1.0,2.0,much", "column 'flux_mjy' of line 2, found 'much'"),
        ("1.0,2.0", "column 'flux_mjy' of line 2, found None"),
    ):
        table.write_text(f"ra_deg,dec_deg,flux_mjy\n{text}\n")
        assert cli.main(asked) == 1
        assert words in capsys.readouterr().err
    # No source in it: asked for, so it is said that nothing could be judged.
    table.write_text("ra_deg,dec_deg,flux_mjy\n")
    assert cli.main(asked) == 0
    assert verdicts(json.loads(capsys.readouterr().out))["flux_scale"] is None
    assert cli.main([*asked, "--min-snr", "nan"]) == 1
    assert "min_snr: expected a number, zero or more, found nan" in capsys.readouterr().err


def test_the_originals_other_checks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, table = tmp_path / "a.fits", tmp_path / "c.csv"
    rows = [f"{ra},{dec},{1e3 * flux}" for ra, dec, flux in image(path)]
    # One of 20 Jy that the image does not have: left out by its flux.
    table.write_text("ra_deg,dec_deg,flux_mjy\n" + "\n".join(rows) + "\n0.02,30.0,20000\n")
    asked = ["mosaic", str(path), "--check-astrometry", "--catalog", str(table)]
    asked += ["--check-calibration", "--check-primary-beam", "--max-flux", "10"]
    assert cli.main(asked) == 0
    printed = capsys.readouterr().out
    assert "NaN" not in printed
    report = json.loads(printed)
    assert len(report["matches"]) == 6
    assert (verdicts(report)["calibration"], verdicts(report)["primary_beam"]) == (None, None)
    for cards, ok in (({"CALTABS": "a", "PBCOR": True}, True), ({"CALTABS": "a;b", "PBCOR": False}, False)):
        with fits.open(path, mode="update") as hdus:
            hdus[0].header.update(cards)
        report = check_image(path, calibration=True, primary_beam=True)
        assert (verdicts(report)["calibration"], verdicts(report)["primary_beam"]) == (ok, ok)
        assert report["ok"] is ok
