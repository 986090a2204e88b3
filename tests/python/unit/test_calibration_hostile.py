"""A hostile first user of calibration: odd selections, odd set-ups, wrong parameters. Nothing is half done, and what is done is right."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dsa110_contimg import ContimgError, DataError, _core
from dsa110_contimg.calibration import calibration as compat
from dsa110_contimg.calibration import caltables, catalogs, flagging, ingest_vla, model, sky, stages, validate
from dsa110_contimg.calibration import cli as calibration_cli
from dsa110_contimg.calibration.options import parser
from dsa110_contimg.cli import app
from dsa110_contimg.database import registry
from dsa110_contimg.utils.site import mjd_s_of
from support.modules import unit_test_module

refusals = unit_test_module("test_calibration_refusals", called="unit_test_calibration_hostile_refusals")
made = refusals.made
template = refusals.template
ms = refusals.ms
digest = refusals.digest
COMBINE = refusals.COMBINE
CHANNELS = made.CHANNELS


def flags_added(ms: Path, **manual: str) -> dict[int, np.ndarray]:
    """What a manual step flags that was not flagged before, by window."""
    before = {w: _core.ms.read(ms, w)["flag_rfp"] for w in range(2)}
    stages.flag(ms, [{"step": "manual", **manual}])
    return {w: _core.ms.read(ms, w)["flag_rfp"] & ~before[w] for w in range(2)}


# A parameter that makes no sense leaves the Measurement Set as it was, without the mark of an interrupted step.


@pytest.mark.parametrize(
    ("step", "text"),
    [
        ({"step": "clip", "min": 5, "max": 1}, "min <= max"),
        ({"step": "channels", "fraction": 3}, "fraction from 0 to 1"),
        ({"step": "extend", "grow_time": 1.5}, "fraction from 0 to 1"),
        ({"step": "elevation", "lower_deg": 95, "upper_deg": 10}, "lower <= upper"),
        ({"step": "quack", "interval_s": -5}, "above 0 s"),
        ({"step": "residual", "sigma": 0}, "above 0 sigma"),
        ({"step": "manual"}, "empty selection"),
        ({"step": "manual", "time_range_mjd_s": [5e9, 4e9]}, "beginning before the end"),
        ({"step": "manual", "spw": "0:99"}, r"channels 0~7 of window 0.*found '99' in '0:99'"),
        ({"step": "manual", "antenna": "!24,103"}, "'!' before each"),
        ({"step": "manual", "antenna": "24&"}, "pairs such as"),
    ],
)
def test_a_step_that_makes_no_sense_leaves_everything(ms: Path, step: dict[str, Any], text: str) -> None:
    before = digest(ms)
    with pytest.raises(ValueError, match=text):
        stages.flag(ms, [step])
    assert digest(ms) == before
    _core.ms.read(ms, 0)


def test_a_provenance_that_cannot_be_written_leaves_everything(ms: Path) -> None:
    before = digest(ms)
    with pytest.raises(OSError, match="nowhere"):
        stages.flag(ms, [{"step": "manual", "antenna": "24"}], provenance="/proc/nowhere")
    assert digest(ms) == before


def test_corrected_data_that_nobody_wrote_are_not_flagged_as_zeros(ms: Path) -> None:
    before = digest(ms)
    with pytest.raises(DataError, match=r"CORRECTED_DATA.*contimg apply.*zeros"):
        stages.flag(ms, column="corrected")
    assert digest(ms) == before


def test_a_file_is_no_measurement_set(tmp_path: Path) -> None:
    path = tmp_path / "x.ms"
    path.write_text("text")
    with pytest.raises(DataError, match="expected a casacore table"):
        stages.solve(path, tmp_path / "g", "G")


def test_a_backend_that_is_not_there_is_refused_before_anything_is_flagged(
    ms: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "")
    before = digest(ms)
    for backend, text in (("aoflagger", "on the path"), ("other", "expected 'native'")):
        assert app.main(["flag", str(ms), "--mode", "rfi", "--backend", backend]) == 1
        assert text in capsys.readouterr().err
    assert digest(ms) == before


def test_a_saved_flag_version_is_not_lost(ms: Path) -> None:
    first = _core.ms.read(ms, 0)["flag_rfp"]
    flagging.save_flags(ms, "original", "before")
    stages.flag(ms, [{"step": "manual", "antenna": "24"}])
    flagging.save_flags(ms, "original")
    found = flagging.list_flag_versions(ms)
    assert [(v["name"], v["comment"]) for v in found] == [("original.old.1", "before"), ("original", "")]
    flagging.restore_flags(ms, "original.old.1")
    np.testing.assert_array_equal(_core.ms.read(ms, 0)["flag_rfp"], first)
    flagging.save_flags(ms, "original", replace=True)
    assert [v["name"] for v in flagging.list_flag_versions(ms)] == ["original.old.1", "original"]


# Selections in CASA's words.


def test_lists_of_channels_are_flagged_whole(ms: Path) -> None:
    added = flags_added(ms, spw="0:1~2;5,1:<1")
    assert set(np.flatnonzero(added[0].any(axis=(0, 2)))) == {1, 2, 5}
    assert set(np.flatnonzero(added[1].any(axis=(0, 2)))) == {0}


@pytest.mark.parametrize(("antenna", "kind"), [("24&103", "baseline"), ("!24", "without"), ("24", "with")])
def test_antennas_in_casas_words(ms: Path, antenna: str, kind: str) -> None:
    block = _core.ms.read(ms, 0)
    pair = np.stack([block["antenna1"], block["antenna2"]])
    has = {name: (pair == name - 1).any(axis=0) for name in (24, 103)}
    wanted = {"baseline": has[24] & has[103], "without": ~has[24], "with": has[24]}[kind]
    added = flags_added(ms, antenna=antenna)[0].any(axis=(1, 2))
    was = block["flag_rfp"].all(axis=(1, 2))
    np.testing.assert_array_equal(added, wanted & ~was)
    assert added.any()


def test_a_uv_range_narrows_a_manual_selection(ms: Path) -> None:
    block = _core.ms.read(ms, 0)
    length = np.hypot(block["uvw_m"][:, 0], block["uvw_m"][:, 1])
    has = (block["antenna1"] == 23) | (block["antenna2"] == 23)
    report = flagging.flag_manual(ms, antenna="24", uvrange=">200m")
    assert [s["step"] for s in report["steps"]] == ["manual"]
    now = _core.ms.read(ms, 0)["flag_rfp"]
    np.testing.assert_array_equal((now & ~block["flag_rfp"]).any(axis=(1, 2)), has & (length >= 200))


def test_time_ranges(ms: Path) -> None:
    whole = flagging.parse_timerange("2026-01-25T22:26:05~2026/01/25/22:27:00")
    assert whole[1] - whole[0] == 55.0
    start = _core.ms.meta(str(ms))["time_range_mjd_s"][0]
    day = start // 86_400 * 86_400
    assert flagging.parse_timerange("22:26:05~22:27:00", ms) == (day + 80_765, day + 80_820)
    assert flagging.parse_timerange(">22:26:05", ms)[0] == day + 80_765
    assert flagging.parse_timerange("<22:26:05", ms) == (0.0, day + 80_765)
    for wrong in ("22:26:05~22:27:00", "soon~later", "2026-01-25T22:27:00~2026-01-25T22:26:00", "2026-01-25T22:27:00"):
        with pytest.raises(ValueError, match="timerange"):
            flagging.parse_timerange(wrong)


@pytest.mark.parametrize("term", ["B", "G", "K"])
def test_channels_of_a_solve_are_those_that_are_named(ms: Path, term: str) -> None:
    out = {name: ms.parent / name for name in ("named", "flagged")}
    stages.solve(ms, out["named"], term, spw="0:1~4;6", **COMBINE)
    stages.flag(ms, [{"step": "manual", "spw": "0:0;5;7"}])
    stages.solve(ms, out["flagged"], term, spw="0", **COMBINE)
    (a,), (b,) = (caltables.read(path)["windows"] for path in out.values())
    np.testing.assert_array_equal(a["flag_tafr"], b["flag_tafr"])
    if term == "B":
        assert set(np.flatnonzero(~a["flag_tafr"].all(axis=(0, 1, 3)))) == {1, 2, 3, 4, 6}
    good = ~a["flag_tafr"]
    assert good.any()
    np.testing.assert_allclose(a["value_tafr"][good], b["value_tafr"][good], rtol=1e-6)


def test_steps_over_whole_windows_say_so_of_channels(ms: Path) -> None:
    for step in (
        lambda: stages.apply(ms, [ms.parent / "g"], spw="0:3~5"),
        lambda: stages.write_model(ms, sky.parse_point("344,16,1"), spw="0:3~5"),
        lambda: stages.flag(ms, spw="0:3~5"),
    ):
        with pytest.raises(ValueError, match=r"whole spectral windows.*'0:3~5'"):
            step()


# Reference antennas.


def test_a_list_without_any_known_reference_antenna_is_refused(ms: Path) -> None:
    with pytest.raises(ValueError, match=r"refant: expected one of 1, 2, .*found '999'"):
        compat.solve_gains(str(ms), "", "999", None, [])
    assert not list(ms.parent.glob("*_gpcal"))
    # CASA passes over names that are not there as long as one is; the array's own chain may name absent ones.
    report = stages.solve(ms, ms.parent / "h", "G", combine="scan,field", refant="999,24")
    assert report["refant"] == "24"
    report = stages.solve(ms, ms.parent / "h", "G", combine="scan,field", overwrite=True, **stages.refants("104"))
    assert report["refant"] == "110"  # the first of the chain with data


def test_a_flagged_reference_antenna_is_named(ms: Path, caplog: pytest.LogCaptureFixture) -> None:
    stages.flag(ms, [{"step": "manual", "antenna": "24"}])
    with caplog.at_level(logging.WARNING):
        report = stages.solve(ms, ms.parent / "h", "G", combine="scan,field", refant="24,103")
    assert report["refant"] == "103"
    assert "'24' has too few solutions; '103' is used" in caplog.text


# Solves.


def test_normalised_gains_keep_the_ratios_of_antennas(ms: Path) -> None:
    plain, normal = (
        caltables.read(stages.solve(ms, ms.parent / f"n{norm}", "G", solnorm=norm, solint="int", **COMBINE)["table"])
        for norm in (False, True)
    )
    for a, b in zip(plain["windows"], normal["windows"], strict=True):
        good = ~a["flag_tafr"]
        x, y = np.abs(a["value_tafr"][good]), np.abs(b["value_tafr"][good])
        # CASA: the rms over all antennas, receptors and intervals of the window.
        np.testing.assert_allclose(y, x / np.sqrt((x**2).mean()), rtol=1e-5)


def test_a_normalised_bandpass_has_an_rms_of_one(ms: Path) -> None:
    table = caltables.read(stages.solve(ms, ms.parent / "b", "B", solnorm=True, **COMBINE)["table"])
    for w in table["windows"]:
        power = np.where(w["flag_tafr"], np.nan, np.abs(w["value_tafr"]) ** 2)
        rms = np.sqrt(np.nanmean(power[:, ~w["flag_tafr"].all(axis=(0, 2, 3))], axis=2))
        np.testing.assert_allclose(rms, 1.0, rtol=1e-5)


def test_two_antennas_are_solved_when_one_baseline_is_enough(ms: Path) -> None:
    stages.flag(ms, [{"step": "manual", "antenna": ",".join(str(a) for a in made.STATIONS if a not in (24, 103))}])
    with pytest.raises(
        ContimgError, match=r"fewer than 5 antennas with 4 baselines.*of \d+ samples 9\d\.\d % are flagged"
    ):
        stages.solve(ms, ms.parent / "p", "G", calmode="p", **COMBINE)
    with pytest.raises(ValueError, match="minblperant: expected at least 1"):
        stages.solve(ms, ms.parent / "p", "G", calmode="p", minblperant=0, **COMBINE)
    stages.solve(ms, ms.parent / "p", "G", calmode="p", minblperant=1, **COMBINE)
    for w in caltables.read(ms.parent / "p")["windows"]:
        block = _core.ms.read(ms, w["spw"], with_model=True)
        chosen = (block["antenna1"] == 23) & (block["antenna2"] == 102)
        ratio = (block["vis_rfp"] * np.conj(block["model_rfp"]) * block["weight_rfp"])[chosen].sum(axis=(0, 1))
        # V = g_24 M, the reference's phase being zero.
        off = np.angle(w["value_tafr"][0, 23, 0] * np.conj(ratio))
        np.testing.assert_allclose(off, 0.0, atol=1e-5)


def test_one_antenna_has_nothing_to_solve(tmp_path: Path) -> None:
    params = {
        "start_mjd_s": 61_065.0 * 86_400.0 + 80_765.0, "dec_deg": 16.15, "stations": [103], "integrations": 2,
        "subbands": [0], "channels": 4, "sources": [], "sefd_jy": 100.0,
    }  # fmt: skip
    group = _core.simulate.group(json.dumps(params), tmp_path)
    _core.ms.convert([Path(f) for f in group["files"]], tmp_path / "one.ms", expected_subbands=1, checksums=False)
    with pytest.raises(ContimgError, match=r"one\.ms: the selection has no cross-correlations \(a single antenna"):
        stages.solve(tmp_path / "one.ms", tmp_path / "g", "G", model=sky.parse_point("344,16,1"))
    assert not (tmp_path / "g").exists()


def test_a_table_counts_once(ms: Path) -> None:
    before = digest(ms)
    link = ms.parent / "again"
    link.symlink_to(ms.parent / "g")
    for tables in ([ms.parent / "g"] * 2, [ms.parent / "g", link]):
        with pytest.raises(ValueError, match="each table once"):
            stages.apply(ms, tables)
    assert digest(ms) == before


def test_tables_that_exist_are_seen_before_the_first_solve(ms: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (ms.parent / "o_gpcal").mkdir()
    assert app.main(["solve", str(ms), "--prefix", str(ms.parent / "o"), "--terms", "P,B,G"]) == 1
    assert "o_gpcal" in capsys.readouterr().err
    assert not list(ms.parent.glob("o_bpcal"))
    assert not list(ms.parent.glob("o_prebp*"))
    assert app.main(["solve", str(ms), "--prefix", str(ms.parent / "o"), "--terms", "G,G"]) == 1
    assert "each term once" in capsys.readouterr().err


# The original's commands.


def test_the_originals_options_of_calibrate_are_known() -> None:
    args = parser().parse_args(
        ["calibrate", "--ms", "x.ms", "--auto-flag-channels", "--auto-flag-problematic-spws", "--export-model-image",
         "--max-workers", "4", "--memory-limit-gb", "16", "--model-setjy-spw", "0", "--no-subset", "--pt-dec-deg", "16"]
    )  # fmt: skip
    assert args.auto_flag_channels
    assert args.auto_flag_problematic_spws


def test_calibrate_solves_amplitudes_alone_when_asked(ms: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["calibrate", "--ms", str(ms), "--model-source", "existing", "--flagging-mode", "none", "--bp-combine-field",
             "--gain-calmode", "a", "--skip-bp"]  # fmt: skip
    assert calibration_cli.main(words) == 0
    (table, *_) = json.loads(capsys.readouterr().out)["tables"]
    for w in caltables.read(table)["windows"]:
        np.testing.assert_allclose(np.angle(w["value_tafr"][~w["flag_tafr"]]), 0.0, atol=1e-6)


def test_plots_that_are_asked_for_are_made(ms: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [
        "calibrate",
        "--ms",
        str(ms),
        "--model-source",
        "existing",
        "--flagging-mode",
        "none",
        "--bp-combine-field",
    ]
    assert calibration_cli.main([*words, "--plot-bandpass", "--no-plot-gain"]) == 0
    assert "report" in json.loads(capsys.readouterr().out)
    assert [p.name for p in (ms.parent / "cal_plots").glob("*.png")] == ["cal_bpcal.png"]


def test_a_preset_does_not_undo_what_was_typed() -> None:
    args = parser().parse_args(["calibrate", "--ms", "x", "--preset", "high_precision", "--gain-solint", "30s"])
    calibration_cli._preset(args)
    assert (args.gain_solint, args.gain_minsnr) == ("30s", 5.0)


def test_calibrate_flags_problematic_windows(ms: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # Six of ten baselines' samples of every channel but one in the first window.
    stages.flag(ms, [{"step": "manual", "antenna": "1,5,12,40", "spw": "0:0~6"}])
    words = ["calibrate", "--ms", str(ms), "--model-source", "existing", "--flagging-mode", "zeros", "--bp-combine-field",
             "--no-auto-flag-channels", "--auto-flag-problematic-spws", "--skip-bp"]  # fmt: skip
    assert calibration_cli.main(words) == 0
    assert json.loads(capsys.readouterr().out)["problematic_spws"] == [0]
    assert _core.ms.read(ms, 0)["flag_rfp"].all()
    assert not _core.ms.read(ms, 1)["flag_rfp"].all()


def test_validate_without_tables_looks_at_the_data(ms: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert calibration_cli.main(["validate", "--ms", str(ms), "--field", "0~1", "--refant", "103"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["refant"] == "103"
    assert found["unflagged"] > 0.5
    for refant, text in (("999", "no data of it"), (str(made.DEAD), "without unflagged data")):
        with pytest.raises(DataError, match=text):
            validate.validate_ms_for_calibration(ms, "", refant)
    with pytest.raises(ValueError, match="field"):
        validate.validate_ms_for_calibration(ms, "77")
    stages.flag(ms, [{"step": "manual", "field": "2"}])
    with pytest.raises(DataError, match="field '2': expected unflagged"):
        validate.validate_ms_for_calibration(ms, "2")


def test_transits_of_no_day_and_times_that_are_none(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["list-transits", "--name", "x", "--max-days-back"]
    assert calibration_cli.main([*words, "-3"]) == 1
    assert capsys.readouterr().err == "error: --max-days-back: expected at least 1, found -3\n"
    with pytest.raises(ValueError, match="found 'yesterday'") as caught:
        mjd_s_of("yesterday")
    assert "\n" not in str(caught.value)


def test_alternative_names_outlive_the_database(tmp_path: Path) -> None:
    text = tmp_path / "list.txt"
    text.write_text(
        "0137+331   J2000  A 01h37m41.299431s  33d09'35.132990\"  Aug01  3C48\n\n"
        "=====\n 20cm    L  X P P S      16.50        0.5        40\n\n"
        "0001+192   J2000  A 00h01m08.621563s  19d14'33.801860\"  Aug01\n\n"
        "=====\n 20cm    L  X P P S      0.50\n"
    )
    ingest_vla.ingest(text, tmp_path / "vla.sqlite3")
    assert catalogs.calibrator("3C48", tmp_path / "vla.sqlite3")["name"] == "0137+331"
    with pytest.raises(ValueError, match=r"one of the 2 .*vla.sqlite3, found '3C999'"):
        catalogs.calibrator("3C999", tmp_path / "vla.sqlite3")


# The registry.


def test_the_registry_tells_what_it_has(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    db = registry.ensure_db(tmp_path / "r.sqlite3")
    for ending in ("gpcal", "bpcal"):
        (tmp_path / f"x_{ending}").mkdir()
    common = {"cal_field": "CAL", "refant": "103"}
    with pytest.raises(ValueError, match="begins before it ends"):
        registry.register_set_from_prefix(
            db, "a", tmp_path / "x", valid_start_mjd=61066.0, valid_end_mjd=61065.0, **common
        )
    assert registry.list_sets(db) == []
    registry.register_set_from_prefix(db, "a", tmp_path / "x", valid_start_mjd=61065.0, valid_end_mjd=None, **common)
    (entry,) = registry.list_sets(db)
    assert [Path(p).name for p in entry["tables"]] == ["x_bpcal", "x_gpcal"]
    assert entry["valid"] == [[61065.0, None]] * 2
    assert (entry["cal_field"], entry["refant"]) == ("CAL", "103")
    with caplog.at_level(logging.WARNING):
        registry.register_set_from_prefix(db, "b", tmp_path / "x", valid_start_mjd=None, valid_end_mjd=None, **common)
    assert "moves from set a to set b" in caplog.text


def test_a_directory_that_is_no_table_is_not_given(ms: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    db = registry.ensure_db(tmp_path / "r.sqlite3")
    (tmp_path / "x_bpcal").mkdir()
    shutil.copytree(ms.parent / "g", tmp_path / "x_gpcal")
    registry.register_set(db, "x", [{"path": tmp_path / "x_bpcal"}, {"path": tmp_path / "x_gpcal"}])
    with caplog.at_level(logging.WARNING):
        assert registry.get_active_applylist(db, 61065.0) == [str(tmp_path / "x_gpcal")]
    assert "x_bpcal" in caplog.text


# Flux calibrators.


@pytest.mark.parametrize("name", ["3C286", "1331+305", "1331+3030"])
def test_flux_calibrators_need_no_list(ms: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.delenv("VLA_CATALOG", raising=False)
    monkeypatch.setattr(catalogs, "load_vla_catalog", None)  # not to be looked at
    (source,) = sky.flux_calibrator(name)["sky"]["sources"]
    assert np.degrees(source["position"]["ra_rad"]) == pytest.approx(202.784533, abs=1e-6)
    assert np.degrees(source["position"]["dec_rad"]) == pytest.approx(30.509155, abs=1e-6)


def test_setjy_writes_the_scale_without_the_beam(ms: Path) -> None:
    model.write_setjy_model(ms, "3C286")
    block = _core.ms.read(ms, 0, with_model=True)
    # Perley & Butler 2017: 3C286 has 14.9 Jy at 1.4 GHz; 140 degrees from the pointing there is no beam left, and baselines smear it.
    autos = block["antenna1"] == block["antenna2"]
    np.testing.assert_allclose(np.abs(block["model_rfp"][autos]), 14.7, rtol=0.03)


def test_what_is_flagged_lies_inside_the_picture() -> None:
    from dsa110_contimg.plots import flags
    from dsa110_contimg.plots.figure import figure

    with figure(2.0, 2.0) as fig:
        axes = fig.subplots()
        for values, top in (([20.0, 20.2], 20.2), ([], 0.0), ([0.0], 0.0)):
            axes.plot(values)
            flags._from_zero(axes, values)
            assert axes.get_ylim()[0] == 0.0
            assert axes.get_ylim()[1] > 1.05 * top
