"""Choice of calibration tables: validity, borrowing, declination strips."""

from __future__ import annotations

from pathlib import Path

import pytest

from dsa110_contimg.config import Calibration
from dsa110_contimg.database import Database, registry
from dsa110_contimg.pipeline.choice import Provenance, choose_tables


@pytest.fixture(autouse=True)
def directories_are_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is chosen is the matter here, not what is in a table."""
    monkeypatch.setattr(registry, "opens", lambda path: Path(path).is_dir())


@pytest.fixture
def db(tmp_path: Path) -> Database:
    db = registry.ensure_db(tmp_path / "r.sqlite3")
    for day in (61000, 61001, 61005):
        tables = []
        for kind in ("bpcal", "gpcal"):
            path = tmp_path / f"{day}_{kind}"
            path.mkdir()
            tables.append({"path": path, "pointing_dec_deg": 16.0})
        bandpass, gain = tables
        registry.register_set(db, f"d{day}", [bandpass], valid_start_mjd=day - 0.5, valid_end_mjd=day + 0.5)
        registry.register_set(db, f"d{day}", [gain], valid_start_mjd=day - 0.02, valid_end_mjd=day + 0.02)
    return db


def names(tables: tuple[str, ...]) -> list[str]:
    return [Path(t).name for t in tables]


def test_a_valid_set_gives_bandpass_and_gain(db: Database) -> None:
    choice = choose_tables(db, 61001.01, 16.1, Calibration())
    assert choice.provenance is Provenance.SAME_DATE
    assert names(choice.tables) == ["61001_bpcal", "61001_gpcal"]


def test_outside_the_gain_validity_only_the_bandpass_is_left(db: Database) -> None:
    assert names(choose_tables(db, 61001.2, 16.0, Calibration()).tables) == ["61001_bpcal"]


def test_a_day_without_calibrator_borrows_the_nearest_bandpass(db: Database) -> None:
    choice = choose_tables(db, 61004.0, 16.0, Calibration())
    assert choice.provenance is Provenance.BORROWED
    assert names(choice.tables) == ["61005_bpcal"]
    assert choice.distance_days == 1.0


def test_another_strip_or_too_far_a_day_gives_none(db: Database) -> None:
    assert choose_tables(db, 61001.0, 54.0, Calibration()).provenance is Provenance.NONE
    assert choose_tables(db, 61100.0, 16.0, Calibration()).provenance is Provenance.NONE


def test_a_table_that_is_gone_is_not_chosen(db: Database, tmp_path: Path) -> None:
    (tmp_path / "61001_bpcal").rmdir()
    choice = choose_tables(db, 61001.0, 16.0, Calibration())
    assert (choice.provenance, names(choice.tables)) == (Provenance.BORROWED, ["61000_bpcal"])


def test_a_borrowed_set_gives_one_bandpass(db: Database, tmp_path: Path) -> None:
    second = tmp_path / "second_bpcal"
    second.mkdir()
    registry.register_set(
        db, "d61005", [{"path": second, "pointing_dec_deg": 16.0}], valid_start_mjd=61005.5, valid_end_mjd=61006.5
    )
    choice = choose_tables(db, 61009.0, 16.0, Calibration())
    assert (choice.provenance, names(choice.tables)) == (Provenance.BORROWED, ["second_bpcal"])


def test_a_borrowed_table_that_cannot_be_read_gives_way(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "opens", lambda path: "61005" not in str(path))
    assert names(choose_tables(db, 61004.0, 16.0, Calibration()).tables) == ["61001_bpcal"]
