"""Images of a full sky with counts like the real one's: noise over thermal, and fluxes and positions against the truth.

    python benches/python/bench_sky.py --dec 33 --keep DIR [--size 4096 --cell 3] [--channels 48 --integrations 24]

The sky: counts at 1.4 GHz (Hopkins et al. 2003, doi:10.1086/367900, sixth-order fit) from 1 mJy to
``--brightest``, over the main beam and the first sidelobe, every source predicted exactly (direction, drifting Airy beam, smearing);
noise of SEFD 6500 Jy in every sample, no gain errors. The image is made with the default settings (``--option`` changes them);
fluxes are forced fits at the true positions, neighbours jointly. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from astropy.io import fits
from astropy.wcs import WCS
from numpy.typing import NDArray

from dsa110_contimg import _core, imaging
from dsa110_contimg.photometry.forced import measure_positions
from dsa110_contimg.pipeline.meter import metered
from dsa110_contimg.simulation import Source, simulate_group
from dsa110_contimg.simulation.group import mjd_seconds

START = "2026-01-25T22:26:05"
#: System equivalent flux density of a dish [Jy].
SEFD_JY = 6500.0
#: Coefficients of log10 of the counts over Euclidean ones [Jy^1.5 / sr] in log10 of the flux [mJy].
COUNTS = (0.859, 0.508, 0.376, -0.049, -0.121, 0.057, -0.008)
#: The main beam ends and the first sidelobe ends here [degrees], at mid band and a dish of 4.65 m.
FIRST_NULL, SECOND_NULL = 3.2, 5.9
#: Highest power of the first sidelobe.
SIDELOBE = 0.0175
#: What is left out: less than this in the image [Jy], a twentieth of the thermal noise.
NEGLIGIBLE = 1e-5
#: Apparent flux of sources whose positions are looked at [Jy], and by how much neighbours may displace them [arcsec]: a fifth of what
#: is asked.
BRIGHT_JY, DISPLACED = 0.1, 0.01


def fluxes(area_sr: float, faintest: float, brightest: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Fluxes [Jy] drawn from the counts."""
    edges = np.geomspace(faintest, brightest, 200)
    middle = np.sqrt(edges[1:] * edges[:-1])
    logarithm = np.log10(1e3 * middle)
    density = 10.0 ** sum(c * logarithm**k for k, c in enumerate(COUNTS)) * middle**-2.5
    numbers = rng.poisson(density * np.diff(edges) * area_sr)
    drawn = [rng.uniform(edges[k], edges[k + 1], n) for k, n in enumerate(numbers)]
    return np.concatenate(drawn)


def airy(radius_deg: NDArray[np.float64]) -> NDArray[np.float64]:
    """Power of the primary beam at mid band."""
    from scipy.special import j1

    x = math.pi * 4.65 * np.sin(np.radians(radius_deg)) / 0.21337
    return np.asarray((2.0 * j1(x) / np.maximum(x, 1e-9)) ** 2)


def sky(dec_deg: float, integrations: int, brightest: float, seed: int) -> list[Source]:
    """Sources about the meridian at the middle of the group."""
    middle = mjd_seconds(START) + 0.5 * integrations * 12.884901888
    ra, dec = _core.coords.meridian_icrs(np.array([middle]), math.radians(dec_deg))
    ra0, dec0 = float(np.degrees(ra[0])), float(np.degrees(dec[0]))
    rng = np.random.default_rng(seed)
    out: list[Source] = []
    for inner, outer, faintest in ((0.0, FIRST_NULL, 1e-3), (FIRST_NULL, SECOND_NULL, NEGLIGIBLE / SIDELOBE)):
        area = 2 * math.pi * (math.cos(math.radians(inner)) - math.cos(math.radians(outer)))
        flux = fluxes(area, max(faintest, 1e-3), brightest, rng)
        radius = np.degrees(
            np.arccos(rng.uniform(math.cos(math.radians(outer)), math.cos(math.radians(inner)), flux.size))
        )
        # The drift carries a source through the beam: half a tile is 0.65 degrees.
        seen = flux * np.maximum(airy(radius), airy(np.maximum(radius - 0.65, 0.0))) > 10 * NEGLIGIBLE
        angle, alpha = rng.uniform(0, 2 * math.pi, flux.size), rng.normal(-0.7, 0.25, flux.size)
        for r, a, s, index in zip(radius[seen], angle[seen], flux[seen], alpha[seen], strict=True):
            sin_dec = math.sin(math.radians(dec0)) * math.cos(math.radians(r))
            sin_dec += math.cos(math.radians(dec0)) * math.sin(math.radians(r)) * math.cos(a)
            d = math.asin(sin_dec)
            turn = math.atan2(
                math.sin(a) * math.sin(math.radians(r)) * math.cos(math.radians(dec0)),
                math.cos(math.radians(r)) - math.sin(math.radians(dec0)) * sin_dec,
            )
            place = ((ra0 + math.degrees(turn)) % 360.0, math.degrees(d))
            out.append(Source(f"S{len(out):05d}", *place, float(s), float(index)))
    return out


