"""Adaptive channel binning: the narrowest bands in which a source is seen."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from dsa110_contimg._core import imaging as _imaging
from dsa110_contimg._core import photometry as _core
from dsa110_contimg.photometry.forced import measure_positions
from dsa110_contimg.utils.columns import column

StrPath = str | os.PathLike[str]


def bin_spectrum(
    freq_hz: Sequence[float],
    flux_jy: Sequence[float],
    err_jy: Sequence[float],
    *,
    target_snr: float = 5.0,
    max_width: int = 16,
) -> list[dict[str, Any]]:
    """Bins of a spectrum that reach `target_snr`, narrowest first: channels, freq_hz (centre), flux_jy, flux_err_jy, snr.

    Raises
    ------
    ValueError
        Lengths that differ; a target or width that is not positive.
    """
    freq = column(freq_hz)
    found = _core.adaptive_bins(column(flux_jy), column(err_jy), target_snr=target_snr, max_width=max_width)
    out = []
    for one in found:
        first, end = one["channels"]
        out.append({**one, "channels": list(range(first, end)), "freq_hz": float(freq[first:end].mean())})
    return out


def measure_adaptive(
    images: Sequence[tuple[StrPath, StrPath | None]],
    ra_deg: float,
    dec_deg: float,
    *,
    target_snr: float = 5.0,
    max_width: int = 16,
    **options: Any,
) -> dict[str, Any]:
    """Measure a position on the images of the parts of a band, in order of frequency, and bin what is found.

    Parameters
    ----------
    images : sequence of (image, primary beam or None)
        One a part.
    **options
        See `measure_positions`.

    Returns
    -------
    dict
        ``freq_hz``, ``flux_jy``, ``flux_err_jy`` of the parts, and ``detections``.
    """
    if not images:
        raise ValueError("images: expected at least one, found none")
    freq, flux, err = [], [], []
    for image, pb in images:
        table, about = measure_positions(image, [ra_deg], [dec_deg], pb=pb, **options)
        freq.append(float(about["freq_hz"]))
        flux.append(float(table["flux_jy"].iloc[0]))
        err.append(float(table["flux_err_jy"].iloc[0]))
    found = bin_spectrum(freq, flux, err, target_snr=target_snr, max_width=max_width)
    return {"freq_hz": freq, "flux_jy": flux, "flux_err_jy": err, "detections": found}


def image_parts(
    ms: StrPath,
    output_dir: StrPath,
    *,
    parts: int = 16,
    imsize: int = 1024,
    progress: Callable[[int, int], object] | None = None,
) -> list[tuple[Path, Path | None]]:
    """Image the parts of a Measurement Set's band in one run; returns image and primary beam of each, ascending in frequency."""
    directory = Path(output_dir)
    directory.mkdir(parents=True, exist_ok=True)
    options = {
        "ms": [str(ms)],
        "name": str(directory / Path(ms).stem),
        "imsize": [imsize, imsize],
        "subbands": parts,
    }
    report = _imaging.image_ms(json.dumps(options), progress=progress)
    made = sorted(report["subbands"], key=lambda s: s["freq_hz"])
    return [(Path(s["restored"]), Path(s["pb"]) if s.get("pb") else None) for s in made if s["restored"]]
