"""Candidates and what people say of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dsa110_contimg.cli.app import main
from dsa110_contimg.database import Database, open_database
from dsa110_contimg.photometry import candidates


@pytest.fixture
def db(tmp_path: Path) -> Database:
    db = open_database(tmp_path / "p.sqlite3", "products")
    db.insert("variability_stats", [{"source_id": s, "n_obs": 30, "updated_at": 0.0} for s in ("a", "b")])
    return db


def test_votes_tags_and_comments_have_authors(db: Database) -> None:
    candidates.flag(db, "a", "ann", "looks odd")
    for author, vote in (("ann", "up"), ("bob", "up"), ("ann", "down")):
        candidates.note(db, "a", "vote", author, vote)
    for author in ("ann", "bob"):
        candidates.note(db, "a", "tag", author, "scintillator")
        candidates.note(db, "a", "comment", author, f"hello from {author}")
    (row,) = candidates.candidates(db)
    assert (row["flag_type"], row["flagged_by"], row["up"], row["down"]) == ("user", "ann", 1, 1)
    assert row["tags"] == ["scintillator"]
    assert [c["author"] for c in row["comments"]] == ["ann", "bob"]


def test_status_and_its_times(db: Database) -> None:
    candidates.flag(db, "a", "ann")
    candidates.set_status(db, "a", "investigated")
    candidates.set_status(db, "a", "dismissed")
    (row,) = candidates.candidates(db, status="dismissed")
    assert row["investigated_at"] <= row["dismissed_at"]
    candidates.set_status(db, "a", "active")
    (row,) = candidates.candidates(db)
    assert row["dismissed_at"] is None
    assert candidates.candidates(db, status="dismissed") == []


def test_nonsense_is_refused(db: Database) -> None:
    candidates.flag(db, "a", "ann")
    for kind, author, body in (
        ("vote", "ann", "sideways"),
        ("tag", "ann", " "),
        ("comment", " ", "x"),
        ("x", "ann", "y"),
    ):
        with pytest.raises(ValueError, match="expected"):
            candidates.note(db, "a", kind, author, body)
    with pytest.raises(ValueError, match="expected a candidate"):
        candidates.note(db, "b", "vote", "ann", "up")
    with pytest.raises(ValueError, match="recorded statistics"):
        candidates.flag(db, "nobody", "ann")
    with pytest.raises(ValueError, match="expected one of"):
        candidates.set_status(db, "a", "gone")


def test_the_command(db: Database, capsys: pytest.CaptureFixture[str]) -> None:
    who = ["--author", "ann", "--json"]
    assert main(["candidates", str(db.path), "b", "--flag", "--vote", "up", "--tag", "x", *who]) == 0
    (row,) = json.loads(capsys.readouterr().out)["candidates"]
    assert (row["source_id"], row["up"], row["tags"]) == ("b", 1, ["x"])
    assert main(["candidates", str(db.path)]) == 0
    assert "ann" in capsys.readouterr().out
    assert main(["candidates", str(db.path), "a", "--status", "dismissed", "--json"]) == 1
