"""``python -m dsa110_contimg.calibration.cli``: the original's commands over the same code as ``contimg``."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dsa110_contimg import ContimgError
from dsa110_contimg.calibration.options import parser


def _refant(args: argparse.Namespace) -> str:
    if args.refant_ranking:
        found = json.loads(Path(args.refant_ranking).read_text(encoding="utf-8"))
        recommended = found.get("recommended")
        if not recommended:
            raise ValueError(f"{args.refant_ranking}: expected a key 'recommended', found {', '.join(found)}")
        return str(recommended if isinstance(recommended, str | int) else ",".join(map(str, recommended)))
    return str(args.refant)


#: What a preset changes.
PRESETS: dict[str, dict[str, Any]] = {
    "development": {"fast": True},
    "standard": {},
    "high_precision": {"gain_solint": "int", "bp_minsnr": 5.0, "gain_minsnr": 5.0},
}
#: Windows with more than this fraction of bad channels are problematic.
PROBLEMATIC_SPW = 0.8
#: Tables of the development preset are for tests of the pipeline, not for science: the name says so.
DEVELOPMENT_PREFIX = "NON_SCIENCE_DEVELOPMENT_"


def _preset(args: argparse.Namespace) -> None:
    plain = parser().parse_args(["calibrate", "--ms", args.ms])
    for key, value in PRESETS.get(args.preset or "standard", {}).items():
        # What was typed goes before what the preset has.
        if getattr(args, key) == getattr(plain, key):
            setattr(args, key, value)
    if args.minimal:
        args.fast = True
        args.chanbin = args.chanbin or 16
    if args.fast:
        args.uvrange = args.uvrange or ">1klambda"
        args.gain_calmode = "p"
        args.chanbin = args.chanbin or 4


def _prefix(args: argparse.Namespace) -> str:
    from dsa110_contimg.calibration import stages

    path = stages.table_prefix(args.ms, args.table_prefix)
    return str(path.with_name(DEVELOPMENT_PREFIX + path.name) if args.preset == "development" else path)


def _calibrate(args: argparse.Namespace) -> dict[str, Any]:
    from dsa110_contimg.calibration import flagging, stages

    _preset(args)
    chosen = _choose(args) if args.auto_fields or args.model_source == "catalog" else None
    field = chosen["field"] if args.auto_fields and chosen else args.field
    out: dict[str, Any] = {"ms": args.ms, "field": field, "calibrator": chosen, "tables": []}
    if args.dry_run:
        return {**out, "refant": _refant(args), "prefix": _prefix(args)}
    if args.reset_ms:
        flagging.reset_flags(args.ms)
    if args.flagging_mode != "none":
        rfi = stages.RFI_STEPS if args.flagging_mode == "rfi" else ()
        extra = ({"step": "channels", "fraction": args.channel_flag_threshold},) if args.auto_flag_channels else ()
        out["flag"] = stages.flag(args.ms, [*stages.STANDARD_STEPS, *rfi, *extra])
        if out["flag"]["after_cross"] > 0.9:
            raise ValueError(
                f"{args.ms}: expected at least 10 % unflagged, found {100 - 100 * out['flag']['after_cross']:.1f} %"
            )
        if args.auto_flag_problematic_spws:
            out["problematic_spws"] = _flag_problematic_spws(args, out["flag"])
    if args.export_spw_stats:
        Path(args.export_spw_stats).write_text(json.dumps(out.get("flag", {}), default=str) + "\n", encoding="utf-8")
    _write_model(args, chosen)
    if args.export_model_image:
        from dsa110_contimg.calibration import model

        out["model_image"] = model.export_model_as_fits(args.ms, f"{_prefix(args)}_model.fits", cell_arcsec=6.0)
    out["tables"] = _solve(args, field)
    if args.plot_dir or args.plot_bandpass or args.plot_gain:
        from dsa110_contimg.calibration import quality

        wanted = {True: args.plot_bandpass, False: args.plot_gain}
        shown = [t for t in out["tables"] if wanted[t.endswith("_bpcal")] is not False]
        out["report"] = quality.report(shown, args.plot_dir or f"{_prefix(args)}_plots")
    return out


def _flag_problematic_spws(args: argparse.Namespace, report: dict[str, Any]) -> list[int]:
    """Flag windows most of whose channels are flagged for more than the threshold; returns them."""
    from dsa110_contimg.calibration import flagging

    found = []
    for (spw, _), channels in zip(report["windows"], report["channels"], strict=True):
        bad = sum(fraction > args.channel_flag_threshold for fraction in channels)
        if bad > PROBLEMATIC_SPW * len(channels):
            found.append(int(spw))
    if found:
        flagging.flag_manual(args.ms, spw=",".join(map(str, found)))
    return found


def _choose(args: argparse.Namespace) -> dict[str, Any]:
    from dsa110_contimg.calibration import fields

    return fields.choose(
        args.ms, ra_deg=args.cal_ra_deg, dec_deg=args.cal_dec_deg, flux_jy=args.cal_flux_jy, name=args.cal_name,
        catalog=args.cal_catalog, radius_deg=args.cal_search_radius_deg, window=args.bp_window, min_pb=args.bp_min_pb,
    )  # fmt: skip


def _solve(args: argparse.Namespace, field: str) -> list[str]:
    from dsa110_contimg.calibration import calibration

    refant, prefix = _refant(args), _prefix(args)
    combine = bool(args.bp_combine_field or args.auto_fields)
    common: dict[str, Any] = {"table_prefix": prefix}
    k = calibration.solve_delay(args.ms, field, refant, combine_spw=args.combine_spw, **common)[:1] if args.do_k else []
    phase: list[str] = []
    if args.prebp_phase:
        phase = calibration.solve_prebandpass_phase(
            args.ms, field, refant, combine_fields=combine, combine_spw=args.combine_spw, uvrange=args.prebp_uvrange,
            solint=args.prebp_solint, minsnr=args.prebp_minsnr, minblperant=args.prebp_minblperant, spw=args.prebp_spw,
            table_name=args.prebp_table_name, ktable=k[0] if k else None, **common,
        )  # fmt: skip
    ktable = k[0] if k else None
    band: list[str] = []
    if not args.skip_bp:
        band = calibration.solve_bandpass(
            args.ms, field, refant, ktable, combine_fields=combine, minsnr=args.bp_minsnr, uvrange=args.uvrange,
            prebandpass_phase_table=phase[0] if phase else None, bp_smooth_type=args.bp_smooth_type,
            bp_smooth_window=args.bp_smooth_window, combine=args.bp_combine, chanbin=args.chanbin or 1, **common,
        )  # fmt: skip
    gains: list[str] = []
    if not args.skip_g:
        gains = calibration.solve_gains(
            args.ms, field, refant, ktable, band, combine_fields=combine, calmode=args.gain_calmode,
            uvrange=args.uvrange, solint=args.gain_solint, minsnr=args.gain_minsnr, **common,
        )  # fmt: skip
    return [*k, *band, *gains]


def _write_model(args: argparse.Namespace, chosen: dict[str, Any] | None) -> None:
    from dsa110_contimg.calibration import model

    if args.model_source == "existing":
        return
    sources = {"component": args.model_component, "image": args.model_image}
    if args.model_source in sources:
        path = sources[args.model_source]
        if not path:
            raise ValueError(f"--model-source {args.model_source}: expected --model-{args.model_source}, found none")
        model.write_component_model_with_ft(args.ms, path)
    elif args.model_source == "nvss":
        model.populate_model_in_beam(args.ms, catalog_path=args.nvss_catalog, min_flux_mjy=args.nvss_min_mjy)
    elif args.model_source == "setjy":
        model.write_setjy_model(args.ms, args.model_field or "", spw=args.model_setjy_spw, name=args.cal_name)
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
            time_range_mjd_s=f.parse_timerange(args.timerange, args.ms) if args.timerange else None,
            datacolumn=column,
        ),
        "antenna": lambda: f.flag_antenna(args.ms, args.antenna or "", column),
        "baselines": lambda: f.flag_baselines(args.ms, args.uvrange, column),
        "summary": lambda: f.flag_summary(args.ms),
    }
    return run[args.mode]()


def _delays(args: argparse.Namespace) -> dict[str, Any]:
    from dsa110_contimg.calibration import delays

    out: dict[str, Any] = {"ms": args.ms}
    if args.command in ("check-delays", "inspect-delays"):
        out["slopes"] = delays.slopes(args.ms, n_baselines=args.n_baselines)
    if args.command in ("verify-delays", "inspect-delays"):
        out["delays"] = delays.measure(args.ms, field=args.field, refant=args.refant)
    return out


def _transits(args: argparse.Namespace) -> dict[str, Any]:
    from dsa110_contimg.calibration.catalogs import calibrator
    from dsa110_contimg.calibration.schedule import previous_transits

    if args.max_days_back < 1:
        raise ValueError(f"--max-days-back: expected at least 1, found {args.max_days_back}")
    entry = calibrator(args.name, args.cal_catalog)
    try:
        start = None if args.start is None else float(args.start)
    except ValueError:
        start = args.start
    times = previous_transits(
        entry["ra_deg"], dec_deg=entry["dec_deg"], n=args.max_days_back, start_time=start
    )  # one transit a sidereal day
    transits = [{"utc": t.isot, "mjd": float(t.mjd)} for t in times]
    if args.input_dir:
        _attach_files(transits, Path(args.input_dir), args.window_minutes)
    return {**entry, "window_minutes": args.window_minutes, "transits": transits}


def _attach_files(transits: list[dict[str, Any]], directory: Path, window_minutes: float) -> None:
    """UVH5 files whose name's time lies within the window about each transit."""
    import re
    from datetime import datetime

    if not directory.is_dir():
        raise FileNotFoundError(f"{directory}: expected a directory of UVH5 files, found none")
    epoch = datetime(1858, 11, 17)  # MJD 0; UTC throughout
    files = []
    for path in sorted(directory.glob("*_sb*.hdf5")):
        if match := re.match(r"(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})_sb\d{2}\.hdf5$", path.name):
            since = datetime.fromisoformat(match[1]) - epoch
            files.append((since.total_seconds() / 86_400.0, path.name))
    for transit in transits:
        near = [name for mjd, name in files if abs(mjd - transit["mjd"]) * 1440.0 <= 0.5 * window_minutes]
        transit["files"] = near