def measured_set(args: argparse.Namespace, sources: list[Source]) -> Path:
    """The simulated Measurement Set; made once in ``--keep``."""
    ms = args.keep / f"sky{args.dec:+.0f}.ms"
    if not ms.exists():
        with metered() as cost:
            group = simulate_group(
                args.keep / f"in{args.dec:+.0f}",
                start=START,
                dec_deg=args.dec,
                sources=sources,
                integrations=args.integrations,
                channels=args.channels,
                gains=False,
                sefd_jy=SEFD_JY,
                accuracy=1e-4,
                seed=args.seed,
            )
        print(f"simulated: {len(sources)} sources, {cost.cpu_s:.0f} CPU s", flush=True)
        _core.ms.convert(group.files, str(ms))
    return ms


def isolated(ra: NDArray[np.float64], dec: NDArray[np.float64], flux: NDArray[np.float64], reach_deg: float) -> Any:
    """Sources without a neighbour of a fiftieth of their flux or more within `reach_deg`."""
    alone = np.ones(ra.size, dtype=bool)
    for k in np.flatnonzero(flux > 1.5e-3):
        apart = np.hypot((ra - ra[k]) * math.cos(math.radians(dec[k])), dec - dec[k])
        near = (apart < reach_deg) & (flux > 0.02 * flux[k])
        alone[k] = near.sum() == 1
    return alone


def report_fluxes(table: pd.DataFrame, truth: NDArray[np.float64], alone: NDArray[np.bool_]) -> None:
    """Weighted mean of measured over true flux by apparent flux."""
    flux, error, pb = (table[name].to_numpy() for name in ("flux_jy", "flux_err_jy", "pb"))
    print("\n| apparent flux [mJy] | sources | measured over true, weighted | median | scatter over error |")
    print("|---|---|---|---|---|")
    for low, high in ((300, 1e5), (100, 300), (50, 100), (20, 50), (10, 20), (5, 10), (2, 5)):
        apparent = 1e3 * truth * pb
        with np.errstate(invalid="ignore"):
            use = alone & np.isfinite(flux) & (pb > 0.3) & (apparent >= low) & (apparent < high)
        if not use.any():
            continue
        ratio, sigma = flux[use] / truth[use], error[use] / truth[use]
        weight = 1.0 / (sigma**2 + 1e-6)
        mean = float(np.sum(ratio * weight) / weight.sum())
        wide = float(1.4826 * np.median(np.abs(ratio - np.median(ratio)) / sigma))
        print(
            f"| {low} to {high:.0f} | {use.sum()} | {mean:.4f} +- {weight.sum() ** -0.5:.4f} | {np.median(ratio):.4f} | {wide:.2f} |"
        )


def undisturbed(x: NDArray[np.float64], y: NDArray[np.float64], flux: NDArray[np.float64], beam: Any) -> Any:
    """Sources that their neighbours displace by less than `DISPLACED`; places in arcsec east and north, apparent fluxes.

    A neighbour of a share f of the flux at d moves the top of a Gaussian beam B by f B(d) d.
    """
    major, minor, angle = 3600.0 * beam[0], 3600.0 * beam[1], math.radians(beam[2])
    still = np.zeros(x.size, dtype=bool)
    for k in np.flatnonzero(flux > BRIGHT_JY):
        east, north = x - x[k], y - y[k]
        near = np.isfinite(flux) & (np.hypot(east, north) < 4.0 * major) & (np.arange(x.size) != k)
        east, north = east[near], north[near]
        along = (east * math.sin(angle) + north * math.cos(angle)) / major
        across = (east * math.cos(angle) - north * math.sin(angle)) / minor
        pull = flux[near] / flux[k] * np.exp(-4.0 * math.log(2.0) * (along**2 + across**2))
        still[k] = math.hypot(float(np.sum(pull * east)), float(np.sum(pull * north))) < DISPLACED
    return still


