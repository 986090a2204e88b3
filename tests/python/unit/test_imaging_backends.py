"""What is asked of the imager reaches the program that images, or is refused: nothing is passed over."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from dsa110_contimg import ContimgError, imaging
from dsa110_contimg.cli import main
from dsa110_contimg.imaging import cli_imaging
from dsa110_contimg.imaging.cli_imaging import image_ms


@pytest.fixture
def ms(tmp_path: Path) -> Path:
    path = tmp_path / "a.ms"
    path.mkdir()
    return path


@pytest.fixture
def wsclean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program that notes its command line, found on the path."""
    program = tmp_path / "bin" / "wsclean"
    program.parent.mkdir()
    program.write_text(
        f"#!{sys.executable}\n"
        "import json, pathlib, sys\n"
        "if len(sys.argv) == 1: sys.exit('usage: -abs-threshold')\n"
        "name = sys.argv[sys.argv.index('-name') + 1]\n"
        "pathlib.Path(name + '-image.fits').write_text('')\n"
        "pathlib.Path(name + '.json').write_text(json.dumps(sys.argv[1:]))\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    return program


def value(command: list[str], option: str, count: int = 1) -> list[str]:
    at = command.index(option)
    return command[at + 1 : at + 1 + count]


def test_the_originals_arguments_reach_the_native_imager(ms: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}
    monkeypatch.setattr(cli_imaging, "image", lambda _ms, _name, **options: seen.update(options) or {})
    image_ms(str(ms), imagename="x", nterms=2, deconvolver="mtmfs", field="0~2", spw="1,3", phasecenter="10.0 20.0")
    assert (seen["nterms"], seen["multiscale"]) == (2, False)
    assert (seen["fields"], seen["spws"], seen["centre_deg"]) == ([0, 1, 2], [1, 3], [10.0, 20.0])
    image_ms(str(ms), imagename="x", deconvolver="multiscale")
    assert (seen["nterms"], seen["multiscale"]) == (1, True)
    # A quick tier is coarse whether or not a cell is given.
    seen.clear()
    image_ms(str(ms), imagename="x", quality_tier="development")
    assert (seen["coarsen"], seen["niter"]) == (4.0, 300)
    with pytest.raises(ValueError, match="deconvolver: expected one of hogbom"):
        image_ms(str(ms), imagename="x", deconvolver="asp")


def test_a_catalogue_mask_needs_no_phasecenter(ms: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pandas as pd

    from dsa110_contimg.imaging import known

    seen: dict[str, Any] = {}
    monkeypatch.setattr(cli_imaging, "image", lambda _ms, _name, **options: seen.update(options) or {})
    table = pd.DataFrame({"ra_deg": [10.0], "dec_deg": [20.0]})
    monkeypatch.setattr(known, "known_sources", lambda *_a, **_k: table)
    image_ms(str(ms), imagename="x", nvss_min_mjy=5.0)
    assert seen["mask_positions_deg"] == [[10.0, 20.0]]
    image_ms(str(ms), imagename="x", nvss_min_mjy=5.0, use_nvss_mask=False)
    seen.clear()
    image_ms(str(ms), imagename="x")
    assert "mask_positions_deg" not in seen


def test_the_originals_arguments_reach_wsclean(ms: Path, wsclean: Path, tmp_path: Path) -> None:
    name = tmp_path / "x"
    options: dict[str, Any] = {"nterms": 2, "deconvolver": "multiscale", "field": "0,2", "spw": "1~2"}
    image_ms(str(ms), imagename=str(name), backend="wsclean", phasecenter="J2000 15.0deg -0.5deg", **options)
    command = json.loads(name.with_suffix(".json").read_text())
    assert "-multiscale" in command
    assert value(command, "-fit-spectral-pol") == ["2"]
    assert (value(command, "-field"), value(command, "-spws")) == (["0,2"], ["1,2"])
    assert value(command, "-shift", 2) == ["1h00m00.000000s", "-0d30m00.00000s"]


def test_the_command_gives_wsclean_all_it_was_asked_for(
    ms: Path, wsclean: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = tmp_path / "x"
    common = ["image", str(ms), "--name", str(name), "--imsize", "64", "--cell", "5", "--backend", "wsclean", "--json"]
    asked = ["--taper", "60", "--gain", "0.2", "--mgain", "0.7", "--non-negative"]
    asked += ["--weighting", "superuniform", "--max-memory", "2"]
    assert main([*common, *asked, "--centre", "15.0 -0.5"]) == 0
    capsys.readouterr()
    command = json.loads(name.with_suffix(".json").read_text())
    assert value(command, "-taper-gaussian") == ["60.0asec"]
    assert (value(command, "-gain"), value(command, "-mgain"), value(command, "-abs-mem")) == (
        ["0.2"],
        ["0.7"],
        ["2.0"],
    )
    assert "-no-negative" in command
    assert value(command, "-weight", 3) == ["uniform", "-super-weight", "3"]
    assert value(command, "-shift", 2) == ["1h00m00.000000s", "-0d30m00.00000s"]
    assert main([*common, "--subbands", "3"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["subbands"] == [f"{name}-000{k}-image.fits" for k in range(3)]


@pytest.mark.parametrize("backend", ["wsclean", "tclean"])
@pytest.mark.parametrize("option", ["--quick", "--snapshots", "--seed-catalog=nvss", "--tukey=1,2", "--beam=b.h5"])
def test_what_another_imager_does_not_do_is_refused(
    backend: str, option: str, ms: Path, wsclean: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["image", str(ms), "--name", str(tmp_path / "x"), "--imsize", "64", "--cell", "5", "--backend", backend]
    assert main([*asked, option]) == 1
    said = capsys.readouterr().err
    assert option.partition("=")[0] in said
    assert backend in said
    assert not (tmp_path / "x.json").exists()


def test_wsclean_takes_no_regions_and_no_weighting_of_its_own(ms: Path, wsclean: Path, tmp_path: Path) -> None:
    with pytest.raises(ContimgError, match="FITS mask"):
        imaging.wsclean(ms, tmp_path / "x", imsize=64, cell_arcsec=5, mask=tmp_path / "m.reg")
    with pytest.raises(ValueError, match="weighting: expected one of natural"):
        imaging.wsclean(ms, tmp_path / "x", imsize=64, cell_arcsec=5, weighting="radial")


@pytest.fixture
def casa(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A casatasks that notes what tclean was asked for and what was there then."""
    seen: dict[str, Any] = {}

    def tclean(**options: Any) -> None:
        name = Path(options["imagename"])
        seen.update(options, before=sorted(p.name for p in name.parent.glob(f"{name.name}.*")))
        if options["niter"] == 13:
            raise RuntimeError("Error in making PSF")
        for kind in ("psf", "model"):
            table = Path(f"{name}.{kind}")
            table.mkdir()
            (table / "table.dat").touch()

    def importfits(*, fitsimage: str, imagename: str, overwrite: bool) -> None:
        Path(imagename).mkdir()
        seen["imported"] = (fitsimage, imagename)

    fake = ModuleType("casatasks")
    fake.__dict__.update(tclean=tclean, importfits=importfits, exportfits=lambda **_: None)
    fake.__spec__ = SimpleNamespace(name="casatasks")  # type: ignore[assignment]
    monkeypatch.setitem(sys.modules, "casatasks", fake)
    return seen


def test_tclean_gets_a_fits_mask_as_an_image(ms: Path, casa: dict[str, Any], tmp_path: Path) -> None:
    """A FITS file it passes over: nothing is cleaned then, and it ends well."""
    mask = tmp_path / "m.fits"
    mask.touch()
    imaging.tclean(ms, tmp_path / "x", imsize=64, cell_arcsec=5.0, mask=mask, auto_mask=5.0)
    assert casa["usemask"] == "user"
    assert casa["imported"] == (str(mask), casa["mask"])
    assert not Path(casa["mask"]).exists()
    with pytest.raises(FileNotFoundError, match="mask: expected a FITS file"):
        imaging.tclean(ms, tmp_path / "x", imsize=64, cell_arcsec=5.0, mask=tmp_path / "no.fits")
    with pytest.raises(ContimgError, match="found DS9 regions in"):
        imaging.tclean(ms, tmp_path / "x", imsize=64, cell_arcsec=5.0, mask=tmp_path / "m.reg")
    imaging.tclean(ms, tmp_path / "x", imsize=64, cell_arcsec=5.0, mask=tmp_path / "m.crtf")
    assert casa["mask"] == str(tmp_path / "m.crtf")


def test_a_name_used_again_is_a_new_run_of_tclean(ms: Path, casa: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "x.image").mkdir()
    (tmp_path / "x.psf.notes").mkdir()
    for _ in range(2):
        imaging.tclean(ms, tmp_path / "x", imsize=64, cell_arcsec=5.0)
        # Only what tclean made goes: a table of that name. It would go on from it, or refuse another size.
        assert casa["before"] == ["x.image", "x.psf.notes"]
    with pytest.raises(
        ContimgError, match="backend tclean: expected images, found an error of CASA: Error in making PSF"
    ):
        imaging.tclean(ms, tmp_path / "x", imsize=64, cell_arcsec=5.0, niter=13)
