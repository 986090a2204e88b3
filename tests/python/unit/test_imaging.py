"""Masks, parsers, options and refusals of the imaging package."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from dsa110_contimg import ContimgError, imaging
from dsa110_contimg.imaging import cli
from dsa110_contimg.imaging.cli_imaging import image_ms, parse_jansky, parse_phasecenter, parse_uvrange


def header(ra: float = 359.99, dec: float = 30.0, n: int = 100, cell_arcsec: float = 10.0) -> fits.Header:
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---SIN", "DEC--SIN"]
    wcs.wcs.crval = [ra, dec]
    wcs.wcs.crpix = [n / 2 + 1, n / 2 + 1]
    wcs.wcs.cdelt = [-cell_arcsec / 3600, cell_arcsec / 3600]
    wcs.wcs.cunit = ["deg", "deg"]
    made = wcs.to_header()
    made["RADESYS"] = "ICRS"
    return made


def test_mask_circles_lie_on_the_sources_across_ra_zero(tmp_path: Path) -> None:
    image = tmp_path / "a.fits"
    fits.PrimaryHDU(np.zeros((1, 1, 100, 100), np.float32), header()).writeto(image)
    out = tmp_path / "mask.fits"
    inside = imaging.create_catalog_mask(image, out, [(0.05, 30.02), (359.9, 29.9), (180.0, 30.0)], radius_arcsec=35.0)
    assert inside == 2
    mask = fits.getdata(out)
    assert mask.shape == (1, 1, 100, 100)
    wcs = WCS(header())
    x, y = wcs.all_world2pix(0.05, 30.02, 0)
    yy, xx = np.nonzero(mask[0, 0])
    near = np.hypot(xx - x, yy - y) <= 3.5
    # Two discs of radius 3.5 pixels: about 38 pixels each.
    assert 30 <= near.sum() <= 45
    assert 60 <= len(xx) <= 90
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_mask_refuses_a_silly_radius(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="radius_arcsec"):
        imaging.create_catalog_mask(tmp_path / "a.fits", tmp_path / "b.fits", [], radius_arcsec=0.0)


def test_words_of_casa() -> None:
    assert parse_jansky("0.5mJy") == 0.5e-3
    assert parse_jansky("1e-4Jy/beam") == 1e-4
    assert parse_jansky(0.25) == 0.25
    assert parse_uvrange("") is None
    assert parse_uvrange(">1klambda") == (1000.0, 1e12)
    assert parse_uvrange("<2000lambda") == (0.0, 2000.0)
    assert parse_uvrange("1~20klambda") == (1000.0, 20000.0)
    assert parse_phasecenter("J2000 22h53m57.7s +16d08m53s") == pytest.approx([343.490417, 16.148056], abs=1e-6)
    assert parse_phasecenter("343.5 16.1") == pytest.approx([343.5, 16.1])
    assert parse_uvrange(">1e-1klambda") == (100.0, 1e12)
    with pytest.raises(ValueError, match="phasecenter: expected 'J2000 RA DEC', found 'a b'"):
        parse_phasecenter("a b")
    with pytest.raises(ValueError, match="phasecenter"):
        parse_phasecenter("10 95")
    for wrong in ("1e", "1.2.3Jy", "1 furlong", "-3Jy"):
        with pytest.raises(ValueError, match="threshold"):
            parse_jansky(wrong)
    for wrong in (">30m", "1.2.3klambda", ">klambda"):
        with pytest.raises(ValueError, match="uvrange: expected"):
            parse_uvrange(wrong)


def test_unknown_option_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="did you mean niter"):
        imaging.image(tmp_path / "a.ms", tmp_path / "a", nitter=3)
    with pytest.raises(ValueError, match="backend"):
        image_ms(str(tmp_path / "a.ms"), imagename="x", backend="difmap")
    with pytest.raises(ValueError, match="specmode"):
        image_ms(str(tmp_path / "a.ms"), imagename="x", specmode="cube")


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--cell-arcsec", "0"], "cell_arcsec: expected a pixel size above 0, found 0"),
        (["--cell-arcsec", "nan"], "cell_arcsec: expected a pixel size above 0, found nan"),
        (["--calib-ra-deg", "343"], "calib_ra_deg, calib_dec_deg: expected both or none"),
    ],
)
def test_the_originals_command_refuses_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], text: str
) -> None:
    assert cli.main(["image", "--ms", str(tmp_path / "a.ms"), "--imagename", str(tmp_path / "x"), *words]) == 1
    assert text in capsys.readouterr().err


def test_files_are_looked_for_before_any_work(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from dsa110_contimg.cli import main

    asked = ["image", str(tmp_path / "a.ms"), "--name", str(tmp_path / "x")]
    assert main([*asked, "--source-list", str(tmp_path / "none" / "s.txt")]) == 1
    assert "--source-list: expected a place in a directory that exists" in capsys.readouterr().err
    for option in ("--mask-catalog", "--seed-catalog"):
        assert main([*asked, option, "none.csv"]) == 1
        assert "none.csv: expected a catalogue file, found none" in capsys.readouterr().err


def test_a_direction_that_is_none_is_told_by_its_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from dsa110_contimg.cli import main

    asked = ["dynspec", str(tmp_path / "a.ms"), "--ra", "343.5"]
    for dec in ("nan", "91"):
        assert main([*asked, "--dec", dec]) == 1
        assert "dec_deg: expected a direction in degrees" in capsys.readouterr().err
    # Before the work, not after it.
    assert main([*asked, "--dec", "16", "--out", str(tmp_path / "none" / "x.npz")]) == 1
    assert "--out: expected a place in a directory that exists" in capsys.readouterr().err


def test_a_missing_measurement_set_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = cli.main(["image", "--ms", str(tmp_path / "no.ms"), "--imagename", str(tmp_path / "x")])
    shown = capsys.readouterr()
    assert code == 1
    assert "no.ms" in shown.err
    assert "Traceback" not in shown.err
    assert list(tmp_path.iterdir()) == [] or [p.name for p in tmp_path.iterdir()] == ["xdg"]


def test_missing_wsclean_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(imaging.MissingBackendError, match="apt-get install wsclean"):
        imaging.wsclean(tmp_path / "a.ms", tmp_path / "a", imsize=64, cell_arcsec=5, executable="no-such-wsclean")


@pytest.mark.parametrize(
    ("backend", "remedy"), [("wsclean", "apt-get install wsclean"), ("tclean", "pip install casatasks casadata")]
)
def test_a_missing_imager_is_one_line_of_the_command(
    backend: str, remedy: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from importlib import util

    from dsa110_contimg.cli import main

    monkeypatch.setenv("PATH", str(tmp_path))
    found = util.find_spec
    monkeypatch.setattr(util, "find_spec", lambda name, *a: None if name == "casatasks" else found(name, *a))
    (tmp_path / "a.ms").mkdir()
    asked = f"image {tmp_path / 'a.ms'} --name {tmp_path / 'x'} --imsize 64 --cell 5 --backend {backend}"
    assert main(asked.split()) != 0
    shown = capsys.readouterr().err
    assert remedy in shown
    assert "native" in shown
    assert "Traceback" not in shown


def test_an_imager_that_does_not_start_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from dsa110_contimg.cli import main

    # As casatasks without its data.
    (tmp_path / "casatasks.py").write_text("raise RuntimeError('path must exist')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "casatasks", raising=False)
    asked = f"image {tmp_path / 'a.ms'} --name {tmp_path / 'x'} --imsize 64 --cell 5 --backend tclean"
    assert main(asked.split()) == 1
    shown = capsys.readouterr().err
    assert "expected the package casatasks to start, found RuntimeError: path must exist" in shown
    assert "Traceback" not in shown


def test_export_draws_a_png_and_overlay_needs_an_image(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(1)
    fits.PrimaryHDU(rng.normal(size=(100, 100)).astype(np.float32), header()).writeto(tmp_path / "a-image.fits")
    assert cli.main(["export", "--source", str(tmp_path), "--prefix", "a-", "--make-png"]) == 0
    made = json.loads(capsys.readouterr().out)["files"]
    assert Path(made[0]).read_bytes().startswith(b"\x89PNG")
    assert cli.main(["export", "--source", str(tmp_path), "--prefix", "zz", "--make-png"]) == 1
    assert cli.main(["export", "--source", str(tmp_path), "--prefix", "a-"]) == 1
    assert "--make-fits, --make-png or both" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("imsize", -4, "imsize: expected a whole number, zero or more, found -4"),
        ("imsize", [64, 63.5], "imsize: expected a whole number"),
        ("niter", -1, "niter: expected a whole number"),
        ("subbands", 2.5, "subbands: expected a whole number"),
        ("cell_arcsec", float("nan"), "cell_arcsec: expected a finite number"),
        ("uvrange", [0.0, float("inf")], "uvrange: expected a finite number"),
    ],
)
def test_numbers_that_cannot_be_are_told_by_their_names(tmp_path: Path, option: str, value: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        imaging.image(tmp_path / "a.ms", tmp_path / "a", **{option: value})
    # None is the stage's own choice.
    with pytest.raises((OSError, ContimgError), match=r"a\.ms"):
        imaging.image(tmp_path / "a.ms", tmp_path / "a", **{option: None if option in ("imsize", "uvrange") else 2})
