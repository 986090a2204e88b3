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
    c.add_argument("--ms", required=True, help="Measurement Set of the calibrator")
    c.add_argument("--field", default="", help="fields in CASA's words, 0~3,5; all when left out")
    c.add_argument("--refant", default="103", help="ranked list; the array's chain stands behind it")
    c.add_argument("--refant-ranking", help="JSON with a key 'recommended'")
    c.add_argument(
        "--preset", choices=("development", "standard", "high_precision"), help="options that were not typed; standard"
    )
    c.add_argument("--auto-fields", action="store_true", help="fields about the calibrator, combined")
    c.add_argument("--cal-ra-deg", type=float, help="calibrator, ICRS [degrees]")
    c.add_argument("--cal-dec-deg", type=float, help="calibrator, ICRS [degrees]")
    c.add_argument("--cal-flux-jy", type=float, help="its flux density at 1.4 GHz [Jy]")
    c.add_argument("--pt-dec-deg", type=float, help="accepted: the Measurement Set knows its pointing")
    c.add_argument(
        "--bp-min-pb", type=float, help="with --auto-fields: all fields above this share of the best beam response"
    )
    c.add_argument("--cal-catalog", help="VLA list, CSV or vla_calibrators.sqlite3")
    c.add_argument("--cal-search-radius-deg", type=float, default=1.0, help="calibrator to field [degrees]")
    c.add_argument("--bp-window", type=int, default=3, help="with --auto-fields: so many fields")
    c.add_argument("--bp-combine-field", action="store_true", help="one solution for all fields")
    c.add_argument("--flagging-mode", choices=("none", "zeros", "rfi"), default="rfi", help="before the solve")
    c.add_argument("--reset-ms", "--clear-all", dest="reset_ms", action="store_true", help="forget all flags first")
    c.add_argument("--bp-minsnr", type=float, default=3.0, help="flag solutions below this signal to noise")
    c.add_argument("--bp-smooth-type", default="none", help="none, hanning, boxcar, gaussian, polynomial")
    c.add_argument("--bp-smooth-window", type=int, help="channels, or the polynomial's degree")
    c.add_argument("--bp-combine", help="comma list of scan, field, spw, instead")
    c.add_argument("--uvrange", default="", help="baselines of bandpass and gains, '>1klambda', '20~500m'")
    c.add_argument("--do-k", action="store_true", help="solve delays first")
    c.add_argument("--skip-bp", action="store_true", help="no bandpass")
    c.add_argument("--skip-g", action="store_true", help="no gains")
    c.add_argument("--skip-rephase", action="store_true", help="accepted: models follow each field's phase centre")
    c.add_argument("--combine-spw", action="store_true", help="windows together, for delays and pre-bandpass phases")
    c.add_argument("--prebp-phase", action="store_true", help="phases before the bandpass, for its solve alone")
    c.add_argument("--prebp-solint", default="30s", help="inf, int or a time: 30s, 2min")
    c.add_argument("--prebp-minsnr", type=float, default=3.0, help="flag solutions below this signal to noise")
    c.add_argument("--prebp-uvrange", default="", help="baselines")
    c.add_argument("--prebp-minblperant", type=int, help="fewest baselines of an antenna; 4")
    c.add_argument("--prebp-spw", help="windows and channels, 4~11:5~42")
    c.add_argument("--prebp-table-name", help="path of the table instead of <prefix>_prebp_phase")
    c.add_argument("--gain-solint", default="inf", help="inf, int or a time: 30s, 2min")
    c.add_argument("--gain-minsnr", type=float, default=3.0, help="flag solutions below this signal to noise")
    c.add_argument("--gain-calmode", choices=("ap", "p", "a"), default="ap", help="amplitude, phase or both")
    c.add_argument(
        "--model-source",
        choices=("catalog", "setjy", "component", "image", "nvss", "existing"),
        default="catalog",
        help="where the model is from; existing: MODEL_DATA as it is",
    )
    c.add_argument("--model-component", help="CSV, DS9 regions or WSClean list for --model-source component")
    c.add_argument("--model-image", help="FITS in Jy/pixel for --model-source image")
    c.add_argument("--nvss-catalog", help="file for --model-source nvss")
    c.add_argument("--nvss-min-mjy", type=float, default=5.0, help="faintest source of --model-source nvss [mJy]")
    c.add_argument("--fast", action="store_true", help="uvrange >1klambda, phase-only gains, --chanbin 4")
    c.add_argument("--minimal", action="store_true", help="as --fast with --chanbin 16")
    c.add_argument("--timebin", help="accepted: solves sum over their intervals exactly, whatever the binning")
    c.add_argument("--chanbin", type=int, help="channels of one bandpass solution")
    c.add_argument("--table-prefix", help="path of the tables before _bpcal etc.; that of the Measurement Set")
    c.add_argument("--plot-dir", help="directory for plots, verdicts and index.html; <prefix>_plots with --plot-...")
    c.add_argument("--no-plot-bandpass", dest="plot_bandpass", action="store_false", default=None)
    c.add_argument("--no-plot-gain", dest="plot_gain", action="store_false", default=None)
    c.add_argument(
        "--plot-bandpass", dest="plot_bandpass", action="store_true", default=None, help="on with --plot-dir"
    )
    c.add_argument("--plot-gain", dest="plot_gain", action="store_true", default=None, help="on with --plot-dir")
    c.add_argument("--export-spw-stats", help="JSON file of flagged fractions by spectral window")
    c.add_argument("--diagnostics", action="store_true", help="accepted: reports are always whole")
    c.add_argument("--no-subset", action="store_true", help="accepted: no subset is ever written")
    c.add_argument("--cleanup-subset", action="store_true", help="accepted: no subset is ever written")
    c.add_argument("--model-field", help="field, or name of the flux calibrator, of --model-source setjy")
    c.add_argument("--cal-name", help="calibrator by name")
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
    c.add_argument("--dry-run", action="store_true", help="say what would be solved, write nothing")

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
    f.add_argument("--antenna", help="names; 24&103 a baseline, !24 all but")
    f.add_argument("--baseline", help="24&103, comma list")
    f.add_argument("--timerange", help="UTC, from~to, >from or <to")
    f.add_argument("--spw", help="windows and channels, 3:10~20;30")
    f.add_argument("--field", help="fields in CASA's words")
    f.add_argument("--uvrange", default="2~50m", help="of --mode baselines")
    f.add_argument("--shadow-tolerance", type=float, default=0.0, help="overlap allowed [m]")
    f.add_argument("--quack-interval", type=float, default=2.0, help="length [s]")
    f.add_argument("--quack-mode", default="beg", help="beg, endb, tail or end")
    f.add_argument("--lower-limit", type=float, help="least elevation [degrees]")
    f.add_argument("--upper-limit", type=float, help="greatest elevation [degrees]")
    f.add_argument("--clip-min", type=float, default=0.0, help="least amplitude kept [data units]")
    f.add_argument("--clip-max", type=float, default=math.inf, help="greatest amplitude kept [data units]")
    f.add_argument(
        "--grow-time", type=float, default=0.0, help="channels flagged for more than so many percent of times"
    )
    f.add_argument(
        "--grow-freq", type=float, default=0.0, help="times flagged for more than so many percent of channels"
    )

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
        d.add_argument("--n-baselines", type=int, default=100, help="of check-delays, spread over all")

    t = commands.add_parser("list-transits", help="past transits of a calibrator, and the groups that hold them")
    t.add_argument("--name", required=True)
    t.add_argument("--cal-catalog")
    t.add_argument("--max-days-back", type=int, default=30, help="sidereal days")
    t.add_argument(
        "--window-minutes", type=float, default=60.0, help="of file names about a transit, both sides together"
    )
    t.add_argument("--input-dir", help="UVH5 directory to search")
    t.add_argument("--start", help="UTC (ISO or MJD); now when left out")

    i = commands.add_parser("find-calibrators-in-ms", help="calibrators in the beam of each Measurement Set")
    i.add_argument("--ms-dir", required=True)
    i.add_argument("--cal-catalog")
    i.add_argument("--radius-deg", type=float, default=1.5, help="calibrator to middle field [degrees]")
    i.add_argument("--top-n", type=int, default=5)
    return top
