"""Mosaics of tiles written by astropy, read back by astropy: place, flux, weights, verdicts, plans."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS

from dsa110_contimg import mosaic
from dsa110_contimg.database.products import ensure_products_db, images_insert
from dsa110_contimg.mosaic import cli

CELL = 6.0 / 3600
N = 160
SOURCES = ((0.0101, 60.02, 1.0), (359.93, 59.97, 0.5))


def write_tile(stem: Path, ra: float, slant: tuple[float, float], sigma: float, *, fwhm_px: float = 5.0) -> Path:
    """A tile as WSClean or CASA writes it: four axes, SIN or slant SIN."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---SIN", "DEC--SIN"]
    wcs.wcs.crval = [ra, 60.0]
    wcs.wcs.crpix = [N / 2 + 1, N / 2 + 1]
    wcs.wcs.cdelt = [-CELL, CELL]
    wcs.wcs.cunit = ["deg", "deg"]
    wcs.wcs.set_pv([(2, 1, slant[0]), (2, 2, slant[1])])
    head = wcs.to_header()
    head["RADESYS"] = "ICRS"
    head["BMAJ"] = head["BMIN"] = fwhm_px * CELL
    head["BPA"] = 0.0
    head["BUNIT"] = "JY/BEAM"
    head["RMSMEAS"] = sigma
    yy, xx = np.mgrid[:N, :N]
    lon, lat = wcs.all_pix2world(xx, yy, 0)
    sky = SkyCoord(lon, lat, unit="deg")
    centre = SkyCoord(ra, 60.0, unit="deg")
    pb = np.exp(-((sky.separation(centre).deg / 0.1) ** 2))
    image = np.zeros((N, N))
    for source_ra, source_dec, flux in SOURCES:
        place = SkyCoord(source_ra, source_dec, unit="deg")
        seen = np.exp(-((place.separation(centre).deg / 0.1) ** 2)) * flux
        image += seen * np.exp(-4 * np.log(2) * (sky.separation(place).deg / (fwhm_px * CELL)) ** 2)
    for ending, data in (("image", image), ("pb", pb)):
        fits.PrimaryHDU(data[None, None].astype(np.float32), head).writeto(f"{stem}-{ending}.fits")
    return stem.with_name(f"{stem.name}-image.fits")


@pytest.fixture
def tiles(tmp_path: Path) -> list[Path]:
    return [
        write_tile(tmp_path / "t0", 0.08, (0.0, 0.0), 1e-3),
        write_tile(tmp_path / "t1", 359.92, (0.05, -0.4), 2e-3),
    ]


def test_sources_keep_place_and_flux_in_astropys_eyes(tiles: list[Path], tmp_path: Path) -> None:
    report = mosaic.build_mosaic(tiles, tmp_path / "m.fits")
    assert report["passed"]
    assert report["n_tiles"] == 2
    with fits.open(report["products"]["mosaic"]) as hdus:
        data, wcs = hdus[0].data[0, 0], WCS(hdus[0].header).celestial
        assert hdus[0].header["BUNIT"] == "JY/BEAM"
    weight = fits.getdata(report["products"]["weight"])[0, 0]
    for ra, dec, flux in SOURCES:
        x, y = (float(v) for v in wcs.all_world2pix(ra, dec, 0))
        box = data[round(y) - 4 : round(y) + 5, round(x) - 4 : round(x) + 5]
        yy, xx = np.mgrid[-4:5, -4:5]
        # Second moments of a symmetric source give its place; a slant read with the wrong sign moves it by pixels.
        assert np.sum(xx * box) / box.sum() == pytest.approx(x - round(x), abs=0.05)
        assert np.sum(yy * box) / box.sum() == pytest.approx(y - round(y), abs=0.05)
        # The brightest pixel may lie half a pixel off a peak of five pixels: 3 %.
        assert box.max() == pytest.approx(flux, rel=0.035)
    assert report["noise_jy"] == pytest.approx(1 / np.sqrt(weight.max()), rel=1e-5)
    # Where both tiles are seen the better one alone would leave 1 mJy over its beam; both together less.
    assert report["noise_jy"] < 1.0e-3 / 0.97
    assert np.all(np.isnan(data) == (weight == 0))


def test_verdicts_stop_a_bad_tile_unless_ignored(tiles: list[Path], tmp_path: Path) -> None:
    bad = write_tile(tmp_path / "t2", 0.0, (0.0, 0.0), 1e-3, fwhm_px=9.0)
    out = tmp_path / "m.fits"
    with pytest.raises(ValueError, match="beam"):
        mosaic.build_mosaic([*tiles, bad], out)
    assert not out.exists()
    judged = mosaic.build_mosaic([*tiles, bad], out, dry_run=True)
    assert not judged["passed"]
    assert not out.exists()
    assert mosaic.build_mosaic([*tiles, bad], out, ignore_validation=True)["products"]["mosaic"] == str(out)


