"""The stages of calibration: typed arguments in, the core's report (a dict) out."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from os import PathLike, fspath
from pathlib import Path
from typing import Any

StrPath = str | PathLike[str]
Progress = Callable[[int, int], object] | None
#: A table, or a table with ``interp`` and ``spwmap``.
TableLike = StrPath | Mapping[str, Any]

#: Reference antennas behind the preferred one (outriggers first: they move least).
REFANT_CHAIN = "104,105,106,107,108,109,110,111,112,113,114,115,116,103,117"


def refants(preferred: str | int | None) -> dict[str, Any]:
    """Options of `solve`: the preferred antenna (or ranked list), and the array's fallback chain behind it."""
    first = "" if preferred is None else str(preferred).strip()
    return {"refant": first or "103", "refant_chain": REFANT_CHAIN}


def table_uses(
    tables: Sequence[TableLike],
    interp: Sequence[str] | str | None = None,
    spwmap: Sequence[Sequence[int]] | Sequence[int] | None = None,
) -> list[dict[str, Any]]:
    """Tables as the core wants them; `interp` and `spwmap` as CASA has them (one entry a table)."""
    words = [interp] if isinstance(interp, str) else list(interp or [])
    maps: list[Any] = list(spwmap or [])
    if maps and all(isinstance(entry, int) for entry in maps):
        maps = [maps]
    if len(words) > len(tables) or len(maps) > len(tables):
        raise ValueError(
            f"interp, spwmap: expected at most one entry for each of the {len(tables)} tables, "
            f"found {len(words)} and {len(maps)}"
        )
    uses: list[dict[str, Any]] = []
    for k, table in enumerate(tables):
        use: dict[str, Any] = dict(table) if isinstance(table, Mapping) else {"path": fspath(table)}
        use["path"] = fspath(use["path"])
        if k < len(words):
            use.setdefault("interp", words[k])
        if k < len(maps):
            use.setdefault("spwmap", [int(v) for v in maps[k]])
        uses.append(use)
    return uses


def solve(
    ms: StrPath,
    output: StrPath,
    term: str,
    *,
    gaintable: Sequence[TableLike] = (),
    model: Mapping[str, Any] | None = None,
    smodel: Sequence[float] | None = None,
    progress: Progress = None,
    **options: Any,
) -> dict[str, Any]:
    """Solve one term and write its CASA table.

    Parameters
    ----------
    ms, output : path
        Measurement Set and table to write.
    term : {'K', 'B', 'G'}
        Delay, bandpass or gain.
    gaintable : sequence
        Tables applied before the solve (paths, or dicts with ``path``, ``interp``, ``spwmap``).
    model : dict, optional
        A sky of `dsa110_contimg.calibration.sky`; without one MODEL_DATA is used.
    smodel : sequence of float, optional
        CASA's: Stokes parameters [Jy] of a point source at the phase centre, for fields of one phase centre, unpolarised.
    **options
        CASA's vocabulary: ``calmode, solint, combine, field, spw, uvrange, refant, refantmode, minsnr, minblperant,
        solnorm, fillgaps, smooth_type, smooth_window, robust, overwrite``; ``append`` adds to an existing table of the
        same kind; ``lock_wait_s`` [s], how long to wait for another step on the same Measurement Set. A ``refant``
        of which no antenna is there is refused; ``refant_chain`` has names behind it that need not be there (`refants`).

    Returns
    -------
    dict
        Report: ``table``, ``refant``, SNR, flagged fractions, convergence, antennas, outliers.
    """
    from dsa110_contimg import _core

    for word in ("solint", "field", "spw", "refant"):
        # CASA takes numbers too: seconds, or an index.
        if isinstance(options.get(word), int | float):
            options[word] = str(options[word])
    request = {"ms": fspath(ms), "output": fspath(output), "term": term, "gaintable": table_uses(gaintable), **options}
    if smodel is not None:
        if model is not None:
            raise ValueError("model: expected a sky or smodel, found both")
        model = _point_at_centre(ms, smodel, str(options.get("field", "")))
    if model is not None:
        request["model"] = model
    return dict(_core.calibration.solve(json.dumps(request), progress=progress))


def _point_at_centre(ms: StrPath, stokes: Sequence[float], field: str) -> dict[str, Any]:
    """A point source where the phase centre of the selected fields is, without beam or smearing, as CASA's `smodel` has it."""
    import math

    from dsa110_contimg import _core
    from dsa110_contimg.calibration import sky

    values = [float(v) for v in stokes]
    if not 1 <= len(values) <= 4 or not values[0] > 0 or any(values[1:]):
        raise ValueError(f"smodel: expected [I] or [I, 0, 0, 0] with I > 0 Jy (parallel hands alone), found {values}")
    fields = _core.ms.meta(fspath(ms))["fields"]
    chosen = [f for k, f in enumerate(fields) if not field.strip() or field.strip() in (str(k), f["name"])]
    if not chosen:
        raise ValueError(f"smodel: expected one field by number or name, found {field!r}")
    places = {(round(f["centre"]["ra_rad"], 9), round(f["centre"]["dec_rad"], 9)) for f in chosen}
    if len(places) != 1:
        raise ValueError(
            f"smodel: expected fields of one phase centre (one field by number or name), found {len(places)} centres; "
            "write a model with write_model instead"
        )
    centre = chosen[0]["centre"]
    place = (math.degrees(centre["ra_rad"]), math.degrees(centre["dec_rad"]))
    return sky.model([sky.source("smodel", *place, values[0])], beam="none", smear=False)


