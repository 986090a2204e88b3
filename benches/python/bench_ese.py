"""Injected lens events among quiet, scintillating and flaring sources: completeness and purity.

Seeded: ``python benches/python/bench_ese.py --source-years 30000 --events 1000 --figures DIR`` gives the same every time.
The light curves are made in `ese_sky`, by ray tracing and processes that the package does not contain; with ``--sky other`` in
`ese_other_sky`, on which no threshold was tuned.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import resource
import sys
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
import itertools

import ese_other_sky
import ese_sixteen_sky
import ese_sky

from dsa110_contimg import _core
from dsa110_contimg._core import ese

CHUNK = 250
SKIES = {"first": ese_sky, "other": ese_other_sky, "sixteen": ese_sixteen_sky}
EVENT = np.dtype(
    [("kind", "U16"), ("depth", float), ("days", float), ("snr", float), ("named", bool), ("trigger", bool)]
    + [(name, float) for name in ("log_bf", "score", "eta", "v")]
)


class Batch:
    """Sources judged together."""

    def __init__(self, freq_hz: np.ndarray) -> None:
        self.freq_hz = freq_hz
        self.first, self.freq, self.offsets, self.columns = [0], [], [0], ([], [], [])
        self.truth: list[tuple[str, float, float, float]] = []

    def add(self, t: np.ndarray, seen: tuple[np.ndarray, np.ndarray], truth: tuple[str, float, float, float]) -> None:
        flux, err = seen
        for band, freq in enumerate(self.freq_hz):
            for into, values in zip(self.columns, (t, flux[band], err[band]), strict=True):
                into.append(values)
            self.freq.append(float(freq))
            self.offsets.append(self.offsets[-1] + len(t))
        self.first.append(len(self.freq))
        self.truth.append(truth)

    def judge(self) -> np.ndarray:
        points = tuple(np.concatenate(c) for c in self.columns)
        out = np.zeros(len(self.truth), EVENT)
        for row, truth, j in zip(
            out, self.truth, ese.judge_bands(self.first, self.freq, self.offsets, points), strict=True
        ):
            row["kind"], row["depth"], row["days"], row["snr"] = truth
            row["named"], row["trigger"] = j["verdict"] == "candidate", j["trigger"]
            row["log_bf"] = -np.inf if j["log_bf_lens"] is None else j["log_bf_lens"]
            row["score"], row["eta"], row["v"] = j["score"]["total"], j["summary"]["eta"] or 0, j["summary"]["v"] or 0
        return out


def others(sky: Any, seed: int, first: int, last: int) -> np.ndarray:
    """Judge the source-years `first` to `last` without an event."""
    kinds = ["quiet", *sky.CONTAMINANTS]
    chance = np.array([1 - sum(sky.CONTAMINANTS.values()), *sky.CONTAMINANTS.values()])
    batch = Batch(sky.FREQ_HZ)
    for i in range(first, last):
        rng = np.random.default_rng([seed, 0, i])
        t, kind = sky.times(rng), kinds[rng.choice(len(kinds), p=chance)]
        snr = np.exp(rng.uniform(np.log(50), np.log(300)))
        batch.add(t, sky.observe(rng, sky.contaminant(rng, kind, t), snr), (kind, 0.0, 0.0, snr))
    return batch.judge()


def lenses(sky: Any, seed: int, first: int, last: int, until_middle: bool = False) -> np.ndarray:
    """Judge injected events, one in five on a weakly scintillating source; or only the days up to the deepest."""
    batch = Batch(sky.FREQ_HZ)
    for i in range(first, last):
        rng = np.random.default_rng([seed, 1, i])
        t = sky.times(rng)
        event = sky.event(rng, t)
        relative, snr = event.relative, np.exp(rng.uniform(np.log(10), np.log(300)))
        if rng.random() < 0.2:
            relative = relative * sky.scintillation(rng, t, rng.uniform(0.01, 0.03), np.exp(rng.uniform(1.6, 4.1)))
        flux, err = sky.observe(rng, relative, snr)
        keep = t <= t[event.relative.mean(axis=0).argmin()] if until_middle else t > -1
        batch.add(t[keep], (flux[:, keep], err[:, keep]), (event.kind, event.depth, event.days, snr))
    return batch.judge()


def chunks(make: Any, sky: Any, n: int, seed: int, keep: Path | None, **options: Any) -> np.ndarray:
    """All of `n`, a chunk at a time; with `keep` the chunks that an interrupted run of the same program left there are taken."""
    parts = []
    for first in range(0, n, CHUNK):
        last = min(first + CHUNK, n)
        file = (
            keep / "-".join(map(str, (sky.__name__, make.__name__, seed, first, last, len(options)))) if keep else None
        )
        if file is None or not file.with_suffix(".npy").is_file():
            parts.append(make(sky, seed, first, last, **options))
            if file is not None:
                np.save(file.with_suffix(".npy"), parts[-1])
        else:
            parts.append(np.load(file.with_suffix(".npy")))
        print(f"{make.__name__}: {last} of {n}", file=sys.stderr)
    return np.concatenate(parts) if parts else np.zeros(0, EVENT)


def kept(directory: Path | None) -> Path | None:
    """A directory of this program's chunks: those of another build or generator are not taken."""
    if directory is None:
        return None
    sources = [Path(_core.__file__), *sorted(Path(__file__).parent.glob("ese*.py"))]
    digest = hashlib.sha256(b"".join(p.read_bytes() for p in sources)).hexdigest()[:16]
    own = directory / digest
    own.mkdir(parents=True, exist_ok=True)
    return own