def test_plan_and_build_through_the_database(
    tiles: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database = tmp_path / "products.sqlite3"
    db = ensure_products_db(database)
    for k, tile in enumerate(tiles):
        images_insert(db, tile, "a.ms", "5min", mid_mjd=61_065.0 + k / 288, pbcor=1)
    common = ["--products-db", str(database), "--name", "hour"]
    unix = (61_065.0 - 40_587.0) * 86_400.0
    assert cli.main(["plan", *common, "--since", str(unix - 60), "--until", str(unix + 600)]) == 0
    assert len(json.loads(capsys.readouterr().out)["tiles"]) == 2
    assert cli.main(["plan", *common]) == 1
    assert "new name" in capsys.readouterr().err
    assert cli.main(["build", *common, "--output", str(tmp_path / "hour.fits")]) == 0
    assert (tmp_path / "hour.fits").exists()
    row = db.select("mosaics", ("name", "=", "hour"))[0]
    assert (row["status"], json.loads(row["validation_issues"])) == ("completed", [])


def test_tiles_must_be_whole(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"NAME-image\.fits"):
        mosaic.tile_of(tmp_path / "a.fits")
    with pytest.raises(FileNotFoundError, match="no such file"):
        mosaic.tile_of(tmp_path / "a-image.fits")
    with pytest.raises(ValueError, match="tiles"):
        mosaic.build_mosaic([], tmp_path / "m.fits")
    with pytest.raises(ValueError, match="method"):
        mosaic.build_mosaic([], tmp_path / "m.fits", method="median")


def catalogue(path: Path, scale: float = 1.0) -> Path:
    rows = [f"{ra},{dec},{flux * 1e3 * scale}" for ra, dec, flux in (*SOURCES, *MORE)]
    path.write_text("ra_deg,dec_deg,flux_mjy\n" + "\n".join(rows) + "\n")
    return path


#: More sources for tiles that are compared with a catalogue.
MORE = ((0.06, 60.04, 0.7), (359.98, 60.04, 0.9), (0.05, 59.96, 0.6))


def test_a_tile_is_corrected_to_the_catalogue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "SOURCES", (*SOURCES, *MORE))
    tile = write_tile(tmp_path / "t0", 0.02, (0.0, 0.0), 1e-3)
    with fits.open(tile, mode="update") as hdus:
        hdus[0].data *= 1.1
        hdus[0].header["CRVAL2"] += 1.5 / 3600
    monkeypatch.undo()
    table = catalogue(tmp_path / "nvss.csv")
    out = tmp_path / "m.fits"
    report = mosaic.build_mosaic([tile], out, catalog=table)
    found = report["corrections"][0]
    # The tile has no frequency, so that fluxes are compared as they are; peaks within a beam's slope, 1 %.
    assert found["flux_scale"] == pytest.approx(1.1, rel=0.01)
    assert found["north_arcsec"] == pytest.approx(1.5, abs=0.2)
    data, wcs = fits.getdata(out)[0, 0], WCS(fits.getheader(out)).celestial
    x, y = (float(v) for v in wcs.all_world2pix(SOURCES[0][0], SOURCES[0][1], 0))
    box = data[round(y) - 3 : round(y) + 4, round(x) - 3 : round(x) + 4]
    assert box.max() == pytest.approx(1.0, rel=0.04)
    # Far from the catalogue's places a verdict stops the mosaic.
    with fits.open(tile, mode="update") as hdus:
        hdus[0].header["CRVAL2"] += 3.0 / 3600
    with pytest.raises(ValueError, match="astrometry"):
        mosaic.build_mosaic([tile], out, catalog=table)


def test_tiles_of_other_beams_meet_in_a_common_one(tmp_path: Path) -> None:
    pair = [
        write_tile(tmp_path / "t0", 0.03, (0.0, 0.0), 1e-3, fwhm_px=5.0),
        write_tile(tmp_path / "t1", 0.01, (0.0, 0.0), 1e-3, fwhm_px=5.8),
    ]
    out = tmp_path / "m.fits"
    report = mosaic.build_mosaic(pair, out)
    assert report["beam"][:2] == pytest.approx([5.8 * CELL * 3600] * 2, rel=1e-3)
    data, wcs = fits.getdata(out)[0, 0], WCS(fits.getheader(out)).celestial
    x, y = (float(v) for v in wcs.all_world2pix(SOURCES[0][0], SOURCES[0][1], 0))
    yy, xx = np.mgrid[: data.shape[0], : data.shape[1]]
    near = (np.hypot(xx - x, yy - y) < 12) & np.isfinite(data)
    # The sum over a source is its flux times the beam's area: the header's beam is the image's.
    area = np.pi / (4 * np.log(2)) * 5.8**2
    assert data[near].sum() / area == pytest.approx(1.0, rel=0.01)


