"""Normalise, vary, nominate over a database; sources and plots from it; catalogues."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from dsa110_contimg import DataError
from dsa110_contimg.catalog import query_sources, source_name
from dsa110_contimg.catalog.ingest import ingest
from dsa110_contimg.catalog.loaders import load_catalog
from dsa110_contimg.database import Database, open_database
from dsa110_contimg.photometry import campaign, candidates, cli, nominate, normalize
from dsa110_contimg.photometry.source import Source

NAMES = [source_name(10 + 0.1 * i, 30.0) for i in range(16)]
LENS, FLARE = NAMES[3], NAMES[5]


def epoch(e: int, seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng([seed, e])
    base = 0.2 * 1.3 ** np.arange(16)
    flux = base * (1 + 0.1 * rng.normal()) * (1 + 0.005 * rng.normal(size=16))
    t = 3.0 * e
    flux[3] *= 1 - 0.4 * np.exp(-0.5 * ((t - 42) / 9) ** 2)
    flux[5] *= 1 + (0.8 * np.exp(-(t - 30) / 9) if t >= 30 else 0)
    table = {"source_id": NAMES, "ra_deg": 10 + 0.1 * np.arange(16), "dec_deg": 30.0, "flux_jy": flux}
    extra = {"flux_err_jy": 0.002, "local_rms_jy": 0.002, "flags": 0, "pb": 1.0, "mjd": 60000.0 + t}
    return pd.DataFrame(table | extra)


@pytest.fixture
def db(tmp_path: Path) -> Database:
    return open_database(tmp_path / "p.sqlite3", "products")


def fill(db: Database, epochs: range) -> None:
    for e in epochs:
        campaign.record(db, f"image{e:02d}.fits", epoch(e))


def test_the_lens_is_nominated_and_nothing_else(db: Database) -> None:
    fill(db, range(24))
    corrections = campaign.normalise(db)
    judged = campaign.vary_and_nominate(db)
    assert [n for n, j in judged.items() if j["verdict"] == "candidate"] == [LENS]
    assert judged[FLARE]["verdict"] == "variable"
    assert all(j["verdict"] == "steady" for n, j in judged.items() if n not in {LENS, FLARE}), judged
    assert all(c["phase"] == "normalised" and c["correction_rms"] < 0.03 for c in corrections)
    row = db.select("ese_candidates")[0]
    assert row["source_id"] == LENS
    assert row["status"] == "active"
    assert "below the baseline" in row["notes"]
    stats = {r["source_id"]: r for r in db.select("variability_stats")}
    assert stats[LENS]["verdict"] == "candidate"
    assert json.loads(stats[LENS]["reasons"])
    assert stats[LENS]["mean_flux_mjy"] == pytest.approx(1e3 * judged[LENS]["summary"]["mean"])


def test_adding_epochs_equals_starting_anew_and_running_again_changes_nothing(db: Database, tmp_path: Path) -> None:
    for e in range(24):
        fill(db, range(e, e + 1))
        campaign.normalise(db)
    campaign.vary_and_nominate(db)
    anew = open_database(tmp_path / "q.sqlite3", "products")
    fill(anew, range(24))
    for _ in range(2):
        campaign.normalise(anew)
        campaign.vary_and_nominate(anew)
    keep = ["source_id", "mjd", "peak_norm", "peak_norm_err", "is_reference"]
    order = ["source_id", "mjd"]
    assert db.select("photometry_timeseries", columns=keep, order_by=order) == anew.select(
        "photometry_timeseries", columns=keep, order_by=order
    )
    assert len(anew.select("ese_candidates")) == len(db.select("ese_candidates")) == 1


def test_a_persons_verdict_stays(db: Database) -> None:
    fill(db, range(24))
    campaign.normalise(db)
    campaign.vary_and_nominate(db)
    db.update("ese_candidates", {"status": "dismissed"}, ("source_id", "=", LENS))
    campaign.vary_and_nominate(db, options={"min_dip_snr": 1e6})
    assert db.select("ese_candidates")[0]["status"] == "dismissed"
    db.update("ese_candidates", {"status": "active"}, ("source_id", "=", LENS))
    campaign.vary_and_nominate(db, options={"min_dip_snr": 1e6})
    assert db.select("ese_candidates") == []


def test_notes_keep_a_candidate_and_rows_do_not_depend_on_the_order_of_epochs(db: Database, tmp_path: Path) -> None:
    for e in range(20, 24):
        fill(db, range(e + 1) if e == 20 else range(e, e + 1))
        campaign.normalise(db)
        campaign.vary_and_nominate(db)
    anew = open_database(tmp_path / "q.sqlite3", "products")
    fill(anew, range(24))
    campaign.normalise(anew)
    campaign.vary_and_nominate(anew)
    for table in ("variability_stats", "ese_candidates"):
        clocks = {"updated_at", "flagged_at", "last_measured_at", "id"}
        one, all_at_once = (
            [{k: v for k, v in row.items() if k not in clocks} for row in d.select(table, order_by=["source_id"])]
            for d in (db, anew)
        )
        assert one == all_at_once
    candidates.note(db, LENS, "comment", "ann", "look at this")
    campaign.vary_and_nominate(db, options={"min_dip_snr": 1e6})
    assert [c["source_id"] for c in candidates.candidates(db)] == [LENS]


def test_only_what_changed_is_judged_again(db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[set[str]] = []
    whole = nominate.judge_curves

    def watched(curves: Any, **options: Any) -> Any:
        asked.append(set(curves))
        return whole(curves, **options)

    monkeypatch.setattr(nominate, "judge_curves", watched)
    fill(db, range(23))
    campaign.normalise(db)
    first = campaign.vary_and_nominate(db)
    assert campaign.vary_and_nominate(db) == first
    # An epoch that three sources were seen in, with no correction of its own: the others keep their judgement.
    few = epoch(23).iloc[[2, 3, 7]]
    campaign.record(db, "image23.fits", few)
    points = ("photometry_timeseries", ("image_path", "=", "image23.fits"))
    for row in db.select(*points):
        changed = {"peak_norm": row["peak_jyb"], "peak_norm_err": row["peak_err_jyb"]}
        db.update(points[0], changed, points[1], ("source_id", "=", row["source_id"]))
    again = campaign.vary_and_nominate(db)
    assert asked == [set(NAMES), set(few["source_id"])]
    # The same from scratch: nothing remembered.
    stats = db.select("variability_stats", order_by=["source_id"])
    db.delete("judgements", ("source_id", "!=", ""))
    assert campaign.vary_and_nominate(db) == again
    clocks = ("updated_at", "last_measured_at")
    for one, other in zip(stats, db.select("variability_stats", order_by=["source_id"]), strict=True):
        assert {k: v for k, v in one.items() if k not in clocks} == {k: v for k, v in other.items() if k not in clocks}
    # Other thresholds are another question.
    campaign.vary_and_nominate(db, options={"min_dip_snr": 6.0})
    assert asked[-1] == set(NAMES)


def test_few_references_leave_the_epoch_unnormalised(db: Database) -> None:
    for e in range(6):
        campaign.record(db, f"i{e}", epoch(e).head(2))
    assert {c["phase"] for c in campaign.normalise(db)} == {"baseline", "unnormalised"}
    assert campaign.light_curves(db) == {}
    assert campaign.vary_and_nominate(db) == {}


def test_a_source_as_people_see_it(db: Database, tmp_path: Path) -> None:
    fill(db, range(24))
    campaign.normalise(db)
    source = Source(LENS, products_db=db)
    assert source.n_epochs == 24 == len(source.detections)
    assert len(source.limits) == 0
    assert source.coord.ra.deg == pytest.approx(10.3)
    metrics = source.calc_variability_metrics()
    assert {"v", "eta", "vs_mean", "m_mean", "n_epochs"} <= set(metrics)
    assert metrics["v"] > 0.1
    source.plot_lightcurve(save=True, outfile=tmp_path / "l.png", plot_dpi=50)
    assert (tmp_path / "l.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(ValueError, match="expected at least 99 measurements, found 24"):
        source.plot_lightcurve(min_points=99)
    with pytest.raises(ValueError, match="neither"):
        Source("nobody", products_db=db)
    with pytest.raises(FileNotFoundError):
        Source("nobody", products_db=tmp_path / "none.sqlite3")


def test_ese_detect_of_the_originals_command_line(db: Database, capsys: pytest.CaptureFixture[str]) -> None:
    fill(db, range(24))
    assert cli.main(["ese-detect", "--products-db", str(db.path), "--recompute"]) == 0
    assert [c["source_id"] for c in json.loads(capsys.readouterr().out)["candidates"]] == [LENS]


def test_the_originals_normalisation_calls(db: Database, tmp_path: Path) -> None:
    fill(db, range(12))
    table = pd.DataFrame({"source_id": NAMES, "ra_deg": (359.6 + 0.05 * np.arange(16)) % 360, "dec_deg": 30.0})
    ingest(table.assign(flux_mjy=100.0, snr=np.linspace(40, 90, 16)), tmp_path / "c.sqlite3")
    found = normalize.query_reference_sources(tmp_path / "c.sqlite3", 0.0, 30.0, 0.3, max_sources=5)
    assert [r.snr_nvss for r in found] == sorted((r.snr_nvss for r in found), reverse=True)
    assert len(found) == 5
    references = normalize.establish_baselines(found, db)
    assert all(r.is_valid and r.flux_baseline for r in references)
    fluxes = [0.9 * (r.flux_baseline or 0) for r in references]
    correction = normalize.correction_of(fluxes, references)
    assert correction.correction_factor == pytest.approx(0.9)
    assert correction.n_references == 5
    assert normalize.normalize_measurement(0.9, 0.09, correction) == pytest.approx((1.0, 0.1))
    with pytest.raises(DataError, match="expected at least 3 references"):
        normalize.correction_of(fluxes[:2], references[:2])
    assert normalize.check_reference_stability(NAMES[0], db)[0]


@pytest.mark.parametrize(
    ("position", "name"),
    [((0.0, 0.0), "J000000+000000"), ((359.9999, -0.00001), "J000000+000000"), ((83.6332, -5.3911), "J053432-052328")],
)
def test_names(position: tuple[float, float], name: str) -> None:
    assert source_name(*position) == name


def test_cones_cross_zero_and_hold_the_pole(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    dec = np.degrees(np.arcsin(rng.uniform(-1, 1, 3000)))
    table = pd.DataFrame({"ra_deg": rng.uniform(0, 360, 3000), "dec_deg": dec, "flux_mjy": rng.uniform(1, 100, 3000)})
    file, base = tmp_path / "c.csv", tmp_path / "c.sqlite3"
    table.to_csv(file, index=False)
    ingest(load_catalog(file), base)
    for ra, d in [(0.1, 10.0), (359.9, -45.0), (12.0, 89.9)]:
        from_file = query_sources("nvss", ra, d, 8.0, catalog_path=file)
        from_base = query_sources("nvss", ra, d, 8.0, catalog_path=base)
        assert len(from_file) > 3
        assert from_file["flux_mjy"].tolist() == from_base["flux_mjy"].tolist()
        assert from_file["separation_deg"].max() <= 8.0
        assert from_file["flux_mjy"].is_monotonic_decreasing
    assert len(query_sources("nvss", 0.0, 0.0, 8.0, catalog_path=file, max_sources=2)) == 2


def test_foreign_catalogues_are_refused(tmp_path: Path) -> None:
    bad = tmp_path / "bad.csv"
    bad.write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match="expected columns ra_deg"):
        load_catalog(bad)
    bad.write_text("ra,dec,flux_mjy\n1,95,3\n")
    with pytest.raises(DataError, match="line 2"):
        load_catalog(bad)
    with pytest.raises(FileNotFoundError):
        query_sources("nvss", 0, 0, catalog_path=tmp_path / "none.csv")
