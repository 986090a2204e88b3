"""Flagging under the original's names: each runs one step of the core and returns its report."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from os import PathLike, fspath
from typing import Any

from dsa110_contimg import DataError
from dsa110_contimg.calibration import stages

StrPath = str | PathLike[str]
Report = dict[str, Any]

_TIME_OF_DAY = re.compile(r"\d{2}:\d{2}(:\d{2}(\.\d+)?)?")
#: Later than any observation [MJD s].
_END_OF_TIME_S = 1e11


def _one(ms: StrPath, step: str, *, column: str = "data", **parameters: Any) -> Report:
    given = {key: value for key, value in parameters.items() if value is not None}
    return stages.flag(ms, [{"step": step, **given}], column=column)


def reset_flags(ms: StrPath) -> Report:
    """Forget all flags."""
    return stages.flag(ms, [], reset=True)


def flag_zeros(ms: StrPath, datacolumn: str = "data") -> Report:
    """Exact zeros and what is no number."""
    return _one(ms, "zeros", column=datacolumn)


def flag_autos(ms: StrPath) -> Report:
    """Autocorrelations."""
    return _one(ms, "autos")


def flag_rfi(
    ms: StrPath,
    datacolumn: str = "data",
    backend: str = "native",
    aoflagger_path: str | None = None,
    strategy: str | None = None,
    extend_flags: bool = True,
    false_alarm: float | None = None,
) -> Report:
    """RFI, the 7-sigma residual clip, and (with `extend_flags`) all products.

    `backend` ``aoflagger`` runs that program (`aoflagger_path`, `strategy`), ``casa`` CASA's tfcrop and rflag, instead of the
    core's own step. `false_alarm` is the fraction of noise that the core's step may flag.
    """
    steps = [dict(step) for step in stages.RFI_STEPS]
    if not extend_flags:
        steps = [step for step in steps if step["step"] != "extend"]
    if backend == "native":
        if false_alarm is not None:
            steps[0]["false_alarm"] = false_alarm
    else:
        run_backend(ms, backend, datacolumn=datacolumn, aoflagger_path=aoflagger_path, strategy=strategy)
        steps = steps[1:]
    return stages.flag(ms, steps, column=datacolumn)


def require_backend(backend: str, aoflagger_path: str | None = None) -> None:
    """Refuse a backend of RFI flagging that is unknown or not installed, before anything is flagged."""
    import importlib.util
    import shutil

    if backend == "aoflagger":
        program = aoflagger_path or "aoflagger"
        if shutil.which(program) is None:
            raise DataError(f"backend aoflagger: expected the program {program!r} on the path, found none")
    elif backend == "casa":
        if importlib.util.find_spec("casatasks") is None:
            raise DataError("backend casa: expected the package casatasks, found none")
    elif backend != "native":
        raise ValueError(f"backend: expected 'native', 'aoflagger' or 'casa', found {backend!r}")


def run_backend(
    ms: StrPath,
    backend: str,
    *,
    datacolumn: str = "data",
    aoflagger_path: str | None = None,
    strategy: str | None = None,
) -> None:
    """Find RFI with another program: ``aoflagger`` or ``casa``."""
    require_backend(backend, aoflagger_path)
    column = {"data": "DATA", "corrected": "CORRECTED_DATA"}.get(datacolumn, datacolumn.upper())
    if backend == "aoflagger":
        program = aoflagger_path or "aoflagger"
        command = [program, "-column", column, *(["-strategy", strategy] if strategy else []), fspath(ms)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode != 0:
            raise DataError(f"aoflagger on {ms}: expected exit code 0, found {done.returncode}: {done.stderr[-300:]}")
    elif backend == "casa":
        from casatasks import flagdata

        common = {"vis": fspath(ms), "datacolumn": datacolumn, "action": "apply", "flagbackup": False}
        flagdata(
            mode="tfcrop", timecutoff=4.0, freqcutoff=4.0, timefit="line", freqfit="poly", maxnpieces=5, winsize=3, **common
        )  # fmt: skip
        flagdata(mode="rflag", timedevscale=4.0, freqdevscale=4.0, **common)


def around_rfi(steps: Sequence[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Steps before and after the RFI step, which another program takes over."""
    at = next((k for k, step in enumerate(steps) if step["step"] == "rfi"), len(steps))
    return list(steps[:at]), list(steps[at + 1 :])


