"""Files that appear whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

StrPath = str | os.PathLike[str]


@contextmanager
def whole(path: StrPath) -> Iterator[IO[bytes]]:
    """A binary file to write, beside `path`; it takes that name when the block ends, and is gone when it fails.

    Raises
    ------
    OSError
        It cannot be written; `path` is named and what was there before is left.
    """
    target = Path(path)
    aside = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with aside.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        aside.replace(target)
    except OSError as error:
        if error.errno is None or str(error.filename) not in ("None", str(aside)):
            raise
        # A write that fails does not say where.
        raise OSError(error.errno, error.strerror, str(target)) from None
    finally:
        aside.unlink(missing_ok=True)
