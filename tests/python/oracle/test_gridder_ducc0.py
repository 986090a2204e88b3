"""The gridder against ducc0's, over a grid of parameters."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from dsa110_contimg.imaging.gridder import dirty2vis, vis2dirty

pytestmark = pytest.mark.oracle
wgridder = pytest.importorskip("ducc0").wgridder.experimental

CASES = list(product([(64, 90), (128, 48)], [(0.0, 0.0), (0.02, -0.03)], [False, True], [False, True]))


def data(dtype: type, seed: int, w_scale: float = 40.0):
    rng = np.random.default_rng(seed)
    uvw = rng.uniform(-1, 1, (150, 3)) * [200.0, 180.0, w_scale]
    freq = np.linspace(1.31e9, 1.5e9, 33)
    vis = (rng.normal(size=(150, 33)) + 1j * rng.normal(size=(150, 33))).astype(dtype)
    wgt = rng.uniform(0.2, 2.0, vis.shape).astype(vis.real.dtype)
    mask = (rng.uniform(size=vis.shape) > 0.1).astype(np.uint8)
    return {"uvw": uvw, "freq": freq, "wgt": wgt, "mask": mask}, vis


def relative(a, b):
    return np.linalg.norm(a - b) / np.linalg.norm(b)


@pytest.mark.parametrize(("size", "center", "w", "n"), CASES)
@pytest.mark.parametrize(
    ("dtype", "epsilon"), [("complex64", 1e-2), ("complex64", 1e-4), ("complex128", 1e-7), ("complex128", 1e-12)]
)
def test_images_and_visibilities_are_ducc0_s(size, center, w, n, dtype, epsilon):
    common, vis = data(np.dtype(dtype).type, size[0])
    args = {
        "pixsize_x": 0.07 / size[0],
        "pixsize_y": 0.06 / size[1],
        "center_x": center[0],
        "center_y": center[1],
        "epsilon": epsilon,
        "do_wgridding": w,
        "divide_by_n": n,
        **common,
    }
    # Each side is within epsilon of the truth; ducc0's at 1e-12 within 1e-12 too, plus rounding of 5e3 terms.
    tolerance = 2 * epsilon + 3e-13
    ours = vis2dirty(vis=vis, npix_x=size[0], npix_y=size[1], **args)
    theirs = wgridder.vis2dirty(vis=vis, npix_x=size[0], npix_y=size[1], **args)
    assert ours.dtype == theirs.dtype
    assert relative(ours, theirs) < tolerance
    dirty = np.random.default_rng(5).normal(size=size).astype(vis.real.dtype)
    assert relative(dirty2vis(dirty=dirty, **args), wgridder.dirty2vis(dirty=dirty, **args)) < tolerance


@pytest.mark.parametrize("flip", ["flip_u", "flip_v", "flip_w"])
def test_flips_are_ducc0_s(flip):
    common, vis = data(np.complex128, 3, w_scale=3000.0)
    args = {"pixsize_x": 1e-3, "pixsize_y": 8e-4, "epsilon": 1e-6, "do_wgridding": True, flip: True, **common}
    ours = vis2dirty(vis=vis, npix_x=64, npix_y=60, **args)
    assert relative(ours, wgridder.vis2dirty(vis=vis, npix_x=64, npix_y=60, **args)) < 2e-6


@pytest.mark.parametrize(("w", "n"), [(False, False), (True, False), (True, True)])
@pytest.mark.parametrize(("dtype", "epsilon"), [("complex64", 1e-4), ("complex128", 1e-6), ("complex128", 1e-10)])
def test_pixels_beyond_the_horizon_are_ducc0_s(w, n, dtype, epsilon):
    common, vis = data(np.dtype(dtype).type, 6, w_scale=40.0)
    # All of the hemisphere and corners that hold no sky, off centre so that no pixel has n = 0, where ducc0's 1 / n is infinite.
    args = {"pixsize_x": 2.5 / 64, "pixsize_y": 2.5 / 60, "center_x": 0.013, "center_y": 0.007}
    args |= {"epsilon": epsilon, "do_wgridding": w, "divide_by_n": n, **common}
    args["uvw"] = 0.1 * args["uvw"]
    ours = vis2dirty(vis=vis, npix_x=64, npix_y=60, **args)
    theirs = wgridder.vis2dirty(vis=vis, npix_x=64, npix_y=60, **args)
    # Each side within epsilon; 1 / n lifts the errors of the pixels next to the horizon up to ten times.
    tolerance = (10 if n else 2) * epsilon + 3e-13
    assert relative(ours, theirs) < tolerance
    x = args["center_x"] + (np.arange(64) - 32)[:, None] * args["pixsize_x"]
    y = args["center_y"] + (np.arange(60) - 30) * args["pixsize_y"]
    beyond = x**2 + y**2 > 1.0
    assert beyond.mean() > 0.3
    assert relative(ours[beyond], theirs[beyond]) < tolerance if not n else not ours[beyond].any()
    dirty = np.random.default_rng(5).normal(size=(64, 60)).astype(vis.real.dtype)
    back = dirty2vis(dirty=dirty, **args)
    assert relative(back, wgridder.dirty2vis(dirty=dirty, **args)) < tolerance
    # Adjoint to rounding, whatever epsilon is.
    left, right = np.vdot(dirty.astype(float), ours.astype(float)), np.vdot(back, vis * common["mask"]).real
    rounding = 1e-5 if dtype == "complex64" else 1e-11
    assert abs(left - right) < rounding * np.linalg.norm(dirty) * np.linalg.norm(ours)


@pytest.mark.parametrize("epsilon", [1e-7, 1e-8, 1e-9, 1e-10])
def test_corners_of_wide_images_are_as_good_as_the_rest(epsilon):
    # Where three kernels are undone at once rounding was sixty times epsilon.
    common, vis = data(np.complex128, 7, w_scale=400.0)
    args = {"pixsize_x": 1.2 / 48, "pixsize_y": 1.2 / 48, "npix_x": 48, "npix_y": 48, "do_wgridding": True, **common}
    args |= {"uvw": 0.1 * args["uvw"], "divide_by_n": False}
    ours = vis2dirty(vis=vis, epsilon=epsilon, **args)
    truth = wgridder.vis2dirty(vis=vis, epsilon=1e-12, **args)
    # Errors of random visibilities add as their amplitudes do; the worst of 2304 pixels, and some samples at unlucky places.
    assert np.abs(ours - truth).max() < 3 * epsilon * np.linalg.norm(vis * common["wgt"] * common["mask"])


def test_out_arguments_are_filled():
    common, vis = data(np.complex64, 4)
    args = {"pixsize_x": 1e-3, "pixsize_y": 8e-4, "epsilon": 1e-4, **common}
    dirty = np.zeros((64, 60), np.float32)
    assert vis2dirty(vis=vis, dirty=dirty, **args) is dirty
    out = np.zeros_like(vis)
    assert dirty2vis(dirty=dirty, vis=out, **args) is out
    assert np.abs(out).max() > 0
