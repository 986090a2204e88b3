"""The original system's Python interface: every name scripts import is there, with its arguments and defaults."""

from __future__ import annotations

import ast
import importlib
import inspect
import subprocess
import sys

import pytest

# Module below `dsa110_contimg`: signatures as scripts call them. `...` as a default: any default will do (an object of the package).
INTERFACE: dict[str, list[str]] = {
    "conversion.strategies.hdf5_orchestrator": [
        "find_subband_groups(input_dir, start_time, end_time, *, spw=None, tolerance_s=30.0)",
        "convert_subband_groups_to_ms(input_dir, output_dir, start_time, end_time, *, flux=None, scratch_dir=None, "
        "writer='parallel-subband', writer_kwargs=None, skip_existing=False, checkpoint_file=None, path_mapper=None)",
    ],
    "conversion.ms_utils": [
        "configure_ms_for_imaging(ms_path, *, ensure_columns=True, ensure_flag_and_weight=True, do_initweights=True, "
        "fix_mount=True, stamp_observation_telescope=True, validate_columns=True)",
    ],
    "calibration.calibration": [
        "solve_delay(ms, cal_field, refant, table_prefix=None, combine_spw=False, t_slow='inf', t_fast='60s', "
        "uvrange='', minsnr=5.0, skip_slow=False)",
        "solve_prebandpass_phase(ms, cal_field, refant, table_prefix=None, combine_fields=False, combine_spw=False, "
        "uvrange='', solint='30s', minsnr=3.0, peak_field_idx=None, minblperant=None, spw=None, table_name=None)",
        "solve_bandpass(ms, cal_field, refant, ktable, table_prefix=None, set_model=True, "
        "model_standard='Perley-Butler 2017', combine_fields=False, combine_spw=False, minsnr=5.0, uvrange='', "
        "prebandpass_phase_table=None, bp_smooth_type=None, bp_smooth_window=None, peak_field_idx=None, combine=None)",
        "solve_gains(ms, cal_field, refant, ktable, bptables, table_prefix=None, t_short='60s', combine_fields=False, *, "
        "phase_only=False, uvrange='', solint='inf', minsnr=5.0, peak_field_idx=None)",
    ],
    "calibration.applycal": [
        "apply_to_target(ms_target, field, gaintables, interp=None, calwt=True, spwmap=None, verify=True)",
    ],
    "calibration.validate": [
        "validate_caltable_exists(caltable_path)",
        "validate_caltables_for_use(caltable_paths, ms_path, *, require_all=True, check_compatibility=True, refant=None)",
    ],
    "calibration.schedule": [
        "previous_transits(ra_deg, *, start_time=None, n=3, location=...)",
        "next_transit_time(ra_deg, start_time_mjd, location)",
    ],
    "calibration.catalogs": ["load_vla_catalog(explicit_path=None, prefer_sqlite=True)"],
    "calibration.model": [
        "write_point_model_with_ft(ms_path, ra_deg, dec_deg, flux_jy, *, reffreq_hz=1.4e9, spectral_index=None, "
        "field=None, use_manual=True)",
        "write_component_model_with_ft(ms_path, component_path)",
        "write_image_model_with_ft(ms_path, image_path)",
        "export_model_as_fits(ms_path, output_path, field=None, imsize=512, cell_arcsec=1.0)",
        "write_setjy_model(ms_path, field, *, standard='Perley-Butler 2017', spw='', usescratch=True)",
        "populate_model_from_catalog(ms_path, *, field=None, calibrator_name=None, cal_ra_deg=None, cal_dec_deg=None, "
        "cal_flux_jy=None)",
        "populate_model_from_image(ms_path, *, field=None, model_image)",
    ],
    "calibration.flagging": [
        "reset_flags(ms)",
        "flag_zeros(ms, datacolumn='data')",
        "flag_baselines(ms, uvrange='2~50m')",
        "flag_shadow(ms, tolerance=0.0)",
        "flag_quack(ms, quackinterval=2.0, quackmode='beg')",
        "flag_elevation(ms, lowerlimit=None, upperlimit=None)",
        "flag_summary(ms)",
    ],
    "utils.angles": ["wrap_phase_deg(angles_deg)", "wrap_0_360_deg(angles_deg)"],
    "imaging.cli_imaging": [
        "image_ms(ms_path, *, imagename, field='', spw='', imsize=1024, cell_arcsec=None, weighting='briggs', robust=0.0, "
        "specmode='mfs', deconvolver='hogbom', nterms=1, niter=1000, threshold='0.0Jy', pbcor=True, phasecenter=None, "
        "gridder='standard', wprojplanes=0, uvrange='', pblimit=0.2, psfcutoff=None, quality_tier='standard', "
        "skip_fits=False, vptable=None, wbawp=None, cfcache=None, nvss_min_mjy=None, calib_ra_deg=None, "
        "calib_dec_deg=None, calib_flux_jy=None, backend='native', wsclean_path=None, export_model_image=False, "
        "use_nvss_mask=True, mask_radius_arcsec=60.0)",
    ],
    "photometry.forced": [
        "measure_forced_peak(fits_path, ra_deg, dec_deg, *, box_size_pix=5, annulus_pix=(12, 20), noise_map_path=None, "
        "background_map_path=None, nbeam=3.0, use_weighted_convolution=True)",
        "inject_source(fits_path, ra_deg, dec_deg, flux_jy, *, output_path=None, nbeam=15.0)",
    ],
    "photometry.normalize": [
        "compute_ensemble_correction(fits_path, ref_sources, *, box_size_pix=5, annulus_pix=(12, 20), "
        "max_deviation_sigma=3.0)",
        "query_reference_sources(db_path, ra_center, dec_center, fov_radius_deg=1.5, min_snr=50.0, max_sources=20)",
        "normalize_measurement(raw_flux, raw_error, correction)",
    ],
    "photometry.variability": [
        "calculate_eta_metric(df, flux_col='normalized_flux_jy', err_col='normalized_flux_err_jy')",
        "calculate_vs_metric(flux_a, flux_b, flux_err_a, flux_err_b)",
        "calculate_m_metric(flux_a, flux_b)",
        "calculate_v_metric(fluxes)",
    ],
    "photometry.source": ["Source(source_id, ra_deg=None, dec_deg=None, name=None, products_db=None)"],
    "catalog.query": [
        "resolve_catalog_path(catalog_type, dec_strip=None, explicit_path=None)",
        "query_sources(catalog_type='nvss', ra_center=..., dec_center=..., radius_deg=1.5, *, dec_strip=None, "
        "min_flux_mjy=None, max_sources=None, catalog_path=None)",
    ],
    "database.registry": [
        "ensure_db(path)",
        "register_set_from_prefix(db_path, set_name, prefix, *, cal_field, refant, valid_start_mjd, valid_end_mjd, "
        "status='active')",
        "get_active_applylist(db_path, mjd, set_name=None)",
    ],
    "database.products": ["ensure_products_db(path)"],
}
# Of these the arguments are free: the original's were database connections or many columns.
NAMES = {
    "photometry.forced": ["measure_many"],
    "photometry.normalize": ["establish_baselines", "check_reference_stability"],
    "calibration.flagging": ["flag_rfi", "flag_antenna", "flag_manual", "flag_clip", "flag_extend"],
    "database.registry": ["register_set", "retire_set", "list_sets", "register_and_verify_caltables"],
    "database.products": [
        "ms_index_upsert",
        "images_insert",
        "photometry_insert",
        "discover_ms_files",
        "register_storage_location",
        "get_storage_locations",
    ],
}
# Started by operators as `python -m dsa110_contimg.<module>`.
PROGRAMS = [
    "conversion.strategies.hdf5_orchestrator",
    "conversion.cli",
    "calibration.cli",
    "imaging.cli",
    "mosaic.cli",
    "photometry.cli",
]

