"""Injected lens events among quiet, scintillating and flaring sources: completeness and purity.

Seeded: ``python benches/python/bench_ese.py --source-years 30000 --events 600`` prints the same table every time.
"""

from __future__ import annotations

import argparse
import json
import resource
import time

import numpy as np

from dsa110_contimg._core import ese, variability

FREQ_HZ = np.array([1.335e9, 1.382e9, 1.428e9, 1.475e9])
DAYS = 365
CONTAMINANTS = {"scintillator": 0.03, "flare": 0.01, "drift": 0.01, "gain step": 0.002}


def magnification(x: np.ndarray, alpha: float, sigma: float) -> np.ndarray:
    """Gaussian plasma lens, by rays through a fine grid averaged over a Gaussian source (Clegg, Fey & Lazio 1998)."""
    # Beyond |u| = 7 rays are straight; a hundred rays a bin keep the counting error below 1e-3.
    fine, step = 2e-4, 0.02
    u = np.arange(-14, 14, fine) + 0.5 * fine
    edges = np.arange(-12, 12 + step, step)
    rays = np.histogram(u * (1 + alpha * np.exp(-u * u)), edges)[0] * fine / step
    half = int(5 * sigma / step)
    kernel = np.exp(-0.5 * (np.arange(-half, half + 1) * step / sigma) ** 2)
    seen = 1 + np.convolve(rays - 1, kernel / kernel.sum(), "same")
    return np.interp(x, 0.5 * (edges[1:] + edges[:-1]), seen, 1.0, 1.0)


def times(rng: np.random.Generator) -> np.ndarray:
    """A year of daily transits: 10 % lost at random, and two gaps of 8 days."""
    keep = rng.random(DAYS) > 0.1
    for start in rng.integers(0, DAYS - 8, 2):
        keep[start : start + 8] = False
    return np.flatnonzero(keep) + rng.uniform(-0.01, 0.01, int(keep.sum()))


def process(rng: np.random.Generator, t: np.ndarray, amplitude: float, tau: float, smooth: bool) -> np.ndarray:
    """A Gaussian process: damped random walk, or one a derivative smoother."""
    r = np.abs(t[:, None] - t[None, :]) / tau
    covariance = np.exp(-r) * (1 + r if smooth else 1)
    return amplitude * (np.linalg.cholesky(covariance + 1e-9 * np.eye(len(t))) @ rng.normal(size=len(t)))


def shape(rng: np.random.Generator, kind: str, t: np.ndarray) -> np.ndarray:
    """Relative flux, one row a band."""
    one = np.ones((len(FREQ_HZ), len(t)))
    if kind == "scintillator":
        m, tau = rng.uniform(0.03, 0.15), np.exp(rng.uniform(np.log(3), np.log(60)))
        return one * np.maximum(1 + process(rng, t, m, tau, rng.random() < 0.5), 0.1)
    if kind == "flare":
        peak, fall = rng.uniform(0, DAYS), np.exp(rng.uniform(np.log(5), np.log(90)))
        rise = fall * rng.uniform(0.05, 0.5)
        d = t - peak
        f = rng.uniform(0.1, 1.5) * np.exp(np.where(d < 0, d / rise, -d / fall))
        return 1 + f * (FREQ_HZ[:, None] / 1.405e9) ** rng.uniform(-0.2, 1.0)
    if kind == "drift":
        return one + rng.uniform(-0.3, 0.3) * (t / DAYS - 0.5) + rng.uniform(-0.1, 0.1) * np.sin(t / DAYS * np.pi)
    if kind == "gain step":
        a, b = np.sort(rng.uniform(0, DAYS, 2))
        return one * np.where((t > a) & (t < b), 1 - rng.uniform(0.05, 0.3), 1.0)
    return one


def observe(rng: np.random.Generator, relative: np.ndarray, snr: float) -> tuple[np.ndarray, np.ndarray]:
    """Fluxes and errors: noise of the band split over its parts, and 0.7 % of normalisation scatter an epoch."""
    sigma = np.sqrt(len(FREQ_HZ)) / snr
    gain = 1 + 0.007 * rng.normal(size=relative.shape[1])
    flux = relative * gain + sigma * rng.normal(size=relative.shape)
    return flux, np.sqrt(sigma**2 + (0.007 * flux) ** 2)


class Batch:
    """Sources judged together."""

    def __init__(self) -> None:
        self.first, self.freq, self.offsets, self.columns = [0], [], [0], ([], [], [])

    def add(self, t: np.ndarray, flux: np.ndarray, err: np.ndarray) -> None:
        for band, freq in enumerate(FREQ_HZ):
            for into, values in zip(self.columns, (t, flux[band], err[band]), strict=True):
                into.append(values)
            self.freq.append(float(freq))
            self.offsets.append(self.offsets[-1] + len(t))
        self.first.append(len(self.freq))

    def judge(self) -> list[dict]:
        points = tuple(np.concatenate(c) for c in self.columns)
        return ese.judge_bands(self.first, self.freq, self.offsets, points)


