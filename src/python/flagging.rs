//! Boundary of flagging: the stage `flag`.

use std::path::PathBuf;

use pyo3::prelude::*;

use super::calibration::{report, request};
use super::door::run_detached;
use crate::tasks;

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(flag, module)?)?;
    module.add_function(wrap_pyfunction!(versions, module)?)?;
    module.add_function(wrap_pyfunction!(save_version, module)?)?;
    module.add_function(wrap_pyfunction!(restore_version, module)?)
}

/// Run flagging steps over a Measurement Set; `params` is the JSON of `tasks::flag::FlagParams`.
#[pyfunction]
#[pyo3(signature = (params, *, progress=None))]
fn flag<'py>(py: Python<'py>, params: &str, progress: Option<Py<PyAny>>) -> PyResult<Bound<'py, PyAny>> {
    let params: tasks::flag::FlagParams = request(params)?;
    let done = run_detached(py, progress, |control| tasks::flag::run(&params, control))?;
    report(py, &done)
}

/// Flag versions of a Measurement Set: a list of `{"name", "comment"}`.
#[pyfunction]
fn versions(py: Python<'_>, ms: PathBuf) -> PyResult<Bound<'_, PyAny>> {
    let found = run_detached(py, None, |_| tasks::flag_versions::list(&ms))?;
    report(py, &found)
}

/// Save FLAG under a name; a version of that name is kept under another one, or replaced.
#[pyfunction]
#[pyo3(signature = (ms, name, comment="", *, replace=false))]
fn save_version(py: Python<'_>, ms: PathBuf, name: &str, comment: &str, replace: bool) -> PyResult<()> {
    run_detached(py, None, |control| tasks::flag_versions::save(&ms, name, comment, replace, control))
}

/// Put a saved version back into FLAG.
#[pyfunction]
fn restore_version(py: Python<'_>, ms: PathBuf, name: &str) -> PyResult<()> {
    run_detached(py, None, |control| tasks::flag_versions::restore(&ms, name, control))
}
