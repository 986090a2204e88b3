"""Flag, model, solve and apply on a small simulated group: what was put in comes out."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dsa110_contimg import ConvergenceError, DataError, _core
from dsa110_contimg.calibration import applycal, caltables, catalogs, flagging, model, sky, stages, validate
from dsa110_contimg.calibration import calibration as compat

STATIONS = [1, 5, 12, 24, 40, 60, 80, 103, 110]
DEAD = 60
TIMES, CHANNELS, SUBBANDS = 4, 8, [3, 4]
DATA = Path(__file__).parents[2] / "data" / "calibration"

SOURCES = [(0.02, 0.0, 8.0, -0.7), (-0.4, 0.3, 2.0, 0.0), (0.5, -0.2, 1.5, -1.0)]


def truth_gains() -> tuple[np.ndarray, np.ndarray]:
    """Bandpass (antenna, receptor, channel) and gain (antenna, receptor, time)."""
    rng = np.random.default_rng(5)
    na, nf = len(STATIONS), CHANNELS * len(SUBBANDS)
    x = np.linspace(-1, 1, nf)
    band = (1 + 0.1 * rng.normal(size=(na, 2, 1)) + 0.1 * rng.normal(size=(na, 2, 1)) * x) * np.exp(
        1j * (rng.uniform(-3, 3, (na, 2, 1)) + rng.normal(size=(na, 2, 1)) * x)
    )
    gain = np.exp(1j * 0.02 * rng.normal(size=(na, 2, 1)) * np.arange(TIMES)) * (0.07 * np.ones((na, 2, TIMES)))
    return band.astype(complex), gain.astype(complex)


def simulate(out: Path, **changes: Any) -> list[Path]:
    """One group of two subbands."""
    start = 61_065.0 * 86_400.0 + 80_765.0
    dec = 16.15
    mid = start + 12.885 * TIMES / 2
    here = float(np.degrees(_core.coords.meridian_icrs(np.array([mid]), math.radians(dec))[0][0]))
    sources = [
        {"name": f"s{k}", "ra_deg": (here + a) % 360, "dec_deg": dec + b, "flux_jy": s, "alpha": alpha}
        for k, (a, b, s, alpha) in enumerate(SOURCES)
    ]
    band, gain = truth_gains()
    params = {
        "start_mjd_s": start, "dec_deg": dec, "stations": STATIONS, "integrations": TIMES, "subbands": SUBBANDS,
        "channels": CHANNELS, "sources": sources, "smear": False, "dead": [DEAD], **changes,
    }  # fmt: skip
    group = _core.simulate.group(json.dumps(params), out, bandpass_apf=band, gain_apt=gain)
    (out / "sky.csv").write_text(
        "name,ra_deg,dec_deg,flux_jy,alpha\n"
        + "".join(f"{s['name']},{s['ra_deg']},{s['dec_deg']},{s['flux_jy']},{s['alpha']}\n" for s in sources)
    )
    return [Path(f) for f in group["files"]]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with ``cal.ms`` (noise-free) and ``sky.csv``."""
    directory = tmp_path_factory.mktemp("calibration")
    files = simulate(directory)
    _core.ms.convert(files, directory / "cal.ms", expected_subbands=len(SUBBANDS), checksums=False)
    return directory


@pytest.fixture
def ms(template: Path, tmp_path: Path) -> Path:
    shutil.copytree(template / "cal.ms", tmp_path / "cal.ms")
    return tmp_path / "cal.ms"


@pytest.fixture
def model_sky(template: Path) -> dict[str, Any]:
    return sky.from_csv(template / "sky.csv", smear=False)


def read(ms: Path, column: str, spw: int = 0, *, with_model: bool = False) -> dict[str, Any]:
    return _core.ms.read(ms, spw, column=column, with_model=with_model)


def cross(block: dict[str, Any]) -> np.ndarray:
    return np.asarray(block["antenna1"] != block["antenna2"])


