"""A year of 200 epochs with 10 % common, 3 % beam-dependent and 2 % per-frequency gain errors: what normalisation leaves."""

from __future__ import annotations

import argparse
import resource

import numpy as np

from dsa110_contimg._core import photometry


def campaign(rng: np.random.Generator, sources: int, epochs: int, bands: int) -> tuple[np.ndarray, ...]:
    """Fluxes (source, epoch, band) of stable sources, their errors, places in the beam and frequencies."""
    snr = np.exp(rng.uniform(np.log(100), np.log(1000), sources))
    truth = snr[:, None] * 2e-4 * np.exp(0.02 * rng.normal(size=(sources, bands)))
    place = rng.uniform(-1.2, 1.2, (2, sources))
    # A source stands where its transit takes it: three tiles a transit.
    x = place[0][:, None] + 0.1 * (np.arange(epochs) % 3 - 1.0)
    y = np.repeat(place[1][:, None], epochs, axis=1)
    u, v = x / 1.5, y / 1.5
    terms = 0.03 * rng.normal(size=(5, epochs))
    field = terms[0] * u + terms[1] * v + terms[2] * u * u + terms[3] * u * v + terms[4] * v * v
    gain = np.exp(0.1 * rng.normal(size=epochs) + field)[:, :, None] * np.exp(0.02 * rng.normal(size=(epochs, bands)))
    err = np.full((sources, epochs, bands), 2e-4)
    return truth[:, None, :] * gain + err * rng.normal(size=err.shape), err, x, y, np.linspace(1.317e9, 1.493e9, bands)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sources", type=int, default=120)
    parser.add_argument("--epochs", type=int, default=200)
    options = parser.parse_args()
    print("S/N 100 to 1000 an epoch; scatter in percent: as seen, thermal, and beyond thermal with its sampling error")
    for bands in (1, 16):
        made = campaign(np.random.default_rng(7), options.sources, options.epochs, bands)
        flux, err, x, y, freq = made
        before = resource.getrusage(resource.RUSAGE_SELF)
        arrays = [np.ascontiguousarray(a) for a in (flux, err, x, y, freq)]
        fit = photometry.gain_field(*arrays, [True] * options.sources, options={})
        after = resource.getrusage(resource.RUSAGE_SELF)
        norm = fit["norm_sef"]
        seen = 100 * norm.std(axis=1, ddof=1) / norm.mean(axis=1)
        thermal = 100 * 2e-4 / norm.mean(axis=1)
        beyond = np.sqrt(np.maximum(seen**2 - thermal**2, 0))
        # The sampling error of a variance of n points, carried to the excess.
        error = seen**2 / np.sqrt(2 * options.epochs) / np.maximum(beyond, 0.1)
        worst = np.unravel_index(beyond.argmax(), beyond.shape)
        spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        print(
            f"{bands:2d} bands: seen median {np.median(seen):.2f}, largest {seen.max():.2f} (thermal there "
            f"{thermal[np.unravel_index(seen.argmax(), seen.shape)]:.2f}); beyond thermal median {np.median(beyond):.2f}, "
            f"largest {beyond[worst]:.2f} +- {error[worst]:.2f}; above 1 %: {int((beyond > 1).sum())} of {beyond.size}; CPU {spent:.1f} s"
        )


if __name__ == "__main__":
    main()
