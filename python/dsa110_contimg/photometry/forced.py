"""Forced fluxes at known positions of an image."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dsa110_contimg._core import photometry as _core

if TYPE_CHECKING:
    import pandas as pd

StrPath = str | os.PathLike[str]
_NAN = float("nan")
_ABOUT = (
    *("beam_deg", "mjd", "freq_hz", "bandwidth_hz", "noise_jy", "shape_yx", "blank_sky", "correlation"),
    "bands",
)


@dataclass(frozen=True)
class ForcedPhotometryResult:
    """One forced measurement.

    Attributes
    ----------
    ra_deg, dec_deg : float
        Position measured at, ICRS [degrees].
    peak_jyb, peak_err_jyb : float
        Peak flux density, signed, and its 1-sigma error [Jy/beam]; NaN outside the image.
    pix_x, pix_y : float
        Pixel position, zero based.
    box_size_pix : int
        Side of the box of the peak search.
    chisq, dof : float, int
        Chi-square of the fit and pixels less parameters; NaN and 0 without a beam.
    cluster_id : int or None
        Group of blended sources that it was fitted with.
    flags : int
        Bits `OUTSIDE`, `EDGE`, `BLEND`, `RESOLVED`, `PEAK_IN_BOX` of `dsa110_contimg._core.photometry`.
    local_rms_jyb : float
        Noise around the position [Jy/beam].
    """

    ra_deg: float
    dec_deg: float
    peak_jyb: float
    peak_err_jyb: float
    pix_x: float
    pix_y: float
    box_size_pix: int
    chisq: float = _NAN
    dof: int = 0
    cluster_id: int | None = None
    flags: int = 0
    local_rms_jyb: float = _NAN

    @property
    def snr(self) -> float:
        """Flux over error."""
        return self.peak_jyb / self.peak_err_jyb if self.peak_err_jyb else _NAN


def measure_positions(
    image: StrPath,
    ra_deg: Sequence[float] | pd.Series[Any],
    dec_deg: Sequence[float] | pd.Series[Any],
    *,
    progress: Callable[[int, int], object] | None = None,
    **options: Any,
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Measure positions on an image; the call that the pipeline uses.

    Parameters
    ----------
    image : path
        FITS image [Jy/beam].
    ra_deg, dec_deg : sequence or Series of float
        Positions, ICRS [degrees].
    progress : callable, optional
        Called with ``(done, total)``.
    **options
        ``pb`` (primary-beam FITS to divide by), ``residual`` (what CLEAN left, on the same grid: it counts by its value at
        the source, since a fit of the restoring beam answers to a part of it only), ``matched`` (matched image and psf of the
        imager: points are read from the first, neighbours told apart by the second), ``min_pb``,
        ``nbeam``, ``annulus_px``, ``box_px``, ``cluster_beams``
        (None: no joint fits), ``noise_map``, ``background_map``, ``mesh_beams`` (make a noise map in boxes
        of so many beams), ``blank_fits`` (positions of blank sky that scale the errors), ``error_factor``,
        ``ignore_beam``; ``sizes_deg`` (major, minor, pa of resolved sources or None), ``resolved_area``, ``averaging``
        (integration [s] and channel [Hz], to undo smearing), ``limit_sigma``, ``fraction_floor``, ``min_elevation_deg``,
        ``near_deg`` (Sun, Moon, planets), ``bands`` (image, primary beam or None and, if known, residual of each
        part), ``pols`` (two images).

    Returns
    -------
    table : pandas.DataFrame
        One row a position: ra_deg, dec_deg, peak_jy, flux_jy (of the whole source; the peak for a point), flux_err_jy,
        fit_err_jy (noise alone), upper_limit_jy (NaN for detections), local_rms_jy, chi2, dof, pix_x, pix_y, x_deg, y_deg
        (offset from the image's centre), cluster, flags, pb.
    image : dict
        ``beam_deg`` (major, minor, pa) or None, ``mjd``, ``freq_hz``, ``bandwidth_hz``, ``noise_jy``, ``shape_yx``,
        ``blank_sky``, ``correlation``, ``bands`` (one a part of the band: path, freq_hz, flux_jy, flux_err_jy, ...).

    Raises
    ------
    OSError, DataError, ValueError
        Unreadable file; no image; options that make no sense.
    """
    import numpy as np
    import pandas as pd

    ra, dec = _columns(ra_deg, dec_deg)
    found = _core.measure_image(Path(image), ra, dec, options=options, progress=progress)
    about = {key: found.pop(key) for key in _ABOUT}
    return pd.DataFrame({"ra_deg": np.mod(ra, 360.0), "dec_deg": dec, **found}), about


