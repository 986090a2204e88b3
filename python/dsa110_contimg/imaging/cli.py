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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m dsa110_contimg.imaging.cli", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    p = commands.add_parser("image", help="image a Measurement Set")
    p.add_argument("--ms", required=True)
    p.add_argument("--imagename", required=True)
    for name, text in (("field", ""), ("spw", ""), ("uvrange", ""), ("weighting", "briggs"), ("specmode", "mfs")):
        p.add_argument(f"--{name}", default=text)
    for name, text in (("deconvolver", "hogbom"), ("gridder", "standard"), ("threshold", "0.0Jy")):
        p.add_argument(f"--{name}", default=text)
    for name, number in (("imsize", 1024), ("nterms", 1), ("niter", 1000), ("wprojplanes", 0)):
        p.add_argument(f"--{name}", type=int, default=number)
    p.add_argument("--robust", type=float, default=0.0)
    p.add_argument("--pblimit", type=float, default=0.2)
    p.add_argument("--mask-radius-arcsec", type=float, default=60.0)
    for name in ("cell-arcsec", "psfcutoff", "nvss-min-mjy", "calib-ra-deg", "calib-dec-deg", "calib-flux-jy"):
        p.add_argument(f"--{name}", type=float, default=None)
    for name in ("phasecenter", "vptable", "cfcache", "wsclean-path"):
        p.add_argument(f"--{name}", default=None)
    p.add_argument("--no-pbcor", dest="pbcor", action="store_false")
    p.add_argument("--no-nvss-mask", dest="use_nvss_mask", action="store_false")
    p.add_argument("--wbawp", action="store_true", default=None)
    p.add_argument("--skip-fits", action="store_true")
    p.add_argument("--export-model-image", action="store_true")
    p.add_argument("--quality-tier", choices=("development", "standard", "high_precision"), default="standard")
    p.add_argument("--backend", choices=("native", "wsclean", "tclean"), default="native")
    p = commands.add_parser("export", help="FITS and PNG of images")
    p.add_argument("--source", required=True, help="directory")
    p.add_argument("--prefix", required=True, help="names that begin so")
    p.add_argument("--make-fits", action="store_true", help="FITS from CASA images")
    p.add_argument("--make-png", action="store_true", help="PNG from FITS images")
    for name, least in (("create-nvss-mask", 1.0), ("create-nvss-overlay", 10.0)):
        p = commands.add_parser(name)
        p.add_argument("--image", required=True)
        p.add_argument("--out", required=True)
        p.add_argument("--min-mjy", type=float, default=least)
        p.add_argument("--catalog", default=None, help="catalogue file; the NVSS database when left out")
        if name == "create-nvss-mask":
            p.add_argument("--radius-arcsec", type=float, default=6.0)
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
