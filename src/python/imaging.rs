//! Boundary of `imaging`: the stage `image`.

use pyo3::prelude::*;

use super::ese::to_python;
use super::{door, errors};
use crate::kind::BadArgument;
use crate::tasks::dynspec::{self, DynspecParams};
use crate::tasks::image::{self, ImageParams};

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    super::tile::register(module)?;
    module.add_function(wrap_pyfunction!(image_ms, module)?)?;
    module.add_function(wrap_pyfunction!(dynspec_ms, module)?)?;
    module.add_function(wrap_pyfunction!(default_options, module)?)
}

/// Image Measurement Sets; `options` is a JSON object of `ImageParams`. Returns the report.
#[pyfunction]
#[pyo3(signature = (options, *, progress=None))]
fn image_ms<'py>(py: Python<'py>, options: &str, progress: Option<Py<PyAny>>) -> PyResult<Bound<'py, PyAny>> {
    let params: ImageParams = serde_json::from_str(options)
        .map_err(|e| errors::exception(&BadArgument::new("options", "a JSON object of image options", e)))?;
    let report = door::run_detached(py, progress, |control| image::run(&params, control))?;
    to_python(py, &report)
}

/// Dynamic spectrum of one direction; `options` is a JSON object of `DynspecParams`. Returns the report.
#[pyfunction]
#[pyo3(signature = (options, *, progress=None))]
fn dynspec_ms<'py>(
    py: Python<'py>,
    options: &str,
    progress: Option<Py<PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let params: DynspecParams = serde_json::from_str(options).map_err(|e| {
        errors::exception(&BadArgument::new("options", "a JSON object of dynspec options", e))
    })?;
    let report = door::run_detached(py, progress, |control| dynspec::run(&params, control))?;
    to_python(py, &report)
}

/// Every option of `image_ms` with its default.
#[pyfunction]
fn default_options(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    to_python(py, &ImageParams::default())
}
