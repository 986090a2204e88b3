"""predict, imaging.worker, qa and a beam of one's own, as commands on a small simulated group."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from dsa110_contimg import _core, imaging
from dsa110_contimg.calibration import sky, stages
from dsa110_contimg.cli import main
from dsa110_contimg.database import registry
from dsa110_contimg.database.products import ensure_products_db
from dsa110_contimg.imaging import worker
from dsa110_contimg.qa import cli as qa_cli
from dsa110_contimg.simulation.group import choose_stations, simulate_group
from dsa110_contimg.simulation.models import Source

IMAGE: dict[str, Any] = {"imsize": 256, "cell_arcsec": 24.0, "niter": 300, "nsigma": 5.0}
NAME = "2026-01-25T22:26:05"


class Made:
    """A calibrated group of three sources and its Measurement Set."""

    def __init__(self, root: Path) -> None:
        self.root = root
        ra, dec = _core.coords.meridian_icrs(np.array([61065.934 * 86400.0 + 90.0]), math.radians(16.15))
        ra0, dec0 = math.degrees(ra[0]), math.degrees(dec[0])
        self.sources = [
            Source("S0", ra0 + 0.1, dec0 + 0.2, 3.0),
            Source("S1", ra0 - 0.5, dec0 - 0.3, 2.0),
            Source("S2", ra0 + 0.4, dec0 - 0.4, 1.5),
        ]
        group = simulate_group(
            root / "incoming",
            dec_deg=16.15,
            stations=choose_stations(16),
            integrations=3,
            channels=4,
            sources=self.sources,
            gains=False,
            sefd_jy=300.0,
            dead=(),
            seed=3,
        )
        self.ms = root / f"{NAME}.ms"
        _core.ms.convert(group.files, str(self.ms))

    def copy(self, folder: Path) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        return Path(shutil.copytree(self.ms, folder / self.ms.name))

    def residual(self, ms: Path, tmp_path: Path) -> float:
        """Largest difference between the dirty images of DATA and of MODEL_DATA [Jy/beam]."""
        planes = []
        for column in ("data", "model"):
            report = imaging.image(ms, tmp_path / column, datacolumn=column, **{**IMAGE, "niter": 0, "outliers": False})
            planes.append(fits.getdata(report["products"]["dirty"]).squeeze())
        return float(np.abs(planes[0] - planes[1]).max())


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return Made(tmp_path_factory.mktemp("commands"))


def test_predict_fills_the_model_from_a_list_and_from_an_image(
    made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ms = made.copy(tmp_path)
    sources = tmp_path / "sky.txt"
    records = [sky.source(s.name, s.ra_deg, s.dec_deg, s.flux_jy, alpha=s.alpha) for s in made.sources]
    imaging.write_wsclean_list(sources, records)
    assert main(["predict", str(ms), "--sources", str(sources), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["sources"] == 3
    exact = made.residual(ms, tmp_path)
    report = imaging.image(ms, tmp_path / "clean", datacolumn="data", bright_sigma=0.0, **IMAGE)
    # What the list leaves is noise: under five and a half sigma anywhere among some 3000 beams.
    assert exact < 5.5 * report["expected_rms_jy"]
    assert main(["predict", str(ms), "--image", report["products"]["model"], "--json"]) == 0
    capsys.readouterr()
    # Components of CLEAN: down to the threshold of 5 sigma, and the drift of the beam, which an image cannot know.
    assert made.residual(ms, tmp_path) < 0.08 * 3.0
    assert main(["predict", str(ms)]) == 1
    assert "one of --image and --sources" in capsys.readouterr().err


def test_the_worker_images_what_has_tables_and_only_once(made: Made, tmp_path: Path) -> None:
    folder = tmp_path / "ms"
    ms = made.copy(folder)
    (folder / "2026-01-25T23:00:00.ms").mkdir()
    paths = (folder, tmp_path / "out", tmp_path / "registry.sqlite3", tmp_path / "products.sqlite3")
    waiting = worker.scan(*paths, **IMAGE)
    assert str(ms) in waiting["waiting"]
    table = tmp_path / "night_bpcal"
    model = sky.model([sky.source(s.name, s.ra_deg, s.dec_deg, s.flux_jy) for s in made.sources])
    stages.solve(ms, table, "B", model=model, combine="scan,field", solint="inf", refant="103")
    db = registry.ensure_db(paths[2])
    middle = 61065.9348
    registry.register_set_from_prefix(
        db,
        "night",
        tmp_path / "night",
        cal_field=None,
        refant="103",
        valid_start_mjd=middle - 0.1,
        valid_end_mjd=middle + 0.01,
    )
    found = worker.scan(*paths, **IMAGE)
    assert found["imaged"] == [str(ms)]
    # The empty directory is out of the tables' time: it waits, and does not keep the other back.
    assert found["waiting"] == [str(folder / "2026-01-25T23:00:00.ms")]
    rows = ensure_products_db(paths[3]).select("images")
    assert {row["type"] for row in rows} == {"5min"}
    assert sum(row["pbcor"] for row in rows) == 1
    # Which tables the data were corrected with is in the header.
    assert {fits.getheader(row["path"])["CALTABS"] for row in rows} == {table.name}
    assert worker.scan(*paths, **IMAGE)["imaged"] == []


def test_a_beam_of_ones_own_is_used_and_named(made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    h5py = pytest.importorskip("h5py")
    beam = tmp_path / "wide.h5"
    radius = np.linspace(0.0, 0.2, 2000)
    with h5py.File(beam, "w") as file:
        file["freq_hz"], file["radius_rad"] = [1.4e9], radius
        # A dish of half the diameter.
        file["power_fs"] = np.asarray(_core.beam.airy_power(radius, 1.4e9, diameter_m=2.325))[None]
    common = [
        "image",
        str(made.ms),
        "--imsize",
        "256",
        "--cell",
        "24",
        "--niter",
        "0",
        "--datacolumn",
        "data",
        "--json",
    ]
    common += ["--no-outliers", "--bright-sigma", "0"]
    code = main([*common, "--name", str(tmp_path / "own"), "--beam", str(beam), "--caltable", "a_bpcal"])
    report = json.loads(capsys.readouterr().out)
    assert code == 0
    by_dish = imaging.image(
        made.ms,
        tmp_path / "dish",
        datacolumn="data",
        dish_diameter_m=2.325,
        outliers=False,
        bright_sigma=0.0,
        **{**IMAGE, "niter": 0},
    )
    ours, theirs = (fits.getdata(r["products"]["pb"]).squeeze() for r in (report, by_dish))
    # Linear between radii 1e-4 apart: below 1e-6.
    assert np.nanmax(np.abs(ours - theirs)) < 5e-6
    header = fits.getheader(report["products"]["restored"])
    assert header["PBMODEL"] == "wide.h5"
    assert header["CALTABS"] == "a_bpcal"
    with pytest.raises(ValueError, match="not both"):
        imaging.image(made.ms, tmp_path / "x", beam=str(beam), dish_diameter_m=3.0, **IMAGE)


def test_qa_judges_the_tile_against_its_own_sky(made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = imaging.image(made.ms, tmp_path / "tile", datacolumn="data", **IMAGE)
    catalogue = tmp_path / "sky.csv"

    def write(scale: float) -> None:
        lines = ["name,ra_deg,dec_deg,flux_jy"]
        lines += [f"{s.name},{s.ra_deg},{s.dec_deg},{scale * s.flux_jy}" for s in made.sources]
        catalogue.write_text("\n".join(lines) + "\n")

    words = ["image", report["products"]["pbcor"], "--validate-flux-scale", "--catalog", str(catalogue)]
    words += ["--max-flux-error", "0.1", "--plot", str(tmp_path / "qa.png")]
    write(1.0)
    good = qa_cli.main(words)
    said = json.loads(capsys.readouterr().out)
    write(1.5)
    bad = qa_cli.main(words)
    wrong = json.loads(capsys.readouterr().out)
    assert (good, said["ok"]) == (0, True), said
    assert (bad, wrong["ok"]) == (1, False), wrong
    assert (tmp_path / "qa.png").read_bytes().startswith(b"\x89PNG")


def catalogue(made: Made, path: Path) -> Path:
    """The group's sources as an NVSS-like table, and one far outside the beam."""
    lines = ["ra_deg,dec_deg,flux_mjy"]
    lines += [f"{s.ra_deg:.7f},{s.dec_deg:.7f},{1e3 * s.flux_jy:.3f}" for s in made.sources]
    path.write_text("\n".join([*lines, "12.0,-20.0,9000.0", ""]))
    return path


