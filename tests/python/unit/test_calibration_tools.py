"""The commands around calibration: catalogues, models from other programs, registry, delays, verdicts, self-calibration."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dsa110_contimg import DataError, _core
from dsa110_contimg.calibration import (
    caltables,
    catalog_cli,
    catalogs,
    delays,
    ingest_vla,
    model_cli,
    quality,
    sky,
    skyfiles,
    stages,
)
from dsa110_contimg.calibration import cli as calibration_cli
from dsa110_contimg.cli import app
from dsa110_contimg.database import registry_cli
from support.modules import unit_test_module

DATA = Path(__file__).parents[2] / "data" / "calibration"
LIST = DATA / "vlacalibrators_excerpt.txt"


made = unit_test_module("test_calibration", called="unit_test_calibration_made")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("tools")
    files = made.simulate(directory, sefd_jy=20.0)
    _core.ms.convert(files, directory / "cal.ms", expected_subbands=2, checksums=False)
    stages.flag(directory / "cal.ms")
    stages.write_model(directory / "cal.ms", sky.from_csv(directory / "sky.csv", smear=False))
    return directory


@pytest.fixture
def ms(template: Path, tmp_path: Path) -> Path:
    shutil.copytree(template / "cal.ms", tmp_path / "cal.ms")
    return tmp_path / "cal.ms"


def run(main: Any, *arguments: object) -> tuple[int, str]:
    """Exit code; standard output is read by the caller."""
    return main([str(a) for a in arguments])


def output(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    return json.loads(capsys.readouterr().out)


def test_the_list_becomes_a_database_that_is_read_like_the_list(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "catalogs" / "vla_calibrators.sqlite3"
    for _ in range(2):  # again is an update
        assert run(ingest_vla.main, "--csv", LIST, "--out", out) == 0
        count = output(capsys)["calibrators"]
    from_text, from_db = catalogs.load_vla_catalog(LIST), catalogs.load_vla_catalog(out)
    assert len(from_db) == len(from_text) == count
    assert from_db.loc["0834+555", "flux_jy"] == from_text.loc["0834+555", "flux_jy"]
    assert run(catalog_cli.main, "transit", "--catalog", out, "--name", "0834+555", "--start", "61065.5", "--n", 2) == 0
    transits = output(capsys)["transits"]
    assert [t["mjd"] <= 61065.5 for t in transits] == [True, True]
    # A sidereal day between transits.
    assert transits[0]["mjd"] - transits[1]["mjd"] == pytest.approx(1 / 1.002737909350795, abs=1e-5)
    # At its transit, pointing at its declination of date, the calibrator is in the beam.
    row = from_db.loc["0834+555"]
    arguments = ["--catalog", out, "--pt-dec", row["dec_deg"], "--time", transits[0]["mjd"]]
    assert run(catalog_cli.main, "inbeam", *arguments) == 0
    first = output(capsys)["calibrators"][0]
    assert first["name"] == "0834+555"
    assert first["sep_deg"] < 0.3  # precession between J2000 and the declination of date
    assert run(ingest_vla.main, "--csv", LIST, "--out", out, "--band", "7parsec") == 1
    assert "20cm" in capsys.readouterr().err


def test_the_registry_from_a_shell(ms: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    db = tmp_path / "state" / "registry.sqlite3"
    prefix = tmp_path / "cal"
    for term, suffix in (("B", "_bpcal"), ("G", "_gpcal")):
        stages.solve(ms, f"{prefix}{suffix}", term, combine="scan,field")
    assert run(registry_cli.main, "--db", db, "list-sets") == 1
    assert "init" in capsys.readouterr().err
    assert run(registry_cli.main, "init", "--db", db) == 0
    capsys.readouterr()
    options = ["--name", "day", "--prefix", prefix, "--valid-start", 61065, "--valid-end", 61066, "--refant", 103]
    assert run(registry_cli.main, "--db", db, "register-prefix", *options) == 0
    assert len(output(capsys)["tables"]) == 2
    for mjd, expected in ((61065.5, ["cal_bpcal", "cal_gpcal"]), (61067.0, [])):
        assert run(registry_cli.main, "--db", db, "active", "--mjd", mjd) == 0
        assert [Path(t).name for t in output(capsys)["tables"]] == expected
    assert app.main(["registry", "list", "--db", str(db), "--json"]) == 0
    assert output(capsys)["sets"][0]["set_name"] == "day"
    assert run(registry_cli.main, "--db", db, "retire", "--name", "other") == 1
    assert "day" in capsys.readouterr().err
    assert run(registry_cli.main, "--db", db, "retire", "--name", "day", "--reason", "test") == 0
    capsys.readouterr()
    assert app.main(["registry", "active", "61065.5", "--db", str(db), "--json"]) == 0
    assert output(capsys)["tables"] == []


def test_the_originals_commands_run(ms: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main = calibration_cli.main
    place = made.SOURCES[0]
    meta = _core.ms.meta(ms)["fields"][2]["centre"]
    ra, dec = math.degrees(meta["ra_rad"]) + place[0], math.degrees(meta["dec_rad"]) + place[1]
    near = ["--cal-ra-deg", ra, "--cal-dec-deg", dec, "--cal-flux-jy", 8.0]
    assert run(main, "calibrate", "--ms", ms, "--auto-fields", "--bp-window", 3, *near, "--dry-run") == 0
    plan = output(capsys)
    assert "~" in plan["field"]  # the whole range, not its last field
    assert plan["tables"] == []
    options = [
        "--model-source",
        "existing",
        "--flagging-mode",
        "zeros",
        "--bp-combine-field",
        "--bp-combine",
        "scan,field",
    ]
    plots = tmp_path / "plots"
    assert run(main, "calibrate", "--ms", ms, *options, "--plot-dir", plots, "--prebp-phase", "--do-k") == 0
    done = output(capsys)
    names = [Path(t).name for t in done["tables"]]
    assert names == ["cal_kcal", "cal_bpcal", "cal_gpcal", "cal_2gcal"]
    assert (plots / "index.html").read_text().count("<img") == 4
    assert all((plots / f"{n}.png").stat().st_size > 10_000 for n in names)
    assert run(main, "calibrate", "--ms", ms, *options, "--preset", "development") == 0
    fast = output(capsys)["tables"]
    assert all(Path(t).name.startswith("NON_SCIENCE_DEVELOPMENT_") for t in fast)
    # Four channels share a solution, and phase-only gains have amplitude 1.
    assert caltables.read(fast[0])["windows"][0]["freq_hz"].size == made.CHANNELS // 4
    assert caltables.summary(fast[1])["median_amplitude"] == pytest.approx(1.0)
    tables = done["tables"][1:]
    assert run(main, "apply", "--ms", ms, "--tables", *tables) == 0
    assert run(main, "validate", "--ms", ms, "--tables", *tables, "--refant", 103) == 0
    assert run(main, "compare", "--caltable1", tables[0], "--caltable2", tables[0]) == 0
    assert run(main, "find-calibrators-in-ms", "--ms-dir", tmp_path, "--cal-catalog", LIST) == 0
    incoming = tmp_path / "incoming"
    incoming.mkdir()
    assert run(main, "list-transits", "--name", "0834+555", "--cal-catalog", LIST, "--start", 61065, "--max-days-back", 3,
               "--input-dir", incoming) == 0  # fmt: skip
    for mode in ("zeros", "shadow", "quack", "clip", "extend", "summary", "reset"):
        extra = ["--clip-max", 1e9] if mode == "clip" else []
        assert run(main, "flag", "--ms", ms, "--mode", mode, *extra) == 0, mode
    capsys.readouterr()
    assert run(main, "apply", "--ms", ms, "--tables", tmp_path / "none") == 1
    assert "none" in capsys.readouterr().err


def test_delays_are_measured_and_nothing_is_left_behind(ms: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(p.name for p in ms.parent.iterdir())
    report = delays.measure(ms)
    assert report["refant"] == "103"
    reference = next(a for a in report["antennas"] if a["name"] == "103")
    assert reference["delay_ns"] == [0.0, 0.0]
    assert len(report["antennas"]) == len(made.STATIONS) - 1
    for command in ("check-delays", "verify-delays", "inspect-delays"):
        assert run(calibration_cli.main, command, "--ms", ms, "--n-baselines", 5) == 0
    assert len(json.loads(capsys.readouterr().out.splitlines()[0])["slopes"]["baselines"]) == 5
    assert app.main(["delays", str(ms), "--json"]) == 0
    assert sorted(p.name for p in ms.parent.iterdir()) == before


def test_inject_writes_the_calibrator(ms: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    centre = _core.ms.meta(ms)["fields"][2]["centre"]
    catalog = tmp_path / "c.csv"
    catalog.write_text(
        f"name,ra,dec,flux_jy\nnear,{math.degrees(centre['ra_rad'])},{math.degrees(centre['dec_rad'])},9\n"
    )
    assert run(model_cli.main, "inject", "--ms", ms, "--catalog", catalog, "--name", "near", "--flux", 2.0) == 0
    assert output(capsys)["calibrator"]["flux_jy"] == 2.0
    model = _core.ms.read(ms, 0, column="model")
    # At most two dumps from its own phase centre the correlator's averaging takes a part in a thousand.
    np.testing.assert_allclose(np.abs(model["vis_rfp"]), 2.0, rtol=2e-3)
    assert run(model_cli.main, "inject", "--ms", ms, "--catalog", catalog, "--name", "nobody") == 1


WSCLEAN = """Format = Name, Type, Ra, Dec, I, SpectralIndex, LogarithmicSI, ReferenceFrequency='1.4e9', MajorAxis, MinorAxis, Orientation
s0c0,POINT,22:55:00.5,16.00.30.0,1.5,[-0.7,0.1],true,1400000000,,,
s0c1,GAUSSIAN,-01:00:00,-0.30.00,0.5,[0.25],false,,10,5,30
"""


def test_source_lists_of_wsclean(tmp_path: Path) -> None:
    file = tmp_path / "x-sources.txt"
    file.write_text(WSCLEAN)
    one, two = skyfiles.load(file)["sky"]["sources"]
    assert one["position"]["ra_rad"] == pytest.approx(math.radians(15 * (22 + 55 / 60 + 0.5 / 3600)))
    assert one["position"]["dec_rad"] == pytest.approx(math.radians(16 + 30 / 3600))
    for freq in (1.3e9, 1.5e9):
        x = math.log10(freq / 1.4e9)
        assert sky.flux_jy(one["spectrum"], freq) == pytest.approx(1.5 * 10 ** (-0.7 * x + 0.1 * x**2), rel=1e-12)
    assert two["position"]["ra_rad"] == pytest.approx(math.radians(345.0))
    assert two["position"]["dec_rad"] == pytest.approx(math.radians(-0.5))
    assert two["shape"]["major_rad"] == pytest.approx(math.radians(10 / 3600))
    # An ordinary slope of 0.25 Jy per f/f0, to first order.
    assert sky.flux_jy(two["spectrum"], 1.41e9) == pytest.approx(0.5 + 0.25 * 0.01 / 1.4, abs=1e-5)
    for text, wrong in (("nothing", "Format"), (WSCLEAN.replace("1.5", "loud"), "line 2")):
        file.write_text(text)
        with pytest.raises(ValueError, match=wrong):
            skyfiles.load(file)


def test_regions_of_ds9(tmp_path: Path) -> None:
    file = tmp_path / "x.reg"
    file.write_text(
        "# Region file format: DS9\nfk5\npoint(22:55:00.5,+16:00:30) # point=x text={250mJy}\n"
        'ellipse(10.5,-3.25,5",10",30) # text={2}\n'
    )
    one, two = skyfiles.load(file)["sky"]["sources"]
    assert one["spectrum"]["flux_jy"] == pytest.approx(0.25)
    assert math.degrees(two["position"]["dec_rad"]) == pytest.approx(-3.25)
    assert two["shape"]["major_rad"] == pytest.approx(math.radians(20 / 3600))
    file.write_text("image\npoint(1,2) # text={1}\n")
    with pytest.raises(ValueError, match="fk5"):
        skyfiles.load(file)
    file.write_text("icrs;point(1,2)\n")
    with pytest.raises(ValueError, match="flux"):
        skyfiles.load(file)


def test_a_model_image_is_its_pixels(tmp_path: Path) -> None:
    from astropy.io import fits
    from astropy.wcs import WCS

    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval, wcs.wcs.crpix = ["RA---SIN", "DEC--SIN"], [343.0, 16.0], [9, 9]
    wcs.wcs.cdelt = [-0.01, 0.01]
    data = np.zeros((16, 16), np.float32)
    data[8, 8], data[3, 12] = 1.25, -0.5
    file = tmp_path / "m-model.fits"
    header = wcs.to_header()
    header["BUNIT"] = "Jy/pixel"
    fits.writeto(file, data, header)
    model = skyfiles.load(file)
    assert model["beam"] == "none"
    found = {round(s["spectrum"]["flux_jy"], 3): s["position"] for s in model["sky"]["sources"]}
    assert math.degrees(found[1.25]["ra_rad"]) == pytest.approx(343.0)
    assert math.degrees(found[-0.5]["dec_rad"]) < 16.0
    with pytest.raises(ValueError, match="at most 1"):
        skyfiles.from_image(file, most=1)
    fits.writeto(file, data, fits.Header({"BUNIT": "Jy/beam"}), overwrite=True)
    with pytest.raises(ValueError, match="Jy/pixel"):
        skyfiles.from_image(file)


def test_verdicts_follow_the_table(ms: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = stages.solve(ms, tmp_path / "b_bpcal", "B", combine="scan,field", solnorm=True)["table"]
    content = caltables.read(table)
    verdicts = {v.name: v for v in quality.judge(content)}
    # Nine stations, one of them dead: two short of the least number of antennas.
    assert (verdicts["antennas"].verdict, verdicts["antennas"].value) == ("fail", 8.0)
    assert verdicts["flagged_working"].verdict == "pass"
    loose = quality.Limits(antennas_fail=5)
    assert quality.overall(quality.judge(content, loose)) == "pass"
    for w in content["windows"]:
        w["snr_tafr"] = np.full_like(w["snr_tafr"], 5.0)
    assert {v.name: v.verdict for v in quality.judge(content, loose)}["median_snr"] == "warn"
    assert app.main(["caltable", "report", table, "--out", str(tmp_path / "r"), "--json"]) == 1
    assert output(capsys)["tables"][0]["verdict"] == "fail"


def test_a_solve_after_an_application_is_the_solve_before(ms: Path, tmp_path: Path) -> None:
    """Weights of DATA are those of DATA, whatever CORRECTED_DATA's are."""
    first = stages.solve(ms, tmp_path / "one", "G", combine="scan,field")
    stages.apply(ms, [first["table"]])
    again = stages.solve(ms, tmp_path / "two", "G", combine="scan,field")
    assert again["chi2_reduced"] == pytest.approx(first["chi2_reduced"], rel=1e-6)
    for a, b in zip(
        caltables.read(tmp_path / "one")["windows"], caltables.read(tmp_path / "two")["windows"], strict=True
    ):
        # 1 / sqrt(w) and back in single precision.
        np.testing.assert_allclose(a["value_tafr"], b["value_tafr"], rtol=1e-6)


