"""A third sky: sixteen bands as the pipeline measures them, skewed and one-sided lenses, sources of which a part is not lensed.

The carrying of rays and the scintillator are those of `ese_other_sky`; what is new are the lens profiles (a skewed bell, a shock with a
steep and a shallow side, a filament with a halo), a halo of the source too large to be lensed, several tiles a day, errors of a
quarter of the S/N a band, bands lost to interference for runs of days, and normalisation errors that have a slope over the band.
"""

from __future__ import annotations

from collections.abc import Callable

import ese_other_sky
import numpy as np
from ese_other_sky import DAYS, MEAN_HZ, Array, Event, _observed, scintillation

__all__ = ["CONTAMINANTS", "FREQ_HZ", "LENSES", "contaminant", "event", "observe", "scintillation", "times"]
FREQ_HZ = np.linspace(1.317e9, 1.493e9, 16)
CONTAMINANTS = {"scintillator": 0.06, "flare": 0.03, "drift": 0.02, "gain step": 0.005, "flat dip": 0.003}
LENSES = {"skewed": 0.4, "shock": 0.3, "filament": 0.3}


def times(rng: np.random.Generator) -> Array:
    """A year in which a source is seen in one to three tiles of five minutes on most days, with two gaps of 5 to 20 days."""
    keep = rng.random(DAYS) > 0.12
    for _ in range(2):
        start = rng.integers(0, DAYS)
        keep[start : start + rng.integers(5, 21)] = False
    days = np.flatnonzero(keep) * 0.99727
    tiles = rng.integers(1, 4)
    return (days[:, None] + np.arange(tiles) * 309.0 / 86400.0).ravel()


def _column(rng: np.random.Generator, kind: str) -> Callable[[Array], Array]:
    if kind == "skewed":
        lean = rng.uniform(0.3, 0.8) * rng.choice([-1, 1])
        return lambda u: np.exp(-((u / (1 + lean * np.tanh(u))) ** 2))
    if kind == "shock":
        steep, side = rng.uniform(0.25, 0.6), rng.choice([-1, 1])
        return lambda u: np.exp(-np.abs(u) * np.where(side * u > 0, 1 / steep, 0.8)) * np.tanh(np.abs(u) * 8 + 0.3)
    halo, wide = rng.uniform(0.1, 0.5), rng.uniform(2.0, 5.0)
    return lambda u: (np.exp(-(u**2)) + halo * np.exp(-((u / wide) ** 2))) / (1 + halo)


def _smooth(column: Callable[[Array], Array]) -> Callable[[Array], Array]:
    """The profile averaged over a seventh of its width: no plasma has corners."""
    kernel = np.exp(-0.5 * np.linspace(-3, 3, 13) ** 2)
    return lambda u: sum(
        k * column(u + 0.05 * s) for k, s in zip(kernel / kernel.sum(), np.linspace(-3, 3, 13), strict=True)
    )


def event(rng: np.random.Generator, t: Array) -> Event:
    """A lens whose dip is 10 to 50 % deep in the band and 20 to 120 days wide at half depth, inside the year."""
    grid = np.linspace(-12, 12, 961)
    while True:
        kind = str(rng.choice(list(LENSES), p=list(LENSES.values())))
        column = _smooth(_column(rng, kind))
        strength, disc = np.exp(rng.uniform(np.log(0.15), np.log(8))), np.exp(rng.uniform(np.log(0.1), np.log(1.8)))
        part = rng.uniform(0.5, 1.0) if rng.random() < 0.4 else 1.0
        seen_at = lambda f, x: 1 + part * (_observed(column, strength * (MEAN_HZ / f) ** 2, disc, x) - 1)  # noqa: E731
        mean = seen_at(MEAN_HZ, grid)
        depth = 1 - mean.min()
        low = np.flatnonzero(mean < 1 - depth / 2)
        if not 0.1 <= depth <= 0.5 or low[-1] - low[0] > 480:
            continue
        days = np.exp(rng.uniform(np.log(20), np.log(120)))
        crossing = days / max(float(np.ptp(grid[low])), 0.05)
        middle = 0.5 * (grid[low[0]] + grid[low[-1]])
        x = (t - rng.uniform(50, DAYS - 50)) / crossing + middle
        # Seven frequencies are carried, the sixteen read between them: the flux is smooth in frequency.
        some = np.linspace(FREQ_HZ[0], FREQ_HZ[-1], 7)
        coarse = np.array([seen_at(f, x) for f in some])
        relative = np.array([np.interp(f, some, np.arange(7.0)) for f in FREQ_HZ])
        k = np.minimum(relative.astype(int), 5)
        relative = coarse[k] + (relative - k)[:, None] * (coarse[k + 1] - coarse[k])
        seen = 1 - relative.mean(axis=0).min()
        if 0.1 <= seen <= 0.5:
            return Event(relative, float(seen), float(days), kind)


def contaminant(rng: np.random.Generator, kind: str, t: Array) -> Array:
    """Relative flux (band, epoch) of what is no lens: the kinds of `ese_other_sky` at sixteen frequencies."""
    return ese_other_sky.contaminant(rng, kind, t, FREQ_HZ)


def observe(rng: np.random.Generator, relative: Array, snr: float) -> tuple[Array, Array]:
    """Fluxes and errors per band for a signal-to-noise ratio of the whole band; lost bands are NaN."""
    bands, n = relative.shape
    noise = np.exp(0.2 * rng.normal(size=bands))
    sigma = (noise / snr) * np.sqrt((noise**-2).sum())
    tilt = 0.004 * rng.normal(size=n) * np.linspace(-1, 1, bands)[:, None]
    flux = relative * (1 + 0.006 * rng.normal(size=n) + tilt + 0.003 * rng.normal(size=relative.shape))
    flux = flux + sigma[:, None] * rng.normal(size=relative.shape) * np.where(rng.random(n) < 0.01, 4.0, 1.0)
    err = np.sqrt(sigma[:, None] ** 2 + (0.007 * relative) ** 2)
    for _ in range(rng.integers(0, 4)):
        start = rng.integers(0, n)
        flux[rng.integers(0, bands), start : start + rng.integers(5, 60)] = np.nan
    flux[:, rng.random(n) < 0.002] = 0.0
    return flux, err
