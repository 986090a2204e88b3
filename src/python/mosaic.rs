//! Boundary of `mosaic`: the stage `mosaic`.

use pyo3::prelude::*;

use super::ese::to_python;
use super::{door, errors};
use crate::kind::BadArgument;
use crate::tasks::mosaic::{self, MosaicParams};

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(build, module)?)
}

/// Judge and add tiles; `options` is a JSON object of `MosaicParams`. Returns the report.
#[pyfunction]
#[pyo3(signature = (options, *, progress=None))]
fn build<'py>(py: Python<'py>, options: &str, progress: Option<Py<PyAny>>) -> PyResult<Bound<'py, PyAny>> {
    let params: MosaicParams = serde_json::from_str(options)
        .map_err(|e| errors::exception(&BadArgument::new("options", "a JSON object of mosaic options", e)))?;
    let report = door::run_detached(py, progress, |control| mosaic::run(&params, control))?;
    to_python(py, &report)
}