SIGNATURES = [(module, text) for module, texts in INTERFACE.items() for text in texts]


def parameters(text: str) -> tuple[str, list[tuple[str, str, object]]]:
    """Name, and (argument, `position` or `keyword`, default) of each argument, of a signature in words."""
    definition = ast.parse(f"def {text}: pass").body[0]
    assert isinstance(definition, ast.FunctionDef)
    arguments = definition.args
    found: list[tuple[str, str, object]] = []
    defaults = [None] * (len(arguments.args) - len(arguments.defaults)) + list(arguments.defaults)
    for kind, names, values in (
        ("position", arguments.args, defaults),
        ("keyword", arguments.kwonlyargs, arguments.kw_defaults),
    ):
        for argument, value in zip(names, values, strict=True):
            found.append((argument.arg, kind, inspect.Parameter.empty if value is None else ast.literal_eval(value)))
    return definition.name, found


@pytest.mark.parametrize(("module", "text"), SIGNATURES, ids=[f"{m}.{t.split('(')[0]}" for m, t in SIGNATURES])
def test_a_callable_keeps_its_arguments_and_defaults(module: str, text: str) -> None:
    name, wanted = parameters(text)
    given = inspect.signature(getattr(importlib.import_module(f"dsa110_contimg.{module}"), name)).parameters
    assert set(given) >= {argument for argument, _, _ in wanted}
    positional = [n for n, p in given.items() if p.kind is p.POSITIONAL_OR_KEYWORD]
    assert positional[: sum(kind == "position" for _, kind, _ in wanted)] == [
        a for a, k, _ in wanted if k == "position"
    ]
    for argument, _, default in wanted:
        # Where theirs must be given, ours may have a default.
        if default is ... or default is inspect.Parameter.empty:
            continue
        assert given[argument].default == default, argument
    # What is new in ours must not be asked of a script of theirs.
    new = [p for n, p in given.items() if n not in {argument for argument, _, _ in wanted}]
    assert all(p.default is not p.empty or p.kind in (p.VAR_KEYWORD, p.VAR_POSITIONAL) for p in new)


@pytest.mark.parametrize(("module", "name"), [(m, n) for m, names in NAMES.items() for n in names])
def test_a_name_is_there(module: str, name: str) -> None:
    assert callable(getattr(importlib.import_module(f"dsa110_contimg.{module}"), name))


@pytest.mark.parametrize("module", PROGRAMS)
def test_a_program_explains_itself(module: str) -> None:
    command = [sys.executable, "-m", f"dsa110_contimg.{module}", "--help"]
    result = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert "usage" in result.stdout.lower()
