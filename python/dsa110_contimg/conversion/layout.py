"""Where Measurement Sets live (``<base>/science/YYYY-MM-DD/<time>.ms``), and whether they may be written."""

from __future__ import annotations

import os
from pathlib import Path

#: Kinds of Measurement Sets, the first level of the layout.
KINDS = ("science", "calibrators", "failed")


def ms_path(base: str | os.PathLike[str], group_id: str, kind: str = "science") -> Path:
    """Path of the Measurement Set of a group.

    Parameters
    ----------
    base : path
        Directory of all Measurement Sets.
    group_id : str
        Time of the group, UTC, ``2026-01-25T22:26:05``.
    kind : str
        ``science``, ``calibrators`` or ``failed``.

    Returns
    -------
    Path
        ``<base>/<kind>/2026-01-25/2026-01-25T22:26:05.ms``.
    """
    if kind not in KINDS:
        raise ValueError(f"kind: expected one of {', '.join(KINDS)}, found {kind!r}")
    return Path(base) / kind / group_id[:10] / f"{group_id}.ms"


def check_writable(path: str | os.PathLike[str]) -> None:
    """Raise when a Measurement Set cannot be written, before any work starts.

    Parameters
    ----------
    path : path
        The Measurement Set: an existing one must be writable and belong to this user, and the nearest existing
        directory above it must be writable.
    """
    target = Path(path)
    if target.exists():
        owner = target.stat().st_uid
        if os.geteuid() not in (0, owner):
            raise PermissionError(f"{target}: expected to belong to this user ({os.geteuid()}), found owner {owner}")
        unwritable = [p for p in (target, target / "table.dat") if p.exists() and not os.access(p, os.W_OK)]
        if unwritable:
            raise PermissionError(f"{unwritable[0]}: expected to be writable, found read-only")
    parent = target.absolute().parent
    while not parent.exists():
        parent = parent.parent
    if not parent.is_dir():
        raise NotADirectoryError(f"{parent}: expected a directory for {target.name}, found a file")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise PermissionError(f"{parent}: expected a writable directory for {target.name}, found a read-only one")