def test_the_whole_chain_recovers_what_was_put_in(ms: Path, model_sky: dict[str, Any]) -> None:
    flags = stages.flag(ms)
    assert [s["step"] for s in flags["steps"]] == ["zeros", "autos", "dead"]
    prefix = str(ms.with_suffix(""))
    common = {"model": model_sky, "refant": "103", "combine": "scan,field"}
    bandpass = stages.solve(ms, f"{prefix}_bpcal", "B", **common)
    assert bandpass["refant"] == "103"
    assert bandpass["working_receptors"] == 2 * (len(STATIONS) - 1)
    assert bandpass["flagged_fraction_working"] == 0
    assert str(DEAD) in bandpass["dead"]
    gain = stages.solve(ms, f"{prefix}_gpcal", "G", solint="int", gaintable=[bandpass["table"]], **common)
    assert gain["intervals"] == TIMES
    report = stages.apply(ms, [bandpass["table"], gain["table"]])
    assert report["without_solution"] == 0
    stages.write_model(ms, model_sky)
    for spw in range(len(SUBBANDS)):
        block = read(ms, "corrected", spw, with_model=True)
        good = ~block["flag_rfp"] & cross(block)[:, None, None]
        assert good.sum() == 28 * TIMES * CHANNELS * 2
        off = np.abs(block["vis_rfp"] - block["model_rfp"])[good]
        # Noise-free: one bandpass over drifts of 0.02 rad a dump leaves second-order terms that G cannot take:
        # 0.08^2 / 2
        # times the part of the signal (a fifth) that is not the main source, for two antennas: 2.5e-3 of the 8 Jy.
        assert off.max() < 2.5e-3 * 8
    band, time = truth_gains()
    table = caltables.read(bandpass["table"])
    names = list(table["antennas"])
    assert len(names) == 117
    solved = np.concatenate([w["value_tafr"][0] for w in table["windows"]], axis=1)
    mean = np.concatenate([w["value_tafr"] for w in caltables.read(gain["table"])["windows"][:1]])[:, :, 0]
    for k, station in enumerate(STATIONS):
        if station in (DEAD, 103):
            continue
        a, ref = names.index(str(station)), names.index("103")
        r = STATIONS.index(103)
        want = band[k, :, :, None] * time[k, :, None] * np.conj(band[r, :, :, None] * time[r, :, None])
        got = (
            solved[a].T[:, :, None]
            * mean[:, a].T[:, None]
            * np.conj(solved[ref].T[:, :, None] * mean[:, ref].T[:, None])
        )
        # Baselines' products are what data determine; the limit as above.
        np.testing.assert_allclose(got, want, atol=5e-3 * 0.07**2)


def test_applying_twice_is_applying_once(ms: Path, model_sky: dict[str, Any]) -> None:
    stages.flag(ms)
    table = stages.solve(ms, ms.parent / "g", "G", model=model_sky, combine="field,scan")["table"]
    stages.apply(ms, [table])
    once = read(ms, "corrected")
    stages.apply(ms, [table])
    twice = read(ms, "corrected")
    np.testing.assert_array_equal(once["vis_rfp"], twice["vis_rfp"])
    np.testing.assert_allclose(once["weight_rfp"], twice["weight_rfp"], rtol=1e-6)
    # |g| = 0.07 about: weights fall by 0.07^4.
    raw = read(ms, "data")
    assert raw["vis_rfp"].shape == once["vis_rfp"].shape
    assert stages.apply(ms, [table], applymode="trial")["without_solution"] == 0


