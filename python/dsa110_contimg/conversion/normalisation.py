"""Renaming the files of a group to one time: what the incoming directory of the original did on arrival."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from dsa110_contimg.conversion.groups import WINDOW_S, Classification, classify_groups


@dataclass(frozen=True, slots=True)
class Rename:
    """One file and its canonical name; ``problem`` says why it was not, or could not be, renamed."""

    source: Path
    target: Path
    done: bool = False
    problem: str | None = None

    def as_dict(self) -> dict[str, object]:
        """Plain values for JSON."""
        return {"source": str(self.source), "target": str(self.target), "done": self.done, "problem": self.problem}


def plan_renames(classification: Classification) -> list[Rename]:
    """What has to be renamed so that every file of a group carries the group's time; duplicates stay as they are."""
    plan = []
    for group in classification.groups:
        for file in reversed(group.files):
            target = file.path.with_name(f"{group.group_id}_sb{file.subband:02d}.hdf5")
            if target == file.path:
                continue
            problem = "a file of that name exists" if os.path.lexists(target) else None
            plan.append(Rename(file.path, target, problem=problem))
    return plan


def normalise_names(
    directory: str | os.PathLike[str], *, window_s: float = WINDOW_S, apply: bool = False
) -> list[Rename]:
    """Give the files of each group its canonical time.

    Parameters
    ----------
    directory : path
        A flat directory of subband files.
    window_s : float
        As in `classify_groups` [s].
    apply : bool
        Rename; otherwise only say what would be done. An existing file is never replaced; a second call does nothing.

    Returns
    -------
    list of Rename
        Every file that does not carry its group's name, ``done`` when it was renamed.
    """
    plan = plan_renames(classify_groups(directory, window_s=window_s))
    return [_rename(step) if apply and step.problem is None else step for step in plan]


def _rename(step: Rename) -> Rename:
    try:
        # A hard link refuses an existing target where rename would replace it.
        os.link(step.source, step.target)
    except FileExistsError:
        return Rename(step.source, step.target, problem="a file of that name exists")
    except OSError as error:
        return Rename(step.source, step.target, problem=f"cannot rename: {error.strerror}")
    step.source.unlink()
    return Rename(step.source, step.target, done=True)
