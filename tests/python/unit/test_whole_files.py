"""A file appears whole, or what was there before stays."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from dsa110_contimg.utils.files import whole


@pytest.fixture
def small_files() -> Iterator[None]:
    """No file above a kilobyte, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_leaves_what_was_there(tmp_path: Path, small_files: None) -> None:
    path = tmp_path / "a.bin"
    with whole(path) as file:
        file.write(b"first")
    with pytest.raises(OSError, match=r"File too large: '.*a\.bin'"), whole(path) as file:
        file.write(b"x" * 10_000)
    assert path.read_bytes() == b"first"
    assert [p.name for p in tmp_path.iterdir()] == ["a.bin"]


def test_an_error_of_ones_own_leaves_nothing(tmp_path: Path) -> None:
    def interrupted() -> None:
        with whole(tmp_path / "a.bin") as file:
            file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(FileNotFoundError, match=r"none/a\.bin"), whole(tmp_path / "none" / "a.bin"):
        pass
