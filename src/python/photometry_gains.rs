//! Boundary of `photometry`: normalisation, flux scale, adaptive bins.

use ndarray::{Ix2, Ix3};
use numpy::{IntoPyArray, PyArray1};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::ese::to_python;
use super::variability::column;
use super::{arrays, door, errors};
use crate::kind::BadArgument;
use crate::photometry::{self as core, Campaign, EnsembleParams, GainFieldParams, ScaleParams};

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(baseline, module)?)?;
    module.add_function(wrap_pyfunction!(ensemble_correction, module)?)?;
    module.add_function(wrap_pyfunction!(leave_one_out, module)?)?;
    module.add_function(wrap_pyfunction!(normalise, module)?)?;
    module.add_function(wrap_pyfunction!(gain_field, module)?)?;
    module.add_function(wrap_pyfunction!(flux_scale, module)?)?;
    module.add_function(wrap_pyfunction!(fractional_floor, module)?)?;
    module.add_function(wrap_pyfunction!(adaptive_bins, module)?)
}

/// Options of `gain_field`, from a dictionary; an unknown key is an error.
fn gain_params(options: Option<&Bound<'_, PyDict>>) -> PyResult<GainFieldParams> {
    let mut p = GainFieldParams::default();
    for (key, value) in options.into_iter().flat_map(|d| d.iter()) {
        match key.extract::<String>()?.as_str() {
            "radius_deg" => p.radius_deg = value.extract()?,
            "baseline_epochs" => p.baseline_epochs = value.extract()?,
            "min_references" => p.min_references = value.extract()?,
            "prior" => p.prior = value.extract()?,
            "huber" => p.huber = value.extract()?,
            "floor" => p.floor = value.extract()?,
            "max_chi2" => p.max_chi2 = value.extract()?,
            "passes" => p.passes = value.extract()?,
            other => {
                let expected =
                    "radius_deg, baseline_epochs, min_references, prior, huber, floor, max_chi2 or passes";
                return Err(errors::exception(&BadArgument::new("option", expected, other)));
            }
        }
    }
    Ok(p)
}

/// Gains of all epochs (in order of time) as a field over the beam and frequency, and the fluxes normalised by them.
#[pyfunction]
#[pyo3(signature = (flux_sef, err_sef, x_se, y_se, freq_hz, reference, *, options=None, progress=None))]
#[allow(clippy::too_many_arguments)] // keyword arguments of one Python call
fn gain_field<'py>(
    py: Python<'py>,
    flux_sef: &Bound<'py, PyAny>,
    err_sef: &Bound<'py, PyAny>,
    x_se: &Bound<'py, PyAny>,
    y_se: &Bound<'py, PyAny>,
    freq_hz: &Bound<'py, PyAny>,
    reference: Vec<bool>,
    options: Option<&Bound<'py, PyDict>>,
    progress: Option<Py<PyAny>>,
) -> PyResult<Bound<'py, PyDict>> {
    let params = gain_params(options)?;
    let flux = arrays::view::<f64, Ix3>(flux_sef, "flux_sef", "sef")?;
    let err = arrays::view::<f64, Ix3>(err_sef, "err_sef", "sef")?;
    let (x, y) =
        (arrays::view::<f64, Ix2>(x_se, "x_se", "se")?, arrays::view::<f64, Ix2>(y_se, "y_se", "se")?);
    let freq = column(freq_hz, "freq_hz")?;
    let campaign = Campaign {
        flux_sef: flux.as_array(),
        err_sef: err.as_array(),
        x_se: x.as_array(),
        y_se: y.as_array(),
        freq_hz: freq.as_slice()?,
        reference: &reference,
    };
    let found = door::run_detached(py, progress, |control| core::gain_field(campaign, &params, control))?;
    let out = PyDict::new(py);
    out.set_item("norm_sef", found.norm_sef.into_pyarray(py))?;
    out.set_item("norm_err_sef", found.norm_err_sef.into_pyarray(py))?;
    out.set_item("gain_sef", found.gain_sef.into_pyarray(py))?;
    out.set_item("gain_err_sef", found.gain_err_sef.into_pyarray(py))?;
    out.set_item("reference_sep_se", found.reference_sep_se.into_pyarray(py))?;
    out.set_item("reference", found.reference.into_pyarray(py))?;
    out.set_item("epochs", to_python(py, &found.epochs)?)?;
    Ok(out)
}

/// Robust line of measured against catalogue fluxes.
#[pyfunction]
#[pyo3(signature = (flux_jy, err_jy, catalog_jy, *, catalog_scatter=0.1, min_sources=3))]
fn flux_scale<'py>(
    py: Python<'py>,
    flux_jy: &Bound<'py, PyAny>,
    err_jy: &Bound<'py, PyAny>,
    catalog_jy: &Bound<'py, PyAny>,
    catalog_scatter: f64,
    min_sources: usize,
) -> PyResult<Bound<'py, PyAny>> {
    let (flux, err) = (column(flux_jy, "flux_jy")?, column(err_jy, "err_jy")?);
    let catalog = column(catalog_jy, "catalog_jy")?;
    let params = ScaleParams { catalog_scatter, min_sources, ..ScaleParams::default() };
    let found = core::flux_scale(flux.as_slice()?, err.as_slice()?, catalog.as_slice()?, &params)
        .map_err(|e| errors::exception(&e))?;
    to_python(py, &found)
}

