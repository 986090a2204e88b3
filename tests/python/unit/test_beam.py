"""Beam and prediction at the boundary, against scipy and the definition."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from dsa110_contimg import _core

FREQ = 1.405e9
C = 299_792_458.0


def test_airy_is_the_airy_pattern() -> None:
    special = pytest.importorskip("scipy.special")
    theta = np.linspace(0.0, 0.3, 500)
    x = np.pi * 4.65 * np.sin(theta[1:]) * FREQ / C
    power = _core.beam.airy_power(theta, FREQ)
    assert power[0] == 1.0
    # Stated: 1e-10.
    assert np.abs(power[1:] - (2 * special.j1(x) / x) ** 2).max() < 1e-10
    assert np.degrees(_core.beam.airy_fwhm_rad(FREQ)) == pytest.approx(2.70, abs=0.01)


def test_a_tile_is_the_mean_of_its_pointings() -> None:
    pointings = np.radians([[359.5, 16.0], [0.0, 16.0], [0.5, 16.0]])
    weights, freq = np.array([1.0, 2.0, 0.0]), np.array([1.32e9, 1.49e9])
    direction = np.radians([[0.2, 16.8]])
    got = _core.beam.tile_power("DSA_110", pointings, weights, freq, np.array([1.0, 1.0]), direction)[0]

    def separation(a: np.ndarray, b: np.ndarray) -> float:
        half = np.sin((a[1] - b[1]) / 2) ** 2 + np.cos(a[1]) * np.cos(b[1]) * np.sin((a[0] - b[0]) / 2) ** 2
        return float(2 * np.arcsin(np.sqrt(half)))

    one = [
        np.mean([_core.beam.airy_power(np.array([separation(p, direction[0])]), f)[0] for f in freq]) for p in pointings
    ]
    assert got == pytest.approx((one[0] + 2 * one[1]) / 3, abs=1e-7)
    with pytest.raises(ValueError, match="EVLA"):
        _core.beam.tile_power("EVLA", pointings, weights, freq, np.array([1.0, 1.0]), direction)


def test_a_users_beam_is_interpolated() -> None:
    radius = np.linspace(0.0, 0.1, 400)
    freq = np.array([1.3e9, 1.5e9])
    table = np.array([_core.beam.airy_power(radius, f) for f in freq])
    got = _core.beam.radial_power(freq, radius, table, np.array([0.0, 0.02, 0.2]), 1.3e9)
    assert got[0] == 1.0
    assert got[2] == 0.0
    # Linear between nodes 2.5e-4 rad apart: the second derivative (600 / rad^2) times the spacing squared over 8.
    assert got[1] == pytest.approx(_core.beam.airy_power(np.array([0.02]), 1.3e9)[0], abs=1e-5)
    with pytest.raises(ValueError, match=">= 0"):
        _core.beam.radial_power(freq, radius, -10 * table, np.array([0.0]), 1.3e9)


def rows(uvw: np.ndarray) -> dict[str, Any]:
    n = len(uvw)
    return {
        "time_mjd_s": np.full(n, 61_065.9 * 86_400),
        "interval_s": np.full(n, 12.885),
        "antenna1": np.arange(n, dtype=np.uint32),
        "antenna2": np.arange(n, dtype=np.uint32) + 1,
        "field": np.zeros(n, dtype=np.uint32),
        "uvw_m": np.ascontiguousarray(uvw),
    }


def test_prediction_has_the_sign_and_the_phase_of_the_convention() -> None:
    uvw = np.array([[100.0, 20.0, 5.0], [-800.0, 1500.0, -300.0]])
    centre = (0.001, 0.3)
    source = {"name": "A", "ra_deg": np.degrees(0.006), "dec_deg": np.degrees(0.31), "flux_jy": 2.0}
    freq = np.array([1.35e9, 1.36e9])
    lmn = _core.coords.apparent_lmn(61_065.9 * 86_400, centre, np.array([0.006]), np.array([0.31]))[0]
    out = _core.predict.rows(
        json.dumps([source]), rows(uvw), freq, np.full(2, 1e6), np.array([centre]), beam="none", smear=False
    )
    want = 2 * np.exp(2j * np.pi * (uvw @ lmn)[:, None] * freq / C)
    assert lmn[0] > 0
    assert np.abs(out - want).max() < 1e-5
    smeared = _core.predict.rows(
        json.dumps([source]), rows(uvw), freq, np.full(2, 1e6), np.array([centre]), beam="none"
    )
    # The longer baseline loses more: bandwidth smearing of 1 MHz over 1.1e-2 x 1700 m is a sinc of 0.2.
    assert np.abs(smeared[1]).max() < np.abs(smeared[0]).min() < 2.0
    assert np.abs(smeared[0]).min() > 1.99


def test_prediction_refuses_what_does_not_fit() -> None:
    good = rows(np.ones((2, 3)))
    freq, width, field = np.array([1.4e9]), np.array([1e6]), np.array([[0.0, 0.3]])
    with pytest.raises(TypeError, match="uvw_m"):
        _core.predict.rows("[]", {**good, "uvw_m": np.ones((2, 3), np.float32)}, freq, width, field)
    with pytest.raises(ValueError, match="interval_s"):
        _core.predict.rows("[]", {k: v for k, v in good.items() if k != "interval_s"}, freq, width, field)
    with pytest.raises(ValueError, match="beam"):
        _core.predict.rows("[]", good, freq, width, field, beam="gauss")
    with pytest.raises(ValueError, match="field"):
        _core.predict.rows("[]", {**good, "field": np.full(2, 3, np.uint32)}, freq, width, field)
    assert not _core.predict.rows("[]", good, freq, width, field).any()
