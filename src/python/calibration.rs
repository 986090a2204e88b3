//! Boundary of calibration: the stages `model`, `solve` and `apply`, and calibration tables.
//!
//! Requests and reports cross as JSON: their fields are documented with the structs of `tasks`.

use std::path::PathBuf;

use numpy::{Complex64, IntoPyArray};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use super::door::run_detached;
use crate::caltable;
use crate::gains::GainTable;
use crate::tasks;

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(model, module)?)?;
    module.add_function(wrap_pyfunction!(solve, module)?)?;
    module.add_function(wrap_pyfunction!(apply, module)?)?;
    module.add_function(wrap_pyfunction!(check_table, module)?)?;
    module.add_function(wrap_pyfunction!(read_table, module)?)
}

/// A request from its JSON; unknown and missing fields are a ValueError that names them.
pub(super) fn request<T: serde::de::DeserializeOwned>(text: &str) -> PyResult<T> {
    serde_json::from_str(text).map_err(|e| PyValueError::new_err(format!("request: {e}")))
}

/// A report as a dict.
pub(super) fn report<'py, T: serde::Serialize>(py: Python<'py>, value: &T) -> PyResult<Bound<'py, PyAny>> {
    let text = serde_json::to_string(value).map_err(|e| PyValueError::new_err(format!("report: {e}")))?;
    py.import("json")?.call_method1("loads", (text,))
}

/// Predict a sky model into MODEL_DATA.
#[pyfunction]
#[pyo3(signature = (params, *, progress=None))]
fn model<'py>(py: Python<'py>, params: &str, progress: Option<Py<PyAny>>) -> PyResult<Bound<'py, PyAny>> {
    let params: tasks::model::ModelParams = request(params)?;
    let done = run_detached(py, progress, |control| tasks::model::run(&params, control))?;
    report(py, &done)
}

/// Solve one term and write its table.
#[pyfunction]
#[pyo3(signature = (params, *, progress=None))]
fn solve<'py>(py: Python<'py>, params: &str, progress: Option<Py<PyAny>>) -> PyResult<Bound<'py, PyAny>> {
    let params: tasks::solve::SolveRequest = request(params)?;
    let done = run_detached(py, progress, |control| tasks::solve::run(&params, control))?;
    report(py, &done)
}

/// Apply tables to DATA.
#[pyfunction]
#[pyo3(signature = (params, *, progress=None))]
fn apply<'py>(py: Python<'py>, params: &str, progress: Option<Py<PyAny>>) -> PyResult<Bound<'py, PyAny>> {
    let params: tasks::apply::ApplyParams = request(params)?;
    let done = run_detached(py, progress, |control| tasks::apply::run(&params, control))?;
    report(py, &done)
}

/// The term of a calibration table ('K', 'B' or 'G'); an error says why the path is none.
#[pyfunction]
fn check_table(py: Python<'_>, path: PathBuf) -> PyResult<String> {
    run_detached(py, None, |_| caltable::check(&path)).map(|term| format!("{term:?}"))
}

/// A calibration table as arrays.
#[pyfunction]
fn read_table(py: Python<'_>, path: PathBuf) -> PyResult<Bound<'_, PyDict>> {
    let table = run_detached(py, None, |_| caltable::read(&path))?;
    table_dict(py, table)
}

fn table_dict(py: Python<'_>, table: GainTable) -> PyResult<Bound<'_, PyDict>> {
    let out = PyDict::new(py);
    let (flagged_working, working) = table.working_flagged_fraction();
    out.set_item("term", format!("{:?}", table.term))?;
    out.set_item("ms_name", &table.observation.ms_name)?;
    out.set_item("telescope", &table.observation.telescope)?;
    out.set_item("antennas", table.antennas.iter().map(|a| a.name.as_str()).collect::<Vec<_>>())?;
    out.set_item("fields", table.fields.iter().map(|f| f.name.as_str()).collect::<Vec<_>>())?;
    out.set_item("flagged_fraction_working", flagged_working)?;
    out.set_item("working_receptors", working)?;
    let windows = PyList::empty(py);
    for w in table.windows {
        let one = PyDict::new(py);
        one.set_item("spw", w.spw)?;
        one.set_item("freq_hz", w.freq_hz.into_pyarray(py))?;
        one.set_item("width_hz", w.width_hz.into_pyarray(py))?;
        one.set_item(
            "time_mjd_s",
            w.slots.iter().map(|s| s.time_mjd_s).collect::<Vec<f64>>().into_pyarray(py),
        )?;
        one.set_item("field", w.slots.iter().map(|s| s.field).collect::<Vec<i32>>().into_pyarray(py))?;
        one.set_item("refant", w.slots.iter().map(|s| s.refant).collect::<Vec<i32>>().into_pyarray(py))?;
        one.set_item("value_tafr", w.value_tafr.mapv(|v| Complex64::new(v.re, v.im)).into_pyarray(py))?;
        one.set_item("flag_tafr", w.flag_tafr.into_pyarray(py))?;
        one.set_item("snr_tafr", w.snr_tafr.into_pyarray(py))?;
        one.set_item("error_tafr", w.error_tafr.into_pyarray(py))?;
        windows.append(one)?;
    }
    out.set_item("windows", windows)?;
    Ok(out)
}