def test_the_window_is_about_the_transit(tmp_path: Path) -> None:
    from dsa110_contimg.mosaic.plan import transit_window

    db = ensure_products_db(tmp_path / "products.sqlite3")
    with pytest.raises(ValueError, match="images with times"):
        transit_window(db, (180.0, 33.0), 60.0)
    images_insert(db, tmp_path / "a-image.fits", "a.ms", "5min", mid_mjd=61_065.9, pbcor=1)
    since, until = transit_window(db, (180.0, 33.0), 60.0)
    assert until - since == pytest.approx(3600.0)
    # The transit is at most a sidereal day before the last tile.
    last = (61_065.9 - 40_587.0) * 86_400.0
    assert last - 86_164.2 <= (since + until) / 2 <= last
    with pytest.raises(ValueError, match="minutes"):
        transit_window(db, (180.0, 33.0), 0.0)


def test_a_made_mosaic_is_inspected(tiles: list[Path], tmp_path: Path) -> None:
    rng = np.random.default_rng(2)

    def check(name: str) -> dict[str, tuple[bool, float]]:
        report = mosaic.build_mosaic(tiles, tmp_path / f"{name}.fits", correct_flux=False)
        return {v["name"]: (v["passed"], v["value"]) for v in report["checks"]}

    for path in tiles:
        with fits.open(path, mode="update") as hdus:
            hdus[0].data += rng.normal(0.0, hdus[0].header["RMSMEAS"], hdus[0].data.shape).astype(np.float32)
    good = check("good")
    # White noise between pixels: the kernel of the reprojection smooths it a little, nothing sharpens it.
    assert good["noise_ratio"][0]
    assert 0.5 < good["noise_ratio"][1] < 1.1
    assert good["overlap"][0]
    assert good["overlap"][1] > 0.3
    for path in tiles:
        with fits.open(path, mode="update") as hdus:
            hdus[0].header["RMSMEAS"] /= 4.0
    lying = check("lying")
    # The headers promise a quarter of the noise.
    assert not lying["noise_ratio"][0]
    assert lying["noise_ratio"][1] == pytest.approx(4 * good["noise_ratio"][1], rel=1e-3)


def test_tiles_that_do_not_meet_are_told(tmp_path: Path) -> None:
    apart = [write_tile(tmp_path / "a", 0.0, (0.0, 0.0), 1e-3), write_tile(tmp_path / "b", 2.0, (0.0, 0.0), 1e-3)]
    # The second has no source of its own.
    report = mosaic.build_mosaic(apart, tmp_path / "m.fits", ignore_validation=True)
    overlap = next(v for v in report["checks"] if v["name"] == "overlap")
    assert (overlap["passed"], overlap["value"]) == (False, 0.0)


def test_what_no_mosaic_can_be_is_refused_and_no_tile_is_written_over(tiles: list[Path], tmp_path: Path) -> None:
    before = tiles[0].read_bytes()
    with pytest.raises(ValueError, match=r"output: expected another file than the tiles'"):
        mosaic.build_mosaic(tiles, tiles[0])
    with pytest.raises(ValueError, match=r"output: expected another file than the tiles'"):
        mosaic.build_mosaic(tiles, tmp_path / "t1-pb.fits")
    assert tiles[0].read_bytes() == before
    with pytest.raises(ValueError, match=r"output: expected a name that ends in \.fits"):
        mosaic.build_mosaic(tiles, tmp_path / "m.txt")
    for floor in (1.0, -0.1, float("nan")):
        with pytest.raises(ValueError, match="pb_floor: expected at least 0 and below 1"):
            mosaic.build_mosaic(tiles, tmp_path / "m.fits", pb_floor=floor)
    for side in (0, -5):
        with pytest.raises(ValueError, match="max_side: expected at least 16 pixels"):
            mosaic.build_mosaic(tiles, tmp_path / "m.fits", max_side=side)
    assert not list(tmp_path.glob("m*"))


