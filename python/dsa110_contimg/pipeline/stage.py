"""A stage: what it needs, what it provides, and the function that does it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Outputs = dict[str, Any]


@dataclass(frozen=True)
class Stage:
    """One step of the way of a group.

    Attributes
    ----------
    name : str
        Name in records and reports.
    run : callable
        Takes the outputs so far and returns the new ones; values are JSON (paths as text).
    needs, provides : tuple of str
        Keys it reads and writes; checked before anything starts.
    files : callable
        The files among its outputs: a finished stage whose files are gone is done again.
    fingerprint : mapping
        Parameters on which its result depends: a finished stage with other parameters is done again.
    applies : callable
        Whether it applies to a group, from the outputs so far.
    """

    name: str
    run: Callable[[Outputs], Outputs]
    needs: tuple[str, ...] = ()
    provides: tuple[str, ...] = ()
    files: Callable[[Outputs], Sequence[str]] = field(default=lambda _outputs: ())
    fingerprint: Mapping[str, Any] = field(default_factory=dict)
    applies: Callable[[Outputs], bool] = field(default=lambda _outputs: True)


def check_order(stages: Sequence[Stage], given: Sequence[str]) -> None:
    """Refuse a sequence in which a stage needs what nothing before it provides.

    Raises
    ------
    ValueError
        With the stage and the missing key.
    """
    known = set(given)
    for stage in stages:
        missing = [key for key in stage.needs if key not in known]
        if missing:
            raise ValueError(f"stage {stage.name}: expected {', '.join(missing)} from an earlier stage, found none")
        known.update(stage.provides)