def test_a_zero_model_is_refused(ms: Path) -> None:
    with pytest.raises(DataError, match=r"MODEL_DATA.*contimg model"):
        stages.solve(ms, ms.parent / "b", "B", combine="scan,field")
    assert not (ms.parent / "b").exists()
    assert [p.name for p in ms.parent.iterdir()] == ["cal.ms"]


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"refant": "nobody"}, ValueError, "refant"),
        ({"solint": "soon"}, ValueError, "solint"),
        ({"combine": "everything"}, ValueError, "combine"),
        ({"calmode": "x"}, ValueError, "calmode"),
        ({"field": "7"}, ValueError, "0~3"),
        ({"spw": "5"}, ValueError, "spw"),
        ({"uvrange": ">1parsec"}, ValueError, "uvrange"),
        ({"uvrange": ">900km"}, DataError, "outside the uv range"),
        ({"minblperant": 20}, ConvergenceError, "20 baselines"),
        ({"colour": "red"}, ValueError, "colour"),
        ({"gaintable": ["nowhere"]}, DataError, "nowhere"),
    ],
)
def test_bad_solves_say_what_is_wrong(
    ms: Path, model_sky: dict[str, Any], options: dict[str, Any], error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        stages.solve(ms, ms.parent / "g", "G", model=model_sky, **{"combine": "scan,field", **options})
    assert not (ms.parent / "g").exists()


def test_everything_flagged_is_named(ms: Path, model_sky: dict[str, Any]) -> None:
    stages.flag(ms, [{"step": "clip", "min": 1e9, "max": 2e9}])
    with pytest.raises(DataError, match=r"100\.0 % are flagged"):
        stages.solve(ms, ms.parent / "g", "G", model=model_sky, combine="scan,field")


def test_tables_of_other_data_are_refused_before_anything_is_written(ms: Path, model_sky: dict[str, Any]) -> None:
    stages.flag(ms)
    one = stages.solve(ms, ms.parent / "g", "G", model=model_sky, combine="scan,field", spw="0")["table"]
    before = read(ms, "corrected")["vis_rfp"]
    with pytest.raises(DataError, match="spwmap"):
        stages.apply(ms, [one])
    np.testing.assert_array_equal(read(ms, "corrected")["vis_rfp"], before)
    stages.apply(ms, [one], spwmap=[[0, 0]])
    with pytest.raises(ValueError, match="permission to overwrite"):
        stages.solve(ms, one, "G", model=model_sky, combine="scan,field")
    combined = stages.solve(ms, ms.parent / "gs", "G", model=model_sky, combine="scan,field,spw")
    assert combined["windows"] == 2
    stages.apply(ms, [combined["table"]])


def test_flag_steps_and_versions(ms: Path) -> None:
    _core.flagging.save_version(ms, "original", "as converted")
    before = stages.flag(ms, [], trial=True)["after"]
    report = flagging.flag_antenna(ms, "24,103")
    named = dict(report["antennas"])
    assert named["24"] == named["103"] == 1.0
    assert named["1"] < 0.5
    assert flagging.flag_manual(ms, spw="1:2~3", baseline="1&5")["steps"][0]["added"] == TIMES * 2 * 2
    assert flagging.flag_quack(ms, 13.0)["steps"][0]["added"] > 0
    assert flagging.flag_elevation(ms, 10.0, 89.0)["steps"][0]["added"] == 0
    assert flagging.flag_elevation(ms, 80.0)["after"] == 1.0
    _core.flagging.restore_version(ms, "original")
    assert flagging.flag_summary(ms)["after"] == before
    assert [v["name"] for v in _core.flagging.versions(ms)] == ["original"]
    with pytest.raises(ValueError, match="original"):
        _core.flagging.restore_version(ms, "other")
    with pytest.raises(ValueError, match="letters"):
        _core.flagging.save_version(ms, "../x")
    with pytest.raises(ValueError, match="magic"):
        stages.flag(ms, [{"step": "magic"}])
    flagging.reset_flags(ms)
    assert flagging.flag_summary(ms)["after"] == 0


def test_the_original_functions(ms: Path, model_sky: dict[str, Any], template: Path) -> None:
    stages.flag(ms)
    stages.write_model(ms, model_sky)
    field = "0~3"
    phases = compat.solve_prebandpass_phase(str(ms), field, "103", combine_fields=True, solint="30s")
    band = compat.solve_bandpass(
        str(ms), field, "103", None, combine_fields=True, prebandpass_phase_table=phases[0], combine="scan,field"
    )
    gains = compat.solve_gains(str(ms), field, "103", None, band, combine_fields=True, t_short="30s")
    assert [Path(t).name for t in (*band, *gains)] == ["cal_bpcal", "cal_gpcal", "cal_2gcal"]
    assert [validate.validate_caltable_exists(t) for t in (*band, *gains)] == ["B", "G", "G"]
    assert validate.validate_caltables_for_use([*band, *gains], ms, refant=103) == []
    with pytest.raises(DataError, match="all flagged"):
        validate.validate_caltables_for_use(band, ms, refant=str(DEAD))
    applycal.apply_to_target(str(ms), "", [*band, *gains], interp=["nearest", "linear", "linear"])
    block = read(ms, "corrected", with_model=True)
    good = ~block["flag_rfp"] & cross(block)[:, None, None]
    # Phases of 30 s and gains of 30 s under a drift of 0.02 rad a dump: some per cent are left.
    assert np.abs(block["vis_rfp"] - block["model_rfp"])[good].mean() < 0.05 * np.abs(block["model_rfp"])[good].mean()
    delays = compat.solve_delay(str(ms), field, "103", t_fast=None, combine_spw=True)
    assert caltables.summary(delays[0])["term"] == "K"


def test_a_point_model_has_the_phase_of_each_field(ms: Path) -> None:
    meta = _core.ms.meta(ms)
    centre = meta["fields"][2]["centre"]
    model.write_point_model_with_ft(ms, math.degrees(centre["ra_rad"]), math.degrees(centre["dec_rad"]), 2.5, field="2")
    block = read(ms, "model")
    mine = block["field"] == 2
    # At the phase centre of its own field a source has no phase; the correlator's smearing there is none.
    np.testing.assert_allclose(block["vis_rfp"][mine], 2.5, rtol=1e-4)
    assert not block["vis_rfp"][~mine].any()
    fits = pytest.importorskip("astropy.io.fits")
    path = model.export_model_as_fits(str(ms), ms.parent / "seen", field="2", imsize=64, cell_arcsec=20.0)
    image = fits.getdata(path).reshape(64, 64)
    # A point at the image's centre: its peak is its flux whatever the weights; single precision and the smearing above.
    assert image[32, 32] == pytest.approx(2.5, rel=1e-3)
    assert image.max() == image[32, 32]
    assert sorted(p.name for p in ms.parent.iterdir() if "seen" in p.name) == ["seen.fits"]


def test_a_calibrator_by_position_needs_its_flux(ms: Path) -> None:
    # A flux nobody gave would scale every flux of the day.
    with pytest.raises(ValueError, match="flux density"):
        model.populate_model_from_catalog(str(ms), cal_ra_deg=10.0, cal_dec_deg=20.0)


def test_perley_butler_is_the_published_polynomial() -> None:
    spectrum = sky.perley_butler("3C 48")
    for freq_hz in (1.0e9, 1.4e9, 1.31e9):
        x = math.log10(freq_hz / 1e9)
        want = 10 ** (1.3253 - 0.7553 * x - 0.1914 * x**2 + 0.0498 * x**3)
        assert sky.flux_jy(spectrum, freq_hz) == pytest.approx(want, rel=1e-12)
    with pytest.raises(ValueError, match="3C48"):
        sky.perley_butler("3C1")


def test_the_calibrator_list_is_read() -> None:
    frame = catalogs.load_vla_catalog(DATA / "vlacalibrators_excerpt.txt")
    assert frame.loc["0834+555", "flux_jy"] > 5
    assert "0001+192" not in frame.index  # no 20 cm flux
    row = frame.loc["0003-174"]
    assert row["ra_deg"] == pytest.approx(15 * (3 / 60 + 21.9969 / 3600))
    assert row["dec_deg"] == pytest.approx(-(17 + 27 / 60 + 11.781 / 3600))
    assert catalogs.calibrator("3C48", DATA / "vlacalibrators_excerpt.txt")["name"] == "0137+331"


def test_a_csv_list_in_millijansky(tmp_path: Path) -> None:
    file = tmp_path / "c.csv"
    file.write_text("name,RA,Dec,flux_20_cm\n0834+555,128.7,55.6,8280\n")
    assert catalogs.load_vla_catalog(file).loc["0834+555", "flux_jy"] == pytest.approx(8.28)


@pytest.mark.parametrize(
    "bad",
    [
        lambda: sky.parse_point("1,2"),
        lambda: sky.parse_point("a,b,c"),
        lambda: sky.source("x", math.nan, 0, 1),
        lambda: sky.source("x", 0, 91, 1),
        lambda: sky.source("x", 0, 0, 0),
        lambda: stages.table_uses(["a"], interp=["nearest", "linear"]),
    ],
)
def test_nonsense_is_refused(bad: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match="expected"):
        bad()
