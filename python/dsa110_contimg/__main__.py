"""Run `python -m dsa110_contimg` as the command `contimg`."""

import sys

from dsa110_contimg.cli import main

sys.exit(main())
