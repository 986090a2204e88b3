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


def _point(ms: Path) -> dict[str, Any]:
    centre = _core.ms.meta(ms)["fields"][0]["centre"]
    spectrum = {"flux_jy": 8.0, "reference_hz": 1.4e9, "coefficients": [0.0]}
    return {"name": "p", "position": centre, "spectrum": spectrum, "shape": None}
