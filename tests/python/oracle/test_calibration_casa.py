"""CASA solves and applies the same Measurement Set: tables and corrected data agree in both directions."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dsa110_contimg import _core
from dsa110_contimg.calibration import caltables, sky, stages
from support.modules import unit_test_module

pytestmark = pytest.mark.oracle
pytest.importorskip("casatasks")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A noisy calibrator Measurement Set with its model, flagged; CASA's tables and ours of it."""
    import casatasks

    unit = unit_test_module("test_calibration", called="unit_test_calibration")
    directory = tmp_path_factory.mktemp("casa")
    files = unit.simulate(directory, sefd_jy=2.0, dead=[])
    ms = directory / "c.ms"
    _core.ms.convert(files, ms, expected_subbands=2, checksums=False, phase_center="shared", telescope_name="OVRO_MMA")
    stages.flag(ms)
    stages.write_model(ms, sky.from_csv(directory / "sky.csv", smear=False))
    casa: dict[str, str] = {"B": str(directory / "casa.b"), "G": str(directory / "casa.g")}
    common = {"vis": str(ms), "refant": "103", "minsnr": 3.0}
    casatasks.bandpass(caltable=casa["B"], solint="inf", combine="scan", solnorm=False, **common)
    casatasks.gaincal(caltable=casa["G"], gaintype="G", calmode="ap", solint="int", gaintable=[casa["B"]], **common)
    ours = {t: str(directory / f"ours.{t.lower()}") for t in "BG"}
    stages.solve(ms, ours["B"], "B", combine="scan,field", refant="103")
    stages.solve(ms, ours["G"], "G", solint="int", refant="103", gaintable=[casa["B"]])
    return {"ms": ms, "casa": casa, "ours": ours, "directory": directory}


