"""`contimg lightcurves`: any survey's light curves judged from a table."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dsa110_contimg.cli.app import main
from dsa110_contimg.photometry.curves_file import read_curves
from dsa110_contimg.photometry.ese import judge_bands
from dsa110_contimg.simulation.models import Lens

BANDS = (1.34e9, 1.41e9, 1.48e9)


def lens(x: np.ndarray, alpha: float) -> np.ndarray:
    """Flux of a point behind a Gaussian lens below its first caustic (Clegg et al. 1998): one ray each, by Newton."""
    u = x.copy()
    for _ in range(60):
        g = alpha * np.exp(-u * u)
        u -= (u * (1 + g) - x) / (1 + g * (1 - 2 * u * u))
    return 1 / np.abs(1 + alpha * (1 - 2 * u * u) * np.exp(-u * u))


def resolved(x: np.ndarray, alpha: float, sigma: float) -> np.ndarray:
    """The same for a Gaussian source, by Gauss-Hermite quadrature."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(15)
    return sum(w * lens(x + sigma * n, alpha) for n, w in zip(nodes, weights / weights.sum(), strict=True))


def table() -> pd.DataFrame:
    rng = np.random.default_rng(11)
    t = 60000 + np.arange(0, 200, 1.0)
    rows = []
    for freq in BANDS:
        curves = {
            "lens": resolved((t - 60100) / 18, 0.5 * (1.4e9 / freq) ** 2, 0.25),
            "flare": 1 + 0.7 * np.where(t > 60080, np.exp(-(t - 60080) / 20), 0),
            "quiet": np.ones_like(t),
        }
        for name, shape in curves.items():
            flux = 0.3 * shape + rng.normal(0, 0.006, len(t))
            if name == "quiet":
                flux[[20, 90]] = 0.0, -1.0
            rows.append(
                pd.DataFrame({"source_id": name, "mjd": t, "freq_hz": freq, "flux_jy": flux, "flux_err_jy": 0.006})
            )
    few = pd.DataFrame({"source_id": "few", "mjd": [1.0, 2.0], "freq_hz": 1.4e9, "flux_jy": 1.0, "flux_err_jy": 0.1})
    return pd.concat([*rows, few])


