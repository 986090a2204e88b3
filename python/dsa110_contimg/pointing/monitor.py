"""``python -m dsa110_contimg.pointing.monitor``: records the pointing of every observation that arrives."""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dsa110_contimg import ContimgError
from dsa110_contimg.database.products import ensure_products_db
from dsa110_contimg.pointing.meridian import pointing_of_file
from dsa110_contimg.pointing.timeline import observations

_log = logging.getLogger(__name__)


class PointingMonitor:
    """Watches a directory; each observation becomes a row of ``pointing_history`` (MJD, ICRS degrees), once.

    Parameters
    ----------
    watch_dir : path
        A flat directory of subband files.
    products_db : path
        The products database; made when it does not exist.
    status_file : path, optional
        JSON with the state of the monitor, replaced whole at every look.
    settle_s : float
        Files changed within this are left for the next look: they may still be written [s].
    """

    def __init__(
        self,
        watch_dir: str | os.PathLike[str],
        products_db: str | os.PathLike[str],
        *,
        status_file: str | os.PathLike[str] | None = None,
        settle_s: float = 10.0,
    ) -> None:
        self.watch_dir = Path(watch_dir)
        self.database = ensure_products_db(products_db)
        self.status_file = None if status_file is None else Path(status_file)
        self.settle_s = settle_s
        self._seen: set[str] = set()
        self._recorded = 0
        self._failed: dict[str, str] = {}

    def look(self) -> dict[str, Any]:
        """Record what is new; the state, as it is written to the status file.

        Raises
        ------
        OSError
            The directory or the status file cannot be used.
        """
        now = time.time()
        for path in observations(self.watch_dir):
            if path.name in self._seen or now - path.stat().st_mtime < self.settle_s:
                continue
            self._seen.add(path.name)
            try:
                pointing = pointing_of_file(path)
            except (ContimgError, OSError) as error:
                _log.warning("%s", error)
                self._failed[path.name] = str(error)
                continue
            row = {"timestamp": pointing.mjd, "ra_deg": pointing.ra_deg, "dec_deg": pointing.dec_deg}
            self.database.upsert("pointing_history", row, "timestamp")
            self._recorded += 1
        return self._report(now)

    def _report(self, now: float) -> dict[str, Any]:
        last = self.database.select("pointing_history", order_by=[("timestamp", False)], limit=1)
        state = {
            "watch_dir": str(self.watch_dir),
            "checked_at": now,
            "recorded": self._recorded,
            "failed": self._failed,
            "last": last[0] if last else None,
        }
        if self.status_file is not None:
            aside = self.status_file.with_name(f".{self.status_file.name}.{os.getpid()}.part")
            aside.write_text(json.dumps(state, indent=1))
            aside.replace(self.status_file)
        return state

    def run(self, interval_s: float, stop: threading.Event) -> None:
        """Look every `interval_s` seconds until `stop` is set."""
        while not stop.is_set():
            self.look()
            stop.wait(interval_s)


def parser() -> argparse.ArgumentParser:
    """The original's flags."""
    p = argparse.ArgumentParser(prog="pointing.monitor", description="Record the pointing of arriving files.")
    p.add_argument("watch_dir")
    p.add_argument("products_db")
    p.add_argument("--status-file")
    p.add_argument("--health-check-interval", type=float, default=300.0, help="seconds between looks")
    p.add_argument("--once", action="store_true", help="look once and print the state")
    return p


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until SIGINT or SIGTERM; 0 then."""
    args = parser().parse_args(arguments)
    logging.basicConfig(level="INFO", format="%(levelname)s %(message)s", stream=sys.stderr)
    try:
        if not args.health_check_interval > 0:
            raise ValueError(f"--health-check-interval: expected seconds, found {args.health_check_interval}")
        monitor = PointingMonitor(args.watch_dir, args.products_db, status_file=args.status_file)
        if args.once:
            sys.stdout.write(json.dumps(monitor.look(), indent=1) + "\n")
            return 0
        stop = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.set())
        monitor.run(args.health_check_interval, stop)
    except (ContimgError, OSError, ValueError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