def _products(path: str) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Gains rotated to antenna 103, flags, errors, by window."""
    table = caltables.read(path)
    ref = table["antennas"].index("103")
    out = []
    for w in table["windows"]:
        g = w["value_tafr"]
        phase = g[:, ref : ref + 1] / np.abs(g[:, ref : ref + 1])
        out.append((g * np.conj(phase), w["flag_tafr"], w["error_tafr"]))
    return out


@pytest.mark.parametrize("term", ["B", "G"])
def test_solutions_equal_casas_within_a_tenth_of_sigma(made: dict[str, Any], term: str) -> None:
    for (a, fa, ea), (b, fb, _) in zip(_products(made["ours"][term]), _products(made["casa"][term]), strict=True):
        assert a.shape == b.shape
        assert (fa != fb).mean() < 0.01
        good = ~(fa | fb)
        assert good.any()
        off = np.abs(a - b)[good] / ea[good]
        # CASA stops when its steps are 1e-3 or so of a sigma, and works in single precision.
        assert np.median(off) < 0.1, np.median(off)
        assert np.abs(a - b)[good].max() < 3e-3 * np.abs(b)[good].max()


def test_casa_applies_our_tables_as_we_do(made: dict[str, Any]) -> None:
    import casatasks

    tables = [made["ours"]["B"], made["ours"]["G"]]
    for name, wanted in (("ours", tables), ("casa", [made["casa"]["B"], made["casa"]["G"]])):
        mine, theirs = (made["directory"] / f"{name}_{who}.ms" for who in ("mine", "theirs"))
        for copy in (mine, theirs):
            shutil.copytree(made["ms"], copy)
        stages.apply(mine, wanted, interp=["nearest,nearestflag", "nearest"])
        casatasks.applycal(
            vis=str(theirs),
            gaintable=wanted,
            interp=["nearest,nearestflag", "nearest"],
            calwt=[True, True],
            flagbackup=False,
        )
        for spw in range(2):
            a = _core.ms.read(mine, spw, column="corrected")
            b = _core.ms.read(theirs, spw, column="corrected")
            cross = a["antenna1"] != a["antenna2"]
            assert (a["flag_rfp"] == b["flag_rfp"])[cross].all(), name
            good = ~a["flag_rfp"] & cross[:, None, None]
            assert good.any()
            scale = np.abs(b["vis_rfp"][good]).max()
            # Single precision through two divisions.
            assert np.abs(a["vis_rfp"] - b["vis_rfp"])[good].max() < 1e-5 * scale, name


@pytest.mark.parametrize("words", [("linear", "linear"), ("linear", "linearflag"), ("nearest", "nearestflag")])
def test_flagged_solutions_flag_what_casa_flags(made: dict[str, Any], tmp_path: Path, words: tuple[str, str]) -> None:
    import casatasks

    tables = pytest.importorskip("casacore.tables")
    # Other directories for every case: CASA keeps tables in memory by their path.
    band, gain = tmp_path / "b", tmp_path / "g"
    shutil.copytree(made["casa"]["B"], band)
    shutil.copytree(made["casa"]["G"], gain)
    with tables.table(str(band), readonly=False, ack=False) as t:
        flags = t.getcol("FLAG")
        flags[::3, 2:4, 0] = True  # two channels of every third antenna
        t.putcol("FLAG", flags)
    with tables.table(str(gain), readonly=False, ack=False) as t:
        flags, times = t.getcol("FLAG"), t.getcol("TIME")
        antenna = t.getcol("ANTENNA1")
        # Windows have their slots a rounding apart.
        second = np.abs(times - times.min() - 12.885) < 5
        flags[second & (antenna % 4 == 0)] = True
        t.putcol("FLAG", flags)
    mine, theirs = tmp_path / "mine.ms", tmp_path / "theirs.ms"
    for copy in (mine, theirs):
        shutil.copytree(made["ms"], copy)
    interp = [",".join(words), words[0]]
    stages.apply(mine, [band, gain], interp=interp)
    casatasks.applycal(
        vis=str(theirs), gaintable=[str(band), str(gain)], interp=interp, calwt=[True, True], flagbackup=False
    )
    for spw in range(2):
        a, b = (_core.ms.read(m, spw, column="corrected") for m in (mine, theirs))
        cross = a["antenna1"] != a["antenna2"]
        before = _core.ms.read(made["ms"], spw)["flag_rfp"]
        assert (b["flag_rfp"] & ~before)[cross].any()
        np.testing.assert_array_equal(a["flag_rfp"][cross], b["flag_rfp"][cross])
        good = ~b["flag_rfp"] & cross[:, None, None]
        scale = np.abs(b["vis_rfp"][good]).max()
        assert np.abs(a["vis_rfp"] - b["vis_rfp"])[good].max() < 1e-5 * scale  # single precision


def test_bandpasses_on_partly_flagged_gains_equal_casas(made: dict[str, Any], tmp_path: Path) -> None:
    import casatasks

    tables = pytest.importorskip("casacore.tables")
    gain, theirs = tmp_path / "pg", tmp_path / "pb"
    shutil.copytree(made["casa"]["G"], gain)
    with tables.table(str(gain), readonly=False, ack=False) as t:
        flags, times, antenna = t.getcol("FLAG"), t.getcol("TIME"), t.getcol("ANTENNA1")
        # One slot of some antennas, and slots that are a rounding off their data, as solves of other programs leave them.
        second = np.abs(times - times.min() - 12.885) < 5
        flags[second & (antenna % 4 == 0)] = True
        t.putcol("FLAG", flags)
        t.putcol("TIME", np.where(second, times, times + 1.2e-5))
    casatasks.bandpass(
        vis=str(made["ms"]), caltable=str(theirs), solint="inf", combine="scan", solnorm=False, refant="103",
        minsnr=3.0, gaintable=[str(gain)],
    )  # fmt: skip
    ours = stages.solve(made["ms"], tmp_path / "ob", "B", combine="scan,field", refant="103", gaintable=[gain])["table"]
    for (a, fa, ea), (b, fb, _) in zip(_products(ours), _products(str(theirs)), strict=True):
        good = ~(fa | fb)
        assert good.any()
        assert (fa != fb).mean() < 0.01
        assert np.median(np.abs(a - b)[good] / ea[good]) < 0.1


def test_python_casacore_reads_our_tables(made: dict[str, Any]) -> None:
    tables = pytest.importorskip("casacore.tables")
    with tables.table(made["ours"]["B"], ack=False) as t:
        assert t.info()["type"] == "Calibration"
        assert t.info()["subType"] == "B Jones"
        assert t.getkeyword("VisCal") == "B Jones"
        assert t.getcell("CPARAM", 0).shape == (8, 2)
        assert t.getkeyword("ANTENNA").startswith("Table: ")


def test_our_delays_equal_casas(made: dict[str, Any]) -> None:
    import casatasks

    path = str(made["directory"] / "casa.k")
    casatasks.gaincal(vis=str(made["ms"]), caltable=path, gaintype="K", refant="103", solint="inf", combine="scan,spw")
    ours = stages.solve(made["ms"], made["directory"] / "ours.k", "K", refant="103", combine="scan,spw")["table"]
    a, b = caltables.read(ours)["windows"][0], caltables.read(path)["windows"][0]
    good = ~(a["flag_tafr"] | b["flag_tafr"])
    assert good.sum() >= 8
    # The bandpasses are no pure delays: CASA's transform to one antenna and our fit to all differ by part of a cell.
    assert np.median(np.abs(a["value_tafr"].real - b["value_tafr"].real)[good]) < 2.0


@pytest.fixture(scope="module")
def odd(made: dict[str, Any]) -> Path:
    """Two scans, weights that differ by antenna, a reference antenna that is missing in the second scan of the first window."""
    tables = pytest.importorskip("casacore.tables")
    ms = made["directory"] / "odd.ms"
    shutil.copytree(made["ms"], ms)
    with tables.table(str(ms), readonly=False, ack=False) as t:
        times, i, j = t.getcol("TIME"), t.getcol("ANTENNA1"), t.getcol("ANTENNA2")
        late = times > np.median(np.unique(times))
        t.putcol("SCAN_NUMBER", np.where(late, 2, 1).astype("i4"))
        factor = ((i % 7) + 1.0) * ((j % 5) + 1.0)
        t.putcol("WEIGHT_SPECTRUM", (t.getcol("WEIGHT_SPECTRUM") * factor[:, None, None]).astype("f4"))
        t.putcol("WEIGHT", (t.getcol("WEIGHT") * factor[:, None]).astype("f4"))
        t.putcol("SIGMA", (t.getcol("SIGMA") / np.sqrt(factor)[:, None]).astype("f4"))
        flags = t.getcol("FLAG")
        flags[late & (t.getcol("DATA_DESC_ID") == 0) & ((i == 102) | (j == 102))] = True
        t.putcol("FLAG", flags)
    return ms


@pytest.mark.parametrize(
    ("term", "options"),
    [
        ("G", {"solint": "inf"}),
        ("G", {"solint": "30s", "combine": "scan"}),
        ("G", {"solint": "inf", "solnorm": True}),
        ("G", {"solint": "inf", "spw": "0:2~4;7,1:1~6"}),
        ("G", {"solint": "inf", "refantmode": "strict"}),
        ("B", {"solint": "inf", "combine": "scan"}),
        ("B", {"solint": "inf", "combine": "scan", "spw": "0:2~4;7"}),
        ("B", {"solint": "inf", "combine": "scan", "solnorm": True}),
    ],
)
def test_odd_set_ups_are_solved_as_by_casa(odd: Path, tmp_path: Path, term: str, options: dict[str, Any]) -> None:
    import casatasks

    refant = "103" if options.get("refantmode") == "strict" else "103,110"
    common = {"refant": refant, "minsnr": 3.0, **options}
    task = casatasks.bandpass if term == "B" else casatasks.gaincal
    task(vis=str(odd), caltable=str(tmp_path / "casa"), **{"solnorm": False, **common})
    stages.solve(odd, tmp_path / "ours", term, **common)
    theirs, ours = (caltables.read(tmp_path / name)["windows"] for name in ("casa", "ours"))
    assert [w["spw"] for w in ours] == [w["spw"] for w in theirs]
    for a, b in zip(ours, theirs, strict=True):
        # CASA leaves the channels that are not chosen out of a bandpass; here they are flagged.
        there = [int(np.argmin(np.abs(a["freq_hz"] - f))) for f in b["freq_hz"]] if term == "B" else [0]
        x, y, error = (a["value_tafr"][:, :, there], b["value_tafr"], a["error_tafr"][:, :, there])
        bad, other = a["flag_tafr"][:, :, there], b["flag_tafr"]
        np.testing.assert_array_equal(bad, other)
        assert a["flag_tafr"].sum() == bad.sum() + (a["flag_tafr"].shape[2] - len(there)) * a["flag_tafr"][:, :, 0].size
        if term == "B" and options.get("solnorm"):
            x, y = np.abs(x), np.abs(y)  # CASA takes mean phases out
        assert (~bad).any()
        off = np.abs(x - y)[~bad] / error[~bad]
        assert np.median(off) < 0.1, np.median(off)
        # CASA stops before the faintest antennas of so uneven weights have converged.
        assert np.quantile(off, 0.9) < 0.5, np.quantile(off, 0.9)