def parse_timerange(text: str, ms: StrPath | None = None) -> tuple[float, float]:
    """CASA's time range as MJD seconds, UTC.

    Parameters
    ----------
    text : str
        ``from~to``, ``>from`` or ``<to``; times are ``2026-01-25T22:26:05`` or ``2026/01/25/22:26:05``, or without a date.
    ms : path, optional
        Measurement Set whose first day is that of times without a date.
    """
    from datetime import UTC, datetime

    what = "ISO times 'from~to', '>from' or '<to'"

    def one(part: str) -> float:
        words = part.strip()
        if words.count("/") == 3:
            words = words.replace("/", "-", 2).replace("/", "T")
        if ms is not None and _TIME_OF_DAY.fullmatch(words):
            words = f"{_first_day(ms)}T{words}"
        try:
            when = datetime.fromisoformat(words)
        except ValueError as problem:
            raise ValueError(f"timerange: expected {what}, found {text!r}") from problem
        when = when if when.tzinfo else when.replace(tzinfo=UTC)
        return when.timestamp() + 40_587 * 86_400.0

    stripped = text.strip()
    if stripped.startswith(">"):
        return one(stripped[1:]), _END_OF_TIME_S
    if stripped.startswith("<"):
        return 0.0, one(stripped[1:])
    first, mark, last = stripped.partition("~")
    if not mark:
        raise ValueError(f"timerange: expected {what}, found {text!r}")
    found = one(first), one(last)
    if found[0] > found[1]:
        raise ValueError(f"timerange: expected a beginning before the end, found {text!r}")
    return found


def _first_day(ms: StrPath) -> str:
    """The date of the first integration, UTC."""
    from datetime import UTC, datetime

    from dsa110_contimg import _core

    start = float(_core.ms.meta(fspath(ms))["time_range_mjd_s"][0])
    return datetime.fromtimestamp(start - 40_587 * 86_400.0, UTC).date().isoformat()


def save_flags(ms: StrPath, name: str, comment: str = "", *, replace: bool = False) -> None:
    """Save FLAG under a name, where CASA's ``flagmanager`` finds it.

    A version of that name is kept as ``NAME.old.1`` (2, ...), as by CASA; with `replace` it is gone.
    """
    from dsa110_contimg import _core

    _core.flagging.save_version(fspath(ms), name, comment, replace=replace)


def restore_flags(ms: StrPath, name: str) -> None:
    """Put a saved version back into FLAG."""
    from dsa110_contimg import _core

    _core.flagging.restore_version(fspath(ms), name)


def list_flag_versions(ms: StrPath) -> list[dict[str, str]]:
    """Saved versions, ``{"name", "comment"}``, the oldest first."""
    from dsa110_contimg import _core

    return [dict(version) for version in _core.flagging.versions(fspath(ms))]


def flag_antenna(ms: StrPath, antenna: str, datacolumn: str = "data") -> Report:
    """All baselines of antennas (names, comma-separated)."""
    return _one(ms, "manual", column=datacolumn, antenna=str(antenna))


def flag_baselines(ms: StrPath, uvrange: str = "2~50m", datacolumn: str = "data") -> Report:
    """Baselines inside a uv range."""
    return _one(ms, "uvrange", column=datacolumn, uvrange=uvrange)


def flag_manual(
    ms: StrPath,
    antenna: str | None = None,
    baseline: str | None = None,
    spw: str | None = None,
    field: str | None = None,
    uvrange: str | None = None,
    time_range_mjd_s: tuple[float, float] | None = None,
    datacolumn: str = "data",
) -> Report:
    """By hand: every part that is given narrows the selection.

    `antenna` takes names, CASA's baselines (``24&103``) and all but some (``!24``); `spw` takes channels (``3:10~20;30``).
    """
    times = list(time_range_mjd_s) if time_range_mjd_s is not None else None
    return _one(
        ms,
        "manual",
        column=datacolumn,
        antenna=antenna,
        baseline=baseline,
        spw=spw,
        field=field,
        uvrange=uvrange or None,
        time_range_mjd_s=times,
    )


def flag_shadow(ms: StrPath, tolerance: float = 0.0) -> Report:
    """Antennas behind another dish; `tolerance` in metres."""
    return _one(ms, "shadow", tolerance_m=tolerance)


def flag_quack(ms: StrPath, quackinterval: float = 2.0, quackmode: str = "beg") -> Report:
    """Ends of the observation; `quackinterval` in seconds."""
    return _one(ms, "quack", interval_s=quackinterval, mode=quackmode)


def flag_elevation(ms: StrPath, lowerlimit: float | None = None, upperlimit: float | None = None) -> Report:
    """Elevations outside limits [degrees]."""
    return _one(ms, "elevation", lower_deg=lowerlimit, upper_deg=upperlimit)


def flag_clip(
    ms: StrPath, clipminmax: tuple[float, float], clipoutside: bool = True, datacolumn: str = "data"
) -> Report:
    """Amplitudes of cross-correlations outside (or inside) a range."""
    low, high = clipminmax
    return _one(ms, "clip", column=datacolumn, min=low, max=high, outside=clipoutside)


def flag_extend(
    ms: StrPath, growtime: float = 0.0, growfreq: float = 0.0, extendpols: bool = True, datacolumn: str = "data"
) -> Report:
    """Grow flags; `growtime` and `growfreq` in percent of a channel's times or a time's channels, as CASA has them."""
    return _one(
        ms, "extend", column=datacolumn, grow_time=growtime / 100, grow_freq=growfreq / 100, products=extendpols
    )


def flag_summary(ms: StrPath, field: str = "", spw: str = "") -> Report:
    """Flagged fractions; nothing is written."""
    return stages.flag(ms, [], field=field, spw=spw, trial=True)
