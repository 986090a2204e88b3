//! Boundary of flagging: the stage `flag`.

use pyo3::prelude::*;

use super::calibration::{report, request};
use super::door::run_detached;
use crate::tasks;

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(flag, module)?)
}

/// Run flagging steps over a Measurement Set; `params` is the JSON of `tasks::flag::FlagParams`.
#[pyfunction]
#[pyo3(signature = (params, *, progress=None))]
fn flag<'py>(py: Python<'py>, params: &str, progress: Option<Py<PyAny>>) -> PyResult<Bound<'py, PyAny>> {
    let params: tasks::flag::FlagParams = request(params)?;
    let done = run_detached(py, progress, |control| tasks::flag::run(&params, control))?;
    report(py, &done)
}
