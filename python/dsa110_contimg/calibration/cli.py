"""``python -m dsa110_contimg.calibration.cli``: the original's commands over the same code as ``contimg``."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dsa110_contimg import ContimgError


def _parser() -> argparse.ArgumentParser:  # noqa: PLR0915 - one line an option
    parser = argparse.ArgumentParser(prog="dsa110_contimg.calibration.cli", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)

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
    c.add_argument("--model-source", choices=("catalog", "setjy", "existing"), default="catalog")
    c.add_argument("--model-field")
    c.add_argument("--cal-name")
    c.add_argument("--channel-flag-threshold", type=float, default=0.5)
    c.add_argument("--no-auto-flag-channels", dest="auto_flag_channels", action="store_false")
    c.add_argument("--dry-run", action="store_true")

    a = commands.add_parser("apply", help="apply tables")
    a.add_argument("--ms", required=True)
    a.add_argument("--field", default="")
    a.add_argument("--tables", nargs="+", required=True)

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

    v = commands.add_parser("validate", help="can these tables be used on this Measurement Set")
    v.add_argument("--ms", required=True)
    v.add_argument("--tables", nargs="*", default=[])
    v.add_argument("--field", default="")
    v.add_argument("--refant")

    m = commands.add_parser("compare", help="difference of two tables")
    m.add_argument("--caltable1", required=True)
    m.add_argument("--caltable2", required=True)
    m.add_argument("--tolerance", type=float, default=1e-6)

    for name in ("check-delays", "verify-delays", "inspect-delays"):
        d = commands.add_parser(name, help="delays of every antenna about the reference")
        d.add_argument("--ms", required=True)
        d.add_argument("--field", default="")
        d.add_argument("--refant", default="103")
        d.add_argument("--n-baselines", type=int, default=100)
    return parser


def _refant(args: argparse.Namespace) -> str:
    if args.refant_ranking:
        found = json.loads(Path(args.refant_ranking).read_text(encoding="utf-8"))
        recommended = found.get("recommended")
        if not recommended:
            raise ValueError(f"{args.refant_ranking}: expected a key 'recommended', found {', '.join(found)}")
        return str(recommended if isinstance(recommended, str | int) else ",".join(map(str, recommended)))
    return str(args.refant)


def _calibrate(args: argparse.Namespace) -> dict[str, Any]:
    from dsa110_contimg.calibration import calibration, fields, flagging, stages

    chosen = fields.choose(
        args.ms,
        ra_deg=args.cal_ra_deg,
        dec_deg=args.cal_dec_deg,
        flux_jy=args.cal_flux_jy,
        name=args.cal_name,
        catalog=args.cal_catalog,
        radius_deg=args.cal_search_radius_deg,
        window=args.bp_window,
        min_pb=args.bp_min_pb,
    ) if args.auto_fields or args.model_source == "catalog" else None  # fmt: skip
    field = chosen["field"] if args.auto_fields and chosen else args.field
    if args.dry_run:
        return {"ms": args.ms, "field": field, "calibrator": chosen, "refant": _refant(args)}
    if args.reset_ms:
        flagging.reset_flags(args.ms)
    out: dict[str, Any] = {"ms": args.ms, "field": field, "calibrator": chosen, "tables": []}
    if args.flagging_mode != "none":
        rfi = stages.RFI_STEPS if args.flagging_mode == "rfi" else ()
        extra = ({"step": "channels", "fraction": args.channel_flag_threshold},) if args.auto_flag_channels else ()
        out["flag"] = stages.flag(args.ms, [*stages.STANDARD_STEPS, *rfi, *extra])
        if out["flag"]["after_cross"] > 0.9:
            raise ValueError(
                f"{args.ms}: expected at least 10 % unflagged, found {100 - 100 * out['flag']['after_cross']:.1f} %"
            )
    _write_model(args, chosen)
    refant = _refant(args)
    combine = bool(args.bp_combine_field or args.auto_fields)
    k = calibration.solve_delay(args.ms, field, refant, combine_spw=args.combine_spw)[:1] if args.do_k else []
    phase: list[str] = []
    if args.prebp_phase:
        phase = calibration.solve_prebandpass_phase(
            args.ms, field, refant, combine_fields=combine, combine_spw=args.combine_spw, uvrange=args.prebp_uvrange,
            solint=args.prebp_solint, minsnr=args.prebp_minsnr, minblperant=args.prebp_minblperant, spw=args.prebp_spw,
            table_name=args.prebp_table_name,
        )  # fmt: skip
    ktable = k[0] if k else None
    band: list[str] = []
    if not args.skip_bp:
        band = calibration.solve_bandpass(
            args.ms, field, refant, ktable, combine_fields=combine, minsnr=args.bp_minsnr, uvrange=args.uvrange,
            prebandpass_phase_table=phase[0] if phase else None, bp_smooth_type=args.bp_smooth_type,
            bp_smooth_window=args.bp_smooth_window, combine=args.bp_combine,
        )  # fmt: skip
    gains: list[str] = []
    if not args.skip_g:
        gains = calibration.solve_gains(
            args.ms, field, refant, ktable, band, combine_fields=combine, phase_only=args.gain_calmode == "p",
            uvrange=args.uvrange, solint=args.gain_solint, minsnr=args.gain_minsnr,
        )  # fmt: skip
    out["tables"] = [*k, *band, *gains]
    return out


def _write_model(args: argparse.Namespace, chosen: dict[str, Any] | None) -> None:
    from dsa110_contimg.calibration import model

    if args.model_source == "existing":
        return
    if args.model_source == "setjy":
        model.write_setjy_model(args.ms, args.model_field or "", name=args.cal_name)
    elif chosen is not None:
        model.populate_model_from_catalog(
            args.ms,
            calibrator_name=chosen["name"],
            cal_ra_deg=chosen["ra_deg"],
            cal_dec_deg=chosen["dec_deg"],
            cal_flux_jy=chosen["flux_jy"],
        )


def _flag(args: argparse.Namespace) -> dict[str, Any]:
    from dsa110_contimg.calibration import flagging as f

    column = args.datacolumn
    run = {
        "reset": lambda: f.reset_flags(args.ms),
        "zeros": lambda: f.flag_zeros(args.ms, column),
        "rfi": lambda: f.flag_rfi(args.ms, column, args.backend, args.aoflagger_path, args.strategy),
        "shadow": lambda: f.flag_shadow(args.ms, args.shadow_tolerance),
        "quack": lambda: f.flag_quack(args.ms, args.quack_interval, args.quack_mode),
        "elevation": lambda: f.flag_elevation(args.ms, args.lower_limit, args.upper_limit),
        "clip": lambda: f.flag_clip(args.ms, (args.clip_min, min(args.clip_max, 1e38)), datacolumn=column),
        "extend": lambda: f.flag_extend(args.ms, args.grow_time, args.grow_freq, datacolumn=column),
        "manual": lambda: f.flag_manual(
            args.ms,
            args.antenna,
            args.baseline,
            args.spw,
            args.field,
            time_range_mjd_s=f.parse_timerange(args.timerange) if args.timerange else None,
            datacolumn=column,
        ),
        "antenna": lambda: f.flag_antenna(args.ms, args.antenna or "", column),
        "baselines": lambda: f.flag_baselines(args.ms, args.uvrange, column),
        "summary": lambda: f.flag_summary(args.ms),
    }
    return run[args.mode]()


def _delays(args: argparse.Namespace) -> dict[str, Any]:
    import tempfile

    from dsa110_contimg.calibration import caltables, stages

    with tempfile.TemporaryDirectory() as scratch:
        report = stages.solve(
            args.ms, Path(scratch) / "k", "K", field=args.field, combine="scan,field,spw",
            refant=stages.refant_list(args.refant), minsnr=0.0,
        )  # fmt: skip
        window = caltables.read(report["table"])["windows"][0]
    # A delay of 1 ns turns the phase by 68 degrees over 187.5 MHz.
    return {
        "ms": args.ms,
        "refant": report["refant"],
        "delays_ns": {a["name"]: a["amplitude"] for a in report["antennas"]},
        "error_ns": float(window["error_tafr"].max()),
        "outliers": report["outliers"],
    }


def _run(args: argparse.Namespace) -> dict[str, Any]:
    from dsa110_contimg.calibration import applycal, caltables, validate

    if args.command == "calibrate":
        return _calibrate(args)
    if args.command == "apply":
        applycal.apply_to_target(args.ms, args.field, args.tables)
        return {"ms": args.ms, "tables": args.tables}
    if args.command == "flag":
        return _flag(args)
    if args.command == "validate":
        found = validate.validate_caltables_for_use(args.tables, args.ms, refant=args.refant)
        return {"ms": args.ms, "tables": args.tables, "warnings": found}
    if args.command == "compare":
        return caltables.compare(args.caltable1, args.caltable2, args.tolerance)
    return _delays(args)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run; the report is one JSON object on stdout, errors are one line on stderr."""
    args = _parser().parse_args(arguments)
    try:
        result = _run(args)
    except (ContimgError, ValueError, OSError) as problem:
        sys.stderr.write(f"error: {problem}\n")
        return 1
    sys.stdout.write(json.dumps(result, default=str) + "\n")
    return 0 if result.get("same", True) else 1


if __name__ == "__main__":
    sys.exit(main())