def thermal_shift(
    residual: NDArray[Any], psf: NDArray[Any], use: NDArray[np.bool_], cell: float
) -> NDArray[np.float64]:
    """Rms displacement of a point of 1 Jy by the noise of the image, east and north [arcsec]: gradient over curvature of the psf."""
    ny, nx = psf.shape
    kx, ky = 2j * np.pi * np.fft.rfftfreq(nx)[None, :], 2j * np.pi * np.fft.fftfreq(ny)[:, None]
    noise, point = np.fft.rfft2(residual), np.fft.rfft2(np.fft.ifftshift(psf))
    slopes = [np.fft.irfft2(noise * k, s=(ny, nx))[use] for k in (kx, ky)]
    xx, xy, yy = (float(np.fft.irfft2(point * k, s=(ny, nx))[0, 0]) for k in (kx * kx, kx * ky, ky * ky))
    return cell * np.std(np.linalg.solve([[xx, xy], [xy, yy]], np.array(slopes)), axis=1)


def peak(data: NDArray[Any], x: float, y: float) -> tuple[float, float]:
    """Top of a paraboloid through the logarithm of 5 x 5 pixels [pixels]."""
    i, j = round(y), round(x)
    b = np.log(np.maximum(data[i - 2 : i + 3, j - 2 : j + 3], 1e-9))
    yy, xx = np.mgrid[-2:3, -2:3]
    form = np.stack([np.ones(25), xx.ravel(), yy.ravel(), xx.ravel() ** 2, (xx * yy).ravel(), yy.ravel() ** 2], 1)
    c = np.linalg.lstsq(form, b.ravel(), rcond=None)[0]
    dx, dy = np.linalg.solve([[2 * c[3], c[4]], [c[4], 2 * c[5]]], [-c[1], -c[2]])
    return j + dx, i + dy


def report_positions(report: dict[str, Any], sources: list[Source], use: Any, apparent: NDArray[np.float64]) -> None:
    """Offsets [arcsec] of bright undisturbed sources from their true places, as fitted to visibilities and as peaks of the image."""
    made = report["products"]
    with fits.open(made["restored"]) as hdus:
        data, wcs = np.squeeze(hdus[0].data), WCS(hdus[0].header).celestial
    residual, psf, pb = (np.squeeze(fits.getdata(made[name])) for name in ("residual", "psf", "pb"))
    unit = thermal_shift(residual, psf, pb > 0.3, report["cell_arcsec"])
    fitted = np.degrees([[b["position"]["ra_rad"], b["position"]["dec_rad"]] for b in report["bright"]]).reshape(-1, 2)
    rows: dict[str, list[tuple[float, float, float]]] = {"fitted to the visibilities": [], "peaks of the image": []}

    def add(kind: str, k: int, ra: float, dec: float) -> None:
        east = ((ra - sources[k].ra_deg + 180.0) % 360.0 - 180.0) * math.cos(math.radians(dec)) * 3600
        rows[kind].append((east, (dec - sources[k].dec_deg) * 3600, float(apparent[k])))

    for k in np.flatnonzero(use):
        s = sources[k]
        x, y = (float(v) for v in wcs.all_world2pix(s.ra_deg, s.dec_deg, 0))
        if not (5 <= y < data.shape[0] - 5 and 5 <= x < data.shape[1] - 5):
            continue
        ra, dec = wcs.all_pix2world(*peak(data, x, y), 0)
        add("peaks of the image", int(k), float(ra), float(dec))
        apart = np.hypot((fitted[:, 0] - s.ra_deg) * math.cos(math.radians(s.dec_deg)), fitted[:, 1] - s.dec_deg)
        if apart.size and apart.min() < 5e-3:
            ra, dec = fitted[apart.argmin()]
            add("fitted to the visibilities", int(k), float(ra), float(dec))
    print(f"\nposition error by noise, right ascension and declination: {unit.round(4)} arcsec Jy")
    for kind, found in rows.items():
        if found:
            table = np.array(found)
            offsets, thermal = table[:, :2], unit / table[:, 2:]
            rms, over = np.sqrt((offsets**2).mean(0)), np.sqrt(((offsets / thermal) ** 2).mean(0))
            print(
                f"positions of {len(found)} bright undisturbed sources, {kind}: mean {offsets.mean(0).round(3)}, rms {rms.round(3)}, "
                f"largest {np.abs(offsets).max():.3f} arcsec; rms over the noise's {over.round(2)}"
            )


