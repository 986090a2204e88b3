"""The field of gains over a database: a year of gain errors taken out, epochs gated, sources and plots from it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dsa110_contimg._core import photometry as core
from dsa110_contimg.cli import main
from dsa110_contimg.database import Database, open_database
from dsa110_contimg.photometry import campaign
from dsa110_contimg.photometry.gains import normalise_field
from dsa110_contimg.photometry.rows import record
from dsa110_contimg.photometry.scale import check_epochs, check_scale
from dsa110_contimg.photometry.source import Source
from dsa110_contimg.photometry.sources import Query

N, BANDS = 40, 4
FREQ = [1.33e9, 1.38e9, 1.43e9, 1.48e9]
NAMES = [f"J00{i:02d}00+540000" for i in range(N)]
RNG = np.random.default_rng(7)
PLACE = RNG.uniform(-1.2, 1.2, (2, N))
FLUX = 0.05 * np.exp(0.6 * RNG.normal(size=N))
DIP = 11


def epoch(e: int) -> tuple[pd.DataFrame, dict[str, object]]:
    """10 % common, 3 % over the beam, 2 % a frequency; source `DIP` fades by a third in the middle."""
    rng = np.random.default_rng([3, e])
    u, v = PLACE / 1.5
    c, field, band = 0.1 * rng.normal(), 0.03 * rng.normal(size=5), 0.02 * rng.normal(size=BANDS)
    gain = c + field @ np.array([u, v, u * u, u * v, v * v])
    true = FLUX * np.where((np.arange(N) == DIP) & (12 <= e < 18), 0.67, 1.0)
    parts = true[:, None] * np.exp(gain[:, None] + band) + 4e-4 * rng.normal(size=(N, BANDS))
    flux = parts.mean(axis=1)
    table = pd.DataFrame({"source_id": NAMES, "ra_deg": (PLACE[0] / 0.59) % 360, "dec_deg": 54 + PLACE[1]})
    table = table.assign(flux_jy=flux, flux_err_jy=2e-4, local_rms_jy=2e-4, flags=0, mjd=60000.0 + e)
    table = table.assign(x_deg=PLACE[0], y_deg=PLACE[1], nvss_flux_mjy=1e3 * FLUX)
    bands = [
        {"path": f"b{k}", "freq_hz": f, "bandwidth_hz": 5e7, "noise_jy": 4e-4, "beam_deg": [0.008, 0.006, 10.0]}
        | {"flux_jy": parts[:, k], "flux_err_jy": np.full(N, 4e-4)}
        for k, f in enumerate(FREQ)
    ]
    return table, {"bands": bands}


@pytest.fixture(scope="module")
def year(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("year") / "p.sqlite3"
    db = open_database(path, "products")
    for e in range(30):
        record(db, f"image{e:02d}.fits", *epoch(e))
    return path


def scatter(db: Database) -> pd.Series:
    frame = db.frame("photometry_timeseries")
    frame = frame[frame["source_id"] != NAMES[DIP]]
    return frame.groupby("source_id")["peak_norm"].agg(lambda f: f.std() / f.mean())


def test_steady_sources_are_steady_to_one_percent_and_the_dip_stays(year: Path) -> None:
    db = open_database(year, "products")
    campaign.normalise(db)
    ensemble = scatter(db)
    rows = normalise_field(db)
    bright = [n for n, f in zip(NAMES, FLUX, strict=True) if f > 0.04]
    field = scatter(db)[[n for n in bright if n != NAMES[DIP]]]
    # The limit; one gain an epoch leaves the field's 3 % in.
    assert field.max() < 0.01
    assert ensemble[field.index].median() > 2 * field.median()
    dip = db.frame("photometry_timeseries", ("source_id", "=", NAMES[DIP]), order_by=["mjd"])
    assert dip["peak_norm"][14] / dip["peak_norm"][3] == pytest.approx(0.67, abs=0.02)
    assert dip["is_reference"].max() == 0
    assert NAMES[DIP] in json.loads(str(rows[0]["excluded"]))
    # Thermal noise is all that is left: the fitted floor is compatible with none, and stated with its interval.
    assert all(0 <= r["floor_low"] <= r["floor"] <= r["floor_high"] < 0.01 for r in rows)
    assert all(r["n_references"] >= 30 for r in rows)
    parts = Source(bright[0], products_db=db).bands
    assert parts["freq_hz"].unique().tolist() == FREQ
    spread = parts.groupby("freq_hz")["flux_jy"].agg(lambda f: f.std() / f.mean())
    # Noise of 1 % at 40 mJy in a quarter of the band; gains of 10 % are gone.
    assert spread.max() < 0.02


def test_running_again_gives_the_same_and_no_reference_is_said(year: Path) -> None:
    db = open_database(year, "products")
    keep = ["source_id", "mjd", "peak_norm", "peak_norm_err", "flags"]
    first = [normalise_field(db), db.select("photometry_timeseries", columns=keep, order_by=["source_id", "mjd"])][1]
    normalise_field(db)
    assert db.select("photometry_timeseries", columns=keep, order_by=["source_id", "mjd"]) == first
    corner = [n for n, x in zip(NAMES, PLACE[0], strict=True) if x < -0.6]
    normalise_field(db, corner)
    flags = db.frame("photometry_timeseries").set_index("source_id")["flags"]
    far = [n for n, x in zip(NAMES, PLACE[0], strict=True) if x > 0.9]
    assert all((flags[n] & core.NO_REFERENCE).all() for n in far)
    normalise_field(db)
    assert not (db.frame("photometry_timeseries")["flags"] & core.NO_REFERENCE).any()


def test_an_epoch_on_another_scale_enters_no_light_curve(year: Path, tmp_path: Path) -> None:
    path = tmp_path / "q.sqlite3"
    open_database(year, "products").backup(path)
    db = open_database(path, "products")
    table, about = epoch(30)
    for name in ("flux_jy", "flux_err_jy", "local_rms_jy"):
        table[name] *= 0.5
    record(db, "image30.fits", table, about)
    verdicts = check_epochs(db)
    assert verdicts["image30.fits"].verdict == "fail"
    assert (
        "flux scale 0.4" in verdicts["image30.fits"].reasons[0]
        or "flux scale 0.5" in verdicts["image30.fits"].reasons[0]
    )
    assert sum(v.verdict == "pass" for v in verdicts.values()) >= 27
    assert "image30.fits" not in {r["image_path"] for r in normalise_field(db)}
    few = check_scale(table.head(2))
    assert (few.verdict, few.n_sources) == ("untested", 0)
    assert check_scale(table.head(0)).verdict == "untested"


def test_the_command_says_what_it_did(year: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["normalize", str(year), "--method", "field", "--json"]) == 0
    done = json.loads(capsys.readouterr().out)
    assert len(done["epochs"]) >= 27
    assert {"floor", "n_references", "flux_scale"} <= set(done["epochs"][0])
    assert main(["normalize", str(year), "--method", "magic"]) == 1
    assert "expected auto, ensemble or field" in capsys.readouterr().err
    assert main(["normalize", str(year)]) == 0
    assert main(["normalize", str(year.with_name("no.sqlite3"))]) == 1


def test_sources_and_queries_plot_and_export(year: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    db = open_database(year, "products")
    normalise_field(db)
    campaign.vary_and_nominate(db)
    everything = Query(db)
    assert len(everything) == N
    eta, v = everything.eta_v_cuts()
    beyond = everything.table[(everything.table["eta"] > eta) & (everything.table["v"] > v)]
    assert NAMES[DIP] in beyond["source_id"].tolist()
    ra, dec = float(PLACE[0][DIP] / 0.59) % 360, float(54 + PLACE[1][DIP])
    assert Query(db, ra_deg=ra, dec_deg=dec, radius_deg=0.001).table["source_id"].tolist() == [NAMES[DIP]]
    with pytest.raises(ValueError, match="cone"):
        Query(db, ra_deg=1.0)
    assert len(everything.plot_eta_v().axes) == 1
    assert "circle(" in everything.export_regions(tmp_path / "all.reg").read_text()
    assert len(pd.read_csv(everything.export(tmp_path / "all.csv"))) == N
    source = everything[NAMES[DIP]]
    assert len(source.plot_bands().axes) == BANDS
    assert len(source.limits) == 0
    assert "CIRCLE" in source.export_regions(tmp_path / "one.ann").read_text()
    from astropy.table import Table

    assert len(Table.read(source.export(tmp_path / "one.vot"))) == 30
    with pytest.raises(ValueError, match="expected a path ending"):
        source.export(tmp_path / "one.xls")
    arguments = ["source", NAMES[DIP], "--db", str(year), "--plot", str(tmp_path / "p.png"), "--json"]
    assert main(arguments) == 0
    assert json.loads(capsys.readouterr().out)["n_epochs"] == 30
    assert (tmp_path / "p.png").stat().st_size > 5000
    assert main(["source", "nobody", "--db", str(year)]) == 1


def test_interactive_figures_hold_the_points(year: Path) -> None:
    pytest.importorskip("bokeh")
    query = Query(open_database(year, "products"))
    assert len(query.show_eta_v().renderers) >= 1
    assert query[NAMES[0]].show_lightcurve().title.text == NAMES[0]


def test_a_year_of_gain_errors_leaves_one_percent_at_most() -> None:
    """200 epochs with errors of 10 % in common, 3 % over the beam (each of five terms) and 2 % a frequency; sources of S/N 100 to 1000."""
    rng = np.random.default_rng(7)
    sources, epochs, bands, noise = 60, 200, 4, 2e-4
    snr = np.exp(rng.uniform(np.log(100), np.log(1000), sources))
    truth = snr[:, None] * noise * np.exp(0.02 * rng.normal(size=(sources, bands)))
    # A transit takes each source through three tiles.
    x = rng.uniform(-1.2, 1.2, sources)[:, None] + 0.1 * (np.arange(epochs) % 3 - 1.0)
    y = np.repeat(rng.uniform(-1.2, 1.2, sources)[:, None], epochs, axis=1)
    u, v = x / 1.5, y / 1.5
    terms = 0.03 * rng.normal(size=(5, epochs))
    field = terms[0] * u + terms[1] * v + terms[2] * u * u + terms[3] * u * v + terms[4] * v * v
    gain = np.exp(0.1 * rng.normal(size=epochs) + field)[:, :, None] * np.exp(0.02 * rng.normal(size=(epochs, bands)))
    err = np.full((sources, epochs, bands), noise)
    flux = truth[:, None, :] * gain + noise * rng.normal(size=err.shape)
    freq = np.linspace(1.33e9, 1.48e9, bands)
    fit = core.gain_field(flux, err, x, y, freq, [True] * sources, options={})
    norm = fit["norm_sef"]
    seen, thermal = norm.std(axis=1, ddof=1) / norm.mean(axis=1), noise / norm.mean(axis=1)
    beyond = np.sqrt(np.maximum(seen**2 - thermal**2, 0.0))
    # The limit; what was measured is 0.3 % in the band and 0.5 % in sixteen parts.
    assert beyond.max() < 0.01
    assert np.median(beyond) < 0.002
