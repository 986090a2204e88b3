//! Boundary of `simulate`: parameters and truth cross as JSON text.

use std::path::PathBuf;

use ndarray::Ix3;
use num_complex::Complex64;
use numpy::{IntoPyArray, PyArray1};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::{arrays, door, errors};
use crate::simulate::{iso_utc, parse_sky_csv, random_sky, Error, Gains, Variability};
use crate::tasks::simulate::{run, SimulateParams};

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(group, module)?)?;
    module.add_function(wrap_pyfunction!(sky, module)?)?;
    module.add_function(wrap_pyfunction!(sky_csv, module)?)?;
    module.add_function(wrap_pyfunction!(light_curve, module)?)?;
    module.add_function(wrap_pyfunction!(utc_name, module)?)
}

/// Write one synthetic group; `params` is JSON. Gains, when given, are complex128 (antenna, receptor, channel ascending) and
/// (antenna, receptor, time).
#[pyfunction]
#[pyo3(signature = (params, out, *, antennas=None, bandpass_apf=None, gain_apt=None, replace=false, progress=None))]
#[allow(clippy::too_many_arguments)] // Python's keywords.
fn group<'py>(
    py: Python<'py>,
    params: &str,
    out: PathBuf,
    antennas: Option<PathBuf>,
    bandpass_apf: Option<&Bound<'py, PyAny>>,
    gain_apt: Option<&Bound<'py, PyAny>>,
    replace: bool,
    progress: Option<Py<PyAny>>,
) -> PyResult<Bound<'py, PyDict>> {
    let gains = given_gains(bandpass_apf, gain_apt)?;
    let params = SimulateParams { group: from_json("params", params)?, out, antennas, gains, replace };
    let report = door::run_detached(py, progress, move |control| run(params, control))?;
    let dict = PyDict::new(py);
    dict.set_item("group", report.group)?;
    dict.set_item("files", report.files)?;
    dict.set_item("truth_path", report.truth_path)?;
    dict.set_item("truth", to_json(&report.truth)?)?;
    Ok(dict)
}

/// A random sky as JSON; `params` is JSON.
#[pyfunction]
fn sky(params: &str) -> PyResult<String> {
    let sources = random_sky(&from_json("params", params)?).map_err(|e| errors::exception(&e))?;
    to_json(&sources)
}

/// Sources of CSV text as JSON; `origin` names it in errors.
#[pyfunction]
fn sky_csv(text: &str, origin: &str) -> PyResult<String> {
    to_json(&parse_sky_csv(text, origin).map_err(|e| errors::exception(&e))?)
}

/// Flux over quiet flux at each MJD (days) and one frequency; `variability` is JSON.
#[pyfunction]
fn light_curve<'py>(
    py: Python<'py>,
    variability: &str,
    mjd: &Bound<'py, PyAny>,
    freq_hz: f64,
) -> PyResult<Bound<'py, PyArray1<f64>>> {
    let variability: Variability = from_json("variability", variability)?;
    variability.check().map_err(|e| errors::exception(&e))?;
    let mjd: Vec<f64> = arrays::view::<f64, ndarray::Ix1>(mjd, "mjd", "t")?.as_array().to_vec();
    let factor = door::run_detached(py, None, move |_| {
        Ok::<Vec<f64>, Error>(mjd.iter().map(|t| variability.factor(*t, freq_hz)).collect())
    })?;
    Ok(factor.into_pyarray(py))
}

/// `YYYY-MM-DDTHH:MM:SS` of a UTC time in MJD seconds, as the correlator names files.
#[pyfunction]
fn utc_name(time_mjd_s: f64) -> String {
    iso_utc(time_mjd_s)
}

fn given_gains(
    bandpass_apf: Option<&Bound<'_, PyAny>>,
    gain_apt: Option<&Bound<'_, PyAny>>,
) -> PyResult<Option<Gains>> {
    match (bandpass_apf, gain_apt) {
        (None, None) => Ok(None),
        (Some(bandpass), Some(gain)) => {
            let bandpass_apf =
                arrays::view::<Complex64, Ix3>(bandpass, "bandpass_apf", "apf")?.as_array().to_owned();
            let gain_apt = arrays::view::<Complex64, Ix3>(gain, "gain_apt", "apt")?.as_array().to_owned();
            let delay_ns = vec![[0.0; 2]; bandpass_apf.dim().0];
            Ok(Some(Gains { bandpass_apf, gain_apt, delay_ns }))
        }
        _ => Err(PyValueError::new_err("bandpass_apf, gain_apt: expected both or none, found one")),
    }
}

pub(super) fn from_json<T: serde::de::DeserializeOwned>(what: &str, text: &str) -> PyResult<T> {
    serde_json::from_str(text).map_err(|e| PyValueError::new_err(format!("{what}: {e}")))
}

pub(super) fn to_json<T: serde::Serialize>(value: &T) -> PyResult<String> {
    serde_json::to_string(value).map_err(|e| PyValueError::new_err(e.to_string()))
}
