"""The fast path gives what the staged path gives, and refuses what it must."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dsa110_contimg import DataError, _core
from dsa110_contimg.calibration import sky, stages
from dsa110_contimg.cli import main
from dsa110_contimg.imaging import image as staged_image
from dsa110_contimg.imaging.tile import tile
from dsa110_contimg.photometry.forced import measure_positions
from dsa110_contimg.pipeline.sky import CatalogSource, write_catalog
from dsa110_contimg.simulation.group import choose_stations, random_sky, simulate_group
from dsa110_contimg.simulation.models import Source

IMAGE: dict[str, Any] = {"imsize": 256, "cell_arcsec": 24.0, "niter": 300, "nsigma": 5.0, "subbands": 4}
OWN: dict[str, Any] = {"combine": "scan,field,spw", "solint": "inf", "refant": "103", "calmode": "ap"}


def field(count: int = 8, seed: int = 5) -> list[Source]:
    ra, _ = _core.coords.meridian_icrs(np.array([61065.934 * 86400.0 + 90.0]), float(np.radians(16.15)))
    return random_sky(
        count=count,
        ra_deg=float(np.degrees(ra[0])),
        dec_deg=16.15,
        radius_deg=1.0,
        min_flux_jy=0.5,
        max_flux_jy=3.0,
        seed=seed,
    )


class Made:
    """A group, its Measurement Set, a bandpass on its own sky, and the staged image."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.sources = field()
        self.group = simulate_group(
            root / "incoming",
            dec_deg=16.15,
            stations=choose_stations(16),
            integrations=3,
            channels=4,
            sources=self.sources,
            gains=True,
            sefd_jy=500.0,
            dead=(),
            seed=7,
        )
        self.ms = str(root / "group.ms")
        _core.ms.convert(self.group.files, self.ms)
        stages.flag(self.ms)
        self.model = sky.model(
            [sky.source(s.name, s.ra_deg, s.dec_deg, s.flux_jy, alpha=s.alpha) for s in self.sources]
        )
        self.bandpass = root / "group_bpcal"
        stages.solve(self.ms, self.bandpass, "B", model=self.model, combine="scan,field", solint="inf", refant="103")
        self.own = root / "staged_2gcal"
        stages.solve(self.ms, self.own, "G", model=self.model, gaintable=[self.bandpass], **OWN)
        stages.apply(self.ms, [self.bandpass])
        self.report = staged_image(self.ms, root / "staged", datacolumn="corrected", **IMAGE)

    @property
    def ra(self) -> list[float]:
        return [s.ra_deg for s in self.sources]

    @property
    def dec(self) -> list[float]:
        return [s.dec_deg for s in self.sources]

    def fast(self, name: str, **options: Any) -> dict[str, Any]:
        options.setdefault("tables", [self.bandpass])
        image = {**IMAGE, **options.pop("image", {})}
        return tile(self.group.files, self.root / name, ra_deg=self.ra, dec_deg=self.dec, image=image, **options)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return Made(tmp_path_factory.mktemp("tile"))


def pixels(path: str | Path) -> np.ndarray[Any, np.dtype[np.float32]]:
    from astropy.io import fits

    with fits.open(path, memmap=False) as hdus:
        return np.asarray(hdus[0].data, dtype=np.float32).squeeze()


def test_images_are_those_of_the_staged_path_bit_for_bit(made: Made) -> None:
    archive = made.root / "archive.ms"
    report = made.fast("fast", archive=archive)
    for key, path in made.report["products"].items():
        np.testing.assert_array_equal(pixels(report["image"]["products"][key]), pixels(path), err_msg=key)
    for mine, theirs in zip(report["image"]["subbands"], made.report["subbands"], strict=True):
        for key in ("restored", "residual"):
            np.testing.assert_array_equal(pixels(mine[key]), pixels(theirs[key]), err_msg=key)
    # Data worth cleaning: an image of nothing would be equal too.
    assert report["image"]["iterations"] > 20
    assert report["image"]["outcome"] != "dirty"
    files = made.report["products"]
    staged, _ = measure_positions(
        files["restored"],
        made.ra,
        made.dec,
        pb=files["pb"],
        residual=files["residual"],
        matched=(files["matched"], files["psf"]),
        min_pb=0.2,
    )
    # The staged path reads the beam and the coordinates from the header, rounded to about 1e-9.
    np.testing.assert_allclose(report["fluxes"]["flux_jy"][0], staged["flux_jy"], rtol=1e-6)
    assert report["fluxes"]["flux_jy"].shape == (5, len(made.sources))
    # The bandpass was solved on this very sky: fluxes within 10 % of truth (a sparse array, blends, noise).
    truth = np.array([s.flux_jy * (report["image"]["freq_hz"] / 1.4e9) ** s.alpha for s in made.sources])
    seen = np.isfinite(report["fluxes"]["flux_jy"][0]) & (report["fluxes"]["flags"][0] == 0)
    assert seen.sum() >= 3
    assert abs(np.median(report["fluxes"]["flux_jy"][0][seen] / truth[seen]) - 1.0) < 0.1
    assert _core.ms.meta(archive)["n_rows"] == _core.ms.meta(made.ms)["n_rows"]
    assert report["archive"] == str(archive)


