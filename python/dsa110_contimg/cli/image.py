"""``contimg image``: Measurement Sets to images."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from dsa110_contimg.cli import console, other_imagers
from dsa110_contimg.cli.console import CommandError, JsonOption


def image(
    context: typer.Context,
    ms: Annotated[list[Path], typer.Argument(help="Measurement Sets that go into one image.")],
    *,
    name: Annotated[Path, typer.Option("--name", help="Prefix of the products.")],
    imsize: Annotated[int, typer.Option("--imsize", help="Pixels a side, even; 0 covers the beam to --pblimit.")] = 0,
    cell: Annotated[float, typer.Option("--cell", help="Pixel [arcsec]; 0 is a fifth of the finest fringe.")] = 0.0,
    weighting: Annotated[str, typer.Option("--weighting", help="natural, uniform, superuniform or briggs.")] = "briggs",
    robust: Annotated[float, typer.Option("--robust", help="Briggs' robustness, -2 to 2.")] = 0.5,
    taper: Annotated[float, typer.Option("--taper", help="Gaussian taper, FWHM of its beam [arcsec].")] = 0.0,
    tukey: Annotated[str, typer.Option("--tukey", help="Tukey taper, where it is 1 and 0, as 10,12 [klambda].")] = "",
    uvrange: Annotated[str, typer.Option("--uvrange", help="Baselines, as '>1klambda' or '1~20klambda'.")] = "",
    niter: Annotated[int, typer.Option("--niter", help="Most iterations; 0 makes a dirty image.")] = 1_000_000,
    threshold: Annotated[str, typer.Option("--threshold", help="Stop at this brightness, as 1mJy.")] = "0Jy",
    nsigma: Annotated[float, typer.Option("--nsigma", help="Stop at this many times the noise.")] = 3.0,
    deep_sigma: Annotated[
        float,
        typer.Option(
            "--deep-sigma",
            help="In the end the mask is cleaned to this many times the noise; 0: it is not.",
        ),
    ] = 1.0,
    nthermal: Annotated[
        float,
        typer.Option(
            "--nthermal", help="Stop at this many times the thermal noise of the weights; 0 for no such stop."
        ),
    ] = 0.0,
    auto_mask: Annotated[float, typer.Option("--auto-mask", help="Seeds of the mask [sigma]; 0: everywhere.")] = 5.0,
    mask: Annotated[
        Path | None, typer.Option("--mask", help="FITS, not zero where components may lie, or DS9 regions (.reg).")
    ] = None,
    mask_catalog: Annotated[
        str, typer.Option("--mask-catalog", help="Components only near sources of this catalogue: nvss or a file.")
    ] = "",
    mask_radius: Annotated[float, typer.Option("--mask-radius", help="For --mask-catalog [arcsec].")] = 60.0,
    seed_catalog: Annotated[
        str,
        typer.Option("--seed-catalog", help="Start from this catalogue, seen through the beam: nvss or a file."),
    ] = "",
    min_flux: Annotated[
        float, typer.Option("--min-flux", help="For --mask-catalog and --seed-catalog [mJy, before the beam].")
    ] = 10.0,
    model: Annotated[Path | None, typer.Option("--model", help="Model FITS of an earlier run to go on from.")] = None,
    bright_sigma: Annotated[
        float,
        typer.Option("--bright-sigma", help="Fit sources above this to the visibilities [thermal sigma]; 0: none."),
    ] = 300.0,
    outliers: Annotated[
        bool, typer.Option("--outliers/--no-outliers", help="Look for sources beyond the image.")
    ] = True,
    outlier_list: Annotated[
        Path | None,
        typer.Option(
            "--outlier-list",
            help="Sources beyond the image to fit and subtract: CSV (ra_deg, dec_deg), DS9 regions (.reg) or a WSClean list (.txt).",
        ),
    ] = None,
    snapshots: Annotated[bool, typer.Option("--snapshots", help="One image an integration as well.")] = False,
    source_list: Annotated[
        Path | None,
        typer.Option(
            "--source-list", help="List of the fitted bright sources to write: WSClean's, or DS9 regions (.reg)."
        ),
    ] = None,
    gain: Annotated[float, typer.Option("--gain", help="Share of a peak that one component takes.")] = 0.1,
    mgain: Annotated[float, typer.Option("--mgain", help="Largest share of the peak a minor cycle takes.")] = 0.92,
    non_negative: Annotated[bool, typer.Option("--non-negative", help="Positive components only.")] = False,
    multiscale: Annotated[bool, typer.Option("--multiscale", help="Components of several widths.")] = False,
    scales: Annotated[str, typer.Option("--scales", help="Widths of components [beams], as 0,1,2,4,8.")] = "",
    nterms: Annotated[int, typer.Option("--nterms", help="Terms of the spectrum, 1 to 3; 2 or 3 give alpha.")] = 1,
    pol: Annotated[str, typer.Option("--pol", help="Stokes parameter: I, Q, U or V.")] = "I",
    pblimit: Annotated[float, typer.Option("--pblimit", help="Primary-beam limit.")] = 0.2,
    beam: Annotated[Path | None, typer.Option("--beam", help="File of the primary beam, HDF5 or FITS.")] = None,
    dish_diameter: Annotated[
        float, typer.Option("--dish-diameter", help="Airy beam of a dish of this diameter [m]; 0: the telescope's.")
    ] = 0.0,
    sefd: Annotated[
        float, typer.Option("--sefd", help="System equivalent flux density, for the expected noise [Jy].")
    ] = 6500.0,
    epsilon: Annotated[float, typer.Option("--epsilon", help="Accuracy of gridding.")] = 1e-4,
    subbands: Annotated[int, typer.Option("--subbands", help="Subband images from the same run.")] = 0,
    datacolumn: Annotated[str, typer.Option("--datacolumn", help="auto, corrected, data or model.")] = "auto",
    caltable: Annotated[
        list[Path] | None, typer.Option("--caltable", help="Table behind the data, for the header; may be repeated.")
    ] = None,
    centre: Annotated[str, typer.Option("--centre", help="Centre, 'RA DEC' as CASA or in degrees.")] = "",
    quick: Annotated[
        bool, typer.Option("--quick", help="A quick look: three times the cell, one major cycle, and a PNG.")
    ] = False,
    png: Annotated[bool, typer.Option("--png", help="Also a PNG of the restored image.")] = False,
    skip_fits: Annotated[bool, typer.Option("--skip-fits", help="Leave no FITS, only the PNG; needs --quick.")] = False,
    max_memory_gb: Annotated[float, typer.Option("--max-memory", help="Most memory [GB].")] = 4.0,
    backend: Annotated[str, typer.Option("--backend", help="native, wsclean or tclean.")] = "native",
    json_output: JsonOption = False,
) -> None:
    """Image calibrated Measurement Sets: dirty, psf, model, residual, restored, pb, pbcor and matched FITS."""
    from dsa110_contimg import imaging
    from dsa110_contimg.imaging.cli_imaging import parse_jansky, parse_phasecenter, parse_uvrange

    if backend != "native":
        report = other_imagers.image(
            context,
            backend,
            ms,
            name,
            imsize=imsize,
            cell_arcsec=cell,
            weighting=weighting,
            robust=robust,
            taper_arcsec=taper or None,
            niter=niter,
            threshold_jy=parse_jansky(threshold),
            nsigma=nsigma,
            gain=gain,
            auto_mask=auto_mask,
            datacolumn=datacolumn,
            mask=mask,
            multiscale=multiscale,
            nterms=nterms,
            pol=pol,
            limits=(uvrange, centre, pblimit),
            of_wsclean=(mgain, non_negative, subbands, max_memory_gb),
        )
        if png:
            from dsa110_contimg.plots.images import save_png

            report["png"] = str(save_png(report["products"]["restored"], f"{name}-image.png"))
        console.emit(report, json_output, lambda: _print(report))
        return
    options: dict[str, Any] = {
        "imsize": imsize or None,
        "cell_arcsec": cell or None,
        "weighting": weighting,
        "robust": robust,
        "taper_arcsec": taper or None,
        "tukey": [1e3 * x for x in _numbers("--tukey", tukey, 2)] or None,
        "uvrange": parse_uvrange(uvrange),
        "niter": niter,
        "threshold_jy": parse_jansky(threshold),
        "nsigma": nsigma,
        "deep_sigma": deep_sigma,
        "nthermal": nthermal,
        "auto_mask": auto_mask,
        "mask": str(mask) if mask else None,
        "model": str(model) if model else None,
        "bright_sigma": bright_sigma,
        "outliers": outliers,
        "outliers_deg": _positions(outlier_list) if outlier_list else None,
        "snapshots": snapshots,
        "gain": gain,
        "mgain": mgain,
        "non_negative": non_negative,
        "multiscale": multiscale,
        "scales": _numbers("--scales", scales),
        "nterms": nterms,
        "pol": pol,
        "pblimit": pblimit,
        "cards": imaging.calibration_cards(caltable or []),
        "beam": str(beam) if beam else None,
        "dish_diameter_m": dish_diameter or None,
        "sefd_jy": sefd,
        "epsilon": epsilon,
        "subbands": subbands,
        "datacolumn": datacolumn,
        "centre_deg": parse_phasecenter(centre),
        "max_memory_gb": max_memory_gb,
    }
    if source_list is not None and not source_list.parent.is_dir():
        raise CommandError(f"--source-list: expected a place in a directory that exists, found {source_list}")
    if skip_fits and not quick:
        raise CommandError("--skip-fits: expected --quick with it; without a quick look the FITS files are the result")
    if quick:
        options |= {"max_major": 1, "epsilon": max(epsilon, 1e-3), "coarsen": 3.0}
        # Three times a fifth of the finest fringe is too coarse for that fringe.
        options |= {} if cell or taper else {"taper_arcsec": 60.0}
        options |= {"products": ["restored"]} if skip_fits else {}
    options |= _catalogued(ms[0], mask_catalog, mask_radius, seed_catalog, min_flux, dish_diameter or None)
    with console.bar("image", quiet=json_output) as progress:
        report = imaging.image(ms, name, progress=progress, **options)
    if source_list is not None:
        write = imaging.write_source_regions if source_list.suffix == ".reg" else imaging.write_wsclean_list
        write(source_list, imaging.bright_sources(report))
        report["source_list"] = str(source_list)
    if png or quick:
        from dsa110_contimg.plots.images import save_png

        report["png"] = str(save_png(report["products"]["restored"], f"{name}-image.png"))
    if skip_fits:
        Path(report["products"].pop("restored")).unlink()
    console.emit(report, json_output, lambda: _print(report), ok=report["outcome"] != "diverged")


def _catalogued(
    ms: Path, mask_catalog: str, radius_arcsec: float, seed_catalog: str, min_flux_mjy: float, dish_m: float | None
) -> dict[str, Any]:
    """Options that come from catalogues."""
    if not mask_catalog and not seed_catalog:
        return {}
    from dsa110_contimg.imaging import known

    options: dict[str, Any] = {}
    if mask_catalog:
        table = known.known_sources(ms, mask_catalog, min_flux_mjy=min_flux_mjy, dish_diameter_m=dish_m)
        options |= {"mask_positions_deg": known.mask_positions(table), "mask_radius_arcsec": radius_arcsec}
    if seed_catalog:
        table = known.known_sources(ms, seed_catalog, min_flux_mjy=min_flux_mjy, dish_diameter_m=dish_m)
        options["seeds"] = known.seeds(table)
    return options


def _positions(path: Path) -> list[list[float]]:
    """Directions of the sources of a sky model, whatever their fluxes [degrees]."""
    from dsa110_contimg.calibration import skyfiles

    # Regions of which only the place is wanted need no flux.
    known = skyfiles.from_regions(path, flux_jy=1.0) if path.suffix.lower() == ".reg" else skyfiles.load(path)
    places = [source["position"] for source in known["sky"]["sources"]]
    return [[math.degrees(place["ra_rad"]), math.degrees(place["dec_rad"])] for place in places]


def _numbers(option: str, text: str, count: int = 0) -> list[float]:
    """Numbers with commas between them: none, or `count` of them where that is given."""
    try:
        found = [float(word) for word in text.split(",") if word.strip()]
    except ValueError:
        raise CommandError(f"{option}: expected numbers with commas between them, found {text!r}") from None
    if count and len(found) not in (0, count):
        raise CommandError(f"{option}: expected {count} numbers, found {text!r}")
    return found


def _print(report: dict[str, Any]) -> None:
    table = Table("product", "file")
    for key, path in [
        *report["products"].items(),
        *((key, report[key]) for key in ("png", "source_list") if key in report),
    ]:
        table.add_row(key, str(path))
    console.out.print(table)
    if "beam" not in report:
        return
    beam = report["beam"]
    console.out.print(
        f"{report['imsize'][0]} x {report['imsize'][1]} pixels of {report['cell_arcsec']:.2f} arcsec; beam "
        f"{beam['major_arcsec']:.1f} x {beam['minor_arcsec']:.1f} arcsec at {beam['pa_deg']:.0f} deg"
    )
    console.out.print(
        f"noise {1e3 * report['rms_jy']:.3f} mJy/beam (thermal {1e3 * report['expected_rms_jy']:.3f}), peak "
        f"{report['peak_jy']:.4f} Jy/beam; {report['outcome']} after {report['n_major']} major cycles, "
        f"{report['iterations']} iterations"
    )
    if report["noise_used_jy"] != report["expected_rms_jy"]:
        console.out.print(
            f"visibilities scatter by {report['noise_used_jy'] / report['expected_rms_jy']:.2g} times what the SEFD gives: "
            f"thresholds counted from {1e3 * report['noise_used_jy']:.3g} mJy/beam (calibration applied? --sefd?)"
        )
    if report["bright"] or report["surroundings"]:
        console.out.print(
            f"{len(report['bright'])} bright sources fitted to the visibilities, {len(report['surroundings'])} beyond the image "
            "subtracted"
        )


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(image)
