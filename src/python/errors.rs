//! The only place where an error of the core becomes a Python exception.

use pyo3::create_exception;
use pyo3::exceptions::{PyException, PyOSError, PyValueError};
use pyo3::prelude::*;

use crate::kind::{ErrorKind, Kind};

create_exception!(_core, ContimgError, PyException, "Base of the package's own exceptions.");
create_exception!(_core, DataError, ContimgError, "The input is damaged, foreign or inconsistent.");
create_exception!(_core, ConvergenceError, ContimgError, "An iteration did not converge.");

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    module.add("ContimgError", py.get_type::<ContimgError>())?;
    module.add("DataError", py.get_type::<DataError>())?;
    module.add("ConvergenceError", py.get_type::<ConvergenceError>())
}

/// The exception of an error: by kind, with `OSError` subclasses chosen by `errno` where the source chain has one.
pub(super) fn exception(error: &(dyn Kind + 'static)) -> PyErr {
    let text = error.to_string();
    match error.kind() {
        ErrorKind::Argument => PyValueError::new_err(text),
        ErrorKind::Data => DataError::new_err(text),
        ErrorKind::Unconverged => ConvergenceError::new_err(text),
        ErrorKind::Cancelled => cancelled(text),
        ErrorKind::Io => match errno(error) {
            Some(code) => PyOSError::new_err((code, text)),
            None => PyOSError::new_err(text),
        },
    }
}

fn cancelled(text: String) -> PyErr {
    Python::attach(|py| match py.import("concurrent.futures").and_then(|m| m.getattr("CancelledError")) {
        Ok(class) => match class.call1((text,)) {
            Ok(value) => PyErr::from_value(value),
            Err(e) => e,
        },
        Err(e) => e,
    })
}

fn errno(error: &(dyn Kind + 'static)) -> Option<i32> {
    let mut source = error.source();
    while let Some(inner) = source {
        if let Some(code) = inner.downcast_ref::<std::io::Error>().and_then(std::io::Error::raw_os_error) {
            return Some(code);
        }
        source = inner.source();
    }
    None
}
