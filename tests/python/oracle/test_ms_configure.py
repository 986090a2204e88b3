"""`ms.configure` on a Measurement Set without the columns of imaging, and python-casacore's view of what came of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dsa110_contimg import _core
from dsa110_contimg.calibration import sky, stages
from dsa110_contimg.conversion.ms_utils import configure_ms_for_imaging
from support.uvh5_groups import write_group

pytestmark = pytest.mark.oracle

COLUMNS = ["MODEL_DATA", "CORRECTED_DATA", "WEIGHT_SPECTRUM"]


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """Without the columns, and with a mount and a telescope that are not ours."""
    tables = pytest.importorskip("casacore.tables")
    files = write_group(tmp_path / "in", subbands=range(2), channels=4, times=2)
    ms = tmp_path / "x.ms"
    _core.ms.convert(files, ms, expected_subbands=2)
    with tables.table(str(ms), readonly=False, ack=False) as main:
        main.removecols(COLUMNS)
    with tables.table(f"{ms}::ANTENNA", readonly=False, ack=False) as antennas:
        antennas.putcol("MOUNT", ["EQUATORIAL"] * antennas.nrows())
    return ms


def test_what_imaging_needs_is_added(bare: Path) -> None:
    tables = pytest.importorskip("casacore.tables")
    assert not _core.ms.verify(bare)["ok"]
    configure_ms_for_imaging(bare)
    assert _core.ms.verify(bare)["ok"]
    assert not list(bare.glob("contimg_writing*"))
    assert not (bare / "table.dat_tmp").exists()
    with tables.table(str(bare), readonly=False, ack=False) as main:
        assert not main.getcol("MODEL_DATA").any()
        assert not main.getcol("CORRECTED_DATA").any()
        # WEIGHT over the channels.
        assert np.array_equal(main.getcol("WEIGHT_SPECTRUM"), np.repeat(main.getcol("WEIGHT")[:, None], 4, axis=1))
        main.putcol("MODEL_DATA", np.ones_like(main.getcol("DATA")))
    assert np.all(_core.ms.read(bare, 0, with_model=True)["model_rfp"] == 1)
    with tables.table(f"{bare}::ANTENNA", ack=False) as antennas:
        assert {mount.lower() for mount in antennas.getcol("MOUNT")} == {"alt-az"}
    # And again: nothing is left to do.
    assert _core.ms.configure(bare) == []


def test_casacore_sees_what_we_write_after_it(bare: Path) -> None:
    tables = pytest.importorskip("casacore.tables")
    _core.ms.configure(bare)
    stages.write_model(bare, sky.model([sky.source("s", 344.1, 16.1, 1.0)], beam="none"))
    ours = np.concatenate([_core.ms.read(bare, w, with_model=True)["model_rfp"] for w in range(2)])
    with tables.table(str(bare), readonly=False, lockoptions="auto", ack=False) as main:
        assert np.array_equal(main.getcol("MODEL_DATA"), ours)
        assert main.iswritable()
    stages.flag(bare, [{"step": "manual", "antenna": "103"}])
    with tables.table(str(bare), ack=False) as main:
        of_103 = (main.getcol("ANTENNA1") == 102) | (main.getcol("ANTENNA2") == 102)
        assert np.array_equal(main.getcol("FLAG").all(axis=(1, 2)), of_103)
        assert np.array_equal(main.getcol("FLAG_ROW"), of_103)
