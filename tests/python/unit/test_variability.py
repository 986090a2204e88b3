"""Statistics of light curves against closed forms, numpy and a survey's pipeline."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsa110_contimg import DataError
from dsa110_contimg._core import variability as core
from dsa110_contimg.photometry import variability

DATA = Path(__file__).parents[2] / "data"


def test_the_reference_vector_of_the_survey() -> None:
    table = pd.read_csv(DATA / "vast_tools_729" / "measurements.csv", comment="#")
    assert variability.calculate_v_metric(table["flux_int"]) == pytest.approx(0.233823673, rel=1e-7)
    assert variability.calculate_v_metric(table["flux_peak"]) == pytest.approx(0.0612809996, rel=1e-7)
    eta = variability.calculate_eta_metric(table, "flux_int", "flux_int_err")
    assert eta == pytest.approx(3595.589, rel=1e-7)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.floats(0.1, 50), st.floats(0.01, 5)), min_size=2, max_size=60))
def test_eta_v_and_chi2_are_those_of_numpy(points: list[tuple[float, float]]) -> None:
    flux, err = (np.array(column) for column in zip(*points, strict=True))
    w = 1 / err**2
    eta = len(flux) / (len(flux) - 1) * (np.mean(w * flux**2) - np.mean(w * flux) ** 2 / np.mean(w))
    # numpy's published form cancels: allow what it loses.
    lost = 1e-10 * np.mean(w * flux**2)
    assert core.eta(flux, err) == pytest.approx(eta, rel=1e-7, abs=lost)
    assert core.fractional(flux) == pytest.approx(np.std(flux, ddof=1) / np.mean(flux), rel=1e-9, abs=1e-12)
    pairs = [abs(variability.calculate_vs_metric(a, b, s, t)) for a, s in points for b, t in points]
    assert abs(core.vs_max(flux, err)[0]) == pytest.approx(max(pairs), rel=1e-12, abs=1e-12)


def test_significance_is_that_of_scipy() -> None:
    stats = pytest.importorskip("scipy.stats")
    for reduced, n in [(1.5, 10), (3.0, 50), (12.0, 30), (1.02, 1000)]:
        expected = stats.norm.isf(stats.chi2.sf(reduced * (n - 1), n - 1))
        assert core.significance(reduced, n) == pytest.approx(expected, rel=1e-8)


def test_undefined_cases_raise_with_a_reason_and_the_compatible_calls_give_nan() -> None:
    with pytest.raises(DataError, match="at least 2 points, found 1"):
        core.eta(np.ones(1), np.ones(1))
    with pytest.raises(DataError, match="one sign"):
        core.m(1.0, -1.0)
    with pytest.raises(TypeError, match="flux: expected a C-contiguous numpy array of f64"):
        core.fractional([1.0, 2.0])  # type: ignore[arg-type]
    assert np.isnan(variability.calculate_m_metric(1.0, -1.0))
    assert np.isnan(variability.calculate_v_metric([]))
    empty = pd.DataFrame({"normalized_flux_jy": [], "normalized_flux_err_jy": []})
    assert variability.calculate_eta_metric(empty) == 0.0


def test_many_curves_at_once_keep_their_order_and_leave_out_bad_points() -> None:
    curves = {
        "quiet": ([1.0, 2.0, 3.0], [1.0, 1.0, 1.0], [0.1, 0.1, 0.1]),
        "none": ([], [], []),
        "bad": ([1.0, 2.0, 3.0, 4.0], [1.0, np.nan, 2.0, 3.0], [0.1, 0.1, 0.0, 0.1]),
    }
    table = variability.summarise(curves)
    assert list(table.index) == list(curves)
    assert table.loc["bad", "n"] == 2
    assert table.loc["bad", "n_bad"] == 2
    assert table.loc["quiet", "v"] == 0.0
    assert np.isnan(table.loc["none", "mean"])


def test_a_structure_function_of_a_ramp() -> None:
    t = np.arange(20.0)
    lag, value, pairs = core.structure_function(t, 2 * t, np.zeros(0), np.array([0.5, 1.5, 2.5]))
    assert lag.tolist() == [1, 2]
    assert value.tolist() == [4, 16]
    assert pairs.tolist() == [19, 18]
