"""RFI flagging on simulated interference with truth, beside AOFlagger's default strategy on the same Measurement Set.

Run ``python benches/python/bench_flagging.py [ms truth.json]`` or ``... --add MS [events]``.
Without arguments a group of 24 antennas is simulated (24
integrations, 16 x 48 channels, a 10 Jy calibrator, 60 events over a range of 10 dB) and converted. With a Measurement Set and
the truth that ``contimg simulate`` wrote beside its group, that one is used (it is copied twice). ``--add`` takes a Measurement Set
without interference (in Jy, noise of 2.59 Jy a component) and adds some to a copy: by default 24 events over the band, 3.2 to 32
sigma, one of four on baselines below 200 m only (python-casacore).

AOFlagger gets a copy whose rows are all of one FIELD: it looks at each field by itself, and where the phase centre follows the
meridian each of the 24 times is a field, so that it would see planes of one time.

Prints CPU seconds (user and system, of the whole process), the fraction found of samples with interference above 3 sigma of a
real component, chirps apart (they need not have 8 samples in a row), and the fraction flagged of samples without interference.
"""

from __future__ import annotations

import json
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from dsa110_contimg import _core

CHIRP_CHANNELS = 3


def simulate(directory: Path, antennas: int = 24, events: int = 60, seed: int = 5) -> tuple[Path, Path]:
    """A Measurement Set and its truth."""
    out = directory / "group"
    contimg = [sys.executable, "-c", "from dsa110_contimg.cli import app; app.main()"]
    subprocess.run(
        [*contimg, "simulate", str(out), "--start", "2026-01-25T22:26:05", "--dec", "16.15", "--n-sources", "20",
         "--cal-flux", "10", "--gains", "--rfi", str(events), "--sefd", "6500", "--antennas", str(antennas), "--seed",
         str(seed), "--json"],
        check=True, capture_output=True,
    )  # fmt: skip
    ms = directory / "sim.ms"
    _core.ms.convert(sorted(out.glob("*.hdf5")), ms, checksums=False)
    return ms, next((out / "truth").glob("*.json"))


SIGMA_JY = 2.59