def test_a_gain_of_its_own_is_the_staged_one(made: Made) -> None:
    own = made.root / "fast_2gcal"
    request = {"term": "G", "model": made.model, "output": str(own), **OWN}
    made.fast("own", own_gain=request, image={"niter": 0, "subbands": 0})
    a, b = (_core.calibration.read_table(str(t)) for t in (own, made.own))
    for mine, theirs in zip(a["windows"], b["windows"], strict=True):
        np.testing.assert_array_equal(mine["value_tafr"], theirs["value_tafr"])


def test_what_would_be_silently_wrong_is_refused(made: Made, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least one table"):
        made.fast("none", tables=[])
    with pytest.raises(DataError, match="no_such_table"):
        made.fast("missing", tables=[tmp_path / "no_such_table"])
    other = simulate_group(
        tmp_path / "later",
        start="2026-01-28T22:14:17",
        dec_deg=16.15,
        stations=choose_stations(16),
        integrations=2,
        channels=4,
        sources=made.sources,
        sefd_jy=500.0,
        seed=8,
    )
    with pytest.raises(DataError, match="days away"):
        tile(other.files, tmp_path / "late", tables=[made.bandpass], image=IMAGE)
    north = simulate_group(
        tmp_path / "north",
        dec_deg=54.0,
        stations=choose_stations(16),
        integrations=2,
        channels=4,
        sources=made.sources,
        sefd_jy=500.0,
        seed=9,
    )
    with pytest.raises(DataError, match="declination"):
        tile(north.files, tmp_path / "north_tile", tables=[made.bandpass], image=IMAGE)
    everything = [{"step": "clip", "min": 1e9, "max": 2e9}]
    with pytest.raises(DataError, match="flagged"):
        made.fast("flagged", flag=everything)
    empty = {**made.model, "sky": {"sources": []}}
    with pytest.raises(ValueError, match="at least one source"):
        made.fast("empty", own_gain={"output": str(tmp_path / "g"), "term": "G", "model": empty})
    assert not list(tmp_path.glob("*.fits"))
    assert not list(made.root.glob("flagged*"))


def test_the_command_writes_fluxes_and_one_json_object(
    made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    catalog = [CatalogSource(s.name, s.ra_deg, s.dec_deg, s.flux_jy, s.alpha) for s in made.sources]
    write_catalog(tmp_path / "sky.csv", catalog)
    arguments = ["tile", str(made.root / "incoming"), "--caltables", str(made.bandpass), "--json"]
    arguments += [
        "--catalog",
        str(tmp_path / "sky.csv"),
        "--name",
        str(tmp_path / "t"),
        "--imsize",
        "256",
        "--cell",
        "24",
    ]
    arguments += ["--subbands", "2", "--niter", "50"]
    assert main(arguments) == 0
    payload = json.loads(capsys.readouterr().out)
    assert [s["name"] for s in payload["stages"]][:4] == ["open", "read", "flag", "apply"]
    assert payload["stages"][-1]["name"] == "measure"
    with Path(payload["fluxes"]).open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [r["source_id"] for r in rows] == [s.name for s in made.sources]
    assert {"flux_jy", "flux_err_jy", "flux_sb00_jy", "flux_sb01_jy"} <= set(rows[0])
    assert main(arguments) == 1
    assert "--overwrite" in json.loads(capsys.readouterr().out)["error"]
    assert main(["tile", str(made.root / "incoming"), "--json"]) == 1
    assert "--caltables" in json.loads(capsys.readouterr().out)["error"]
    assert main(["tile", str(tmp_path), "--uncalibrated", "--json"]) == 1
    assert "expected one group" in json.loads(capsys.readouterr().out)["error"]
