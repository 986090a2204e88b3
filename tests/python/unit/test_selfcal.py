"""Self-calibration on a small array with phase errors: it helps, it stops, and it undoes what does not help."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dsa110_contimg import _core, imaging
from dsa110_contimg.calibration import stages
from dsa110_contimg.pipeline.selfcal import SelfcalOptions, selfcal
from support.modules import unit_test_module

IMAGE = {"imsize": 128, "cell_arcsec": 30.0, "niter": 500, "nsigma": 5.0, "robust": 0.5}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Phases off by 0.6 rad an antenna, and by 0.3 rad more a dump."""
    made = unit_test_module("test_calibration", called="unit_test_calibration_selfcal")
    rng = np.random.default_rng(3)
    n = len(made.STATIONS)
    band = np.full((n, 2, made.CHANNELS * len(made.SUBBANDS)), 0.07 + 0j)
    phase = 0.6 * rng.normal(size=(n, 2, 1)) + 0.3 * rng.normal(size=(n, 2, made.TIMES))
    made.truth_gains = lambda: (band, np.exp(1j * phase))  # type: ignore[attr-defined]
    directory = tmp_path_factory.mktemp("selfcal")
    files = made.simulate(directory, sefd_jy=200.0, dead=[])
    _core.ms.convert(files, directory / "c.ms", expected_subbands=2, checksums=False, phase_center="shared")
    stages.flag(directory / "c.ms")
    return directory / "c.ms"


@pytest.fixture
def ms(template: Path, tmp_path: Path) -> Path:
    shutil.copytree(template, tmp_path / "c.ms")
    return tmp_path / "c.ms"


def test_phases_are_found_without_a_model(ms: Path, tmp_path: Path) -> None:
    options = SelfcalOptions(phase_solints=("inf", "int"))
    report = selfcal(ms, tmp_path / "out", options=options, image_options=IMAGE)
    # Coherence at 0.7 rad is exp(-0.5) of the amplitude, the rest is noise in the image: at least twice the contrast.
    assert report["snr_after"] > 2 * report["snr_before"]
    assert report["rounds"][0]["kind"] == "start"
    assert all(Path(t).is_dir() for t in report["tables"])
    best = max(r["snr"] for r in report["rounds"] if r["accepted"])
    assert report["snr_after"] == best
    # CORRECTED_DATA is that of the best round's tables.
    kept = _core.ms.read(ms, 0, column="corrected")["vis_rfp"]
    stages.apply(ms, report["tables"])
    np.testing.assert_array_equal(_core.ms.read(ms, 0, column="corrected")["vis_rfp"], kept)


def test_a_round_that_makes_it_worse_is_undone(ms: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = stages.solve(
        ms, tmp_path / "base_gpcal", "G", combine="scan", minsnr=0.0,
        model={"sky": {"sources": [_point(ms)]}, "beam": "none", "smear": False},
    )["table"]  # fmt: skip
    real = imaging.image
    calls: list[int] = []

    def worse(*args: Any, **options: Any) -> dict[str, Any]:
        report = real(*args, **options)
        calls.append(1)
        return {**report, "rms_jy": report["rms_jy"] * 10.0 ** (len(calls) - 1)}

    monkeypatch.setattr(imaging, "image", worse)
    report = selfcal(
        ms, tmp_path / "out", base_tables=[base], image_options=IMAGE,
        options=SelfcalOptions(phase_solints=("inf",), amp_solint="", max_phase_scatter_deg=180.0),
    )  # fmt: skip
    assert report["best"] == 0
    assert report["tables"] == [base]
    assert "fell" in report["stopped"]
    assert not (tmp_path / "out" / "selfcal1_gpcal").exists()
    kept = _core.ms.read(ms, 0, column="corrected")["vis_rfp"]
    stages.apply(ms, [base])
    np.testing.assert_array_equal(_core.ms.read(ms, 0, column="corrected")["vis_rfp"], kept)


@pytest.mark.parametrize("with_base", [False, True])
def test_what_an_undone_round_flagged_is_not_flagged(
    ms: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, with_base: bool
) -> None:
    base = []
    if with_base:
        base = [
            stages.solve(
                ms, tmp_path / "base_gpcal", "G", combine="scan", minsnr=0.0,
                model={"sky": {"sources": [_point(ms)]}, "beam": "none", "smear": False},
            )["table"]
        ]  # fmt: skip
    real_image, real_solve = imaging.image, stages.solve
    calls: list[int] = []

    def worse(*args: Any, **options: Any) -> dict[str, Any]:
        report = real_image(*args, **options)
        calls.append(1)
        return {**report, "rms_jy": report["rms_jy"] * 10.0 ** (len(calls) - 1)}

    def half(*args: Any, **options: Any) -> dict[str, Any]:
        report = real_solve(*args, **options)
        # Half of the solutions fall below their own median SNR: flagged, and so are the data.
        return real_solve(*args, **{**options, "minsnr": report["median_snr"]})

    before = _core.ms.read(ms, 0)
    monkeypatch.setattr(imaging, "image", worse)
    monkeypatch.setattr(stages, "solve", half)
    report = selfcal(
        ms, tmp_path / "out", base_tables=base, image_options=IMAGE,
        options=SelfcalOptions(phase_solints=("int",), amp_solint="", max_phase_scatter_deg=180.0),
    )  # fmt: skip
    assert "fell" in report["stopped"], report["stopped"]
    np.testing.assert_array_equal(_core.ms.read(ms, 0)["flag_rfp"], before["flag_rfp"])
    if not with_base:
        # No table is left: CORRECTED_DATA are DATA again, not those of the round that was undone.
        corrected = _core.ms.read(ms, 0, column="corrected")
        np.testing.assert_array_equal(corrected["vis_rfp"], before["vis_rfp"])
        np.testing.assert_allclose(corrected["weight_rfp"], before["weight_rfp"], rtol=1e-6)


def test_an_interval_that_is_none_is_refused_before_the_first_image(ms: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"solint.*found 'soon'"):
        selfcal(ms, tmp_path / "out", options=SelfcalOptions(phase_solints=("60s", "soon")), image_options=IMAGE)
    assert not (tmp_path / "out").exists()


def _point(ms: Path) -> dict[str, Any]:
    centre = _core.ms.meta(ms)["fields"][0]["centre"]
    spectrum = {"flux_jy": 8.0, "reference_hz": 1.4e9, "coefficients": [0.0]}
    return {"name": "p", "position": centre, "spectrum": spectrum, "shape": None}
