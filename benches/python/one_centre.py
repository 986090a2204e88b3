"""A copy of a Measurement Set with one phase centre, for imagers that cannot join the fields of a drifting tile.

    python benches/python/one_centre.py IN.ms OUT.ms

uvw are recomputed from the antennas and DATA are turned by the difference in w; the other data columns are left out.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from casacore.tables import table

from dsa110_contimg import _core

C = 299_792_458.0
BLOCK = 40_000


def one_centre(source: Path, target: Path) -> tuple[float, float]:
    """Write the copy; its centre, ICRS [rad]: the middle of the fields."""
    with table(str(source), ack=False) as t:
        kept = [c for c in t.colnames() if c not in ("MODEL_DATA", "CORRECTED_DATA")]
        t.select(",".join(kept)).copy(str(target), deep=True).close()
    with table(f"{target}/ANTENNA", ack=False) as t:
        place = t.getcol("POSITION")
    with table(f"{target}/FIELD", ack=False, readonly=False) as t:
        ra, dec = t.getcol("PHASE_DIR")[:, 0].T
        unit = np.array([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)]).mean(axis=1)
        ra0, dec0 = float(np.arctan2(unit[1], unit[0])), float(np.arcsin(unit[2] / np.linalg.norm(unit)))
        for column in ("PHASE_DIR", "DELAY_DIR", "REFERENCE_DIR"):
            t.putcol(column, np.broadcast_to([ra0, dec0], t.getcol(column).shape).copy())
    with table(f"{target}/SPECTRAL_WINDOW", ack=False) as t:
        freq = [t.getcell("CHAN_FREQ", k) for k in range(t.nrows())]
    with table(str(target), ack=False, readonly=False) as t:
        times = np.unique(t.getcol("TIME"))
        uvw = _core.coords.antenna_uvw(times, place, np.full(len(times), ra0), np.full(len(times), dec0))
        for first in range(0, t.nrows(), BLOCK):
            count = min(BLOCK, t.nrows() - first)
            at = np.searchsorted(times, t.getcol("TIME", first, count))
            a, b, ddid = (t.getcol(c, first, count) for c in ("ANTENNA1", "ANTENNA2", "DATA_DESC_ID"))
            new, old = uvw[at, a] - uvw[at, b], t.getcol("UVW", first, count)
            data = t.getcol("DATA", first, count)
            for window in np.unique(ddid):
                own = ddid == window
                turn = -2j * np.pi / C * np.outer((new - old)[own, 2], freq[window])
                data[own] *= np.exp(turn)[..., None].astype(np.complex64)
            t.putcol("DATA", data, first, count)
            t.putcol("UVW", new, first, count)
            t.putcol("FIELD_ID", np.zeros(count, np.int32), first, count)
    return ra0, dec0


if __name__ == "__main__":
    print(one_centre(Path(sys.argv[1]), Path(sys.argv[2])))
