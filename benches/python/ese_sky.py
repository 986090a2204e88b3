"""Light curves to judge: plasma lenses by ray tracing, and everything else that varies. Shares nothing with the package.

A year of daily transits with gaps, four bands. Lenses are traced ray by ray (1-D sheets, round and elliptical clouds, two
clouds in a row), never taken from a template; scintillation has Kolmogorov's spectrum, which no model of the package has.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

FREQ_HZ = np.array([1.335e9, 1.382e9, 1.428e9, 1.475e9])
MEAN_HZ = 1.405e9
DAYS = 365
#: Fractions of the sources without an event.
CONTAMINANTS = {"scintillator": 0.05, "flare": 0.02, "drift": 0.02, "gain step": 0.005, "flat dip": 0.002}
#: Fractions of the lenses.
LENSES = {"sheet": 0.35, "round": 0.2, "ellipse": 0.3, "two clouds": 0.15}
#: Scatter that normalisation leaves, epochs whose error is four times what it says, points that are zero.
GAIN, WILD, ZERO = 0.007, 0.01, 0.003
_STEP = 0.05


class Event(NamedTuple):
    """A lens event: relative flux (band, epoch), depth in the band, full width at half depth [days], kind."""

    relative: np.ndarray
    depth: float
    days: float
    kind: str


def times(rng: np.random.Generator) -> np.ndarray:
    """A year of daily transits: 10 % lost at random, and two gaps of 8 days."""
    keep = rng.random(DAYS) > 0.1
    for start in rng.integers(0, DAYS - 8, 2):
        keep[start : start + 8] = False
    return np.flatnonzero(keep) + rng.uniform(-0.01, 0.01, int(keep.sum()))


def scintillation(rng: np.random.Generator, t: np.ndarray, index: float, tau: float) -> np.ndarray:
    """Relative flux of refractive scintillation: structure function as lag^(5/3) up to `tau` days, modulation `index`."""
    n = 2048
    f = np.fft.rfftfreq(n, 1.0)
    power = (1 + (2 * np.pi * f * tau) ** 2) ** (-4 / 3)
    amplitude = np.sqrt(power) * (rng.normal(size=len(f)) + 1j * rng.normal(size=len(f)))
    amplitude[0] = 0
    series = np.fft.irfft(amplitude, n)
    series *= index / np.sqrt(2 * power.sum()) * n / np.sqrt(1)
    return np.maximum(1 + np.interp(t, np.arange(n) - 200.0, series), 0.05)


def _rays_1d(alphas: list[tuple[float, float, float]], sigma: float, x: np.ndarray) -> np.ndarray:
    """Sheets ``(strength, centre, width)``: rays counted along the line, averaged over a Gaussian source."""
    u = np.arange(-14, 14, 4e-4) + 2e-4
    arrive = u + sum(a * (u - c) * np.exp(-(((u - c) / w) ** 2)) for a, c, w in alphas)
    edges = np.arange(-12, 12.02, 0.02)
    flux = np.histogram(arrive, edges)[0] * 4e-4 / 0.02
    half = int(4 * sigma / 0.02) + 1
    kernel = np.exp(-0.5 * (np.arange(-half, half + 1) * 0.02 / sigma) ** 2)
    seen = 1 + np.convolve(flux - 1, kernel / kernel.sum(), "same")
    return np.interp(x, 0.5 * (edges[1:] + edges[:-1]), seen, 1.0, 1.0)


def _rays_2d(alpha: float, ratio: float, turn: float, impact: float, sigma: float, x: np.ndarray) -> np.ndarray:
    """An elliptical Gaussian cloud, axes 1 and `ratio`, turned; path along x at `impact`: rays counted in the plane."""
    half, fine = 6.0, 0.0125
    axis = np.arange(-half, half, fine) + 0.5 * fine
    ux, uy = np.meshgrid(axis, axis, indexing="ij")
    c, s = np.cos(turn), np.sin(turn)
    p, q = c * ux + s * uy, -s * ux + c * uy
    # The column's gradient bends the rays; strength is that of the short axis.
    bend = alpha * np.exp(-(p**2) - (q / ratio) ** 2)
    dp, dq = bend * p, bend * q / ratio**2
    n = int(2 * half / _STEP)
    i = np.floor((ux + c * dp - s * dq + half) / _STEP).astype(np.int64)
    j = np.floor((uy + s * dp + c * dq + half) / _STEP).astype(np.int64)
    inside = (i >= 0) & (i < n) & (j >= 0) & (j < n)
    flux = np.bincount(i[inside] * n + j[inside], minlength=n * n).reshape(n, n) * (fine / _STEP) ** 2
    freq = np.fft.fftfreq(n, _STEP)
    blur = np.exp(-2 * (np.pi * sigma * freq) ** 2)
    seen = 1 + np.fft.ifft2(np.fft.fft2(flux - 1) * blur[:, None] * blur[None, :]).real
    centres = np.arange(n) * _STEP - half + 0.5 * _STEP
    row = np.clip((impact + half) / _STEP - 0.5, 0, n - 2)
    k, t = int(row), row - int(row)
    edge = 4.6
    line = np.interp(x, centres, (1 - t) * seen[:, k] + t * seen[:, k + 1])
    return np.where(np.abs(x) < edge, line, 1.0)


def _lens(rng: np.random.Generator) -> tuple[str, object]:
    """A random lens: its kind, and a function of (strength factor, offsets)."""
    kind = str(rng.choice(list(LENSES), p=list(LENSES.values())))
    alpha, sigma = np.exp(rng.uniform(np.log(0.15), np.log(8))), np.exp(rng.uniform(np.log(0.08), np.log(1.2)))
    if kind == "sheet":
        return kind, lambda f, x: _rays_1d([(alpha * f, 0.0, 1.0)], sigma, x)
    if kind == "two clouds":
        other, apart, width = alpha * rng.uniform(0.2, 0.8), rng.uniform(0.7, 2.0), rng.uniform(0.6, 1.4)
        return kind, lambda f, x: _rays_1d([(alpha * f, 0.0, 1.0), (other * f, apart, width)], sigma, x)
    alpha, sigma = min(alpha, 4.0), min(max(sigma, 0.12), 0.8)
    ratio = 1.0 if kind == "round" else np.exp(rng.uniform(np.log(1.3), np.log(4)))
    turn, impact = rng.uniform(0, np.pi), rng.uniform(0, 1.0)
    return kind, lambda f, x: _rays_2d(alpha * f, ratio, turn, impact, sigma, x)


def event(rng: np.random.Generator, t: np.ndarray) -> Event:
    """A lens whose dip is 10 to 50 % deep in the band and 20 to 120 days wide at half depth, inside the year."""
    grid = np.linspace(-8, 8, 801)
    while True:
        kind, lens = _lens(rng)
        mean = lens(1.0, grid)
        depth = 1 - mean.min()
        if not 0.1 <= depth <= 0.5:
            continue
        low = np.flatnonzero(mean < 1 - depth / 2)
        days = np.exp(rng.uniform(np.log(20), np.log(120)))
        crossing = days / np.ptp(grid[low])
        middle = 0.5 * (grid[low[0]] + grid[low[-1]])
        x = (t - rng.uniform(50, DAYS - 50)) / crossing + middle
        relative = np.array([np.interp(x, grid, lens((MEAN_HZ / f) ** 2, grid), 1.0, 1.0) for f in FREQ_HZ])
        seen = 1 - relative.mean(axis=0).min()
        if 0.1 <= seen <= 0.5:
            return Event(relative, float(seen), float(days), kind)


def contaminant(rng: np.random.Generator, kind: str, t: np.ndarray) -> np.ndarray:
    """Relative flux (band, epoch) of what is no lens."""
    one = np.ones((len(FREQ_HZ), len(t)))
    if kind == "scintillator":
        return one * scintillation(rng, t, rng.uniform(0.03, 0.15), np.exp(rng.uniform(np.log(3), np.log(60))))
    if kind == "flare":
        peak, fall = rng.uniform(0, DAYS), np.exp(rng.uniform(np.log(5), np.log(90)))
        d = t - peak
        f = rng.uniform(0.1, 1.5) * np.exp(np.where(d < 0, d / (fall * rng.uniform(0.05, 0.5)), -d / fall))
        return 1 + f * (FREQ_HZ[:, None] / MEAN_HZ) ** rng.uniform(-0.2, 1.0)
    if kind == "drift":
        return one + rng.uniform(-0.3, 0.3) * (t / DAYS - 0.5) + rng.uniform(-0.1, 0.1) * np.sin(t / DAYS * np.pi)
    if kind == "gain step":
        a, b = np.sort(rng.uniform(0, DAYS, 2))
        return one * np.where((t > a) & (t < b), 1 - rng.uniform(0.05, 0.3), 1.0)
    if kind == "flat dip":
        width = rng.uniform(10, 50)
        return one - rng.uniform(0.2, 0.4) * np.exp(-0.5 * ((t - rng.uniform(60, DAYS - 60)) / width) ** 2)
    return one


def observe(rng: np.random.Generator, relative: np.ndarray, snr: float) -> tuple[np.ndarray, np.ndarray]:
    """Fluxes and errors per band for a signal-to-noise ratio of the whole band; some errors and points are bad."""
    shape = relative.shape
    sigma = np.sqrt(len(FREQ_HZ)) / snr
    noise = sigma * rng.normal(size=shape) * np.where(rng.random(shape[1]) < WILD, 4.0, 1.0)
    flux = relative * (1 + GAIN * rng.normal(size=shape[1])) + noise
    err = np.sqrt(sigma**2 + (GAIN * relative) ** 2)
    flux[:, rng.random(shape[1]) < ZERO] = 0.0
    return flux, err