def _find_calibrators(args: argparse.Namespace) -> dict[str, Any]:
    from dsa110_contimg.calibration import catalogs, model

    directory = Path(args.ms_dir)
    sets = sorted(p for p in directory.rglob("*.ms") if p.is_dir())
    if not sets:
        raise FileNotFoundError(f"{directory}: expected Measurement Sets, found none")
    found = []
    for path in sets:
        ra, dec = model.middle_field_deg(path)
        near = catalogs.in_beam(ra, dec, args.cal_catalog, args.radius_deg, args.top_n)
        found.append({"ms": str(path), "ra_deg": ra, "dec_deg": dec, "calibrators": near})
    return {"sets": found}


def _run(args: argparse.Namespace) -> dict[str, Any]:
    from dsa110_contimg.calibration import applycal, caltables, validate

    if args.command == "calibrate":
        return _calibrate(args)
    if args.command == "apply":
        reach = {"max_age_days": args.max_age, "max_dec_deg": args.max_dec}
        applycal.apply_to_target(args.ms, args.field, args.tables, **reach)
        return {"ms": args.ms, "tables": args.tables}
    if args.command == "flag":
        return _flag(args)
    if args.command == "validate" and not args.tables:
        return validate.validate_ms_for_calibration(args.ms, args.field, args.refant)
    if args.command == "validate":
        found = validate.validate_caltables_for_use(args.tables, args.ms, refant=args.refant)
        return {"ms": args.ms, "tables": args.tables, "warnings": found}
    if args.command == "compare":
        return caltables.compare(args.caltable1, args.caltable2, args.tolerance)
    if args.command == "list-transits":
        return _transits(args)
    if args.command == "find-calibrators-in-ms":
        return _find_calibrators(args)
    return _delays(args)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run; the report is one JSON object on stdout, errors are one line on stderr."""
    args = parser().parse_args(arguments)
    try:
        result = _run(args)
    except (ContimgError, ValueError, OSError) as problem:
        sys.stderr.write(f"error: {problem}\n")
        return 1
    sys.stdout.write(json.dumps(result, default=str) + "\n")
    return 0 if result.get("same", True) else 1


if __name__ == "__main__":
    sys.exit(main())
