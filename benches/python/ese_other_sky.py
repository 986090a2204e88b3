"""A second sky to judge, on which nothing was tuned: other lens profiles, other noise, other sampling than `ese_sky`.

Lenses are sheets whose column density is no Gaussian (a softened power law, a current sheet, a plateau with edges, a Gaussian with
ripples), seen by a uniform disc; the flux is carried from lens plane to observer cell by cell, which conserves it exactly. Noise is
Student's t in part of the epochs, its stated size is wrong by up to 20 %, normalisation leaves errors that last for days and a slope over
the band; eight bands of unequal noise; transits come in runs of good and bad weather.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

FREQ_HZ = np.array([1.323, 1.345, 1.367, 1.392, 1.414, 1.437, 1.460, 1.487]) * 1e9
MEAN_HZ = 1.405e9
DAYS = 365
#: Fractions of the sources without an event.
CONTAMINANTS = {
    "scintillator": 0.08,
    "flare": 0.03,
    "drift": 0.03,
    "gain step": 0.005,
    "flat dip": 0.003,
    "tilted dip": 0.001,
}
#: Fractions of the lenses.
LENSES = {"power law": 0.3, "current sheet": 0.3, "plateau": 0.2, "ripples": 0.2}
_NOISE = np.array([1.5, 1.1, 1.0, 0.9, 0.9, 1.0, 1.0, 1.4])
Array = np.ndarray


class Event(NamedTuple):
    """A lens event: relative flux (band, epoch), depth in the band, full width at half depth [days], kind."""

    relative: Array
    depth: float
    days: float
    kind: str


def times(rng: np.random.Generator) -> Array:
    """A year of sidereal transits: weather and outages in runs, one maintenance gap of 10 to 25 days."""
    day = np.arange(DAYS)
    good, keep = True, np.zeros(DAYS, dtype=bool)
    for i in day:
        good = rng.random() < (0.96 if good else 0.35)
        keep[i] = good
    start, length = rng.integers(0, DAYS), rng.integers(10, 26)
    keep[start : start + length] = False
    return np.flatnonzero(keep) * 0.99727


def _column(rng: np.random.Generator, kind: str) -> Callable[[Array], Array]:
    """Column density of a sheet over lens widths."""
    if kind == "power law":
        power = rng.uniform(1.0, 3.0)
        return lambda u: (1 + u**2) ** (-power / 2)
    if kind == "current sheet":
        return lambda u: np.cosh(np.clip(u, -30, 30)) ** -2.0
    if kind == "plateau":
        edge = rng.uniform(0.15, 0.4)
        return lambda u: 1 / (1 + np.exp(np.clip((np.abs(u) - 1.0) / edge, -60, 60)))
    waves = [(rng.uniform(2, 6), rng.uniform(0, 2 * np.pi), rng.uniform(0.0, 0.06)) for _ in range(3)]
    return lambda u: np.exp(-(u**2)) * (1 + sum(a * np.cos(k * u + p) for k, p, a in waves))


def _observed(column: Callable[[Array], Array], strength: float, disc: float, x: Array) -> Array:
    """Relative flux at observer positions: every cell of the lens plane lands, with its width, on the cells that it covers."""
    fine = 2e-3
    u = np.arange(-40, 40 + fine, fine)
    land = u - 0.5 * strength * np.gradient(column(u), fine)
    grid = np.arange(-16, 16.01, 0.02)
    low, high = np.minimum(land[1:], land[:-1]), np.maximum(land[1:], land[:-1])
    # Cumulative flux to the left of each edge, summed over cells: a ramp a cell.
    cumulative = np.zeros(len(grid))
    order = np.searchsorted(grid, low)
    reach = np.searchsorted(grid, high)
    np.add.at(cumulative, np.clip(reach, 0, len(grid) - 1), np.where(reach < len(grid), fine, 0.0))
    cumulative = np.cumsum(cumulative)
    for i in np.flatnonzero(reach > order):
        edges = slice(order[i], reach[i])
        cumulative[edges] += fine * (grid[edges] - low[i]) / max(high[i] - low[i], 1e-12)
    flux = np.diff(cumulative) / 0.02
    centres = 0.5 * (grid[1:] + grid[:-1])
    half = max(int(disc / 0.02), 1)
    across = np.arange(-half, half + 1) * 0.02 / (half * 0.02 + 0.01)
    kernel = np.sqrt(np.maximum(1 - across**2, 0))
    seen = 1 + np.convolve(flux - 1, kernel / kernel.sum(), "same")
    return np.interp(x, centres, seen, 1.0, 1.0)


def event(rng: np.random.Generator, t: Array) -> Event:
    """A lens whose dip is 10 to 50 % deep in the band and 20 to 120 days wide at half depth, inside the year."""
    grid = np.linspace(-10, 10, 801)
    while True:
        kind = str(rng.choice(list(LENSES), p=list(LENSES.values())))
        column = _column(rng, kind)
        strength, disc = np.exp(rng.uniform(np.log(0.15), np.log(8))), np.exp(rng.uniform(np.log(0.1), np.log(1.8)))
        mean = _observed(column, strength, disc, grid)
        depth = 1 - mean.min()
        low = np.flatnonzero(mean < 1 - depth / 2)
        if not 0.1 <= depth <= 0.5 or low[-1] - low[0] > 400:
            continue
        days = np.exp(rng.uniform(np.log(20), np.log(120)))
        crossing = days / max(float(np.ptp(grid[low])), 0.05)
        middle = 0.5 * (grid[low[0]] + grid[low[-1]])
        x = (t - rng.uniform(50, DAYS - 50)) / crossing + middle
        relative = np.array([_observed(column, strength * (MEAN_HZ / f) ** 2, disc, x) for f in FREQ_HZ])
        seen = 1 - relative.mean(axis=0).min()
        if 0.1 <= seen <= 0.5:
            return Event(relative, float(seen), float(days), kind)


def scintillation(rng: np.random.Generator, t: Array, index: float, tau: float) -> Array:
    """Relative flux of a log-normal process with exponential memory of `tau` days, modulation `index`."""
    state, out, last = rng.normal(), [], t[0]
    for now in t:
        keep = np.exp(-(now - last) / tau)
        state, last = keep * state + np.sqrt(1 - keep**2) * rng.normal(), now
        out.append(state)
    return np.exp(index * np.array(out))


def contaminant(rng: np.random.Generator, kind: str, t: Array, freq_hz: Array = FREQ_HZ) -> Array:
    """Relative flux (band, epoch) of what is no lens."""
    one, ratio = np.ones((len(freq_hz), len(t))), (freq_hz / MEAN_HZ)[:, None]
    if kind == "quiet":
        return one
    if kind == "scintillator":
        common = scintillation(rng, t, rng.uniform(0.03, 0.15), np.exp(rng.uniform(np.log(2), np.log(40))))
        return common[None, :] ** (ratio ** rng.uniform(-0.5, 0.6))
    if kind == "flare":
        start, rise, power = rng.uniform(-30, DAYS), rng.uniform(2, 30), rng.uniform(0.8, 2.5)
        # Lower frequencies come later, as in an expanding cloud.
        d = (t - start)[None, :] * ratio ** rng.uniform(0, 1.5)
        late = (1 + np.maximum(d, 0) / (2 * rise)) ** -power
        return 1 + rng.uniform(0.1, 1.5) * np.where(d < 0, np.exp(-0.5 * (d / (0.5 * rise)) ** 2), late)
    if kind == "drift":
        walk = np.cumsum(rng.normal(size=len(t))) / np.sqrt(len(t))
        return one * (1 + rng.uniform(0.02, 0.12) * walk) * ratio ** rng.uniform(-0.1, 0.1)
    middle, width, depth = rng.uniform(50, DAYS - 50), rng.uniform(10, 45), rng.uniform(0.1, 0.4)
    if kind == "gain step":
        return one * np.where(t > middle, 1 - depth * rng.choice([-1, 1]), 1.0)
    shape = str(rng.choice(["triangle", "ramps", "bell"]))
    z = np.abs(t - middle) / width
    dip = {"triangle": np.maximum(1 - z / 1.6, 0), "ramps": np.clip(2 - 1.4 * z, 0, 1), "bell": np.exp(-(z**2))}[shape]
    slope = rng.uniform(-0.5, 0.5) if kind == "tilted dip" else 0.0
    return one - depth * dip * ratio**slope


def observe(rng: np.random.Generator, relative: Array, snr: float) -> tuple[Array, Array]:
    """Fluxes and errors per band for a signal-to-noise ratio of the whole band."""
    bands, n = relative.shape
    sigma = (_NOISE / snr) * np.sqrt((_NOISE**-2).sum())
    heavy = np.where(rng.random(n) < 0.05, rng.standard_t(4, size=(bands, n)), rng.normal(size=(bands, n)))
    lasting = scintillation(rng, np.arange(n) * 1.1, 0.005, 5.0)
    tilt = 0.003 * rng.normal(size=n) * ((FREQ_HZ - MEAN_HZ) / 8e7)[:, None]
    flux = relative * (lasting * (1 + 0.004 * rng.normal(size=n)) + tilt) + sigma[:, None] * heavy
    err = np.hypot(sigma[:, None], 0.006 * relative) * rng.uniform(0.85, 1.2)
    flux[:, rng.random(n) < 0.002] = -1.0
    flux[rng.random(flux.shape) < 0.002] = np.nan
    return flux, err
