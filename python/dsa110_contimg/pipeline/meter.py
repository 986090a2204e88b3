"""What a piece of work cost: wall and CPU seconds, peak memory."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Cost:
    """Cost of one piece of work in this process, its threads included.

    Attributes
    ----------
    wall_s, cpu_s : float
        Elapsed time, and user plus system time of all threads [s].
    peak_rss_mb : float
        Highest resident memory while it ran [MB]; where the kernel cannot reset its mark, highest so far.
    """

    wall_s: float = 0.0
    cpu_s: float = 0.0
    peak_rss_mb: float = 0.0


@contextlib.contextmanager
def metered() -> Iterator[Cost]:
    """Measure the body; the figures are in the yielded object when it ends, also when it raises."""
    cost = Cost()
    _reset_peak()
    wall, cpu = time.monotonic(), _cpu_s()
    try:
        yield cost
    finally:
        cost.wall_s = time.monotonic() - wall
        cost.cpu_s = _cpu_s() - cpu
        cost.peak_rss_mb = _peak_mb()


def _cpu_s() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _reset_peak() -> None:
    # Linux: writing 5 resets the peak resident set (proc(5)); elsewhere the peak is that of the process so far.
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _peak_mb() -> float:
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    line = next((text for text in status.splitlines() if text.startswith("VmHWM")), "VmHWM: 0 kB")
    return int(line.split()[1]) / 1e3
