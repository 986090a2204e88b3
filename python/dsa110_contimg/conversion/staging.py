"""Scratch for the writing of a Measurement Set: a tmpfs when it has room, else none."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

_log = logging.getLogger(__name__)

#: Free space wanted, in sizes of the inputs.
ROOM = 2.0
#: Directory of ours below the tmpfs.
SUBDIRECTORY = "dsa110-contimg"


def choose_scratch(
    files: Sequence[str | os.PathLike[str]],
    *,
    tmpfs: bool = False,
    tmpfs_path: str | os.PathLike[str] = "/dev/shm",  # noqa: S108 - the tmpfs that Linux has
    scratch_dir: str | os.PathLike[str] | None = None,
) -> Path | None:
    """Directory in which to write before the product is copied to its place, or None to write beside it.

    Parameters
    ----------
    files : sequence of path
        Inputs; the tmpfs is taken when twice their size is free there.
    tmpfs : bool
        Whether to use the tmpfs at all.
    tmpfs_path : path
        Its mount point.
    scratch_dir : path, optional
        What to take when the tmpfs is not used.

    Returns
    -------
    Path or None
        The directory (made when the writing begins).
    """
    if tmpfs:
        wanted = ROOM * sum(Path(file).stat().st_size for file in files)
        root = Path(tmpfs_path)
        if root.is_dir() and os.access(root, os.W_OK) and shutil.disk_usage(root).free > wanted:
            return root / SUBDIRECTORY
        _log.info("%s: less than %.1f GB free, not staged there", root, wanted / 1e9)
    return None if scratch_dir is None else Path(scratch_dir)