def noise(report: dict[str, Any], sources: list[Source]) -> None:
    """Robust and plain noise of the residual image where the beam is above 0.3, over the thermal one."""
    with fits.open(report["products"]["residual"]) as hdus:
        data, wcs = np.squeeze(hdus[0].data), WCS(hdus[0].header).celestial
    pb = np.squeeze(fits.getdata(report["products"]["pb"]))
    use = pb > 0.3
    for s in sources:
        if s.flux_jy > 1.0:
            x, y = wcs.all_world2pix(s.ra_deg, s.dec_deg, 0)
            if np.isfinite(x):
                yy, xx = np.ogrid[: data.shape[0], : data.shape[1]]
                use &= (xx - x) ** 2 + (yy - y) ** 2 > (600.0 / report["cell_arcsec"]) ** 2
    values, thermal = data[use & np.isfinite(data)], report["expected_rms_jy"]
    robust = 1.4826 * float(np.median(np.abs(values - np.median(values))))
    print(
        f"\nthermal noise {1e3 * thermal:.3f} mJy/beam; residual over it, beam above 0.3: robust {robust / thermal:.3f}, "
        f"rms {float(values.std()) / thermal:.3f}, lowest {float(values.min()) / thermal:.1f}, highest {float(values.max()) / thermal:.1f}"
    )


def main() -> None:
    """Simulate, image, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dec", type=float, default=33.0)
    parser.add_argument("--size", type=int, default=0, help="pixels; 0: to pblimit")
    parser.add_argument("--cell", type=float, default=0.0, help="arcsec; 0: a fifth of the beam")
    parser.add_argument("--brightest", type=float, default=5.0, help="Jy")
    parser.add_argument("--integrations", type=int, default=24)
    parser.add_argument("--channels", type=int, default=48)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--keep", type=Path, required=True, help="directory for data and images")
    parser.add_argument("--option", action="append", default=[], help="NAME=JSON for the imager, such as nsigma=3")
    args = parser.parse_args()
    args.keep.mkdir(parents=True, exist_ok=True)
    sources = sky(args.dec, args.integrations, args.brightest, args.seed)
    ms = measured_set(args, sources)
    options: dict[str, Any] = {"datacolumn": "data", "products": ["restored", "residual", "pb", "matched", "psf"]}
    if args.size:
        options["imsize"] = args.size
    if args.cell:
        options["cell_arcsec"] = args.cell
    options |= {name: json.loads(value) for name, _, value in (text.partition("=") for text in args.option)}
    with metered() as cost:
        report = imaging.image(str(ms), args.keep / "image", **options)
    report.setdefault("cell_arcsec", abs(float(fits.getheader(report["products"]["pb"])["CDELT1"])) * 3600.0)
    size = fits.getheader(report["products"]["pb"])["NAXIS1"]
    print(
        f"Dec {args.dec:+.2f}, {size} pixels of {report['cell_arcsec']:.2f} arcsec, {len(sources)} sources: {report['outcome']}, "
        f"{report['n_major']} major, {len(report.get('bright') or [])} fitted, {cost.cpu_s:.0f} CPU s, {cost.peak_rss_mb:.0f} MB"
    )
    noise(report, sources)
    truth = np.array([s.flux_jy * (report["freq_hz"] / 1.4e9) ** s.alpha for s in sources])
    ra, dec = np.array([s.ra_deg for s in sources]), np.array([s.dec_deg for s in sources])
    # As the pipeline measures: points by the matched image, the beam divided out.
    made, where = report["products"], (ra.tolist(), dec.tolist())
    table, about = measure_positions(
        made["restored"],
        *where,
        pb=made["pb"],
        residual=made["residual"],
        matched=(made["matched"], made["psf"]),
        cluster_beams=1.5,
        min_pb=0.2,
        averaging=(12.884901888, 187.5e6 / 16 / 48),
    )
    alone = isolated(ra, dec, truth, 1.5 * about["beam_deg"][0])
    report_fluxes(table, truth, alone)
    with np.errstate(invalid="ignore"):
        pb = table["pb"].to_numpy()
        apparent = np.where(pb > 0.2, truth * pb, np.nan)
        east, north = (3600.0 * table[name].to_numpy() for name in ("x_deg", "y_deg"))
        use = undisturbed(east, north, apparent, about["beam_deg"]) & (pb > 0.3)
        report_positions(report, sources, use, apparent)


if __name__ == "__main__":
    main()
