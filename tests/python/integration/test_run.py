"""The whole way on a very small campaign: twice the same, whatever fails."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dsa110_contimg.cli import main
from dsa110_contimg.config import Config, load
from dsa110_contimg.database import Database
from dsa110_contimg.pipeline.run import RunResult, run_directory
from dsa110_contimg.pipeline.sky import CatalogSource, iau_name, in_beam_calibrator, read_catalog, write_catalog
from dsa110_contimg.simulation.campaign import Campaign, CampaignSizes, campaign

SIZES = CampaignSizes(antennas=16, integrations=2, channels=3)


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    return campaign(
        tmp_path_factory.mktemp("campaign"), epochs=4, n_sources=6, sizes=SIZES, days_without_calibrator=(2,), seed=3
    )


def config_for(root: Path) -> Config:
    return load(None, paths={"root": root}, imaging={"imsize": 512, "cell_arcsec": 15.0, "niter": 500, "subbands": 3})


def process(simulated: Campaign, root: Path, incoming: Path | None = None, *, fast: bool = False) -> RunResult:
    catalog = [CatalogSource(s.name, s.ra_deg, s.dec_deg, s.flux_jy, s.alpha) for s in simulated.sources]
    c = simulated.calibrator
    calibrators = [CatalogSource(c.name, c.ra_deg, c.dec_deg, c.flux_jy, c.alpha)]
    return run_directory(
        incoming or simulated.out, config_for(root), catalog=catalog, calibrators=calibrators, fast=fast
    )


def essence(result: RunResult) -> list[tuple[Any, ...]]:
    return [(s["source_id"], s["verdict"], s["mjd"], s["flux_jy"], s["flux_err_jy"]) for s in result.sources]


def test_a_rerun_skips_what_is_done_and_changes_nothing(simulated: Campaign, tmp_path: Path) -> None:
    first = process(simulated, tmp_path)
    assert first.ok, [g["reason"] for g in first.groups if g["status"] == "failed"]
    assert {g["status"] for g in first.groups} == {"done"}
    targets = [g for g in first.groups if g["kind"] == "target"]
    assert [g["provenance"] for g in targets] == ["SAME_DATE", "SAME_DATE", "BORROWED", "SAME_DATE"]
    # Four epochs are too few to judge: nobody may be nominated.
    assert {s["verdict"] for s in first.sources} == {"insufficient"}
    again = process(simulated, tmp_path)
    assert {g["status"] for g in again.groups} == {"skipped"}
    assert essence(again) == essence(first)
    # Every source in the band and in each of its parts, normalised, and the epochs say how.
    products = Database(config_for(tmp_path).paths.products, "products")
    for row in products.select("photometry_timeseries"):
        assert row["peak_norm"] is not None
        assert len(json.loads(row["band_norm_ujy"])) == 3
    assert sorted({r["freq_hz"] for r in products.select("image_bands")}) == pytest.approx(
        [1.342e9, 1.405e9, 1.467e9], rel=1e-3
    )
    targets = [e for e in first.epochs if e["kind"] == "target"]
    assert {e["flux_scale"] for e in targets} == {"pass"}
    # Six sources are too few for a field of gains.
    assert {e["method"] for e in targets} == {"ensemble"}


def test_the_fast_path_gives_the_same_light_curves_and_skips_what_is_done(simulated: Campaign, tmp_path: Path) -> None:
    staged = process(simulated, tmp_path / "staged")
    fast = process(simulated, tmp_path / "fast", fast=True)
    assert fast.ok, [g["reason"] for g in fast.groups if g["status"] == "failed"]
    assert essence(fast) == essence(staged)
    assert not list((tmp_path / "fast").rglob("science/**/table.dat"))
    assert "tile" in {s["name"] for s in fast.stages}
    again = process(simulated, tmp_path / "fast", fast=True)
    assert {g["status"] for g in again.groups} == {"skipped"}


def test_a_damaged_group_does_not_stop_the_others(simulated: Campaign, tmp_path: Path) -> None:
    incoming = tmp_path / "incoming"
    incoming.mkdir()
    damaged = simulated.epochs[1]["target"]
    for path in simulated.out.glob("*.hdf5"):
        (incoming / path.name).write_bytes(path.read_bytes())
    victim = sorted(incoming.glob(f"{damaged[:16]}*_sb05.hdf5"))[0]
    victim.write_bytes(victim.read_bytes()[:5000])
    result = process(simulated, tmp_path / "out", incoming)
    failed = [g for g in result.groups if g["status"] == "failed"]
    assert len(failed) == 1
    assert victim.name in failed[0]["reason"]
    assert sum(g["status"] == "done" for g in result.groups) == len(result.groups) - 1


def test_run_command_prints_one_json_object(
    simulated: Campaign, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    catalog = [CatalogSource(s.name, s.ra_deg, s.dec_deg, s.flux_jy, s.alpha) for s in simulated.sources]
    write_catalog(tmp_path / "sky.csv", catalog)
    arguments = ["run", str(tmp_path), "--out", str(tmp_path / "o"), "--catalog", str(tmp_path / "sky.csv"), "--json"]
    assert main(arguments) == 0
    payload = json.loads(capsys.readouterr().out)
    assert payload["groups"] == []
    assert main(["run", str(tmp_path / "none"), "--json"]) == 1
    assert "expected a directory" in json.loads(capsys.readouterr().out)["error"]


def test_catalogue_errors_name_the_line(tmp_path: Path) -> None:
    path = tmp_path / "sky.csv"
    path.write_text("ra_deg,dec_deg,flux_jy\n10.0,99.0,1.0\n")
    with pytest.raises(ValueError, match="line 2"):
        read_catalog(path)
    path.write_text("ra,dec\n1,2\n")
    with pytest.raises(ValueError, match="expected columns flux_mjy"):
        read_catalog(path)


def test_names_wrap_at_24_h_and_keep_the_sign() -> None:
    assert iau_name(359.9999, 10.0) == "J000000+100000"
    assert iau_name(180.0, -0.5) == "J120000-003000"


def test_the_calibrator_is_found_across_ra_zero() -> None:
    calibrator = CatalogSource("C", 359.9, 16.0, 10.0)
    assert in_beam_calibrator([calibrator], 0.1, 16.0, 1.0) is calibrator
    assert in_beam_calibrator([calibrator], 2.0, 16.0, 1.0) is None
