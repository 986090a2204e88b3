"""Typed facade over the core's SQLite room. No SQL here; no second SQLite library in the process."""

from dsa110_contimg.database.handle import Database, open_database, query

__all__ = ["Database", "open_database", "query"]
