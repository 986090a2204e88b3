"""The fast path: one group of UVH5 files to images and forced fluxes, in memory."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dsa110_contimg import _core
from dsa110_contimg.utils.files import whole

if TYPE_CHECKING:
    import pandas as pd

StrPath = str | os.PathLike[str]

#: Columns of a flux table, per plane.
_COLUMNS = ("flux_jy", "flux_err_jy", "local_rms_jy", "chi2", "dof", "cluster", "flags", "pb", "pix_x", "pix_y")


def tile(
    files: Sequence[StrPath],
    name: StrPath,
    *,
    tables: Sequence[StrPath | Mapping[str, Any]] = (),
    ra_deg: Sequence[float] = (),
    dec_deg: Sequence[float] = (),
    image: Mapping[str, Any] | None = None,
    photometry: Mapping[str, Any] | None = None,
    progress: Callable[[int, int], object] | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Take one group from UVH5 files to images and fluxes without a Measurement Set in between.

    The stages and their order are those of ``convert``, ``flag``, ``solve``, ``apply``, ``image`` and ``measure``, and so are the
    results, bit for bit, for the same options and number of threads.

    Parameters
    ----------
    files : sequence of path
        The subbands of one group, in any order.
    name : path
        Prefix of the products, ``NAME-image.fits`` and so on.
    tables : sequence
        Calibration tables in the order of the signal path: paths, or dicts with ``path``, ``interp``, ``spwmap``.
    ra_deg, dec_deg : sequence of float
        Positions to measure, ICRS [degrees].
    image : dict, optional
        Options of :func:`dsa110_contimg.imaging.image`; by default CLEAN to 5 sigma and 16 subband images.
    photometry : dict, optional
        ``min_pb``, ``nbeam``, ``cluster_beams``, ``mesh_beams``, ``blank_fits``.
    progress : callable, optional
        Called with ``(done, total)``.
    **options
        ``uncalibrated`` (no table is meant), ``own_gain`` (a solve request with a sky model, applied last), ``flag`` (steps),
        ``reset_flags``, ``calwt``, ``applymode``, ``max_age_days``, ``max_dec_deg``, ``archive`` (Measurement Set to write
        meanwhile), ``overwrite``, ``fringe_stopped``, ``antennas``, ``expected_subbands``.

    Returns
    -------
    dict
        ``image`` (report of the imager), ``flags``, ``applied``, ``own_gain``, ``stages`` (wall and CPU seconds), ``latency_s``,
        ``archive``, ``warnings``, and ``fluxes``: arrays of shape (plane, source), plane 0 the band, then the subbands ascending
        in frequency; ``freq_hz`` of the planes and ``mjd``.

    Raises
    ------
    DataError, ValueError, OSError
        Damaged files; tables that are missing, of another array, band, date or declination; all data flagged; a zero model.
    """
    settings: dict[str, Any] = {"nsigma": 5.0, "subbands": 16, **(image or {}), "name": os.fspath(name)}
    if isinstance(settings.get("imsize"), int):
        settings["imsize"] = [settings["imsize"]] * 2
    request = {
        "files": [os.fspath(f) for f in files],
        "gaintable": [dict(t) if isinstance(t, Mapping) else {"path": os.fspath(t)} for t in tables],
        "image": settings,
        "photometry": {
            **(photometry or {}),
            "ra_deg": [float(x) for x in ra_deg],
            "dec_deg": [float(x) for x in dec_deg],
        },
        **{key: value for key, value in options.items() if value is not None},
    }
    return _core.imaging.tile(json.dumps(request, default=os.fspath), progress=progress)


def flux_table(report: Mapping[str, Any], plane: int = 0) -> pd.DataFrame:
    """Fluxes of one plane of a :func:`tile` report (0 is the band), one row a position, in the positions' order."""
    import pandas as pd

    fluxes = report["fluxes"]
    return pd.DataFrame({name: fluxes[name][plane] for name in _COLUMNS})


def write_fluxes(
    report: Mapping[str, Any], path: StrPath, *, names: Sequence[str], ra_deg: Sequence[float], dec_deg: Sequence[float]
) -> Path:
    """Fluxes of the band and of all subbands as a CSV, one row a position: ``flux_jy``, ``flux_err_jy``, ... of the band and
    ``flux_sbNN_jy``, ``flux_err_sbNN_jy`` of the subbands, ascending in frequency. Written aside and renamed."""
    table = flux_table(report)
    table.insert(0, "source_id", list(names))
    table.insert(1, "ra_deg", list(ra_deg))
    table.insert(2, "dec_deg", list(dec_deg))
    fluxes = report["fluxes"]
    for plane in range(1, len(fluxes["freq_hz"])):
        table[f"flux_sb{plane - 1:02d}_jy"] = fluxes["flux_jy"][plane]
        table[f"flux_err_sb{plane - 1:02d}_jy"] = fluxes["flux_err_jy"][plane]
    target = Path(path)
    with whole(target) as file:
        table.to_csv(file, index=False)
    return target
