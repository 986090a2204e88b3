"""What people do with candidates: flag a source themselves, investigate, dismiss, vote, tag, comment."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dsa110_contimg.database import Database

STATUSES = ("active", "investigated", "dismissed")
KINDS = ("vote", "tag", "comment")


def flag(db: Database, source_id: str, author: str, notes: str = "") -> None:
    """Make a source a candidate by hand; one whose statistics are recorded."""
    _author(author)
    if not db.select("variability_stats", ("source_id", "=", source_id), columns=["source_id"]):
        raise ValueError(f"{source_id}: expected a source with recorded statistics, found none")
    row = {"source_id": source_id, "flagged_at": time.time(), "flagged_by": author, "flag_type": "user", "notes": notes}
    db.insert("ese_candidates", [row])


def set_status(db: Database, source_id: str, status: str) -> int:
    """Mark every candidate of a source; returns how many. Becoming active again forgets the times."""
    if status not in STATUSES:
        raise ValueError(f"status: expected one of {', '.join(STATUSES)}, found {status!r}")
    now = time.time()
    choices: dict[str, dict[str, Any]] = {
        "active": {"investigated_at": None, "dismissed_at": None},
        "investigated": {"investigated_at": now, "dismissed_at": None},
        "dismissed": {"dismissed_at": now},
    }
    count = db.update("ese_candidates", {"status": status} | choices[status], ("source_id", "=", source_id))
    if not count:
        raise ValueError(f"{source_id}: expected a candidate, found none")
    return count


def note(db: Database, source_id: str, kind: str, author: str, body: str) -> None:
    """Vote (``up`` or ``down``; the last of an author counts), tag (once a source) or comment."""
    _author(author)
    if kind not in KINDS or not body.strip() or (kind == "vote" and body not in ("up", "down")):
        expected = "a vote of up or down, a tag or a comment that is not empty"
        raise ValueError(f"{source_id}: expected {expected}, found {kind} {body!r}")
    if not db.select("ese_candidates", ("source_id", "=", source_id), columns=["id"]):
        raise ValueError(f"{source_id}: expected a candidate, found none")
    row = {"source_id": source_id, "kind": kind, "author": author, "body": body.strip(), "created_at": time.time()}
    same: list[tuple[str, str, Any]] = [("source_id", "=", source_id), ("kind", "=", kind)]
    same.append(("author", "=", author) if kind == "vote" else ("body", "=", row["body"]))
    db.replace_all([("candidate_notes", same)] if kind != "comment" else [], [("candidate_notes", [row], ())])


def candidates(db: Database, *, status: str | None = None) -> list[dict[str, Any]]:
    """Candidates, most significant first, each with ``up``, ``down``, ``tags`` and ``comments``."""
    conditions = [] if status is None else [("status", "=", status)]
    rows = db.select("ese_candidates", *conditions, order_by=[("significance", True), ("id", False)])
    notes = db.select("candidate_notes", order_by=["created_at", "id"])
    for row in rows:
        own = [n for n in notes if n["source_id"] == row["source_id"]]
        votes = [n["body"] for n in own if n["kind"] == "vote"]
        row["up"], row["down"] = votes.count("up"), votes.count("down")
        row["tags"] = sorted(n["body"] for n in own if n["kind"] == "tag")
        row["comments"] = [
            {"author": n["author"], "body": n["body"], "created_at": n["created_at"]}
            for n in own
            if n["kind"] == "comment"
        ]
    return rows


def _author(author: str) -> None:
    if not author.strip():
        raise ValueError("author: expected a name, found none")
