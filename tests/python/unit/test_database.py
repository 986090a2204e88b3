"""The database facade: rows in, rows out, registry, migrations."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from dsa110_contimg import DataError
from dsa110_contimg.database import Database, products, query, registry
from dsa110_contimg.database.migrations import main as migrate


@pytest.fixture(autouse=True)
def directories_are_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is chosen is the matter here, not what is in a table."""
    monkeypatch.setattr(registry, "opens", lambda path: Path(path).is_dir())


@pytest.fixture
def db(tmp_path: Path) -> Database:
    return products.ensure_products_db(tmp_path / "products.sqlite3")


def test_values_come_back_as_they_went(db: Database) -> None:
    row = {"source_id": "J0000", "mjd": np.float64(61000.25), "image_path": Path("/a/b.fits"), "flags": np.int64(3)}
    db.insert("photometry_timeseries", [{**row, "peak_jyb": float("nan")}])
    (got,) = db.select("photometry_timeseries")
    assert (got["mjd"], got["image_path"], got["flags"]) == (61000.25, "/a/b.fits", 3)
    assert got["peak_jyb"] is None


def test_ms_index_upsert_keeps_the_other_columns(db: Database) -> None:
    products.ms_index_upsert(db, "a.ms", stage="converted", mid_mjd=61000.0)
    products.ms_index_upsert(db, "a.ms", stage="imaged")
    (row,) = db.select("ms_index")
    assert (row["stage"], row["mid_mjd"]) == ("imaged", 61000.0)


def test_unknown_names_and_values_are_named(db: Database) -> None:
    with pytest.raises(ValueError, match='did you mean "mid_mjd"'):
        db.select("ms_index", columns=["midmjd"])
    with pytest.raises(ValueError, match="operator"):
        db.select("ms_index", ("path", "LIKE", "%"))
    with pytest.raises(TypeError, match="found object"):
        db.insert("ms_index", [{"path": object()}])


def test_rows_of_different_keys_are_refused(db: Database) -> None:
    with pytest.raises(ValueError, match="keys"):
        db.insert("ms_index", [{"path": "a"}, {"path": "b", "stage": "x"}])


def test_query_is_read_only_and_gives_a_frame(db: Database) -> None:
    products.ms_index_upsert(db, "a.ms", mid_mjd=1.0)
    frame = query(db.path, "SELECT path, mid_mjd FROM ms_index WHERE mid_mjd > ?", [0.5])
    assert list(frame.columns) == ["path", "mid_mjd"]
    assert len(frame) == 1
    with pytest.raises(ValueError, match="only reads"):
        query(db.path, "DELETE FROM ms_index")


def test_a_foreign_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite3"
    path.write_bytes(b"certainly not a database" * 50)
    with pytest.raises(DataError):
        Database(path, "products")


def _table(directory: Path, name: str) -> Path:
    path = directory / name
    path.mkdir(parents=True)
    return path


def test_registry_applies_in_order_and_within_validity(tmp_path: Path) -> None:
    db = registry.ensure_db(tmp_path / "r.sqlite3")
    for ending in ("_gpcal", "_bpcal", "_2gcal"):
        _table(tmp_path, f"day1{ending}")
    paths = registry.register_set_from_prefix(
        db, "day1", tmp_path / "day1", cal_field="0", refant="103", valid_start_mjd=10.0, valid_end_mjd=11.0
    )
    assert len(paths) == 3
    endings = [p.rpartition("_")[2] for p in registry.get_active_applylist(db, 10.5)]
    assert endings == ["bpcal", "gpcal", "2gcal"]
    assert registry.get_active_applylist(db, 11.5) == []
    registry.retire_set(db, "day1", reason="test")
    assert registry.get_active_applylist(db, 10.5) == []
    (entry,) = registry.list_sets(db)
    assert (entry["active"], entry["total"]) == (0, 3)


def test_a_table_whose_directory_is_gone_is_not_applied(tmp_path: Path) -> None:
    db = registry.ensure_db(tmp_path / "r.sqlite3")
    table = _table(tmp_path, "x_bpcal")
    registry.register_set(db, "x", [{"path": table}])
    table.rmdir()
    assert registry.get_active_applylist(db, 1.0) == []


def test_a_missing_table_is_not_registered(tmp_path: Path) -> None:
    db = registry.ensure_db(tmp_path / "r.sqlite3")
    with pytest.raises(FileNotFoundError, match="x_bpcal"):
        registry.register_set(db, "x", [{"path": tmp_path / "x_bpcal"}])
    with pytest.raises(FileNotFoundError):
        registry.register_set_from_prefix(
            db, "x", tmp_path / "none", cal_field=None, refant=None, valid_start_mjd=None, valid_end_mjd=None
        )