def event(rng: np.random.Generator, t: np.ndarray, depth: float) -> np.ndarray | None:
    """A lens event of about this depth and a full width at half depth of 20 to 120 days, well inside the year."""
    sigma = rng.choice([0.1, 0.2, 0.4])
    x = np.linspace(-12, 12, 2401)
    low, high = 0.02, 4.0
    for _ in range(14):
        alpha = np.sqrt(low * high)
        low, high = (alpha, high) if 1 - magnification(np.zeros(1), alpha, sigma)[0] < depth else (low, alpha)
    m = magnification(x, alpha, sigma)
    width = np.ptp(x[(m < 1 - depth / 2) & (np.abs(x) < 4)])
    crossing = rng.uniform(20, 120) / width
    centre = rng.uniform(60, DAYS - 60)
    bands = [magnification((t - centre) / crossing, alpha * (1.405e9 / f) ** 2, sigma) for f in FREQ_HZ]
    return np.array(bands)


def run(source_years: int, events: int, seed: int) -> dict:
    """The benchmark; figures as a dictionary."""
    started, cpu = time.time(), resource.getrusage(resource.RUSAGE_SELF)
    kinds = ["quiet", *CONTAMINANTS]
    chance = np.array([1 - sum(CONTAMINANTS.values()), *CONTAMINANTS.values()])
    truth, judged = [], []
    for part in range(0, source_years, 500):
        batch = Batch()
        for i in range(part, min(part + 500, source_years)):
            rng = np.random.default_rng([seed, 0, i])
            t, kind = times(rng), kinds[rng.choice(len(kinds), p=chance)]
            batch.add(t, *observe(rng, shape(rng, kind, t), np.exp(rng.uniform(np.log(50), np.log(300)))))
            truth.append((kind, 0.0, 0.0))
        judged += batch.judge()
    batch = Batch()
    for i in range(events):
        rng = np.random.default_rng([seed, 1, i])
        t, depth = times(rng), rng.uniform(0.1, 0.5)
        snr = np.exp(rng.uniform(np.log(10), np.log(300)))
        batch.add(t, *observe(rng, event(rng, t, depth), snr))
        truth.append(("lens", depth, snr))
    judged += batch.judge()
    used = resource.getrusage(resource.RUSAGE_SELF)
    return figures(truth, judged) | {
        "source_years": source_years,
        "events": events,
        "wall_s": round(time.time() - started, 1),
        "cpu_s": round(used.ru_utime + used.ru_stime - cpu.ru_utime - cpu.ru_stime, 1),
    }


def figures(truth: list[tuple[str, float, float]], judged: list[dict]) -> dict:
    kind = np.array([t[0] for t in truth])
    depth, snr = (np.array([t[k] for t in truth]) for k in (1, 2))
    named = np.array([j["verdict"] == "candidate" for j in judged])
    lens = kind == "lens"
    bright = lens & (snr >= 50)
    deep = bright & (depth >= 0.2)
    score = np.array([j["score"]["total"] for j in judged])
    eta = np.array([j["summary"]["eta"] or 0 for j in judged])
    v = np.array([j["summary"]["v"] or 0 for j in judged])
    others = ~lens
    rate = 1e4 / max(int(others.sum()), 1)
    same = {}
    for name, statistic in (("ese_score", score), ("eta-V", np.minimum(eta / 3, v / 0.05))):
        limit = np.quantile(statistic[deep], 0.05)
        same[name] = round(float((statistic[others] >= limit).sum() * rate), 1)
    bins = {f"{a:.1f}-{a + 0.1:.1f}": bright & (depth >= a) & (depth < a + 0.1) for a in (0.1, 0.2, 0.3, 0.4)}
    faint = {f"{a}-{b}": lens & (depth >= 0.2) & (snr >= a) & (snr < b) for a, b in ((10, 20), (20, 35), (35, 50))}
    fraction = lambda mask: round(float(named[mask].mean()), 3) if mask.any() else None  # noqa: E731
    return {
        "completeness_depth_0.2_snr_50": fraction(deep),
        "completeness_by_depth_snr_50": {k: fraction(m) for k, m in bins.items()},
        "completeness_by_snr_depth_0.2": {k: fraction(m) for k, m in faint.items()},
        "false_per_10000_source_years": round(float(named[others].sum() * rate), 2),
        "false_by_kind": {
            k: f"{int(named[kind == k].sum())} of {int((kind == k).sum())}" for k in ("quiet", *CONTAMINANTS)
        },
        "false_per_10000_at_95_percent_completeness": same,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source-years", type=int, default=3000)
    parser.add_argument("--events", type=int, default=300)
    parser.add_argument("--seed", type=int, default=20261122)
    options = parser.parse_args()
    assert variability.VS_OF_M == 4.3
    print(json.dumps(run(options.source_years, options.events, options.seed), indent=2))


if __name__ == "__main__":
    main()
