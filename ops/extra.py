"""Print the requirements of an optional extra, for pip: ``python ops/extra.py oracle``."""

import sys
import tomllib
from pathlib import Path

project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())["project"]
sys.stdout.write(" ".join(project["optional-dependencies"][sys.argv[1]]) + "\n")
