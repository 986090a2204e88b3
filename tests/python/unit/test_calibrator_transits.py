"""The orchestrator's calibrator mode, and the pointing tools: which groups see a position cross the meridian."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from dsa110_contimg import _core
from dsa110_contimg._core import coords
from dsa110_contimg.conversion import cli as conversion_cli
from dsa110_contimg.conversion.strategies.orchestrator_cli import main
from dsa110_contimg.conversion.transits import TransitSearch, find_transits
from dsa110_contimg.database import query
from dsa110_contimg.pointing import cli as pointing_cli
from dsa110_contimg.pointing.monitor import PointingMonitor
from dsa110_contimg.pointing.timeline import crossmatch, jumps, pointings
from support.uvh5_groups import DEC_RAD, INTEGRATION_S, START_JD, write_subband

TIMES = 2
START_MJD_S = (START_JD - 2400000.5) * 86400.0
MIDDLE = START_MJD_S + 0.5 * TIMES * INTEGRATION_S


def observe(directory: Path, name: str, shift_s: float, dec_rad: float = DEC_RAD, subbands: int = 16) -> None:
    for sb in range(subbands):
        path = write_subband(directory / f"{name}_sb{sb:02d}.hdf5", sb, stations=(1, 103), times=TIMES, channels=1)
        with h5py.File(path, "r+") as file:
            file["Header/time_array"][:] += shift_s / 86400.0
            file["Header/extra_keywords/phase_center_dec"][()] = dec_rad


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two days of the strip with one observation each at one sidereal time, one 20 minutes off, and another strip."""
    folder = tmp_path_factory.mktemp("incoming")
    sidereal = 86164.0905
    observe(folder, "2026-01-25T22:26:05", 0.0)
    observe(folder, "2026-01-25T22:46:05", 1200.0)
    observe(folder, "2026-01-26T22:22:09", sidereal)
    observe(folder, "2026-01-27T22:18:13", 2 * sidereal, DEC_RAD + 0.1)
    return folder


@pytest.fixture(scope="module")
def position() -> tuple[float, float]:
    """ICRS position that is on the meridian in the middle of the first observation [degrees]."""
    ra, dec = coords.meridian_icrs(np.array([MIDDLE]), DEC_RAD)
    return float(np.degrees(ra[0])) % 360.0, float(np.degrees(dec[0]))


def test_transits_with_data_are_found_the_latest_first(campaign: Path, position: tuple[float, float]) -> None:
    found = find_transits(campaign, *position)
    # The third day's strip is 5.7 degrees off.
    assert [t.groups[0].group_id for t in found] == ["2026-01-26T22:22:09", "2026-01-25T22:26:05"]
    assert found[1].mjd * 86400.0 == pytest.approx(MIDDLE, abs=0.1)
    # On the meridian at the pointing's declination: the beam's centre. Precession of a day is far below the tolerance.
    assert all(t.pb_response > 0.9999 and abs(t.dec_offset_deg) < 1e-3 for t in found)
    # 20 minutes are 4.8 degrees of right ascension: beyond the beam, though within the window.
    assert all(len(t.groups) == 1 for t in found)
    assert (
        find_transits(campaign, *position, search=TransitSearch(max_days_back=1))[0]
        .groups[0]
        .group_id.startswith("2026-01-26")
    )
    [one] = find_transits(campaign, *position, transit_date="2026-01-25")
    assert one.groups[0].group_id == "2026-01-25T22:26:05"