def test_migrate_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("CONTIMG_OUTPUT_DIR", str(tmp_path))
    assert migrate(["migrate_all"]) == 0
    assert (tmp_path / "state" / "products.sqlite3").is_file()
    assert migrate([]) == 2
    assert "products" in capsys.readouterr().out


def test_an_image_in_two_places_is_one_epoch(db: Database) -> None:
    rows = [
        {"source_id": "J0000", "mjd": 61000.25, "image_path": path, "peak_jyb": 1.0, "flags": 0}
        for path in ("/old/a-image.fits", "/new/a-image.fits", "/old/b-image.fits")
    ]
    rows.append({**rows[0], "mjd": 61001.25})
    db.insert("photometry_timeseries", rows)
    assert products.forget_copies(db, "/new/a-image.fits", 61000.25) == ["/old/a-image.fits"]
    # What is measured in its own place stays, and so does another image of the same moment.
    assert sorted(r["image_path"] for r in db.select("photometry_timeseries", ("mjd", "<", 61001))) == [
        "/new/a-image.fits",
        "/old/b-image.fits",
    ]


def test_a_table_made_again_elsewhere_is_applied_once(tmp_path: Path) -> None:
    db = registry.ensure_db(tmp_path / "registry.sqlite3")
    for place in ("old", "new"):
        for name in ("x_bpcal", "x_gpcal"):
            (tmp_path / place / name).mkdir(parents=True)
            table = {"path": tmp_path / place / name}
            registry.register_set(db, "x", [table], valid_start_mjd=61000.0, valid_end_mjd=61001.0)
    found = registry.get_active_applylist(db, 61000.5)
    assert found == [str(tmp_path / "new" / "x_bpcal"), str(tmp_path / "new" / "x_gpcal")]


@pytest.mark.parametrize(
    ("table", "filters"),
    [
        ("photometry_timeseries", "source_id IS 'S007' ORDER BY mjd"),
        ("photometry_timeseries", "image_path IS 'i007.fits'"),
        ("photometry_timeseries", "mjd >= 61001 AND mjd <= 61002"),
        ("photometry_bands", "source_id IS 'S007' ORDER BY mjd"),
        ("photometry", "source_id IS 'S007'"),
    ],
)
def test_no_light_curve_and_no_image_needs_all_points(db: Database, table: str, filters: str) -> None:
    plan = query(db.path, f"EXPLAIN QUERY PLAN SELECT * FROM {table} WHERE {filters}")  # noqa: S608
    steps = " / ".join(plan["detail"])
    assert not re.search(r"SCAN (photometry|t|p)\b", steps), steps
    assert "INDEX" in steps


def test_a_point_is_there_once_and_what_is_the_same_already_is_not_written(db: Database) -> None:
    n, epochs = 30, 40
    names = [f"S{i:03d}" for _ in range(epochs) for i in range(n)]
    columns = {
        "source_id": names,
        "mjd": np.repeat(61000.0 + np.arange(epochs), n),
        "image_path": [f"i{e:03d}.fits" for e in range(epochs) for _ in range(n)],
        "peak_jyb": np.arange(float(n * epochs)),
    }
    key = ("source_id", "mjd", "image_path")
    db.insert_columns([("photometry_timeseries", columns, key)])
    journal = db.path.with_name(db.path.name + "-wal")
    size = journal.stat().st_size
    db.insert_columns([("photometry_timeseries", columns, key)])
    assert journal.stat().st_size == size
    curve = db.select("photometry_timeseries", ("source_id", "=", "S007"), columns=["peak_jyb"], order_by=["mjd"])
    assert [row["peak_jyb"] for row in curve] == [7.0 + n * e for e in range(epochs)]
    db.insert_columns([("photometry_timeseries", columns | {"peak_jyb": np.zeros(n * epochs)}, key)])
    assert {row["peak_jyb"] for row in db.select("photometry_timeseries")} == {0.0}


def test_of_two_bandpasses_of_a_set_one_is_applied(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    db = registry.ensure_db(tmp_path / "registry.sqlite3")
    for hour, name in ((0, "early"), (6, "late")):
        for ending in ("kcal", "2kcal", "bpcal"):
            (tmp_path / f"{name}_{ending}").mkdir()
        start = 61000.0 + hour / 24
        registry.register_set_from_prefix(
            db, "day", tmp_path / name, cal_field="0", refant="103", valid_start_mjd=start, valid_end_mjd=start + 1.0
        )

    def names(mjd: float) -> list[str]:
        return [Path(p).name for p in registry.get_active_applylist(db, mjd)]

    # The centres of validity are 61000.5 and 61000.75.
    assert names(61000.6) == ["early_2kcal", "early_kcal", "early_bpcal"]
    assert "late_bpcal" in caplog.text
    assert names(61000.7) == ["late_2kcal", "late_kcal", "late_bpcal"]