def test_binned_bandpasses_are_means_of_whole_ones(ms: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="-1"):
        stages.solve(ms, tmp_path / "x", "B", combine="scan,field", chanbin=-1)
    fine = caltables.read(stages.solve(ms, tmp_path / "f", "B", combine="scan,field")["table"])["windows"][0]
    coarse = caltables.read(stages.solve(ms, tmp_path / "c", "B", combine="scan,field", chanbin=3)["table"])["windows"][
        0
    ]
    assert coarse["freq_hz"].size == math.ceil(made.CHANNELS / 3)
    np.testing.assert_allclose(coarse["freq_hz"][0], fine["freq_hz"][:3].mean())
    good = ~coarse["flag_tafr"][0, :, 0]
    want, got = fine["value_tafr"][0, :, :3].mean(axis=1), coarse["value_tafr"][0, :, 0]
    # Bandpasses turn by up to 0.5 rad over three channels of eight: second order.
    assert np.abs(got - want)[good].max() < 0.1 * np.abs(want)[good].max()


def test_a_missing_model_or_files_are_named(ms: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="none-here"):
        stages.apply(ms, [tmp_path / "none-here"])
    shutil.copytree(stages.solve(ms, tmp_path / "g", "G", combine="scan,field")["table"], tmp_path / "cut")
    for file in (tmp_path / "cut").glob("table.f*"):
        file.write_bytes(file.read_bytes()[:100])
    before = _core.ms.read(ms, 0, column="corrected")["vis_rfp"]
    with pytest.raises(DataError, match="cut"):
        stages.apply(ms, [tmp_path / "cut"])
    np.testing.assert_array_equal(_core.ms.read(ms, 0, column="corrected")["vis_rfp"], before)