/// Fractional noise beyond the known, with its 68 % interval; None with too few values.
#[pyfunction]
fn fractional_floor<'py>(
    py: Python<'py>,
    residual: &Bound<'py, PyAny>,
    sigma: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let (residual, sigma) = (column(residual, "residual")?, column(sigma, "sigma")?);
    to_python(py, &core::fractional_floor(residual.as_slice()?, sigma.as_slice()?))
}

/// Bins of adjacent channels in which a spectrum reaches `target_snr`, narrowest first.
#[pyfunction]
#[pyo3(signature = (flux_jy, err_jy, *, target_snr=5.0, max_width=16))]
fn adaptive_bins<'py>(
    py: Python<'py>,
    flux_jy: &Bound<'py, PyAny>,
    err_jy: &Bound<'py, PyAny>,
    target_snr: f64,
    max_width: usize,
) -> PyResult<Bound<'py, PyAny>> {
    let (flux, err) = (column(flux_jy, "flux_jy")?, column(err_jy, "err_jy")?);
    let found = core::adaptive_bins(flux.as_slice()?, err.as_slice()?, target_snr, max_width)
        .map_err(|e| errors::exception(&e))?;
    to_python(py, &found)
}

/// Median and scaled MAD of a source's first epochs, and their number; None with too few.
#[pyfunction]
#[pyo3(signature = (mjd, flux_jy, *, epochs=10, min_epochs=3))]
fn baseline(
    mjd: &Bound<'_, PyAny>,
    flux_jy: &Bound<'_, PyAny>,
    epochs: usize,
    min_epochs: usize,
) -> PyResult<Option<(f64, f64, usize)>> {
    let params = EnsembleParams {
        baseline_epochs: epochs,
        min_baseline_epochs: min_epochs,
        ..EnsembleParams::default()
    };
    let found =
        core::baseline(column(mjd, "mjd")?.as_slice()?, column(flux_jy, "flux_jy")?.as_slice()?, &params);
    Ok(found.map(|b| (b.flux_jy, b.rms_jy, b.n)))
}

/// `(factor, rms, err, used)` of one epoch.
#[pyfunction]
#[pyo3(signature = (flux_jy, baseline_jy, *, clip_sigma=3.0, min_references=3))]
fn ensemble_correction<'py>(
    py: Python<'py>,
    flux_jy: &Bound<'py, PyAny>,
    baseline_jy: &Bound<'py, PyAny>,
    clip_sigma: f64,
    min_references: usize,
) -> PyResult<(f64, f64, f64, Bound<'py, PyArray1<bool>>)> {
    let params = EnsembleParams { clip_sigma, min_references, ..EnsembleParams::default() };
    let (flux, base) = (column(flux_jy, "flux_jy")?, column(baseline_jy, "baseline_jy")?);
    let c =
        core::correction(flux.as_slice()?, base.as_slice()?, &params).map_err(|e| errors::exception(&e))?;
    Ok((c.factor, c.rms, c.err, c.used.into_pyarray(py)))
}

/// For each reference `(factor, rms, err)` from all others; NaN where too few others remain.
#[pyfunction]
#[pyo3(signature = (flux_jy, baseline_jy, *, clip_sigma=3.0, min_references=3))]
fn leave_one_out<'py>(
    py: Python<'py>,
    flux_jy: &Bound<'py, PyAny>,
    baseline_jy: &Bound<'py, PyAny>,
    clip_sigma: f64,
    min_references: usize,
) -> PyResult<(Bound<'py, PyArray1<f64>>, Bound<'py, PyArray1<f64>>, Bound<'py, PyArray1<f64>>)> {
    let params = EnsembleParams { clip_sigma, min_references, ..EnsembleParams::default() };
    let (flux, base) = (column(flux_jy, "flux_jy")?, column(baseline_jy, "baseline_jy")?);
    let found = core::leave_one_out(flux.as_slice()?, base.as_slice()?, &params)
        .map_err(|e| errors::exception(&e))?;
    let array = |get: fn(&core::Correction) -> f64| {
        PyArray1::from_iter(py, found.iter().map(move |c| c.as_ref().map_or(f64::NAN, get)))
    };
    Ok((array(|c| c.factor), array(|c| c.rms), array(|c| c.err)))
}

/// Flux and error on the scale of the baselines.
#[pyfunction]
fn normalise(flux_jy: f64, flux_err_jy: f64, factor: f64, factor_err: f64) -> (f64, f64) {
    core::normalise(flux_jy, flux_err_jy, factor, factor_err)
}
