from collections.abc import Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

def antennas(path: str | Path | None = None, *, stations: Sequence[int] | None = None) -> dict[str, NDArray[Any]]: ...
def reference_ranking(preferred: int | None = None, flagged: dict[int, float] | None = None) -> list[int]: ...
