"""The gridder's image and visibilities are the direct sums within epsilon, at any declination; the two are adjoint."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from dsa110_contimg.imaging.gridder import dirty2vis, vis2dirty

C = 299_792_458.0
LATITUDE = math.radians(37.2334)


def baselines(dec_deg: float, rows: int = 160) -> NDArray[np.float64]:
    """uvw [m] on the meridian: an array flat to metres, 2.6 km wide, most of its baselines short."""
    rng = np.random.default_rng(round(dec_deg))
    east, north = (rng.uniform(-1, 1, (2, rows)) ** 3) * 2600.0
    up = rng.normal(0.0, 3.0, rows)
    tilt = math.radians(dec_deg) - LATITUDE
    c, s = math.cos(tilt), math.sin(tilt)
    return np.column_stack([east, north * c - up * s, north * s + up * c])


def direct(uvw: NDArray, freq: NDArray, vis: NDArray, wgt: NDArray, lm: NDArray) -> NDArray[np.float64]:
    """ducc0's dirty image at directions ``lm``, divided by n, by the sum in double precision."""
    n = np.sqrt(1.0 - (lm**2).sum(axis=1))
    path = np.column_stack([lm, -(n - 1.0)]) @ uvw.T
    out = np.zeros(len(lm))
    weighted = wgt * vis.astype(np.complex128)
    for k, f in enumerate(freq):
        turn = 2 * np.pi * f / C * path
        out += np.cos(turn) @ weighted[:, k].real - np.sin(turn) @ weighted[:, k].imag
    return out / n


def case(dec_deg: float, dtype: type) -> tuple[NDArray, NDArray, NDArray, NDArray]:
    rng = np.random.default_rng(3)
    uvw, freq = baselines(dec_deg), np.linspace(1.311e9, 1.499e9, 48)
    vis = rng.normal(size=(len(uvw), 48)) + 1j * rng.normal(size=(len(uvw), 48))
    # A source off the centre as well: noise alone would not show a direction that is wrong.
    lm = np.array([[0.011, -0.017]])
    n = np.sqrt(1 - (lm**2).sum())
    vis += 3 * np.exp(-2j * np.pi * np.outer(uvw @ [*lm[0], -(n - 1)], freq) / C)
    wgt = rng.uniform(0.5, 2.0, vis.shape)
    return uvw, freq, vis.astype(dtype), wgt.astype(vis.astype(dtype).real.dtype)


CASES = [
    *((dec, np.complex64, eps) for dec in (16.15, 89.0) for eps in (1e-2, 1e-3, 1e-4, 1e-5)),
    (33.0, np.complex64, 1e-4),
    (89.0, np.complex128, 1e-12),
    (16.15, np.complex128, 1e-7),
]