def test_verdicts_and_keys(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "curves.csv"
    table().sample(frac=1, random_state=1).to_csv(file, index=False)
    assert main(["lightcurves", str(file), "--json"]) == 0
    sources = {s["source_id"]: s for s in json.loads(capsys.readouterr().out)["sources"]}
    assert {n: s["verdict"] for n, s in sources.items()} == {
        "lens": "candidate",
        "flare": "variable",
        "quiet": "steady",
        "few": "insufficient",
    }
    found = sources["lens"]
    assert set(found) == {"source_id", "bands", "ese_score", "log_bf_lens", "verdict", "events", "reasons"}
    assert set(found["bands"][0]) == {"freq_hz", "n", "mean", "eta", "v", "vs_max", "m_max", "chi2_nu"}
    assert [b["freq_hz"] for b in found["bands"]] == list(BANDS)
    event = found["events"][0]
    assert event["mjd_start"] < 60100 < event["mjd_end"]
    assert event["depth"] == pytest.approx(0.32, abs=0.06)
    assert main(["lightcurves", str(file)]) == 0


def test_names_with_a_hash_and_names_that_look_blank_are_names(tmp_path: Path) -> None:
    file = tmp_path / "curves.csv"
    rows = [f"{name},{60000 + i},1.4e9,0.1,0.01" for name in ("src#1", "src#2", "NA", "None") for i in range(3)]
    rows.insert(4, "# a remark, with commas, in between")
    file.write_text(
        "\n".join(["# made by hand", "", "source_id,mjd,freq_hz,flux_jy,flux_err_jy", *rows, "src#1,60009,,n/a,"])
    )
    curves = read_curves(file)
    assert curves.groupby("source_id").size().to_dict() == {"src#1": 4, "src#2": 3, "NA": 3, "None": 3}
    assert curves["flux_jy"].isna().sum() == 1


def test_bad_tables(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "curves.csv"
    for text, found in [
        ("", "header"),
        ("a,b\n1,2\n", "expected columns"),
        ("source_id,mjd,freq_hz,flux_jy,flux_err_jy\nx,1,1e9,?,1\n", "'\\?'"),
    ]:
        file.write_text(text)
        assert main(["lightcurves", str(file)]) == 1
        assert found.replace("\\", "") in capsys.readouterr().err.replace("\n", "")
    assert main(["lightcurves", str(tmp_path / "none.csv")]) == 1
    file.write_text("source_id,mjd,freq_hz,flux_jy,flux_err_jy\n")
    assert main(["lightcurves", str(file), "--json"]) == 0


def test_tables_of_other_people_say_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Other names and units, a byte order mark, blank lines, Julian dates, repeats, tabs, VOTable, FITS."""
    from astropy.table import Table

    plain = table().query("source_id in ('lens', 'few')").reset_index(drop=True)

    def judged(file: Path) -> list[dict[str, object]]:
        assert main(["lightcurves", str(file), "--json"]) == 0
        found: list[dict[str, object]] = json.loads(capsys.readouterr().out)["sources"]
        return found

    plain.to_csv(tmp_path / "plain.csv", index=False)
    expected = judged(tmp_path / "plain.csv")
    other = pd.DataFrame(
        {
            " Name": plain["source_id"],
            "JD": plain["mjd"] + 2_400_000.5,
            "freq_MHz": plain["freq_hz"] / 1e6,
            "Flux_mJy": plain["flux_jy"] * 1e3,
            "flux_err_mJy": plain["flux_err_jy"] * 1e3,
            "comment": "a, b",
        }
    )
    text = pd.concat([other, other.head(5)]).to_csv(index=False).replace("\n", "\n\n", 3)
    (tmp_path / "other.csv").write_text(text, encoding="utf-8-sig")
    other.drop(columns="comment").to_csv(tmp_path / "tabs.csv", index=False, sep="\t")
    Table.from_pandas(plain).write(tmp_path / "t.vot", format="votable")
    with_units = Table.from_pandas(plain)
    with_units["flux_jy"] *= 1e3
    with_units["flux_jy"].unit = "mJy"
    with_units.write(tmp_path / "t.fits")
    for name in ("other.csv", "tabs.csv", "t.vot", "t.fits"):
        for ours, theirs in zip(judged(tmp_path / name), expected, strict=True):
            assert (ours["source_id"], ours["verdict"]) == (theirs["source_id"], theirs["verdict"]), name
            # Julian dates keep 1e-9 of their 2.4 million days, 40 microseconds: the fit moves by far less than a unit.
            assert ours["log_bf_lens"] == pytest.approx(theirs["log_bf_lens"], abs=0.5), name


def test_every_source_is_drawn(tmp_path: Path) -> None:
    file = tmp_path / "curves.csv"
    table().replace({"source_id": {"few": "a/b c"}}).to_csv(file, index=False)
    assert main(["lightcurves", str(file), "--plots", str(tmp_path / "out")]) == 0
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["a_b_c.png", "flare.png", "lens.png", "quiet.png"]


def test_a_dip_that_is_the_same_in_all_bands_is_no_lens_and_one_band_is_not_tested(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(5)
    t = 60000 + np.arange(200.0)
    dip = resolved((t - 60100) / 14, 0.55, 0.25)
    rows = [(name, f) for name, bands in (("flat", BANDS), ("single", BANDS[:1])) for f in bands]
    parts = [
        pd.DataFrame(
            {"source_id": n, "mjd": t, "freq_hz": f, "flux_jy": dip + rng.normal(0, 0.01, 200), "flux_err_jy": 0.01}
        )
        for n, f in rows
    ]
    pd.concat(parts).to_csv(tmp_path / "c.csv", index=False)
    assert main(["lightcurves", str(tmp_path / "c.csv"), "--json"]) == 0
    flat, single = json.loads(capsys.readouterr().out)["sources"]
    assert (flat["verdict"], single["verdict"]) == ("variable", "candidate")
    assert any("same in all bands" in r for r in flat["reasons"])
    assert any("chromaticity not tested" in r for r in single["reasons"])


@pytest.mark.parametrize(("alpha", "crossing", "size"), [(3.0, 15.0, 0.6), (1.0, 20.0, 0.3), (6.0, 10.0, 0.6)])
def test_strength_size_and_crossing_time_of_a_lens_come_back(alpha: float, crossing: float, size: float) -> None:
    rng = np.random.default_rng(0)
    mjd = np.sort(rng.uniform(0, 200, 170))
    lens = Lens(100.0, crossing, alpha, 1.4e9, size)
    bands = [
        (f, (mjd, lens.factor(mjd.tolist(), f) + 0.02 * rng.normal(size=170), np.full(170, 0.02)))
        for f in (1.335e9, 1.382e9, 1.428e9, 1.475e9)
    ]
    found = judge_bands({"s": bands})["s"]
    assert found["verdict"] == "candidate"
    fit = found["lens"]
    # Three stated errors, and the 5 % that rows of the template table, 14 % apart in strength, are good for.
    for value, truth, err in (
        (fit["alpha"], alpha, fit["alpha_ln_err"]),
        (fit["source_sigma"], size, fit["source_ln_err"]),
        (fit["crossing_days"], crossing, fit["crossing_err_days"] / crossing),
    ):
        assert abs(np.log(value / truth)) < 3 * err + 0.05, (value, truth, err)


def test_a_plot_of_sixteen_bands_keeps_its_legend_and_takes_any_error() -> None:
    from dsa110_contimg.plots.lightcurves import plot_lightcurve

    t = 60000 + np.arange(30.0)
    parts = [
        pd.DataFrame({"mjd": t, "freq_hz": f, "flux_jy": 0.1 * (f / 1.4e9) ** -2, "flux_err_jy": 0.001})
        for f in np.linspace(1.31e9, 1.49e9, 16)
    ]
    curves = pd.concat(parts, ignore_index=True)
    # Errors that are none, and a band that is missing at one epoch.
    curves.loc[[3, 40], "flux_err_jy"] = [-1.0, 0.0]
    curves = curves.drop(index=range(60, 61))
    figure = plot_lightcurve(curves)
    figure.draw_without_rendering()
    axes = figure.axes[0]
    mean = axes.containers[0].lines[0].get_ydata()
    # The bands' common level, 0.1 (f / 1.4 GHz)^-2 at their median, whatever is missing.
    assert len(mean) == 30
    assert np.ptp(mean) < 1e-9 * mean.mean()
    assert "mean of 16 bands" in axes.get_legend_handles_labels()[1]
    assert len(axes.get_legend_handles_labels()[1]) == 1
