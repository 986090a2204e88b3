"""WSClean source lists and DS9 regions say what the sky says."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from dsa110_contimg import imaging
from dsa110_contimg.calibration import skyfiles


def source(name: str, ra_deg: float, dec_deg: float, coefficients: list[float]) -> dict[str, object]:
    return {
        "name": name,
        "position": {"ra_rad": math.radians(ra_deg), "dec_rad": math.radians(dec_deg)},
        "spectrum": {"flux_jy": 1.25, "reference_hz": 1.41e9, "coefficients": coefficients},
        "shape": None,
    }


def test_a_list_comes_back_across_zero_hours_and_below_the_equator(tmp_path: Path) -> None:
    sources = [
        source("a", 359.99999, -0.5, [-0.7]),
        source("b", 0.000001, 89.9, [0.0, 0.3]),
        source("c", 180.0, -33.2, []),
    ]
    sources[1]["shape"] = {"major_rad": 1e-4, "minor_rad": 5e-5, "pa_rad": 0.3}
    path = tmp_path / "list.txt"
    assert imaging.write_wsclean_list(path, sources) == 3
    loaded = skyfiles.load(path)
    # The list says that its fluxes are before the beam; WSClean's own say nothing and are apparent.
    assert (loaded["beam"], skyfiles.load(path, beam="none")["beam"]) == ("airy", "none")
    back = loaded["sky"]["sources"]
    for old, new in zip(sources, back, strict=True):
        # Seven digits of a second of time: 1.5e-6 arcsec.
        assert new["position"]["ra_rad"] == pytest.approx(old["position"]["ra_rad"], abs=1e-11)
        assert new["position"]["dec_rad"] == pytest.approx(old["position"]["dec_rad"], abs=1e-11)
        assert new["spectrum"]["coefficients"] == pytest.approx(old["spectrum"]["coefficients"] or [0.0])
        assert new["spectrum"]["flux_jy"] == 1.25
    assert back[1]["shape"] == pytest.approx(sources[1]["shape"])


def test_the_curvature_is_that_of_wsclean(tmp_path: Path) -> None:
    """S = I (f/f0)^(c0 + c1 log10(f/f0)): at ten times f0 the second coefficient alone gives 10^c1."""
    path = tmp_path / "list.txt"
    path.write_text(
        "Format = Name, Type, Ra, Dec, I, SpectralIndex='[]', LogarithmicSI, ReferenceFrequency='1400000000', "
        "MajorAxis, MinorAxis, Orientation\n"
        "s0,POINT,01:00:00.0,-00.30.00.0,2.0,[0,0.5],true,1400000000,,,\n"
    )
    model = skyfiles.load(path)
    assert model["beam"] == "none"
    (found,) = model["sky"]["sources"]
    x = math.log(10.0)
    c = found["spectrum"]["coefficients"]
    assert 2.0 * math.exp(c[0] * x + c[1] * x * x) == pytest.approx(2.0 * 10**0.5)
    assert math.degrees(found["position"]["dec_rad"]) == pytest.approx(-0.5)
    assert math.degrees(found["position"]["ra_rad"]) == pytest.approx(15.0)


def test_a_bad_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text("Format = Name, Type, Ra, Dec, I\ns0,POINT,01:00:00,x,2.0\n")
    with pytest.raises(ValueError, match="line 2"):
        skyfiles.load(path)
    path.write_text("# nothing\n")
    with pytest.raises(ValueError, match="Format"):
        skyfiles.load(path)


def test_regions_name_their_sources(tmp_path: Path) -> None:
    path = tmp_path / "a.reg"
    assert imaging.write_regions(path, [(10.0, -5.0), (359.9, 5.0)], radius_arcsec=30, names=["x"]) == 2
    lines = path.read_text().splitlines()
    assert lines[1] == "icrs"
    assert lines[2] == 'circle(10.0000000,-5.0000000,30") # text={x}'
    assert lines[3] == 'circle(359.9000000,5.0000000,30")'


def test_an_ordinary_polynomial_is_followed_over_the_band(tmp_path: Path) -> None:
    """WSClean's S = I + c1 x + c2 x^2, x = f / f0 - 1, over 1.31 to 1.50 GHz."""
    path = tmp_path / "list.txt"
    path.write_text(
        "Format = Name, Type, Ra, Dec, I, SpectralIndex='[]', LogarithmicSI, ReferenceFrequency='1405000000'\n"
        "s0,POINT,01:00:00.0,-00.30.00.0,2.0,[-3.0,4.0],false,1405000000\n"
    )
    (found,) = skyfiles.load(path)["sky"]["sources"]
    c = found["spectrum"]["coefficients"]
    for hz in (1.311e9, 1.405e9, 1.499e9):
        x, y = hz / 1.405e9 - 1.0, math.log(hz / 1.405e9)
        # To second order in ln(f / f0): what is left is of third order, 0.1 %. To first order it would be 1.3 %.
        assert 2.0 * math.exp(c[0] * y + c[1] * y * y) == pytest.approx(2.0 - 3.0 * x + 4.0 * x * x, rel=1e-3)


def test_regions_of_a_sky_come_back(tmp_path: Path) -> None:
    sources = [source("a", 359.99999, -0.5, [-0.7]), source("b", 10.0, 89.5, [])]
    sources[1]["shape"] = {"major_rad": 1e-4, "minor_rad": 5e-5, "pa_rad": 0.3}
    path = tmp_path / "sky.reg"
    assert imaging.write_source_regions(path, sources) == 2
    back = skyfiles.load(path)["sky"]["sources"]
    for old, new in zip(sources, back, strict=True):
        # Eight digits of a degree.
        assert new["position"]["ra_rad"] == pytest.approx(old["position"]["ra_rad"], abs=2e-10)
        assert new["position"]["dec_rad"] == pytest.approx(old["position"]["dec_rad"], abs=2e-10)
    # A region has one flux, at 1.4 GHz.
    assert back[0]["spectrum"]["flux_jy"] == pytest.approx(1.25 * (1.4 / 1.41) ** -0.7, rel=1e-7)
    assert back[1]["shape"] == pytest.approx(sources[1]["shape"], rel=1e-5)


def test_regions_that_only_point_need_no_flux(tmp_path: Path) -> None:
    from dsa110_contimg.cli.image import _positions

    path = tmp_path / "outliers.reg"
    path.write_text('# Region file format: DS9\nicrs\ncircle(10.0,20.0,30")\npoint(0:40:00,-1:30:00) # text={3C 1}\n')
    assert _positions(path) == [pytest.approx([10.0, 20.0]), pytest.approx([10.0, -1.5])]