def test_catalogue_gives_mask_and_seeds(made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = catalogue(made, tmp_path / "nvss.csv")
    common = [
        "--imsize",
        "256",
        "--cell",
        "24",
        "--nsigma",
        "5",
        "--bright-sigma",
        "0",
        "--no-outliers",
        "--datacolumn",
        "data",
        "--json",
    ]
    name = tmp_path / "known"
    known = ["--mask-catalog", str(file), "--mask-radius", "90", "--auto-mask", "0"]
    assert main(["image", str(made.ms), "--name", str(name), *known, *common]) == 0
    report = json.loads(capsys.readouterr().out)
    model = fits.getdata(report["products"]["model"]).squeeze()
    with fits.open(report["products"]["model"]) as hdus:
        wcs = WCS(hdus[0].header).celestial
    places = np.array([wcs.all_world2pix(s.ra_deg, s.dec_deg, 0) for s in made.sources])
    y, x = np.nonzero(model)
    apart = np.hypot(x[:, None] - places[:, 0], y[:, None] - places[:, 1]).min(axis=1)
    assert len(x)
    # 90 arcsec are 3.75 pixels, and a pixel counts by its centre.
    assert apart.max() <= 90.0 / 24.0 + 0.75
    assert main(["image", str(made.ms), "--name", str(name), "--seed-catalog", str(file), "--niter", "0", *common]) == 0
    seeded = json.loads(capsys.readouterr().out)
    dirty, rest = (fits.getdata(seeded["products"][key]).squeeze() for key in ("dirty", "residual"))
    # Sources lie up to half of these coarse pixels (a third of the beam) off the seeds: most of them goes, not all.
    assert np.abs(rest).max() < 0.35 * np.abs(dirty).max()


def test_quick_look_leaves_a_picture_and_no_fits(
    made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = tmp_path / "look"
    options = ["--imsize", "768", "--cell", "8", "--quick", "--skip-fits", "--datacolumn", "data", "--json"]
    assert main(["image", str(made.ms), "--name", str(name), *options]) == 0
    report = json.loads(capsys.readouterr().out)
    # One cycle, and one more where the fit of the bright sources moved after it.
    assert report["n_major"] <= 2
    assert report["imsize"] == [256, 256]
    assert [p.name for p in tmp_path.iterdir()] == ["look-image.png"]
    assert main(["image", str(made.ms), "--name", str(name), "--skip-fits"]) != 0
