"""What cannot be calibrated says so in one line, and leaves the Measurement Set and the registry as they were."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dsa110_contimg import ConvergenceError, DataError, _core
from dsa110_contimg.calibration import caltables, quality, refant, sky, stages, validate
from dsa110_contimg.calibration import cli as calibration_cli
from dsa110_contimg.cli import app
from dsa110_contimg.database import Database, registry
from dsa110_contimg.products.verdict import Verdict, overall
from support.modules import unit_test_module

made = unit_test_module("test_calibration", called="unit_test_calibration_refusals_made")
COMBINE = {"combine": "scan,field", "refant": "103"}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``cal.ms`` with noise, flags and a model, and ``g``, a table of it."""
    directory = tmp_path_factory.mktemp("refusals")
    files = made.simulate(directory, sefd_jy=20.0)
    _core.ms.convert(files, directory / "cal.ms", expected_subbands=2, checksums=False)
    stages.flag(directory / "cal.ms")
    stages.write_model(directory / "cal.ms", sky.from_csv(directory / "sky.csv", smear=False))
    stages.solve(directory / "cal.ms", directory / "g", "G", **COMBINE)
    return directory


@pytest.fixture
def ms(template: Path, tmp_path: Path) -> Path:
    for name in ("cal.ms", "g"):
        shutil.copytree(template / name, tmp_path / name)
    return tmp_path / "cal.ms"


