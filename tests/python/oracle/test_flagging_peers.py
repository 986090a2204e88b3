"""Flags beside AOFlagger's and CASA's on the same Measurement Set."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dsa110_contimg import _core
from dsa110_contimg.calibration import flagging, stages

pytestmark = pytest.mark.oracle

STATIONS = [1, 2, 5, 9, 14, 20, 31, 45, 70, 90, 103, 110]
TIMES, CHANNELS, SUBBANDS = 24, 48, [7, 8]
#: Lines, bursts and a patch; strengths in sigma of one component over 10 dB.
EVENTS: list[tuple[str, list[int], list[int], float, float | None]] = [
    ("line", [0, 24], [10, 12], 3.2, None),
    ("line", [0, 24], [60, 61], 10.0, None),
    ("line", [4, 20], [80, 83], 5.0, 100.0),
    ("burst", [9, 10], [0, 96], 4.0, None),
    ("burst", [17, 19], [30, 60], 8.0, None),
    ("line", [2, 14], [36, 42], 32.0, 100.0),
]
#: Jy, one component, one channel of one integration at a SEFD of 6500 Jy.
SIGMA = 2.59


def _simulate(out: Path, *, with_rfi: bool) -> Path:
    """A Measurement Set of two windows: a source of 10 Jy, a second one, noise, and interference."""
    start = 61_065.0 * 86_400.0 + 80_765.0
    dec = 16.15
    here = float(np.degrees(_core.coords.meridian_icrs(np.array([start + 155.0]), math.radians(dec))[0][0]))
    sources = [
        {"name": "a", "ra_deg": here, "dec_deg": dec, "flux_jy": 10.0, "alpha": -0.7},
        {"name": "b", "ra_deg": here + 0.7, "dec_deg": dec - 0.4, "flux_jy": 1.5, "alpha": 0.0},
    ]
    events = [
        {"kind": kind, "times": t, "channels": f, "strength_jy": s * SIGMA, "max_baseline_m": b}
        for kind, t, f, s, b in EVENTS
    ]
    params = {
        "start_mjd_s": start, "dec_deg": dec, "stations": STATIONS, "integrations": TIMES, "subbands": SUBBANDS,
        "channels": CHANNELS, "sources": sources, "smear": False, "sefd_jy": 6500.0,
        "rfi": {"events": events if with_rfi else []},
    }  # fmt: skip
    group = _core.simulate.group(json.dumps(params), out)
    _core.ms.convert(
        group["files"], out / "f.ms", expected_subbands=2, checksums=False, phase_center="shared",
        telescope_name="OVRO_MMA",
    )  # fmt: skip
    return out / "f.ms"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _simulate(tmp_path_factory.mktemp("rfi"), with_rfi=True)


@pytest.fixture
def ms(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made, tmp_path / "f.ms")
    return tmp_path / "f.ms"


def _flags(ms: Path) -> list[np.ndarray]:
    return [np.asarray(_core.ms.read(ms, spw, column="data")["flag_rfp"]) for spw in range(2)]


def _rates(ms: Path) -> tuple[float, float]:
    """Fraction found of the interference, fraction flagged of the rest; cross-correlations."""
    counts = np.zeros(4)
    blocks = [_core.ms.read(ms, spw, column="data") for spw in range(2)]
    lowest = min(range(2), key=lambda k: blocks[k]["freq_hz"][0])
    for spw, block in enumerate(blocks):
        times = np.unique(block["time_mjd_s"])
        when = np.searchsorted(times, block["time_mjd_s"])
        length = np.linalg.norm(block["uvw_m"], axis=1)
        channel = np.arange(CHANNELS) + (0 if spw == lowest else CHANNELS)
        truth = np.zeros((len(when), CHANNELS), bool)
        for _, t, f, _, reach in EVENTS:
            hit = (when >= t[0]) & (when < t[1]) & (length <= (reach or np.inf))
            truth |= hit[:, None] & ((channel >= f[0]) & (channel < f[1]))[None, :]
        cross = block["antenna1"] != block["antenna2"]
        flag = np.asarray(block["flag_rfp"])[cross].mean(axis=2)
        truth = truth[cross]
        counts += [flag[truth].sum(), truth.sum(), flag[~truth].sum(), (~truth).sum()]
    return float(counts[0] / counts[1]), float(counts[2] / counts[3])


def test_rfi_is_found_no_worse_than_by_aoflagger(ms: Path, tmp_path: Path) -> None:
    if shutil.which("aoflagger") is None:
        pytest.skip("aoflagger is not installed")
    theirs = tmp_path / "theirs.ms"
    shutil.copytree(ms, theirs)
    subprocess.run(["aoflagger", str(theirs)], check=True, capture_output=True)
    stages.flag(ms, [{"step": "rfi"}])
    (found, wrong), (found_ao, wrong_ao) = _rates(ms), _rates(theirs)
    # No worse than the peer in either respect. 1 % of false alarms is what the step is for; here, with interference crossing on a
    # few baselines beside a source of 4 sigma, 2.0 % were measured (the peer 2.2 %, and it found 76 %).
    assert found >= max(0.95, found_ao), (found, found_ao)
    assert wrong <= max(0.01, wrong_ao), (wrong, wrong_ao)


def test_aoflagger_as_a_backend(ms: Path, tmp_path: Path) -> None:
    if shutil.which("aoflagger") is None:
        pytest.skip("aoflagger is not installed")
    report = flagging.flag_rfi(ms, backend="aoflagger")
    assert report["before"] > 0.01
    assert [s["step"] for s in report["steps"]] == ["residual", "extend"]


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({"step": "quack", "interval_s": 30.0}, {"mode": "quack", "quackinterval": 30.0, "quackmode": "beg"}),
        (
            {"step": "quack", "interval_s": 30.0, "mode": "endb"},
            {"mode": "quack", "quackinterval": 30.0, "quackmode": "endb"},
        ),
        (
            {"step": "quack", "interval_s": 30.0, "mode": "tail"},
            {"mode": "quack", "quackinterval": 30.0, "quackmode": "tail"},
        ),
        (
            {"step": "quack", "interval_s": 30.0, "mode": "end"},
            {"mode": "quack", "quackinterval": 30.0, "quackmode": "end"},
        ),
        # CASA takes one elevation for all baselines of a time, ours is of the phase centre: limits far from both.
        ({"step": "elevation", "lower_deg": 80.0}, {"mode": "elevation", "lowerlimit": 80.0}),
        ({"step": "elevation", "lower_deg": 10.0, "upper_deg": 89.0}, {"mode": "elevation", "lowerlimit": 10.0}),
        ({"step": "uvrange", "uvrange": "2~50m"}, {"mode": "manual", "uvrange": "2~50m"}),
        ({"step": "uvrange", "uvrange": ">1klambda"}, {"mode": "manual", "uvrange": ">1klambda"}),
        ({"step": "shadow", "tolerance_m": 0.0}, {"mode": "shadow", "tolerance": 0.0}),
        # Below 0, antennas must keep apart: neighbours of 5.75 m then shade each other, those without data too.
        ({"step": "shadow", "tolerance_m": -3.0}, {"mode": "shadow", "tolerance": -3.0}),
        ({"step": "shadow", "tolerance_m": -6.0}, {"mode": "shadow", "tolerance": -6.0}),
        ({"step": "manual", "antenna": "14,103"}, {"mode": "manual", "antenna": "14,103"}),
        ({"step": "manual", "spw": "1:3~9"}, {"mode": "manual", "spw": "1:3~9"}),
        ({"step": "clip", "min": 0.0, "max": 20.0}, {"mode": "clip", "clipminmax": [0.0, 20.0], "antenna": "*&*"}),
    ],
)
def test_selections_equal_casas(ms: Path, tmp_path: Path, ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    casatasks = pytest.importorskip("casatasks")
    peer = tmp_path / "peer.ms"
    shutil.copytree(ms, peer)
    stages.flag(ms, [ours], reset=True)
    casatasks.flagdata(str(peer), action="apply", flagbackup=False, **theirs)
    block = _core.ms.read(ms, 0, column="data")
    # An antenna by name is its cross-correlations to CASA; ours takes its autocorrelation as well.
    use = block["antenna1"] != block["antenna2"] if "antenna" in ours else slice(None)
    for mine, other in zip([f[use] for f in _flags(ms)], [f[use] for f in _flags(peer)], strict=True):
        # A uv range at its very edge may fall to either side; single-precision amplitudes likewise.
        assert (mine != other).mean() < 1e-4, (mine.mean(), other.mean())


def test_casa_reads_and_restores_our_versions(ms: Path) -> None:
    casatasks = pytest.importorskip("casatasks")
    before = _flags(ms)
    flagging.save_flags(ms, "first", "before anything")
    stages.flag(ms, [{"step": "autos"}])
    listed = casatasks.flagmanager(str(ms), mode="list")
    names = {v["name"]: v["comment"] for v in listed.values() if isinstance(v, dict)}
    assert names["first"].strip() == "before anything"
    casatasks.flagmanager(str(ms), mode="restore", versionname="first")
    assert all((a == b).all() for a, b in zip(before, _flags(ms), strict=True))
    casatasks.flagmanager(str(ms), mode="save", versionname="casas")
    stages.flag(ms, [{"step": "autos"}])
    flagging.restore_flags(ms, "casas")
    assert all((a == b).all() for a, b in zip(before, _flags(ms), strict=True))