def test_a_tile_counts_once(tiles: list[Path], tmp_path: Path) -> None:
    for path in tiles:
        path.with_name(path.name.replace("-image", "-image.pbcor")).write_bytes(path.read_bytes())
    corrected = tiles[0].with_name("t0-image.pbcor.fits")
    with pytest.raises(ValueError, match=r"tiles: expected each tile once, found .*t0-image\.fits twice"):
        mosaic.build_mosaic([*tiles, corrected], tmp_path / "m.fits")
    # As the worker records them: every product of a tile as "5min", both images among them.
    db = ensure_products_db(tmp_path / "products.sqlite3")
    for k in range(2):
        for product in ("image", "image.pbcor", "pb", "psf", "dirty", "residual", "model", "matched"):
            path = tmp_path / f"t{k}-{product}.fits"
            images_insert(db, path, "a.ms", "5min", mid_mjd=61_065.0 + k, pbcor=int(product == "image.pbcor"))
    images_insert(db, tmp_path / "t2-image.fits", "b.ms", "5min", mid_mjd=61_067.0, pbcor=0)
    planned = mosaic.plan(db, "all", include_unpbcor=True)["tiles"]
    assert [Path(p).name for p in planned] == ["t0-image.pbcor.fits", "t1-image.pbcor.fits", "t2-image.fits"]
    assert len(mosaic.plan(db, "corrected")["tiles"]) == 2


def test_the_header_says_when_by_what_and_of_what(tiles: list[Path], tmp_path: Path) -> None:
    days = [(61_065.0, 61_065.0036), (61_065.0033, 61_065.0069)]
    for path, (begin, end) in zip(tiles, days, strict=True):
        with fits.open(path, mode="update") as hdus:
            hdus[0].header.update({"TELESCOP": "DSA_110", "WEIGHTIN": "briggs 0.5", "PROVHASH": path.name})
            hdus[0].header.update({"MJD-BEG": begin, "MJD-END": end, "CALTABS": path.name[:2]})
    report = mosaic.build_mosaic(tiles, tmp_path / "m.fits", method="weighted", ignore_validation=True)
    header = fits.getheader(report["products"]["mosaic"])
    assert (header["TELESCOP"], header["WEIGHTIN"], header["COADD"]) == ("DSA_110", "briggs 0.5", "weighted")
    assert (header["CALTABS"], header["PBCOR"], header["INTERPOL"]) == ("t0;t1", True, "matched")
    assert header["MJD-BEG"] == pytest.approx(days[0][0], abs=1e-9)
    assert header["MJD-END"] == pytest.approx(days[1][1], abs=1e-9)
    assert header["DATE-BEG"].startswith("2026-01-25T00:00:00")
    assert header["RMSLEAST"] == pytest.approx(report["noise_jy"])
    assert len(header["PROVHASH"]) == 64
    assert "t1-image.fits" in "".join(header["HISTORY"])
    with fits.open(tiles[0], mode="update") as hdus:
        hdus[0].header["PROVHASH"] = "other data"
    again = mosaic.build_mosaic(tiles, tmp_path / "m.fits", method="weighted", ignore_validation=True)
    assert fits.getheader(again["products"]["mosaic"])["PROVHASH"] != header["PROVHASH"]


def test_a_verdict_names_the_tile(tiles: list[Path], tmp_path: Path) -> None:
    bad = write_tile(tmp_path / "t2", 0.0, (0.0, 0.0), 1e-3, fwhm_px=9.0)
    with pytest.raises(ValueError, match=r"beam = .*worst in tile 2 \(t2-image\.fits\)"):
        mosaic.build_mosaic([*tiles, bad], tmp_path / "m.fits")


def test_a_seam_is_judged_as_the_tiles_will_be_added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "SOURCES", (*SOURCES, *MORE))
    pair = [write_tile(tmp_path / f"t{k}", 0.03 - 0.02 * k, (0.0, 0.0), 1e-3) for k in range(2)]
    monkeypatch.undo()
    with fits.open(pair[1], mode="update") as hdus:
        hdus[0].data *= 1.3
    table = catalogue(tmp_path / "nvss.csv")
    with pytest.raises(ValueError, match=r"seam = 0\.(29|30)"):
        mosaic.build_mosaic(pair, tmp_path / "m.fits")
    report = mosaic.build_mosaic(pair, tmp_path / "m.fits", catalog=table)
    assert next(v["value"] for v in report["verdicts"] if v["name"] == "seam") < 0.02
    with pytest.raises(ValueError, match="seam"):
        mosaic.build_mosaic(pair, tmp_path / "m.fits", catalog=table, correct_flux=False)


def test_a_place_that_is_not_there_is_told_before_any_work(tiles: list[Path], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="output: expected a file in a directory that exists"):
        mosaic.build_mosaic(tiles, tmp_path / "none" / "m.fits")