def digest(directory: Path) -> dict[str, str]:
    """Contents of every file but casacore's lock file, which the opening of a table touches."""
    files = sorted(p for p in directory.rglob("*") if p.is_file() and p.name != "table.lock")
    return {str(p.relative_to(directory)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def put(path: Path, column: str, change: Any) -> None:
    """Change a column of a table with another program."""
    tables = pytest.importorskip("casacore.tables")
    with tables.table(str(path), readonly=False, ack=False) as t:
        t.putcol(column, change(t.getcol(column)))


# One step at a time.


def test_a_step_waits_for_another_and_then_says_whose_it_is(ms: Path) -> None:
    handle = os.open(ms, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        for step in (
            lambda: stages.solve(ms, ms.parent / "h", "G", lock_wait_s=0.1, **COMBINE),
            lambda: stages.apply(ms, [ms.parent / "g"], lock_wait_s=0.1),
        ):
            with pytest.raises(OSError, match=r"found it in use by .*(process \d+|thread)"):
                step()
        # It goes on as soon as the other has finished.
        threading.Timer(0.3, lambda: fcntl.flock(handle, fcntl.LOCK_UN)).start()
        assert stages.solve(ms, ms.parent / "h", "G", lock_wait_s=60.0, **COMBINE)["failed"] == 0
    finally:
        os.close(handle)
    with pytest.raises(ValueError, match="lock_wait_s"):
        stages.apply(ms, [ms.parent / "g"], lock_wait_s=-1.0)


def test_the_lock_of_a_killed_process_is_gone(ms: Path) -> None:
    code = f"import fcntl, os, time\nfcntl.flock(os.open({str(ms)!r}, os.O_RDONLY), 2)\nprint('go', flush=True)\ntime.sleep(60)\n"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(OSError, match=f"process {holder.pid}"):
            stages.apply(ms, [ms.parent / "g"], lock_wait_s=0.0)
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    stages.apply(ms, [ms.parent / "g"], lock_wait_s=0.0)


def test_two_applications_at_once_are_two_applications(ms: Path) -> None:
    alone = ms.parent / "alone.ms"
    shutil.copytree(ms, alone)
    stages.apply(alone, [ms.parent / "g"])
    code = f"from dsa110_contimg.calibration import stages\nstages.apply({str(ms)!r}, [{str(ms.parent / 'g')!r}])\n"
    both = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(2)]
    assert [p.wait(120) for p in both] == [0, 0]
    for spw in range(2):
        a, b = (_core.ms.read(m, spw, column="corrected") for m in (ms, alone))
        np.testing.assert_array_equal(a["vis_rfp"], b["vis_rfp"])
        # Weights go through SIGMA_SPECTRUM and back, in single precision.
        np.testing.assert_allclose(a["weight_rfp"], b["weight_rfp"], rtol=1e-6)


# Tables that do not belong to the data.


def _strip(table: Path) -> None:
    put(table / "FIELD", "PHASE_DIR", lambda d: d + np.radians([0.0, 12.0]))


def _epoch(table: Path) -> None:
    put(table, "TIME", lambda t: t - 100 * 86_400.0)


def _band(table: Path) -> None:
    put(table / "SPECTRAL_WINDOW", "CHAN_FREQ", lambda f: f + 1e9)


def _names(table: Path) -> None:
    put(table / "ANTENNA", "NAME", lambda n: [f"X{name}" for name in n])


@pytest.mark.oracle  # changes tables by python-casacore
@pytest.mark.parametrize(
    ("change", "text"),
    [
        (_strip, r"within 5 degrees of declination 16\.\d+ .*found declination 28\."),
        (_epoch, r"within 30 days .*found 100\.0\d days away"),
        (_band, "MHz"),
        (_names, "antenna 0 named"),
    ],
)
@pytest.mark.parametrize("command", ["apply", "calibration.cli"])
def test_a_table_of_something_else_is_refused(
    ms: Path, change: Any, text: str, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    table = ms.parent / "g"
    change(table)
    before = digest(ms)
    with pytest.raises(DataError, match=text):
        stages.apply(ms, [table])
    if command == "apply":
        code = app.main(["apply", str(ms), "-t", str(table), "--json"])
    else:
        code = calibration_cli.main(["apply", "--ms", str(ms), "--tables", str(table)])
    said = capsys.readouterr()
    assert code != 0
    assert str(table) in said.err
    assert "Traceback" not in said.err
    assert digest(ms) == before


def test_another_strip_or_date_can_be_insisted_on(ms: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = ms.parent / "g"
    _strip(table)
    _epoch(table)
    assert app.main(["apply", str(ms), "-t", str(table), "--max-age", "200", "--max-dec", "20", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["mean_amplitude"] > 0
    with pytest.raises(ValueError, match="max_dec_deg"):
        stages.apply(ms, [table], max_dec_deg=-1.0)


@pytest.mark.oracle  # changes tables by python-casacore
def test_fewer_antennas_are_refused(ms: Path, tmp_path: Path) -> None:
    tables = pytest.importorskip("casacore.tables")
    with tables.table(str(ms.parent / "g" / "ANTENNA"), readonly=False, ack=False) as t:
        t.removerows([116])
    before = digest(ms)
    with pytest.raises(DataError, match="116"):
        stages.apply(ms, [ms.parent / "g"])
    with pytest.raises(DataError, match="116"):
        stages.solve(ms, tmp_path / "b", "B", gaintable=[ms.parent / "g"], **COMBINE)
    assert digest(ms) == before
    assert not (tmp_path / "b").exists()


# Models and data that give nothing.


@pytest.mark.oracle  # changes tables by python-casacore
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_model_that_is_no_number_is_refused(ms: Path, value: float) -> None:
    put(ms, "MODEL_DATA", lambda m: np.where(np.arange(m.shape[1])[None, :, None] == 3, value, m).astype(m.dtype))
    before = digest(ms)
    with pytest.raises(DataError, match=r"not finite for 12\.5 % .*contimg model"):
        stages.solve(ms, ms.parent / "h", "G", **COMBINE)
    assert digest(ms) == before
    assert not (ms.parent / "h").exists()


def test_what_flagged_a_field_is_named(ms: Path) -> None:
    stages.flag(ms, [{"step": "clip", "min": 1e9, "max": 2e9}], field="2")
    with pytest.raises(DataError, match=r"field 2 \('.*'\) fully flagged by clip \(\d"):
        stages.solve(ms, ms.parent / "h", "G", field="2", refant="103")
    # A reset forgets what was flagged, and by what.
    stages.flag(ms, [], reset=True)
    stages.flag(ms, [{"step": "manual", "antenna": "*"}])
    with pytest.raises(DataError, match=r"field 0 .* fully flagged by manual .*; field 3 .* fully flagged by manual"):
        stages.solve(ms, ms.parent / "h", "G", **COMBINE)
    assert not (ms.parent / "h").exists()


def test_a_flagged_or_absent_reference_gives_way(ms: Path) -> None:
    stages.flag(ms, [{"step": "manual", "antenna": "103"}])
    report = stages.solve(ms, ms.parent / "h", "G", combine="scan,field", refant="999,103,110")
    assert report["refant"] == "110"
    # 'strict' flags what the reference does not cover: nothing is left, and that is said.
    with pytest.raises((DataError, ConvergenceError), match=r"no reference antenna of 103 .*strict"):
        stages.solve(ms, ms.parent / "i", "G", combine="scan,field", refant="103", refantmode="strict")
    assert not (ms.parent / "i").exists()


@pytest.mark.oracle  # changes tables by python-casacore
def test_a_dead_antenna_is_dead_in_the_table_and_in_the_data(ms: Path) -> None:
    stages.flag(ms, [{"step": "manual", "antenna": "24"}])
    report = stages.solve(ms, ms.parent / "h", "B", **COMBINE)
    assert "24" in report["dead"]
    table = caltables.read(report["table"])
    a = table["antennas"].index("24")
    assert all(w["flag_tafr"][:, a].all() for w in table["windows"])
    # A table that lost an antenna flags its data.
    tables = pytest.importorskip("casacore.tables")
    with tables.table(str(ms.parent / "g"), readonly=False, ack=False) as t:
        flags = t.getcol("FLAG")
        flags[t.getcol("ANTENNA1") == 39] = True
        t.putcol("FLAG", flags)
    stages.apply(ms, [ms.parent / "g"])
    block = _core.ms.read(ms, 0, column="corrected")
    touched = (block["antenna1"] == 39) | (block["antenna2"] == 39)
    assert block["flag_rfp"][touched].all()


def test_a_truncated_table_is_refused_and_the_registry_does_not_give_it(ms: Path, tmp_path: Path) -> None:
    db = tmp_path / "r.sqlite3"
    table = tmp_path / "x_gpcal"
    shutil.copytree(ms.parent / "g", table)
    registry.register_set(db, "x", [{"path": table}], valid_start_mjd=61_000.0, valid_end_mjd=62_000.0)
    assert registry.get_active_applylist(db, 61_500.0) == [str(table)]
    for file in table.glob("table.f*"):
        file.write_bytes(file.read_bytes()[:64])
    assert registry.get_active_applylist(db, 61_500.0) == []
    before, rows = digest(ms), registry.list_sets(db)
    with pytest.raises(DataError, match="x_gpcal"):
        stages.apply(ms, [table])
    with pytest.raises(DataError, match="x_gpcal"):
        validate.validate_caltables_for_use([table], ms)
    assert digest(ms) == before
    assert registry.list_sets(db) == rows
    shutil.rmtree(table)
    assert registry.get_active_applylist(db, 61_500.0) == []


# Reference antennas, provenance, smoothing, flux errors, verdicts.


def test_reference_antennas_are_ranked_by_their_health(
    ms: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stages.flag(ms, [{"step": "manual", "antenna": "103"}, {"step": "manual", "antenna": "110", "spw": "0"}])
    for path in (ms, stages.solve(ms, tmp_path / "h", "B", combine="scan,field")["table"]):
        ranking = refant.rank_path(path)
        grades = {a["name"]: a["grade"] for a in ranking["antennas"]}
        assert (grades["103"], grades["110"], grades["1"]) == ("bad", "bad", "fair" if path == ms else "excellent")
        best = ranking["recommended"].split(",")
        assert "103" not in best[:5]
        assert set(best) >= set(stages.REFANT_CHAIN.split(","))
    out = tmp_path / "refant_ranking.json"
    assert app.main(["refant", str(tmp_path / "h"), "--out", str(out), "--json"]) == 0
    capsys.readouterr()
    recommended = json.loads(out.read_text())["recommended"]
    # The original's option takes the file.
    options = ["calibrate", "--ms", str(ms), "--refant-ranking", str(out), "--model-source", "existing", "--dry-run"]
    assert calibration_cli.main(options) == 0
    assert json.loads(capsys.readouterr().out)["refant"] == recommended
    with pytest.raises(DataError, match="less than 50%"):
        refant.rank({"1": 0.9})


def test_the_registry_knows_how_a_set_came_to_be(ms: Path, tmp_path: Path) -> None:
    db = registry.ensure_db(tmp_path / "r.sqlite3")
    table = tmp_path / "x_bpcal"
    shutil.copytree(ms.parent / "g", table)
    for word in ("PRIMARY", "BRIGHT_FALLBACK", "BORROWED", "SAME_DATE", None):
        registry.register_set(db, "x", [{"path": table, "provenance": word}])
        assert [s["provenance"] for s in registry.list_sets(db)] == [word]
    for word in ("NONE", "somewhere"):
        with pytest.raises(ValueError, match="provenance"):
            registry.register_set(db, "x", [{"path": table, "provenance": word}])
    assert isinstance(db, Database)
    assert [sky.is_primary(n) for n in ("3C48", "0137+331", "0137+3309", "0542+498", "0834+555")] == [True] * 4 + [
        False
    ]


def test_a_polynomial_bandpass_is_smooth_and_better(ms: Path, tmp_path: Path) -> None:
    raw = caltables.read(stages.solve(ms, tmp_path / "raw", "B", **COMBINE)["table"])
    report = stages.solve(ms, tmp_path / "poly", "B", smooth_type="polynomial", smooth_window=2, **COMBINE)
    poly = caltables.read(report["table"])
    for a, b in zip(raw["windows"], poly["windows"], strict=True):
        good = ~b["flag_tafr"]
        np.testing.assert_array_equal(good, ~a["flag_tafr"])
        # Three coefficients for eight channels: sqrt(3 / 8) = 0.61 of the error in the mean, and no more than 1 anywhere.
        ratio = b["error_tafr"][good] / a["error_tafr"][good]
        assert ratio.max() < 1.05
        assert 0.5 < np.sqrt((ratio**2).mean()) < 0.72
        third = np.diff(b["value_tafr"], n=3, axis=2)
        assert np.abs(third).max() < np.abs(np.diff(a["value_tafr"], n=3, axis=2)).max()
    with pytest.raises(ValueError, match="degree"):
        stages.solve(ms, tmp_path / "no", "B", smooth_type="polynomial", smooth_window=99, **COMBINE)


def test_the_flux_error_is_that_of_the_gains() -> None:
    # Amplitudes are solved from baselines that each measure the sum of two: their information is (N - 2) I + 1 1^T per baseline's, and a
    # mean flux moves by twice the mean amplitude.
    na, e = 50, 0.01
    window = {
        "flag_tafr": np.zeros((1, na, 1, 1), bool),
        "value_tafr": np.ones((1, na, 1, 1), complex),
        "error_tafr": np.full((1, na, 1, 1), e, np.float32),
    }
    table = {"term": "G", "windows": [window]}
    covariance = np.linalg.inv((na - 2) * np.eye(na) + 1.0) * e**2 * (na - 1)
    want = 2.0 * np.sqrt(covariance.sum()) / na
    assert caltables.flux_scale_error(table) == pytest.approx(want, rel=1e-5)
    assert caltables.flux_scale_error({"term": "G", "windows": [window, window]}) == pytest.approx(
        want / np.sqrt(2), rel=1e-5
    )
    assert caltables.flux_scale_error({"term": "K", "windows": [window]}) is None
    window["flag_tafr"][:] = True
    assert caltables.flux_scale_error(table) is None


def test_one_verdict_for_tables_and_images(ms: Path) -> None:
    verdicts = quality.judge(caltables.read(ms.parent / "g"))
    assert all(isinstance(v, Verdict) for v in verdicts)
    assert overall(verdicts) == quality.overall(verdicts) != ""
    assert [Verdict.of("x", 1.0, 2.0, ok, "").ok for ok in (True, False, None)] == [True, False, None]
    assert Verdict("x", 1.0, 2.0, "warn", "r").record() == {
        "name": "x", "value": 1.0, "limit": 2.0, "verdict": "warn", "reason": "r", "ok": True,
    }  # fmt: skip


# More of CASA's vocabulary.


def test_append_adds_solutions_and_is_refused_onto_nothing(ms: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="append: expected an existing table"):
        stages.solve(ms, tmp_path / "no", "G", append=True, **COMBINE)
    whole = caltables.read(stages.solve(ms, tmp_path / "all", "G", solint="int", refant="103")["table"])
    for k in (2, 0, 1, 3, 1):  # in any order, and one of them twice
        stages.solve(ms, tmp_path / "part", "G", solint="int", refant="103", field=str(k), append=k != 2)
    part = caltables.read(tmp_path / "part")
    for a, b in zip(whole["windows"], part["windows"], strict=True):
        np.testing.assert_array_equal(a["time_mjd_s"], b["time_mjd_s"])
        np.testing.assert_array_equal(a["value_tafr"], b["value_tafr"])
        np.testing.assert_array_equal(a["flag_tafr"], b["flag_tafr"])
    before = digest(tmp_path / "part")
    with pytest.raises(DataError, match="B solutions to append to"):
        stages.solve(ms, tmp_path / "part", "B", append=True, **COMBINE)
    assert digest(tmp_path / "part") == before


def test_smodel_is_a_point_at_the_phase_centre(ms: Path, tmp_path: Path) -> None:
    centre = _core.ms.meta(ms)["fields"][1]["centre"]
    place = (float(np.degrees(centre["ra_rad"])), float(np.degrees(centre["dec_rad"])))
    point = sky.model([sky.source("p", *place, 2.0)], beam="none", smear=False)
    options = {"field": "1", "refant": "103", "solint": "int"}
    a = caltables.read(stages.solve(ms, tmp_path / "a", "G", smodel=[2.0, 0, 0, 0], **options)["table"])
    b = caltables.read(stages.solve(ms, tmp_path / "b", "G", model=point, **options)["table"])
    for x, y in zip(a["windows"], b["windows"], strict=True):
        np.testing.assert_array_equal(x["value_tafr"], y["value_tafr"])
    for bad, field in (([2.0, 0.1, 0, 0], "1"), ([0.0], "1"), ([2.0], "")):
        with pytest.raises(ValueError, match="smodel"):
            stages.solve(ms, tmp_path / "c", "G", smodel=bad, field=field, refant="103")