def statistics(table: np.ndarray) -> dict[str, np.ndarray]:
    """What sources may be ranked by."""
    return {
        "lens Bayes factor": table["log_bf"],
        "ese_score": table["score"],
        "eta-V": np.minimum(table["eta"] / 3, table["v"] / 0.05),
    }


def fraction(table: np.ndarray, where: np.ndarray, column: str = "named") -> str:
    """Share of `where` that is named, with its number."""
    n = int(where.sum())
    return f"{table[column][where].mean():.3f} of {n}" if n else "none"


def figures(sky: Any, quiet: np.ndarray, found: np.ndarray, early: np.ndarray) -> dict[str, Any]:
    """The tables."""
    deep, bright = found["depth"] >= 0.2, found["snr"] >= 50
    both = deep & bright
    rate = 1e4 / max(len(quiet), 1)
    within = lambda name, a, b: (found[name] >= a) & (found[name] < b)  # noqa: E731
    same = {}
    for name, value in statistics(found).items():
        limit = np.quantile(value[both], 0.05) if both.any() else np.inf
        same[name] = round(float((statistics(quiet)[name] >= limit).sum() * rate), 1)
    deep_early, bright_early = early["depth"] >= 0.2, early["snr"] >= 50
    return {
        "completeness, depth >= 0.2, S/N >= 50": fraction(found, both),
        "by depth, S/N >= 50": {
            f"{a:.1f}-{a + 0.1:.1f}": fraction(found, bright & within("depth", a, a + 0.1))
            for a in (0.1, 0.2, 0.3, 0.4)
        },
        "by S/N, depth >= 0.2": {
            f"{a}-{b}": fraction(found, deep & within("snr", a, b))
            for a, b in ((10, 20), (20, 35), (35, 50), (50, 100), (100, 300))
        },
        "by days, both": {
            f"{a}-{b}": fraction(found, both & within("days", a, b)) for a, b in ((20, 40), (40, 80), (80, 120))
        },
        "by kind, both": {k: fraction(found, both & (found["kind"] == k)) for k in sky.LENSES},
        "triggered by mid-event, both": fraction(early, deep_early & bright_early, "trigger"),
        "false per 10,000 source-years": round(float(quiet["named"].sum() * rate), 2),
        "false by kind": {
            k: f"{int(quiet['named'][quiet['kind'] == k].sum())} of {int((quiet['kind'] == k).sum())}"
            for k in ("quiet", *sky.CONTAMINANTS)
        },
        "false per 10,000 at 95 % completeness": same,
    }


