//! Boundary of `ese`.

use pyo3::prelude::*;
use pyo3::types::PyDict;
use serde::Serialize;

use super::variability::column;
use super::{door, errors};
use crate::ese::{self as core, Band, BandsParams, JudgeParams, ScoreInput};
use crate::kind::BadArgument;
use crate::variability::Ragged;

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("FLAG_SCORE", core::FLAG_SCORE)?;
    module.add_function(wrap_pyfunction!(score, module)?)?;
    module.add_function(wrap_pyfunction!(judge, module)?)?;
    module.add_function(wrap_pyfunction!(judge_bands, module)?)
}

/// Anything that serialises, as Python dictionaries and lists; NaN becomes None.
pub(super) fn to_python<'py>(py: Python<'py>, value: &impl Serialize) -> PyResult<Bound<'py, PyAny>> {
    let text = serde_json::to_string(value)
        .map_err(|e| errors::exception(&BadArgument::new("report", "a value that serialises", e)))?;
    py.import("json")?.call_method1("loads", (text,))
}

/// The score of the original system and its parts.
#[pyfunction]
fn score<'py>(
    py: Python<'py>,
    chi2_nu: f64,
    v: f64,
    asymmetry: f64,
    timescale_days: f64,
    amplitude: f64,
) -> PyResult<Bound<'py, PyAny>> {
    to_python(py, &core::ese_score(&ScoreInput { chi2_nu, v, asymmetry, timescale_days, amplitude }))
}

fn params(options: Option<&Bound<'_, PyDict>>) -> PyResult<JudgeParams> {
    let mut p = JudgeParams::default();
    for (key, value) in options.into_iter().flat_map(|d| d.iter()) {
        match key.extract::<String>()?.as_str() {
            "min_score" => p.min_score = value.extract()?,
            "min_epochs" => p.min_epochs = value.extract()?,
            "min_dip_epochs" => p.min_dip_epochs = value.extract()?,
            "min_dip_snr" => p.min_dip_snr = value.extract()?,
            "min_depth" => p.min_depth = value.extract()?,
            "variable_chi2_nu" => p.variable_chi2_nu = value.extract()?,
            "variable_v" => p.variable_v = value.extract()?,
            "spike_sigma" => p.spike_sigma = value.extract()?,
            other => {
                let expected =
                    "min_score, min_epochs, min_dip_epochs, min_dip_snr, min_depth, variable_chi2_nu, \
                                variable_v or spike_sigma";
                return Err(errors::exception(&BadArgument::new("option", expected, other)));
            }
        }
    }
    Ok(p)
}

/// Judgements of many light curves of one band each, as a list of dictionaries.
#[pyfunction]
#[pyo3(signature = (offsets, mjd, flux, err, *, options=None, progress=None))]
fn judge<'py>(
    py: Python<'py>,
    offsets: Vec<usize>,
    mjd: &Bound<'py, PyAny>,
    flux: &Bound<'py, PyAny>,
    err: &Bound<'py, PyAny>,
    options: Option<&Bound<'py, PyDict>>,
    progress: Option<Py<PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let p = params(options)?;
    let (t, f, e) = (column(mjd, "mjd")?, column(flux, "flux")?, column(err, "err")?);
    let curves = Ragged { offsets: &offsets, mjd: t.as_slice()?, flux: f.as_slice()?, err: e.as_slice()? };
    let judged = door::run_detached(py, progress, |control| core::judge_many(curves, &p, control))?;
    to_python(py, &judged)
}

/// Judgements of many sources of several bands each: source `s` owns bands `first_band[s]..first_band[s + 1]`, band `b` has
/// frequency `freq_hz[b]` and owns points `offsets[b]..offsets[b + 1]`.
#[pyfunction]
#[pyo3(signature = (first_band, freq_hz, offsets, points, *, min_log_bf=None, options=None, progress=None))]
#[allow(clippy::too_many_arguments)] // keyword arguments of one Python call
fn judge_bands<'py>(
    py: Python<'py>,
    first_band: Vec<usize>,
    freq_hz: Vec<f64>,
    offsets: Vec<usize>,
    points: (Bound<'py, PyAny>, Bound<'py, PyAny>, Bound<'py, PyAny>),
    min_log_bf: Option<f64>,
    options: Option<&Bound<'py, PyDict>>,
    progress: Option<Py<PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let defaults = BandsParams::default();
    let min_log_bf = min_log_bf.unwrap_or(defaults.min_log_bf);
    // The lower threshold of one band and a high score moves along.
    let min_log_bf_scored = min_log_bf - (defaults.min_log_bf - defaults.min_log_bf_scored);
    let p = BandsParams { judge: params(options)?, min_log_bf, min_log_bf_scored };
    let (t, f, e) = (column(&points.0, "mjd")?, column(&points.1, "flux")?, column(&points.2, "err")?);
    let curves = Ragged { offsets: &offsets, mjd: t.as_slice()?, flux: f.as_slice()?, err: e.as_slice()? };
    let sources = Band::of_sources(&first_band, &freq_hz, curves).map_err(|e| errors::exception(&e))?;
    let judged = door::run_detached(py, progress, |control| core::judge_bands_many(&sources, &p, control))?;
    to_python(py, &judged)
}
