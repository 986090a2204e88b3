"""Options of the original's calibration commands."""

from __future__ import annotations

import argparse
import math

DESCRIPTION = "python -m dsa110_contimg.calibration.cli: the original's commands over the same code as contimg"


def parser() -> argparse.ArgumentParser:  # noqa: PLR0915 - one line an option
    """The parser of all commands."""
    top = argparse.ArgumentParser(prog="dsa110_contimg.calibration.cli", description=DESCRIPTION)
    commands = top.add_subparsers(dest="command", required=True)

    c = commands.add_parser("calibrate", help="flag, model, bandpass, gains")
    c.add_argument("--ms", required=True)
    c.add_argument("--field", default="")
    c.add_argument("--refant", default="103")
    c.add_argument("--refant-ranking", help="JSON with a key 'recommended'")
    c.add_argument("--preset", choices=("development", "standard", "high_precision"))
    c.add_argument("--auto-fields", action="store_true")
    for name in ("--cal-ra-deg", "--cal-dec-deg", "--cal-flux-jy", "--pt-dec-deg", "--bp-min-pb"):
        c.add_argument(name, type=float)
    c.add_argument("--cal-catalog")
    c.add_argument("--cal-search-radius-deg", type=float, default=1.0)
    c.add_argument("--bp-window", type=int, default=3)
    c.add_argument("--bp-combine-field", action="store_true")
    c.add_argument("--flagging-mode", choices=("none", "zeros", "rfi"), default="rfi")
    c.add_argument("--reset-ms", "--clear-all", dest="reset_ms", action="store_true")
    c.add_argument("--bp-minsnr", type=float, default=3.0)
    c.add_argument("--bp-smooth-type", default="none")
    c.add_argument("--bp-smooth-window", type=int)
    c.add_argument("--bp-combine")
    c.add_argument("--uvrange", default="")
    c.add_argument("--do-k", action="store_true")
    c.add_argument("--skip-bp", action="store_true")
    c.add_argument("--skip-g", action="store_true")
    c.add_argument("--skip-rephase", action="store_true", help="accepted: models follow each field's phase centre")
    c.add_argument("--combine-spw", action="store_true")
    c.add_argument("--prebp-phase", action="store_true")
    c.add_argument("--prebp-solint", default="30s")
    c.add_argument("--prebp-minsnr", type=float, default=3.0)
    c.add_argument("--prebp-uvrange", default="")
    c.add_argument("--prebp-minblperant", type=int)
    c.add_argument("--prebp-spw")
    c.add_argument("--prebp-table-name")
    c.add_argument("--gain-solint", default="inf")
    c.add_argument("--gain-minsnr", type=float, default=3.0)
    c.add_argument("--gain-calmode", choices=("ap", "p", "a"), default="ap")
    c.add_argument(
        "--model-source", choices=("catalog", "setjy", "component", "image", "nvss", "existing"), default="catalog"
    )
    c.add_argument("--model-component", help="CSV, DS9 regions or WSClean list for --model-source component")
    c.add_argument("--model-image", help="FITS in Jy/pixel for --model-source image")
    c.add_argument("--nvss-catalog", help="file for --model-source nvss")
    c.add_argument("--nvss-min-mjy", type=float, default=5.0)
    c.add_argument("--fast", action="store_true", help="uvrange >1klambda, phase-only gains, --chanbin 4")
    c.add_argument("--minimal", action="store_true", help="as --fast with --chanbin 16")
    c.add_argument("--timebin", help="accepted: solves sum over their intervals exactly, whatever the binning")
    c.add_argument("--chanbin", type=int, help="channels of one bandpass solution")
    c.add_argument("--table-prefix")
    c.add_argument("--plot-dir", help="directory for plots, verdicts and index.html")
    c.add_argument("--no-plot-bandpass", dest="plot_bandpass", action="store_false")
    c.add_argument("--no-plot-gain", dest="plot_gain", action="store_false")
    c.add_argument("--plot-bandpass", dest="plot_bandpass", action="store_true", help="on")
    c.add_argument("--plot-gain", dest="plot_gain", action="store_true", help="on")
    c.add_argument("--export-spw-stats", help="JSON file of flagged fractions by spectral window")
    c.add_argument("--diagnostics", action="store_true", help="accepted: reports are always whole")
    c.add_argument("--no-subset", action="store_true", help="accepted: no subset is ever written")
    c.add_argument("--cleanup-subset", action="store_true", help="accepted: no subset is ever written")
    c.add_argument("--model-field")
    c.add_argument("--cal-name")
    c.add_argument("--model-setjy-spw", default="", help="windows that --model-source setjy fills")
    c.add_argument("--export-model-image", action="store_true", help="also write <prefix>_model.fits of MODEL_DATA")
    c.add_argument("--max-workers", type=int, help="accepted: all cores share one solve")
    c.add_argument("--memory-limit-gb", type=float, help="accepted: a solve reads piece by piece")
    c.add_argument("--channel-flag-threshold", type=float, default=0.5, help="fraction of flagged samples")
    c.add_argument("--auto-flag-channels", dest="auto_flag_channels", action="store_true", default=True, help="on")
    c.add_argument(
        "--auto-flag-problematic-spws", action="store_true", help="flag windows with 80 %% of their channels above it"
    )
    c.add_argument("--no-auto-flag-channels", dest="auto_flag_channels", action="store_false")
    c.add_argument("--dry-run", action="store_true")

    a = commands.add_parser("apply", help="apply tables")
    a.add_argument("--ms", required=True)
    a.add_argument("--field", default="")
    a.add_argument("--tables", nargs="+", required=True)
    a.add_argument("--max-age", type=float, default=30.0, help="oldest table [days]")
    a.add_argument("--max-dec", type=float, default=5.0, help="table furthest in declination [degrees]")

    f = commands.add_parser("flag", help="flag data")
    f.add_argument("--ms", required=True)
    f.add_argument(
        "--mode",
        required=True,
        choices=("reset", "zeros", "rfi", "shadow", "quack", "elevation", "clip", "extend", "manual", "antenna",
                 "baselines", "summary"),
    )  # fmt: skip
    f.add_argument("--datacolumn", default="data")
    f.add_argument("--backend", default="native", choices=("native", "aoflagger", "casa"))
    f.add_argument("--aoflagger-path")
    f.add_argument("--strategy", "--aoflagger-strategy")
    f.add_argument("--antenna")
    f.add_argument("--baseline")
    f.add_argument("--timerange")
    f.add_argument("--spw")
    f.add_argument("--field")
    f.add_argument("--uvrange", default="2~50m")
    f.add_argument("--shadow-tolerance", type=float, default=0.0)
    f.add_argument("--quack-interval", type=float, default=2.0)
    f.add_argument("--quack-mode", default="beg")
    f.add_argument("--lower-limit", type=float)
    f.add_argument("--upper-limit", type=float)
    f.add_argument("--clip-min", type=float, default=0.0)
    f.add_argument("--clip-max", type=float, default=math.inf)
    f.add_argument("--grow-time", type=float, default=0.0)
    f.add_argument("--grow-freq", type=float, default=0.0)

    v = commands.add_parser(
        "validate", help="can this Measurement Set be calibrated; with --tables, can these be used on it"
    )
    v.add_argument("--ms", required=True)
    v.add_argument("--tables", nargs="*", default=[])
    v.add_argument("--field", default="")
    v.add_argument("--refant")

    m = commands.add_parser("compare", help="difference of two tables")
    m.add_argument("--caltable1", required=True)
    m.add_argument("--caltable2", required=True)
    m.add_argument("--tolerance", type=float, default=1e-6)

    for name, text in (
        ("check-delays", "were delays taken out: phase slopes of single baselines, no model needed"),
        ("verify-delays", "delays of every antenna about the reference, from a model"),
        ("inspect-delays", "both"),
    ):
        d = commands.add_parser(name, help=text)
        d.add_argument("--ms", required=True)
        d.add_argument("--field", default="")
        d.add_argument("--refant", default="103")
        d.add_argument("--n-baselines", type=int, default=100)

    t = commands.add_parser("list-transits", help="past transits of a calibrator, and the groups that hold them")
    t.add_argument("--name", required=True)
    t.add_argument("--cal-catalog")
    t.add_argument("--max-days-back", type=int, default=30)
    t.add_argument("--window-minutes", type=float, default=60.0)
    t.add_argument("--input-dir", help="UVH5 directory to search")
    t.add_argument("--start", help="UTC (ISO or MJD); now when left out")

    i = commands.add_parser("find-calibrators-in-ms", help="calibrators in the beam of each Measurement Set")
    i.add_argument("--ms-dir", required=True)
    i.add_argument("--cal-catalog")
    i.add_argument("--radius-deg", type=float, default=1.5)
    i.add_argument("--top-n", type=int, default=5)
    return top
