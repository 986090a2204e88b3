"""The original's strip builder: ``python -m dsa110_contimg.catalog.build_nvss_strip_cli``."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from dsa110_contimg.catalog import strip_cli


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    return strip_cli.main("nvss", arguments)


if __name__ == "__main__":
    sys.exit(main())