def _columns(ra_deg: object, dec_deg: object) -> tuple[Any, Any]:
    import numpy as np

    return np.ascontiguousarray(ra_deg, dtype=np.float64), np.ascontiguousarray(dec_deg, dtype=np.float64)


def measure_forced_peak(
    fits_path: StrPath,
    ra_deg: float,
    dec_deg: float,
    *,
    box_size_pix: int = 5,
    annulus_pix: tuple[float, float] = (12, 20),
    noise_map_path: StrPath | None = None,
    background_map_path: StrPath | None = None,
    nbeam: float = 3.0,
    use_weighted_convolution: bool = True,
) -> ForcedPhotometryResult:
    """Measure one position; a file that is missing, or a position outside, gives NaN and no exception.

    With a beam in the header: the weighted fit of the beam's shape. Without one, or with
    ``use_weighted_convolution=False``: the largest pixel of a box.
    """
    return measure_many(
        fits_path,
        [(ra_deg, dec_deg)],
        box_size_pix=box_size_pix,
        annulus_pix=annulus_pix,
        noise_map_path=noise_map_path,
        background_map_path=background_map_path,
        nbeam=nbeam,
        use_weighted_convolution=use_weighted_convolution,
    )[0]


def measure_many(
    fits_path: StrPath,
    coords: Iterable[tuple[float, float]],
    *,
    box_size_pix: int = 5,
    annulus_pix: tuple[float, float] = (12, 20),
    noise_map_path: StrPath | None = None,
    background_map_path: StrPath | None = None,
    use_weighted_convolution: bool = True,
    use_cluster_fitting: bool = False,
    cluster_threshold: float = 1.5,
    nbeam: float = 3.0,
) -> list[ForcedPhotometryResult]:
    """Measure many positions; with `use_cluster_fitting` those closer than `cluster_threshold` beams jointly."""
    positions = list(coords)
    if not Path(fits_path).exists():
        nowhere = (_NAN, _NAN, _NAN, _NAN, box_size_pix)
        return [ForcedPhotometryResult(ra, dec, *nowhere, flags=_core.OUTSIDE) for ra, dec in positions]
    ra, dec = _columns([p[0] for p in positions], [p[1] for p in positions])
    options: dict[str, Any] = {
        "box_px": box_size_pix,
        "annulus_px": [float(r) for r in annulus_pix],
        "nbeam": nbeam,
        "ignore_beam": not use_weighted_convolution,
        "cluster_beams": cluster_threshold if use_cluster_fitting else None,
        "noise_map": noise_map_path,
        "background_map": background_map_path,
    }
    found = _core.measure_image(Path(fits_path), ra, dec, options=options)
    names = ("flux_jy", "flux_err_jy", "pix_x", "pix_y", "chi2", "dof", "cluster", "flags", "local_rms_jy")
    rows = zip(positions, *(found[name].tolist() for name in names), strict=True)
    return [
        ForcedPhotometryResult(
            position[0], position[1], flux, err, x, y, box_size_pix, chi2, dof, c if c >= 0 else None, flags, rms
        )
        for position, flux, err, x, y, chi2, dof, c, flags, rms in rows
    ]


def inject_source(
    fits_path: StrPath,
    ra_deg: float,
    dec_deg: float,
    flux_jy: float,
    *,
    output_path: StrPath | None = None,
    nbeam: float = 15.0,
) -> Path:
    """Add a source of the beam's shape to an image, in place or to `output_path`; returns the file written."""
    target = Path(output_path) if output_path is not None else Path(fits_path)
    _core.inject_source(Path(fits_path), ra_deg, dec_deg, flux_jy, target, nbeam=nbeam)
    return target