@pytest.mark.parametrize("compress", [True, False])
@pytest.mark.parametrize(("dec_deg", "dtype", "epsilon"), CASES)
def test_images_are_the_direct_sum_at_500_random_pixels(
    dec_deg: float, dtype: type, epsilon: float, compress: bool
) -> None:
    uvw, freq, vis, wgt = case(dec_deg, dtype)
    nx, ny, cell = 360, 300, math.radians(36 / 3600)
    args = {"uvw": uvw, "freq": freq, "wgt": wgt, "pixsize_x": cell, "pixsize_y": cell, "epsilon": epsilon}
    dirty = vis2dirty(vis=vis, npix_x=nx, npix_y=ny, do_wgridding=True, compress=compress, **args)
    rng = np.random.default_rng(8)
    x, y = rng.integers(0, nx, 500), rng.integers(0, ny, 500)
    # The corners, where w and compression hurt most, always belong to them.
    x[:4], y[:4] = [0, 0, nx - 1, nx - 1], [0, ny - 1, 0, ny - 1]
    truth = direct(uvw, freq, vis, wgt, np.column_stack([(x - nx // 2) * cell, (y - ny // 2) * cell]))
    error = dirty[x, y].astype(float) - truth
    # The measure of ducc0's own epsilon: rms over rms; and single pixels to four of them. Sums of 8000 terms round at 1e-13.
    rms = np.sqrt(np.mean(truth**2))
    assert np.sqrt(np.mean(error**2)) < epsilon * rms + 1e-13 * rms
    assert np.abs(error).max() < 4 * epsilon * rms + 1e-12 * rms


@pytest.mark.parametrize("epsilon", [1e-6, 1e-8, 1e-10])
def test_many_planes_of_w_keep_epsilon_where_their_kernel_is_widest(epsilon: float) -> None:
    """Baselines far from any plane: a hundred planes; undoing them lifts the ends of n a thousand times over its middle."""
    rng = np.random.default_rng(2)
    uvw = rng.uniform(-1, 1, (60, 3)) * [200.0, 180.0, 2e4]
    freq, n, cell = np.array([1.4e9, 1.5e9]), 256, 2e-4
    vis = rng.normal(size=(60, 2)) + 1j * rng.normal(size=(60, 2))
    args = {"pixsize_x": cell, "pixsize_y": cell, "epsilon": epsilon, "do_wgridding": True}
    dirty = vis2dirty(uvw=uvw, freq=freq, vis=vis, npix_x=n, npix_y=n, **args)
    # On the circle where n is midway between the centre and the corners.
    angle = np.linspace(0, 2 * np.pi, 200, endpoint=False)
    x, y = (np.round(n / 2 + 0.495 * n * f(angle)).astype(int) for f in (np.cos, np.sin))
    truth = direct(uvw, freq, vis, np.ones(vis.shape), np.column_stack([(x - n // 2) * cell, (y - n // 2) * cell]))
    assert np.sqrt(np.mean((dirty[x, y] - truth) ** 2)) < epsilon * np.sqrt(np.mean(truth**2))


@pytest.mark.parametrize("dec_deg", [16.15, 89.0])
@pytest.mark.parametrize(("dtype", "epsilon"), [(np.complex64, 1e-4), (np.complex128, 1e-12)])
def test_visibilities_are_the_direct_sum(dec_deg: float, dtype: type, epsilon: float) -> None:
    uvw, freq, vis, _ = case(dec_deg, dtype)
    nx, ny, cell = 360, 300, math.radians(36 / 3600)
    dirty = np.zeros((nx, ny), vis.real.dtype)
    rng = np.random.default_rng(1)
    x, y = rng.integers(0, nx, 40), rng.integers(0, ny, 40)
    dirty[x, y] = rng.uniform(0.1, 1.0, 40)
    made = dirty2vis(
        uvw=uvw, freq=freq, dirty=dirty, pixsize_x=cell, pixsize_y=cell, epsilon=epsilon, do_wgridding=True
    )
    east, north = (x - nx // 2) * cell, (y - ny // 2) * cell
    n = np.sqrt(1 - east**2 - north**2)
    flux = dirty[x, y].astype(float) / n
    path = uvw @ np.vstack([east, north, -(n - 1)])
    truth = np.stack([np.exp(-2j * np.pi * f / C * path) @ flux for f in freq], axis=1)
    assert np.linalg.norm(made - truth) < epsilon * np.linalg.norm(truth) + 1e-13 * np.linalg.norm(truth)


@pytest.mark.parametrize(("dtype", "epsilon", "exact"), [(np.complex64, 1e-3, 3e-6), (np.complex128, 1e-6, 1e-13)])
def test_the_two_are_adjoint_far_beyond_epsilon(dtype: type, epsilon: float, exact: float) -> None:
    uvw, freq, vis, wgt = case(54.0, dtype)
    cell = math.radians(60 / 3600)
    args = {"uvw": uvw, "freq": freq, "wgt": wgt, "pixsize_x": cell, "pixsize_y": cell, "epsilon": epsilon}
    image = np.random.default_rng(5).normal(size=(128, 90)).astype(vis.real.dtype)
    dirty = vis2dirty(vis=vis, npix_x=128, npix_y=90, do_wgridding=True, **args)
    back = dirty2vis(dirty=image, do_wgridding=True, **args)
    left = float(np.sum(dirty.astype(float) * image))
    right = float(np.sum(vis.real.astype(float) * back.real + vis.imag.astype(float) * back.imag))
    # Not epsilon: the same kernels are used both ways. What is left is rounding of the type.
    assert abs(left - right) < exact * np.linalg.norm(dirty) * np.linalg.norm(image)


def test_a_failing_progress_callback_ends_the_call() -> None:
    uvw, freq, vis, _ = case(16.15, np.complex64)
    many = np.tile(uvw, (200, 1))

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        vis2dirty(
            uvw=many,
            freq=freq,
            vis=np.tile(vis, (200, 1)),
            npix_x=4096,
            npix_y=4096,
            pixsize_x=1.5e-5,
            pixsize_y=1.5e-5,
            epsilon=1e-5,
            do_wgridding=True,
            progress=stop,
        )


def test_outputs_and_baselines_of_another_shape_are_refused_as_ducc0_does() -> None:
    uvw, freq, vis, _ = case(16.15, np.complex128)
    args = {"uvw": uvw, "freq": freq, "pixsize_x": 1e-3, "pixsize_y": 1e-3, "epsilon": 1e-4}
    size = {"npix_x": 64, "npix_y": 48}
    for out in (np.zeros((64, 48), np.float32), np.zeros((32, 48)), np.zeros((64, 1))):
        with pytest.raises(TypeError, match=r"dirty: expected an array \(64, 48\) of float64 to fill, found"):
            vis2dirty(vis=vis, dirty=out, **size, **args)
    for out in (
        np.zeros(vis.shape, np.complex64),
        np.zeros((len(uvw), 1), complex),
        np.zeros((2, *vis.shape), complex),
    ):
        with pytest.raises(TypeError, match="vis: expected an array"):
            dirty2vis(dirty=np.zeros((64, 48)), vis=out, **args)
    fixed = np.zeros((64, 48))
    fixed.setflags(write=False)
    with pytest.raises(ValueError, match="read-only"):
        vis2dirty(vis=vis, dirty=fixed, **args)
    for wrong in (uvw[:, :1], uvw[0], uvw[:, :2]):
        with pytest.raises(TypeError, match=r"uvw: expected shape \(row, 3\)"):
            vis2dirty(vis=vis, **size, **{**args, "uvw": wrong})
    for change, words in (
        ({"npix_x": 33}, "npix_x"),
        ({"pixsize_y": 0.0}, "pixsize_y"),
        ({"center_x": math.nan}, "center_x"),
    ):
        with pytest.raises(ValueError, match=words):
            vis2dirty(vis=vis, **{**size, **args, **change})