def draw(quiet: np.ndarray, found: np.ndarray, out: Path) -> None:
    """Completeness against depth, S/N and duration; ROC."""
    from matplotlib.figure import Figure

    both = (found["depth"] >= 0.2) & (found["snr"] >= 50)
    figure = Figure(figsize=(11, 6.2), layout="constrained")
    axes = figure.subplots(2, 2).ravel()
    panels = [
        ("depth", "depth in the band", found["snr"] >= 50, np.arange(0.1, 0.51, 0.05), "S/N of 50 or more"),
        ("snr", "S/N per epoch in the band", found["depth"] >= 0.2, np.geomspace(10, 300, 9), "depth of 0.2 or more"),
        ("days", "full width at half depth [days]", both, np.arange(20, 121, 12.5), "both"),
    ]
    for ax, (name, label, where, edges, title) in zip(axes, panels, strict=False):
        for a, b in itertools.pairwise(edges):
            mask = where & (found[name] >= a) & (found[name] < b)
            if n := int(mask.sum()):
                p = (found["named"][mask].sum() + 1) / (n + 2)
                ax.errorbar(
                    (a + b) / 2,
                    found["named"][mask].mean(),
                    np.sqrt(p * (1 - p) / n),
                    (b - a) / 2,
                    "o",
                    color="#20507a",
                )
        ax.axhline(0.95, color="0.6", lw=0.8, ls="--")
        ax.set(xlabel=label, ylabel="completeness", ylim=(-0.03, 1.05), xscale="log" if name == "snr" else "linear")
        ax.set_title(f"{title}", fontsize=9, loc="left")
    for (name, value), colour in zip(statistics(found).items(), ("#c1562b", "#20507a", "#3a8f5c"), strict=True):
        limits = np.unique(np.quantile(value[both], np.linspace(0, 1, 201)))
        rates = [(statistics(quiet)[name] >= x).mean() * 1e4 for x in limits]
        axes[3].step(
            np.maximum(rates, 0.1), [(value[both] >= x).mean() for x in limits], where="post", label=name, color=colour
        )
    axes[3].set(
        xscale="log", xlabel="false per 10,000 source-years (0.1: none seen)", ylabel="completeness", ylim=(-0.03, 1.05)
    )
    axes[3].legend(frameon=False, fontsize=9)
    for ax in axes:
        ax.spines[["top", "right"]].set_visible(False)
    out.mkdir(parents=True, exist_ok=True)
    figure.savefig(out / "ese_completeness.png", dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source-years", type=int, default=3000)
    parser.add_argument("--events", type=int, default=300)
    parser.add_argument("--seed", type=int, default=20261122)
    parser.add_argument("--figures", type=Path, help="directory of ese_completeness.png")
    parser.add_argument("--sky", choices=sorted(SKIES), default="first")
    parser.add_argument("--keep", type=Path, help="directory of finished chunks, to go on after an interruption")
    options = parser.parse_args()
    sky, keep = SKIES[options.sky], kept(options.keep)
    quiet = chunks(others, sky, options.source_years, options.seed, keep)
    found = chunks(lenses, sky, options.events, options.seed, keep)
    early = chunks(lenses, sky, options.events // 3, options.seed + 1, keep, until_middle=True)
    if options.figures:
        draw(quiet, found, options.figures)
    used = resource.getrusage(resource.RUSAGE_SELF)
    tables = figures(sky, quiet, found, early)
    tables |= {
        "source_years": len(quiet),
        "events": len(found),
        "sky": options.sky,
        "seed": options.seed,
        "cpu_s": round(used.ru_utime + used.ru_stime, 1),
    }
    print(json.dumps(tables, indent=2))


if __name__ == "__main__":
    main()
