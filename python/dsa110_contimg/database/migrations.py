"""Bring all databases up to date: ``python -m dsa110_contimg.database.migrations migrate_all``."""

from __future__ import annotations

import sys
from pathlib import Path

from dsa110_contimg.config import Config, load
from dsa110_contimg.database.handle import Database


def migrate_all(config: Config | None = None) -> dict[str, Path]:
    """Create or migrate the queue, registry and products databases; returns schema name and file.

    A database that already holds rows is copied to ``<name>.v<N>.bak`` before its schema changes.
    """
    paths = (config or load()).paths
    files = {"queue": paths.queue, "registry": paths.registry, "products": paths.products}
    for schema, path in files.items():
        Database(path, schema)
    return files


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    words = sys.argv[1:] if arguments is None else arguments
    if words != ["migrate_all"]:
        sys.stderr.write("usage: python -m dsa110_contimg.database.migrations migrate_all\n")
        return 2
    for schema, path in migrate_all().items():
        sys.stdout.write(f"{schema}: {path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