def apply(
    ms: StrPath,
    tables: Sequence[TableLike],
    *,
    interp: Sequence[str] | str | None = None,
    spwmap: Sequence[Sequence[int]] | Sequence[int] | None = None,
    field: str = "",
    spw: str = "",
    calwt: bool = True,
    applymode: str = "calflag",
    max_age_days: float = 30.0,
    max_dec_deg: float = 5.0,
    lock_wait_s: float = 60.0,
    progress: Progress = None,
) -> dict[str, Any]:
    """Apply tables to DATA: CORRECTED_DATA, FLAG and (with `calwt`) WEIGHT_SPECTRUM are written.

    A table of other antennas or another band is refused, and so is one whose solutions are more than `max_age_days` away or of
    another declination strip, more than `max_dec_deg` away. Another step on the same Measurement Set is waited for, up to
    `lock_wait_s`.
    """
    from dsa110_contimg import _core

    request = {
        "ms": fspath(ms),
        "gaintable": table_uses(tables, interp, spwmap),
        "field": field,
        "spw": spw,
        "calwt": calwt,
        "applymode": applymode,
        "max_age_days": max_age_days,
        "max_dec_deg": max_dec_deg,
        "lock_wait_s": lock_wait_s,
    }
    return dict(_core.calibration.apply(json.dumps(request), progress=progress))


def clear(ms: StrPath, *, progress: Progress = None) -> dict[str, Any]:
    """CORRECTED_DATA becomes DATA, with its weights (CASA's `clearcal`); flags and MODEL_DATA stay."""
    from dsa110_contimg import _core

    request = {"ms": fspath(ms), "gaintable": [], "clear": True, "applymode": "calonly"}
    return dict(_core.calibration.apply(json.dumps(request), progress=progress))


def write_model(
    ms: StrPath, model: Mapping[str, Any], *, field: str = "", spw: str = "", progress: Progress = None
) -> dict[str, Any]:
    """Predict a sky (of `dsa110_contimg.calibration.sky`) into MODEL_DATA, every field about its own phase centre."""
    from dsa110_contimg import _core

    request = {"ms": fspath(ms), "model": model, "field": field, "spw": spw}
    return dict(_core.calibration.model(json.dumps(request), progress=progress))


#: Steps of `flag` by name, with the defaults of their parameters in the core.
STANDARD_STEPS: tuple[dict[str, Any], ...] = ({"step": "zeros"}, {"step": "autos"}, {"step": "dead"})
RFI_STEPS: tuple[dict[str, Any], ...] = ({"step": "rfi"}, {"step": "residual"}, {"step": "extend"})


def flag(
    ms: StrPath,
    steps: Sequence[Mapping[str, Any]] = STANDARD_STEPS,
    *,
    reset: bool = False,
    field: str = "",
    spw: str = "",
    column: str = "data",
    trial: bool = False,
    provenance: StrPath | None = None,
    waterfall: bool = False,
    progress: Progress = None,
) -> dict[str, Any]:
    """Run flagging steps; the report has a line for each.

    Parameters
    ----------
    steps : sequence of dict
        ``{"step": name, parameter: value, ...}``: zeros, autos, clip, dead, channels, shadow, quack, elevation,
        uvrange, manual, rfi, residual, extend.
    reset : bool
        Forget all flags of the selection first.
    trial : bool
        Count only, write nothing.
    provenance : path, optional
        Directory for ``bits.spwNN.npy``: for each (row, channel, product) the bit of the step that flagged it, uint16; bit 0
        is what was flagged before.
    waterfall : bool
        Report the flagged fraction of each window's times and channels too.
    """
    from dsa110_contimg import _core

    request: dict[str, Any] = {
        "ms": fspath(ms),
        "steps": [dict(step) for step in steps],
        "reset": reset,
        "field": field,
        "spw": spw,
        "column": column,
        "trial": trial,
        "waterfall": waterfall,
    }
    if provenance is not None:
        request["provenance"] = fspath(provenance)
    return dict(_core.flagging.flag(json.dumps(request), progress=progress))


def table_prefix(ms: StrPath, prefix: StrPath | None) -> Path:
    """Where tables of a Measurement Set go: the prefix, or its own path without ``.ms``."""
    if prefix is not None:
        return Path(prefix)
    path = Path(ms)
    return path.with_suffix("") if path.suffix == ".ms" else path
