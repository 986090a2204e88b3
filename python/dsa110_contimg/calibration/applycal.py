"""Application under the original's name."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from dsa110_contimg import DataError
from dsa110_contimg.calibration import stages, validate

logger = logging.getLogger(__name__)


def apply_to_target(
    ms_target: str,
    field: str,
    gaintables: Sequence[str],
    interp: Sequence[str] | None = None,
    calwt: bool = True,
    spwmap: Sequence[Sequence[int]] | Sequence[int] | None = None,
    verify: bool = True,
    *,
    max_age_days: float = 30.0,
    max_dec_deg: float = 5.0,
) -> None:
    """Apply tables to a target; CORRECTED_DATA, FLAG and (with `calwt`) WEIGHT_SPECTRUM are written.

    Parameters
    ----------
    ms_target : str
        Measurement Set.
    field : str
        Fields in CASA's words; '' is all.
    gaintables : sequence of str
        Tables, in the order of the signal path.
    interp, spwmap : sequence, optional
        CASA's, one entry a table.
    calwt : bool
        Scale weights.
    verify : bool
        Refuse when nothing unflagged and non-zero comes out.
    max_age_days, max_dec_deg : float
        A table further away in time [days] or declination [degrees] is refused.
    """
    validate.validate_caltables_for_use(gaintables, ms_target)
    report = stages.apply(
        ms_target, list(gaintables), interp=interp, spwmap=spwmap, field=field, calwt=calwt,
        max_age_days=max_age_days, max_dec_deg=max_dec_deg,
    )  # fmt: skip
    logger.info("%s: mean corrected amplitude %.4g", ms_target, report["mean_amplitude"])
    if verify and not report["mean_amplitude"] > 0:
        raise DataError(
            f"{ms_target}: expected unflagged corrected data, found none "
            f"({100 * report['flagged_fraction']:.0f} % flagged)"
        )
