//! numpy arrays at the boundary: exact dtype, C order, shape by axis letters.

use numpy::{Element, PyArrayDyn, PyReadonlyArray, PyUntypedArray, PyUntypedArrayMethods};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;

/// A read-only view of an argument of `N` axes, or a `TypeError` that names the argument, what was expected and what came.
/// `axes` has one letter an axis, for example `"rfp"`.
pub(super) fn view<'py, T: Element, D: ndarray::Dimension>(
    value: &Bound<'py, PyAny>,
    name: &str,
    axes: &str,
) -> PyResult<PyReadonlyArray<'py, T, D>> {
    let expected = || {
        format!(
            "{name}: expected a C-contiguous numpy array of {} with axes ({axes})",
            std::any::type_name::<T>()
        )
    };
    let Ok(array) = value.cast::<PyUntypedArray>() else {
        return Err(PyTypeError::new_err(format!("{}, found {}", expected(), value.get_type().name()?)));
    };
    let found = || {
        format!(
            "{} with shape {:?}{}",
            array.dtype(),
            array.shape(),
            if array.is_c_contiguous() { "" } else { ", not C-contiguous" }
        )
    };
    if !array.is_c_contiguous() || array.ndim() != axes.len() {
        return Err(PyTypeError::new_err(format!("{}, found {}", expected(), found())));
    }
    let Ok(typed) = value.cast::<PyArrayDyn<T>>() else {
        return Err(PyTypeError::new_err(format!("{}, found {}", expected(), found())));
    };
    debug_assert!(typed.is_c_contiguous());
    value
        .extract::<PyReadonlyArray<'py, T, D>>()
        .map_err(|_| PyTypeError::new_err(format!("{}, found {}", expected(), found())))
}

/// Check that axes that share a letter share a length.
pub(super) fn same_length(name: &str, axis: char, expected: usize, found: usize) -> PyResult<()> {
    if expected == found {
        return Ok(());
    }
    Err(PyValueError::new_err(format!("{name}: expected {expected} along axis '{axis}', found {found}")))
}