def test_what_is_not_there_is_not_found(campaign: Path, position: tuple[float, float], tmp_path: Path) -> None:
    ra, dec = position
    assert not find_transits(campaign, (ra + 120.0) % 360.0, dec)
    assert not find_transits(campaign, ra, dec + 3.0)
    assert not find_transits(campaign, *position, transit_date="2026-02-20")
    # 1.5 degrees off in declination the 1.4 GHz beam is at a half.
    assert not find_transits(campaign, ra, dec + 1.5, search=TransitSearch(min_pb_response=0.9))
    assert find_transits(campaign, ra, dec + 1.5, search=TransitSearch(min_pb_response=0.3))
    assert not find_transits(tmp_path, *position)
    observe(tmp_path, "2026-01-25T22:26:05", 0.0, subbands=15)
    assert not find_transits(tmp_path, *position), "a group that is not complete"
    for wrong in ({"window_minutes": -1.0}, {"min_pb_response": 2.0}, {"dec_tolerance_deg": float("nan")}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            TransitSearch(**wrong)
    with pytest.raises(ValueError, match="position"):
        find_transits(campaign, float("nan"), 0.0)


def test_the_orchestrator_converts_the_transit_with_a_model(
    campaign: Path, position: tuple[float, float], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = f"{position[0]},{position[1]}"
    arguments = [str(campaign), str(tmp_path), "--calibrator", place, "--no-stage-to-tmpfs"]
    assert main([*arguments, "--find-only"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert [g["group_id"] for g in report["groups"]] == ["2026-01-26T22:22:09"]
    assert report["transit"]["group_id"] == "2026-01-26T22:22:09"
    assert main([*arguments, "--flux", "2.5"]) == 0
    [group] = json.loads(capsys.readouterr().out)["groups"]
    ms = Path(group["ms"])
    assert ms == tmp_path / "calibrators" / "2026-01-26" / "2026-01-26T22:22:09.ms"
    for spw in (0, 15):
        model = _core.ms.read(ms, spw, with_model=True)["model_rfp"]
        assert np.all(model == 2.5)
    assert _core.ms.verify(ms)["ok"]
    far = [str(campaign), str(tmp_path), "--calibrator", "10.0,80.0"]
    assert main(far) == 1
    assert "found none" in capsys.readouterr().err
    assert main([*arguments, "--flux", "-1", "--transit-date", "2026-01-25"]) == 1
    out = capsys.readouterr().out
    assert "flux" in json.loads(out)["groups"][0]["reason"]


def test_the_originals_find_calibrators(
    campaign: Path,
    position: tuple[float, float],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    catalog = tmp_path / "cal.csv"
    ra, dec = position
    catalog.write_text(f"name,ra_deg,dec_deg,flux_jy\nhere,{ra},{dec},3.0\nthere,{ra},{dec + 20},9.0\n")
    monkeypatch.setenv("VLA_CATALOG", str(catalog))
    assert conversion_cli.main(["find-calibrators", "--input-dir", str(campaign)]) == 0
    [found] = json.loads(capsys.readouterr().out)["calibrators"]
    assert (found["name"], found["flux_jy"], len(found["transits"])) == ("here", 3.0, 2)
    validate = ["validate", "--input-dir", str(campaign), "--validate-calibrator"]
    assert conversion_cli.main([*validate, "here"]) == 0
    assert conversion_cli.main([*validate, "there"]) == 1
    assert conversion_cli.main([*validate, "nobody"]) == 1
    assert "nobody" in capsys.readouterr().err


def test_pointing_timeline_and_transits(
    campaign: Path, position: tuple[float, float], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found, bad = pointings(campaign)
    assert (len(found), bad) == (4, [])
    [step] = jumps(found, 0.1)
    assert step["to_dec_deg"] - step["from_dec_deg"] == pytest.approx(np.degrees(0.1), abs=1e-6)
    matches = crossmatch(found, *position)
    # A sidereal day after the first transit, to what nutation and aberration move in a day.
    assert [round(m["minutes"], 2) for m in matches] == [0.0, 0.0]
    assert not crossmatch([], *position)
    output = tmp_path / "timeline.png"
    assert pointing_cli.main(["plot-timeline", "--data-dir", str(campaign), "--output", str(output)]) == 0
    assert json.loads(capsys.readouterr().out)["observations"] == 4
    assert output.read_bytes().startswith(b"\x89PNG")
    name = f"{position[0]},{position[1]}"
    assert pointing_cli.main(["crossmatch-transits", "--data-dir", str(campaign), "--name", name]) == 0
    assert len(json.loads(capsys.readouterr().out)["transits"]) == 2


def test_the_monitor_records_each_observation_once(campaign: Path, tmp_path: Path) -> None:
    watched = tmp_path / "incoming"
    shutil.copytree(campaign, watched)
    (watched / "2026-01-28T00:00:00_sb00.hdf5").write_bytes(b"no HDF5")
    monitor = PointingMonitor(watched, tmp_path / "p.sqlite3", status_file=tmp_path / "status.json", settle_s=-1.0)
    state = monitor.look()
    assert state["recorded"] == 4
    assert list(state["failed"]) == ["2026-01-28T00:00:00_sb00.hdf5"]
    assert monitor.look()["recorded"] == 4
    assert json.loads((tmp_path / "status.json").read_text())["last"]["timestamp"] > 61000
    again = PointingMonitor(watched, tmp_path / "p.sqlite3", settle_s=-1.0)
    again.look()
    rows = query(tmp_path / "p.sqlite3", "SELECT timestamp, ra_deg, dec_deg FROM pointing_history ORDER BY timestamp")
    assert len(rows) == 4
    assert rows["timestamp"][0] * 86400.0 == pytest.approx(MIDDLE, abs=1e-3)
