"""Grouping 60,000 subband files in one directory: by names and stat alone.

Run ``python benches/python/bench_groups.py [groups]``; prints wall and CPU seconds of `classify_groups`.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path

from dsa110_contimg.conversion import classify_groups


def main(groups: int = 3750) -> None:
    """Make the files, group them three times, print the best."""
    dice = random.Random(1)  # noqa: S311
    start = datetime(2026, 1, 25)
    with tempfile.TemporaryDirectory() as directory:
        for group in range(groups):
            for subband in range(16):
                at = start + timedelta(seconds=309 * group + dice.randint(0, 20))
                (Path(directory) / f"{at:%Y-%m-%dT%H:%M:%S}_sb{subband:02d}.hdf5").write_bytes(b"x")
        best = (float("inf"), float("inf"))
        for _ in range(3):
            wall, cpu = time.perf_counter(), time.process_time()
            found = classify_groups(directory)
            best = min(best, (time.perf_counter() - wall, time.process_time() - cpu))
    assert len(found.complete) == groups
    print(f"{16 * groups} files, {groups} groups: {best[0]:.2f} s wall, {best[1]:.2f} s CPU")


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
