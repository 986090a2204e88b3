"""Making a Measurement Set ready for imaging, with the original system's interface."""

from __future__ import annotations

import os

from dsa110_contimg import DataError, _core
from dsa110_contimg.conversion.layout import check_writable


def configure_ms_for_imaging(
    ms_path: str | os.PathLike[str],
    *,
    ensure_columns: bool = True,
    ensure_flag_and_weight: bool = True,
    do_initweights: bool = True,
    fix_mount: bool = True,
    stamp_observation_telescope: bool = True,
    validate_columns: bool = True,
) -> None:
    """Give a Measurement Set what imaging needs; our own have it all, others get what is missing.

    Parameters
    ----------
    ms_path : path
        The Measurement Set.
    ensure_columns : bool
        MODEL_DATA and CORRECTED_DATA exist (zeros until filled).
    ensure_flag_and_weight, do_initweights : bool
        WEIGHT_SPECTRUM exists, from WEIGHT.
    fix_mount : bool
        All mounts are ``alt-az``.
    stamp_observation_telescope : bool
        TELESCOPE_NAME is ``CONTIMG_TELESCOPE_NAME`` or ``DSA_110``.
    validate_columns : bool
        Raise DataError when a column is still missing.
    """
    check_writable(ms_path)
    telescope = os.environ.get("CONTIMG_TELESCOPE_NAME") or os.environ.get("PIPELINE_TELESCOPE_NAME") or "DSA_110"
    _core.ms.configure(
        ms_path,
        columns=ensure_columns,
        weights=ensure_flag_and_weight or do_initweights,
        mount="alt-az" if fix_mount else None,
        telescope_name=telescope if stamp_observation_telescope else None,
    )
    if validate_columns:
        bad = [v for v in _core.ms.verify(ms_path)["verdicts"] if v["name"] == "columns" and not v["ok"]]
        if bad:
            raise DataError(f"{ms_path}: MAIN: expected the imaging columns, found {bad[0]['reason']}")