def interfere(ms: Path, events: int, seed: int = 11) -> dict[str, Any]:
    """Add random lines, bursts and chirps to DATA; the truth, as ``contimg simulate`` writes it."""
    from casacore import tables

    rng = np.random.default_rng(seed)
    with tables.table(str(ms / "SPECTRAL_WINDOW"), ack=False) as spw:
        bands = spw.getcol("CHAN_FREQ")
    freq = np.sort(bands.ravel())
    with tables.table(str(ms), ack=False, readonly=False) as main:
        times = np.unique(main.getcol("TIME"))
        made = []
        for k in range(events):
            kind = ("line", "burst", "chirp")[k % 3]
            wide = {"line": 1 + k % 4, "burst": len(freq) // 8, "chirp": len(freq) // 8}[kind]
            high = {"line": len(times), "burst": 1 + k % 2, "chirp": len(times) // 2}[kind]
            f, t = int(rng.integers(len(freq) - wide + 1)), int(rng.integers(len(times) - high + 1))
            reach = 200.0 if k % 4 == 3 else None
            strength = SIGMA_JY * 3.2 * 10 ** rng.random()
            made.append({"kind": kind, "times": [t, t + high], "channels": [f, f + wide], "strength_jy": strength,
                         "max_baseline_m": reach})  # fmt: skip
        truth = {"freq_hz": freq.tolist(), "time_mjd_s": times.tolist(), "noise_sigma_jy": SIGMA_JY, "rfi": made}
        for window, band in enumerate(bands):
            with main.query(f"DATA_DESC_ID=={window}") as rows:
                data, pair = rows.getcol("DATA"), rows.getcol("ANTENNA1") * 1000 + rows.getcol("ANTENNA2")
                block = {"freq_hz": band, "time_mjd_s": rows.getcol("TIME"), "uvw_m": rows.getcol("UVW")}
                for k, event in enumerate(made):
                    _, _, hit = truth_masks({**truth, "rfi": [event]}, block)
                    hit &= (pair // 1000 != pair % 1000)[:, None]
                    # One phase a baseline, turning in time at a rate of its own.
                    angle = np.modf(pair * 0.618 * (k + 1))[0] + np.modf(pair * 0.277)[0] * 0.03 * (
                        block["time_mjd_s"] - times[0]
                    )
                    wave = event["strength_jy"] * np.exp(2j * np.pi * angle)
                    data += (hit * wave[:, None])[:, :, None].astype(np.complex64)
                rows.putcol("DATA", data)
    return truth


def truth_masks(truth: dict[str, Any], block: dict[str, Any]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lines and bursts above 3 sigma, chirps above 3 sigma, any interference: each (row, channel)."""
    freq = np.asarray(truth["freq_hz"])
    band = np.array([int(np.abs(freq - f).argmin()) for f in block["freq_hz"]])
    times = np.asarray(truth["time_mjd_s"])
    when = np.abs(block["time_mjd_s"][:, None] - times).argmin(axis=1)
    length = np.linalg.norm(block["uvw_m"], axis=1)
    strong, chirps, touched = (np.zeros((len(when), len(band)), bool) for _ in range(3))
    for event in truth["rfi"]:
        reached = length <= (event["max_baseline_m"] or np.inf)
        first, last = event["channels"]
        loud = event["strength_jy"] >= 3 * truth["noise_sigma_jy"]
        for t in range(*event["times"]):
            low, high = first, last
            if event["kind"] == "chirp":
                room = max(last - first - CHIRP_CHANNELS, 0)
                low = first + room * (t - event["times"][0]) // (max(event["times"][1] - event["times"][0], 2) - 1)
                high = min(low + CHIRP_CHANNELS, last)
            hit = np.ix_(reached & (when == t), (band >= low) & (band < high))
            touched[hit] = True
            if loud:
                (chirps if event["kind"] == "chirp" else strong)[hit] = True
    return strong, chirps & ~strong, touched


def rates(ms: Path, truth: dict[str, Any]) -> dict[str, float]:
    """Fractions found and flagged wrongly, of cross-correlations with data."""
    counts = np.zeros(6)
    for spw in range(16):
        block = _core.ms.read(ms, spw, column="data")
        use = (block["antenna1"] != block["antenna2"]) & (np.abs(block["vis_rfp"][:, 0, 0]) > 0)
        flag = np.asarray(block["flag_rfp"])[use].mean(axis=2)
        masks = [mask[use] for mask in truth_masks(truth, block)]
        for k, mask in enumerate((masks[0], masks[1], ~masks[2])):
            counts[2 * k] += flag[mask].sum()
            counts[2 * k + 1] += mask.sum()
    names = ("found", "chirps found", "false")
    return {name: float(counts[2 * k] / max(counts[2 * k + 1], 1)) for k, name in enumerate(names)}


def one_field(ms: Path) -> None:
    """Put all rows into field 0 (python-casacore); flags do not depend on where a field is."""
    from casacore import tables

    with tables.table(str(ms), ack=False, readonly=False) as main:
        main.putcol("FIELD_ID", np.zeros(main.nrows(), np.int32))


def cpu(command: list[str]) -> float:
    """CPU seconds of a command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{command[0]}: {done.stderr[-500:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main(arguments: list[str]) -> None:
    """Run and print."""
    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch)
        if arguments and arguments[0] == "--add":
            ms = directory / "with.ms"
            shutil.copytree(arguments[1], ms)
            truth = interfere(ms, int(arguments[2]) if len(arguments) > 2 else 24)
        else:
            ms, truth_file = (Path(arguments[0]), Path(arguments[1])) if arguments else simulate(directory)
            truth = json.loads(truth_file.read_text())
        contimg = [sys.executable, "-c", "from dsa110_contimg.cli import app; app.main()", "flag", "--mode", "none"]
        programs = {
            "contimg flag, RFI": lambda path: [*contimg, "--steps", "rfi", "--json", path],
            "aoflagger": lambda path: ["aoflagger", "-j", "2", path],
        }
        print(f"{'':20s} {'CPU s':>8s} {'found':>8s} {'chirps':>8s} {'false':>8s}")
        for name, command in programs.items():
            if shutil.which(command("")[0]) is None:
                print(f"{name:20s} not installed")
                continue
            copy = directory / "copy.ms"
            shutil.copytree(ms, copy)
            _core.flagging.flag(json.dumps({"ms": str(copy), "steps": [], "reset": True}))
            if name == "aoflagger":
                one_field(copy)
            seconds = cpu(command(str(copy)))
            r = rates(copy, truth)
            print(f"{name:20s} {seconds:8.1f} {r['found']:8.4f} {r['chirps found']:8.4f} {r['false']:8.4f}", flush=True)
            shutil.rmtree(copy)


if __name__ == "__main__":
    main(sys.argv[1:])
