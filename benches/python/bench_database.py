"""A year of the survey's rows: insert, a light curve, a cone, growth; and a catalogue of 2 million sources, a cone of 1 degree."""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from dsa110_contimg.catalog.ingest import ingest
from dsa110_contimg.catalog.query import query_sources
from dsa110_contimg.database import open_database
from dsa110_contimg.photometry.rows import record, sources_in_cone


def cpu_and_wall(work: Callable[[], object]) -> tuple[float, float]:
    before, wall = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    work()
    after = resource.getrusage(resource.RUSAGE_SELF)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, time.perf_counter() - wall


def best(work: Callable[[int], object], repeat: int = 20) -> tuple[float, float]:
    runs = [cpu_and_wall(lambda i=i: work(i)) for i in range(repeat)]
    return tuple(float(np.median([r[k] for r in runs])) for k in (0, 1))  # type: ignore[return-value]


def epoch(
    rng: np.random.Generator, names: list[str], where: np.ndarray, mjd: float, bands: int
) -> tuple[pd.DataFrame, dict]:
    n = len(names)
    flux = rng.lognormal(-4, 1, n)
    table = pd.DataFrame({"source_id": names, "ra_deg": where[0], "dec_deg": where[1], "flux_jy": flux, "mjd": mjd})
    table = table.assign(
        flux_err_jy=3e-4, fit_err_jy=3e-4, upper_limit_jy=np.nan, local_rms_jy=3e-4, chi2=300.0, dof=300
    )
    table = table.assign(cluster=-1, flags=0, pb=0.8, x_deg=0.1, y_deg=0.2, nvss_flux_mjy=1e3 * flux)
    parts = [
        {"path": f"b{i}", "freq_hz": 1.3e9 + 1e7 * i, "bandwidth_hz": 1e7, "noise_jy": 1e-3, "beam_deg": None}
        | {"flux_jy": flux + 1e-3 * rng.normal(size=n), "flux_err_jy": np.full(n, 1e-3)}
        for i in range(bands)
    ]
    return table, {"bands": parts}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sources", type=int, default=5000, help="sources of a tile")
    parser.add_argument("--images", type=int, default=365, help="images: a year of one field")
    parser.add_argument("--catalog", type=int, default=2_000_000)
    options = parser.parse_args()
    rng = np.random.default_rng(1)
    where = np.array([rng.uniform(0, 3, options.sources) % 360, rng.uniform(53, 56, options.sources)])
    names = [f"J{i:06d}+540000" for i in range(options.sources)]
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "products.sqlite3"
        db = open_database(path, "products")
        made = epoch(rng, names, where, 60000.0, 16)
        costs = []
        for e in range(options.images):
            made[0]["mjd"] = 60000.0 + e
            costs.append(cpu_and_wall(lambda e=e: record(db, f"/data/images/2026/{e:05d}.image.fits", *made)))
        spent, wall = (float(sum(c[k] for c in costs)) for k in (0, 1))
        rows = options.sources * options.images
        size = sum(p.stat().st_size for p in Path(directory).iterdir())
        print(f"{rows} measurements with 16 bands, and as many light-curve points")
        rates = f"{2 * rows / spent:10.0f} rows/s of CPU, {2 * rows / wall:10.0f} rows/s of wall"
        print(f"insert       {rates}; {size / rows:.0f} bytes a measurement")
        tenth = max(options.images // 10, 1)
        for name, part in (("first", costs[:tenth]), ("last", costs[-tenth:])):
            each = sum(c[0] for c in part) / (2 * options.sources * len(part))
            print(f"the {name:5s} {len(part)} images {1 / each:10.0f} rows/s of CPU")
        curve = best(
            lambda i: db.select(
                "photometry_timeseries", ("source_id", "=", names[(37 * i) % len(names)]), order_by=["mjd"]
            )
        )
        print(f"light curve  CPU {1e3 * curve[0]:7.2f} ms   wall {1e3 * curve[1]:7.2f} ms   ({options.images} points)")
        bands = best(lambda i: db.select("photometry_bands", ("source_id", "=", names[(37 * i) % len(names)])), 5)
        print(
            f"its bands    CPU {1e3 * bands[0]:7.2f} ms   wall {1e3 * bands[1]:7.2f} ms   ({16 * options.images} points)"
        )
        cone = best(lambda i: sources_in_cone(db, 1.0 + 0.05 * i, 54.5, 0.5))
        print(f"cone 0.5 deg CPU {1e3 * cone[0]:7.2f} ms   wall {1e3 * cone[1]:7.2f} ms")
        n = options.catalog
        sky = pd.DataFrame({"ra_deg": rng.uniform(0, 360, n), "dec_deg": np.degrees(np.arcsin(rng.uniform(-1, 1, n)))})
        sky["flux_mjy"], sky["source_id"] = rng.lognormal(1, 1, n), [f"S{i}" for i in range(n)]
        catalog = Path(directory) / "nvss_full.sqlite3"
        built = cpu_and_wall(lambda: ingest(sky, catalog))
        print(f"catalogue of {n}: built in CPU {built[0]:.1f} s")
        handle_first = cpu_and_wall(lambda: query_sources("nvss", 0.0, 0.0, 1.0, catalog_path=catalog))
        print(
            f"first cone   CPU {1e3 * handle_first[0]:7.2f} ms   wall {1e3 * handle_first[1]:7.2f} ms   (opens the file)"
        )
        for name, ra, dec in (("RA 0 h", 0.0, 0.0), ("pole", 10.0, 89.9), ("Dec 54", 200.0, 54.6)):
            cone = best(lambda _, ra=ra, dec=dec: query_sources("nvss", ra, dec, 1.0, catalog_path=catalog))
            print(f"cone {name:8s}CPU {1e3 * cone[0]:7.2f} ms   wall {1e3 * cone[1]:7.2f} ms")


if __name__ == "__main__":
    main()
