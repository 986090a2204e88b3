"""Gridding and degridding with the argument names of ``ducc0.wgridder.experimental``.

Both functions take ducc0's arguments and return ducc0's image or visibilities within `epsilon`, its sign convention
included (``vis ~ exp(-2 pi i (u l + v m - w (n - 1)))`` for `dirty2vis`), so that one can be swapped for the other.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from dsa110_contimg import _core

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Progress = Callable[[int, int], object]


def vis2dirty(
    *,
    uvw: NDArray[np.float64],
    freq: NDArray[np.float64],
    vis: NDArray[Any],
    wgt: NDArray[Any] | None = None,
    npix_x: int = 0,
    npix_y: int = 0,
    pixsize_x: float,
    pixsize_y: float,
    epsilon: float,
    do_wgridding: bool = False,
    nthreads: int = 0,
    verbosity: int = 0,
    mask: NDArray[np.uint8] | None = None,
    flip_u: bool = False,
    flip_v: bool = False,
    flip_w: bool = False,
    divide_by_n: bool = True,
    dirty: NDArray[Any] | None = None,
    sigma_min: float = 1.1,
    sigma_max: float = 2.6,
    center_x: float = 0.0,
    center_y: float = 0.0,
    allow_nshift: bool = True,
    double_precision_accumulation: bool = False,
    compress: bool = True,
    max_memory_bytes: int | None = None,
    progress: Progress | None = None,
) -> NDArray[Any]:
    """Turn visibilities into a dirty image.

    Parameters
    ----------
    uvw : array (row, 3)
        Baselines [m].
    freq : array (chan,)
        Channel frequencies [Hz], ascending or descending.
    vis : array (row, chan)
        Visibilities, complex64 or complex128; the type sets the precision.
    wgt : array (row, chan), optional
        Weights in the same precision; where they are zero, `vis` may be anything.
    npix_x, npix_y : int
        Size of the image [pixels], even. It may reach beyond the horizon; as in ducc0, n - 1 is -1 - sqrt(l^2 + m^2 - 1) there, and
        the image is zero there with `divide_by_n`.
    pixsize_x, pixsize_y : float
        Pixel size [rad].
    epsilon : float
        Accuracy relative to the sum of the weighted amplitudes: 1e-5 and up in single, 1e-12 and up in double precision.
    do_wgridding : bool
        Whether the w term is honoured.
    nthreads : int
        Threads; 0 uses the pool of the process.
    mask : array (row, chan), optional
        Visibilities with a zero here are left out.
    flip_u, flip_v, flip_w : bool
        Negate a coordinate.
    divide_by_n : bool
        Divide the image by n; only with `do_wgridding`, as in ducc0.
    dirty : array, optional
        Filled with the image, and returned.
    center_x, center_y : float
        Centre of the image from the phase centre [rad, projected].
    compress : bool
        Compress runs of channels before gridding, inside `epsilon`.
    max_memory_bytes : int, optional
        Most memory to allocate besides input and output [bytes].
    verbosity, sigma_min, sigma_max, allow_nshift, double_precision_accumulation
        Accepted for ducc0's callers; padding and shift are chosen by cost.
    progress : callable, optional
        Called with (done, total).

    Returns
    -------
    array (npix_x, npix_y)
        The dirty image, not normalised.

    Raises
    ------
    ValueError, TypeError
        For shapes, types, frequencies or an accuracy that cannot be, and for a NaN whose weight is not zero.
    """
    # Whoever images a table needs no numpy: its import would be a tenth of a second of every such call.
    import numpy as np

    if dirty is not None:
        if np.ndim(dirty) == 2:
            npix_x, npix_y = npix_x or dirty.shape[0], npix_y or dirty.shape[1]
        _check_output("dirty", dirty, (npix_x, npix_y), np.asarray(vis).real.dtype)
    options = _options(
        (npix_x, npix_y), (pixsize_x, pixsize_y), (center_x, center_y), epsilon, do_wgridding, divide_by_n, compress
    )
    options |= {"max_memory_bytes": max_memory_bytes, "nthreads": nthreads}
    image = _core.gridding.vis2dirty(
        _signed(uvw, flip_u, flip_v, flip_w),
        np.ascontiguousarray(freq, dtype=np.float64),
        np.ascontiguousarray(vis),
        _weights(wgt),
        _mask(mask),
        options,
        progress=progress,
    )
    if dirty is None:
        return image
    dirty[...] = image
    return dirty


def dirty2vis(
    *,
    uvw: NDArray[np.float64],
    freq: NDArray[np.float64],
    dirty: NDArray[Any],
    wgt: NDArray[Any] | None = None,
    pixsize_x: float,
    pixsize_y: float,
    epsilon: float,
    do_wgridding: bool = False,
    nthreads: int = 0,
    verbosity: int = 0,
    mask: NDArray[np.uint8] | None = None,
    flip_u: bool = False,
    flip_v: bool = False,
    flip_w: bool = False,
    divide_by_n: bool = True,
    vis: NDArray[Any] | None = None,
    sigma_min: float = 1.1,
    sigma_max: float = 2.6,
    center_x: float = 0.0,
    center_y: float = 0.0,
    allow_nshift: bool = True,
    compress: bool = True,
    max_memory_bytes: int | None = None,
    progress: Progress | None = None,
) -> NDArray[Any]:
    """Turn an image into visibilities; the exact adjoint of :func:`vis2dirty`.

    Parameters
    ----------
    dirty : array (npix_x, npix_y)
        The image, float32 or float64; the type sets the precision.
    vis : array (row, chan), optional
        Filled with the visibilities, and returned.

    Others as in :func:`vis2dirty`; weights multiply the visibilities, masked ones are zero.

    Returns
    -------
    array (row, chan)
        Visibilities, complex64 or complex128.
    """
    import numpy as np

    dirty = np.asarray(dirty)
    if dirty.ndim != 2:
        raise TypeError(f"dirty: expected shape (npix_x, npix_y), found {dirty.shape}")
    if vis is not None:
        _check_output("vis", vis, (len(uvw), len(freq)), np.result_type(dirty.dtype, np.complex64))
    options = _options(
        (dirty.shape[0], dirty.shape[1]),
        (pixsize_x, pixsize_y),
        (center_x, center_y),
        epsilon,
        do_wgridding,
        divide_by_n,
        compress,
    )
    options |= {"max_memory_bytes": max_memory_bytes, "nthreads": nthreads}
    found = _core.gridding.dirty2vis(
        _signed(uvw, flip_u, flip_v, flip_w),
        np.ascontiguousarray(freq, dtype=np.float64),
        np.ascontiguousarray(dirty),
        _weights(wgt),
        _mask(mask),
        options,
        progress=progress,
    )
    if vis is None:
        return found
    vis[...] = found
    return vis


def _options(
    npix: tuple[int, int],
    pixsize: tuple[float, float],
    center: tuple[float, float],
    epsilon: float,
    do_wgridding: bool,
    divide_by_n: bool,
    compress: bool,
) -> dict[str, Any]:
    return {
        "npix_x": npix[0],
        "npix_y": npix[1],
        "pixsize_x": pixsize[0],
        "pixsize_y": pixsize[1],
        "center_x": center[0],
        "center_y": center[1],
        "epsilon": epsilon,
        "do_wgridding": do_wgridding,
        # ducc0 leaves n alone when it leaves w alone.
        "divide_by_n": divide_by_n and do_wgridding,
        "compress": compress,
    }


def _check_output(name: str, out: NDArray[Any], shape: tuple[int, int], dtype: np.dtype[Any]) -> None:
    """Before any work, that an array can take the result as it is: numpy would broadcast and convert it."""
    if out.shape != shape or out.dtype != dtype:
        expected, found = f"{shape} of {dtype}", f"{out.shape} of {out.dtype}"
        raise TypeError(f"{name}: expected an array {expected} to fill, found {found}")
    if not out.flags.writeable:
        raise ValueError(f"{name}: expected an array that can be written, found one that is read-only")


def _signed(uvw: NDArray[np.float64], flip_u: bool, flip_v: bool, flip_w: bool) -> NDArray[np.float64]:
    """Baselines in the core's convention, exp(+2 pi i (u l + v m + w (n - 1))): ducc0's u and v have the other sign."""
    import numpy as np

    if np.ndim(uvw) != 2 or np.shape(uvw)[1] != 3:
        raise TypeError(f"uvw: expected shape (row, 3), found {np.shape(uvw)}")
    sign = np.array([1.0 if flip_u else -1.0, 1.0 if flip_v else -1.0, -1.0 if flip_w else 1.0])
    return np.ascontiguousarray(np.asarray(uvw, dtype=np.float64) * sign)


def _weights(wgt: NDArray[Any] | None) -> NDArray[Any] | None:
    import numpy as np

    return None if wgt is None else np.ascontiguousarray(wgt)


def _mask(mask: NDArray[Any] | None) -> NDArray[np.uint8] | None:
    import numpy as np

    return None if mask is None else np.ascontiguousarray(np.asarray(mask) != 0).view(np.uint8)