@pytest.mark.parametrize("delay_s", [0.0, 0.01, 0.03])
def test_a_killed_application_is_repaired_by_running_it_again(ms: Path, tmp_path: Path, delay_s: float) -> None:
    table = stages.solve(ms, tmp_path / "g", "G", combine="scan,field")["table"]
    whole = tmp_path / "whole.ms"
    shutil.copytree(ms, whole)
    stages.apply(whole, [table])
    code = (
        "import sys\nfrom dsa110_contimg.calibration import stages\nprint('go', flush=True)\n"
        f"stages.apply({str(ms)!r}, [{str(table)!r}])\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(delay_s)
        process.kill()
    try:
        _core.ms.read(ms, 0, column="corrected")
    except DataError as refused:
        # Wherever it was cut: what is half written is refused, with the step that repairs it.
        assert "contimg apply" in str(refused)  # noqa: PT017 - either is right
    stages.apply(ms, [table])
    for spw in range(2):
        a, b = (_core.ms.read(m, spw, column="corrected") for m in (ms, whole))
        for key in ("vis_rfp", "flag_rfp"):
            np.testing.assert_array_equal(a[key], b[key])
        # The weights of DATA survive in SIGMA_SPECTRUM, to single precision.
        np.testing.assert_allclose(a["weight_rfp"], b["weight_rfp"], rtol=1e-6)


def test_predict_is_model(ms: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One file by both commands: the same column, the same beam; the file's own word on its beam counts unless one is asked for."""
    file = tmp_path / "x-sources.txt"
    file.write_text(WSCLEAN)
    written = {}
    for name, arguments in {
        "model": ["model", str(ms), "--sky", str(file)],
        "predict": ["predict", str(ms), "--sources", str(file)],
        "before": ["predict", str(ms), "--sources", str(file), "--beam", "airy"],
    }.items():
        assert app.main([*arguments, "--json"]) == 0
        written[name] = (output(capsys)["beam"], _core.ms.read(ms, 0, column="model")["vis_rfp"])
    assert written["model"][0] == written["predict"][0] == "none"
    np.testing.assert_array_equal(written["model"][1], written["predict"][1])
    assert written["before"][0] == "airy"
    # The sources lie far out in the beam or not at all in it.
    assert np.abs(written["before"][1]).mean() < np.abs(written["model"][1]).mean()
    file.write_text(WSCLEAN.replace("\ns0c0", "\n# beam = airy\ns0c0"))
    assert app.main(["model", str(ms), "--sky", str(file), "--json"]) == 0
    assert output(capsys)["beam"] == "airy"
    np.testing.assert_array_equal(_core.ms.read(ms, 0, column="model")["vis_rfp"], written["before"][1])


@pytest.mark.parametrize("wrong", [math.nan, math.inf])
def test_a_model_that_is_no_number_is_refused(ms: Path, wrong: float) -> None:
    """A flux, a position or a spectrum that is no number: one clear error, and MODEL_DATA stays as it was."""
    before = _core.ms.read(ms, 0, column="model")["vis_rfp"]
    for change in ("flux", "ra", "alpha"):
        values = {"flux": 1.0, "ra": 344.0, "alpha": 0.0} | {change: wrong}
        with pytest.raises(ValueError, match="finite"):
            stages.write_model(
                ms, sky.model([sky.source("s", values["ra"], 16.0, values["flux"], alpha=values["alpha"])], beam="none")
            )
    np.testing.assert_array_equal(_core.ms.read(ms, 0, column="model")["vis_rfp"], before)
