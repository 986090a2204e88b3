"""Flagging under the original's names: each runs one step of the core and returns its report."""

from __future__ import annotations

import subprocess
from os import PathLike, fspath
from typing import Any

from dsa110_contimg import DataError
from dsa110_contimg.calibration import stages

StrPath = str | PathLike[str]
Report = dict[str, Any]


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
) -> Report:
    """RFI: SumThreshold and rank operator, the 7-sigma residual clip, and (with `extend_flags`) all products.

    `backend` ``aoflagger`` runs that program (`aoflagger_path`, `strategy`) instead of the core's own step.
    """
    steps = [dict(step) for step in stages.RFI_STEPS]
    if not extend_flags:
        steps = [step for step in steps if step["step"] != "extend"]
    if backend == "aoflagger":
        column = {"data": "DATA", "corrected": "CORRECTED_DATA"}.get(datacolumn, datacolumn.upper())
        command = [aoflagger_path or "aoflagger", "-column", column]
        if strategy:
            command += ["-strategy", strategy]
        done = subprocess.run([*command, fspath(ms)], capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode != 0:
            raise DataError(f"aoflagger on {ms}: expected exit code 0, found {done.returncode}: {done.stderr[-300:]}")
        steps = steps[1:]
    elif backend != "native":
        raise ValueError(f"backend: expected 'native' or 'aoflagger', found {backend!r}")
    return stages.flag(ms, steps, column=datacolumn)


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
    """By hand: every part that is given narrows the selection (``uvrange`` stands alone)."""
    if uvrange:
        return flag_baselines(ms, uvrange, datacolumn)
    times = list(time_range_mjd_s) if time_range_mjd_s is not None else None
    return _one(
        ms,
        "manual",
        column=datacolumn,
        antenna=antenna,
        baseline=baseline,
        spw=spw,
        field=field,
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
