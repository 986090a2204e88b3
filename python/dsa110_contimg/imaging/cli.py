"""``python -m dsa110_contimg.imaging.cli image|export|create-nvss-mask|create-nvss-overlay``, as in the original."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from dsa110_contimg import ContimgError
from dsa110_contimg.imaging.cli_imaging import image_ms
from dsa110_contimg.imaging.masks import create_catalog_mask

#: Options of ``image``: name, type, default, meaning.
_IMAGE: tuple[tuple[str, type, object, str], ...] = (
    ("field", str, "", "fields by number, as 0~23; all when empty"),
    ("spw", str, "", "spectral windows by number, as 0,2; all when empty"),
    ("uvrange", str, "", "baselines in wavelengths, as '>1klambda' or '1~20klambda'"),
    ("weighting", str, "briggs", "natural, uniform, superuniform or briggs"),
    ("robust", float, 0.0, "Briggs' robustness, -2 to 2"),
    ("imsize", int, 1024, "pixels a side; at least 3.5 degrees are imaged, and without --cell-arcsec it is chosen"),
    ("cell-arcsec", float, None, "pixel [arcsec]; a fifth of the finest fringe when left out"),
    ("specmode", str, "mfs", "mfs only"),
    ("deconvolver", str, "hogbom", "hogbom, clark, multiscale or mtmfs"),
    ("nterms", int, 1, "terms of the spectrum, 1 to 3"),
    ("niter", int, 1000, "most iterations; 0 makes a dirty image"),
    ("threshold", str, "0.0Jy", "stop at this brightness, as 1mJy; 3 sigma when 0"),
    ("phasecenter", str, None, "centre, 'J2000 RA DEC'; the middle of the fields when left out"),
    ("pblimit", float, 0.2, "primary-beam limit"),
    ("nvss-min-mjy", float, None, "components only near NVSS sources of at least this [mJy]"),
    ("mask-radius-arcsec", float, 60.0, "radius of that mask's circles [arcsec]"),
    ("calib-ra-deg", float, None, "calibrator beyond the image, fitted and subtracted [deg]"),
    ("calib-dec-deg", float, None, "its declination [deg]"),
    ("calib-flux-jy", float, None, "its flux [Jy]; it is fitted"),
    ("gridder", str, "standard", "tclean only: CASA's gridder"),
    ("wprojplanes", int, 0, "tclean only: planes of w"),
    ("psfcutoff", float, None, "tclean only: level of the psf that the beam is fitted to"),
    ("vptable", str, None, "tclean only: voltage-pattern table"),
    ("cfcache", str, None, "tclean only: cache of convolution functions"),
    ("wsclean-path", str, None, "program of the backend wsclean"),
)


def _image(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--ms", required=True, help="Measurement Set")
    parser.add_argument("--imagename", required=True, help="prefix of the products")
    for name, kind, default, text in _IMAGE:
        shown = "" if default in (None, "") else " (%(default)s)"
        parser.add_argument(f"--{name}", type=kind, default=default, help=text + shown)
    parser.add_argument("--no-pbcor", dest="pbcor", action="store_false", help="no image corrected for the beam")
    parser.add_argument("--no-nvss-mask", dest="use_nvss_mask", action="store_false", help="no mask of NVSS sources")
    parser.add_argument("--wbawp", action="store_true", default=None, help="tclean only: wide-band A projection")
    parser.add_argument("--skip-fits", action="store_true", help="the restored image only")
    parser.add_argument("--export-model-image", action="store_true", help="with --skip-fits: the model as well")
    parser.add_argument(
        "--quality-tier",
        choices=("development", "standard", "high_precision"),
        default="standard",
        help="development: four times the cell, at most 300 iterations; high_precision: at least 2000 (%(default)s)",
    )
    parser.add_argument(
        "--backend", choices=("native", "wsclean", "tclean"), default="native", help="the imager (%(default)s)"
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m dsa110_contimg.imaging.cli", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    _image(commands.add_parser("image", help="image a Measurement Set"))
    p = commands.add_parser("export", help="FITS and PNG of images")
    p.add_argument("--source", required=True, help="directory")
    p.add_argument("--prefix", required=True, help="names that begin so")
    p.add_argument("--make-fits", action="store_true", help="FITS from CASA images")
    p.add_argument("--make-png", action="store_true", help="PNG from FITS images")
    for name, least in (("create-nvss-mask", 1.0), ("create-nvss-overlay", 10.0)):
        what = "mask of circles about" if name == "create-nvss-mask" else "picture with circles about"
        p = commands.add_parser(name, help=f"{what} catalogue sources")
        p.add_argument("--image", required=True, help="FITS image")
        p.add_argument("--out", required=True, help="file to write: FITS of a mask, PNG of an overlay")
        p.add_argument("--min-mjy", type=float, default=least, help="faintest source [mJy] (%(default)s)")
        p.add_argument("--catalog", default=None, help="catalogue file; the NVSS database when left out")
        if name == "create-nvss-mask":
            p.add_argument("--radius-arcsec", type=float, default=6.0, help="of the circles [arcsec] (%(default)s)")
    return parser


def _sources(image: str, min_mjy: float, catalog: str | None) -> list[tuple[float, float]]:
    from astropy.io import fits
    from astropy.wcs import WCS

    from dsa110_contimg.catalog.query import query_sources

    with fits.open(image) as hdus:
        wcs = WCS(hdus[0].header).celestial
        ny, nx = hdus[0].data.shape[-2:]
    centre = wcs.pixel_to_world(nx / 2, ny / 2).icrs
    corner = wcs.pixel_to_world(0, 0).icrs
    radius = float(centre.separation(corner).deg)
    table = query_sources(
        "nvss", float(centre.ra.deg), float(centre.dec.deg), radius, min_flux_mjy=min_mjy, catalog_path=catalog
    )
    return list(zip(table["ra_deg"].astype(float), table["dec_deg"].astype(float), strict=True))


def _export(source: str, prefix: str, make_fits: bool, make_png: bool) -> list[str]:
    from dsa110_contimg.plots.images import save_png

    if not (make_fits or make_png):
        raise ValueError("export: expected --make-fits, --make-png or both, found neither")
    made: list[str] = []
    found = sorted(p for p in Path(source).iterdir() if p.name.startswith(prefix))
    if not found:
        raise ValueError(f"--prefix: expected files in {source} that begin with {prefix!r}, found none")
    if make_fits:
        from dsa110_contimg.imaging.backends import export_casa_images

        made += export_casa_images([p for p in found if p.is_dir()])
    if make_png:
        for path in sorted({*found, *map(Path, made)}):
            if path.suffix == ".fits":
                made.append(str(save_png(path, path.with_suffix(".png"))))
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0 on success."""
    options = vars(_parser().parse_args(arguments))
    command = options.pop("command")
    try:
        if command == "image":
            result: object = image_ms(options.pop("ms"), **options)
        elif command == "export":
            result = {"files": _export(**options)}
        else:
            places = _sources(options["image"], options["min_mjy"], options["catalog"])
            if command == "create-nvss-mask":
                count = create_catalog_mask(
                    options["image"], options["out"], places, radius_arcsec=options["radius_arcsec"]
                )
            else:
                from dsa110_contimg.plots.images import save_png

                save_png(options["image"], options["out"], marks=places)
                count = len(places)
            result = {"out": options["out"], "sources": count}
    except (ContimgError, ValueError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    sys.stdout.write(json.dumps(result, default=str) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
