"""WSClean and tclean behind the options of ``contimg image``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from dsa110_contimg.cli.console import CommandError

#: Options that WSClean and tclean have as well; every other one is refused with them, not passed over.
_SHARED = {
    "ms",
    "name",
    "imsize",
    "cell",
    "weighting",
    "robust",
    "taper",
    "uvrange",
    "niter",
    "threshold",
    "nsigma",
    "gain",
}
_SHARED |= {"auto_mask", "mask", "multiscale", "nterms", "pol", "centre", "datacolumn", "png", "backend", "json_output"}
_OF_ONE = {"wsclean": {"mgain", "non_negative", "subbands", "max_memory_gb"}, "tclean": {"pblimit"}}


def image(
    context: typer.Context,
    backend: str,
    ms: list[Path],
    name: Path,
    *,
    limits: tuple[str, str, float],
    of_wsclean: tuple[float, bool, int, float],
    **options: Any,
) -> dict[str, Any]:
    """Image with the backend `backend`; what it would not do is refused.

    Parameters
    ----------
    limits : (uvrange, centre, pblimit)
        As on the command line.
    of_wsclean : (mgain, non_negative, subbands, max_memory_gb)
        What tclean does not have.
    options
        What both have under the same names.

    Raises
    ------
    CommandError
        An unknown backend, several Measurement Sets, no size, or an option that it does not have.
    """
    from dsa110_contimg import imaging

    if backend not in _OF_ONE:
        raise CommandError(f"--backend: expected native, wsclean or tclean, found {backend!r}")
    if len(ms) != 1 or not options["imsize"] or not options["cell_arcsec"]:
        raise CommandError(f"--backend {backend}: expected one Measurement Set, --imsize and --cell")
    _refuse_others(context, backend)
    if backend == "tclean" and not _given(context, "auto_mask"):
        # CASA's growing mask finds nothing between sidelobes as high as this array's: only when it is asked for.
        options["auto_mask"] = 0.0
    run = imaging.wsclean if backend == "wsclean" else imaging.tclean
    return run(ms[0], name, **options, **_limits(backend, limits, of_wsclean))


def _given(context: typer.Context, name: str) -> bool:
    """Whether an option stands on the command line."""
    return getattr(context.get_parameter_source(name), "name", "") == "COMMANDLINE"


def _refuse_others(context: typer.Context, backend: str) -> None:
    """Refuse what the other imagers would not do, as far as it was asked for."""
    known = _SHARED | _OF_ONE[backend]
    others = [p.opts[0] for p in context.command.params if p.name not in known and _given(context, str(p.name))]
    if others:
        raise CommandError(f"--backend {backend}: expected options that it has too, found {', '.join(others)}")


def _limits(backend: str, shared: tuple[str, str, float], of_wsclean: tuple[float, bool, int, float]) -> dict[str, Any]:
    """Options that the two name or measure differently, and those that only one has."""
    from dsa110_contimg.imaging.cli_imaging import parse_phasecenter, parse_uvrange

    uvrange, centre, pblimit = shared
    place = parse_phasecenter(centre)
    if backend == "wsclean":
        mgain, non_negative, subbands, max_memory_gb = of_wsclean
        options: dict[str, Any] = {"mgain": mgain, "non_negative": non_negative, "subbands": subbands}
        return options | {"uvrange": parse_uvrange(uvrange), "centre_deg": place, "max_memory_gb": max_memory_gb}
    # Far from coplanar with the phase centre at most declinations: without w tclean misplaces what is off the centre.
    options = {"uvrange": uvrange, "pblimit": pblimit, "gridder": "wproject", "wprojplanes": 32, "pbcor": True}
    return options | ({"phasecenter": f"ICRS {place[0]!r}deg {place[1]!r}deg"} if place else {})
