//! Boundary of `db`: columns of arrays into tables.

use numpy::{PyReadonlyArray1, PyReadonlyArray2};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;

use super::db::{value_from, PyDatabase};
use crate::db::{Column, ColumnBatch};

/// Table, columns by name, conflict columns.
type PyColumns<'py> = (String, Vec<(String, Bound<'py, PyAny>)>, Vec<String>);

fn column_from(object: &Bound<'_, PyAny>) -> PyResult<Column> {
    if let Ok(values) = object.extract::<PyReadonlyArray1<'_, f64>>() {
        return Ok(Column::Real(values.as_array().to_vec()));
    }
    if let Ok(values) = object.extract::<PyReadonlyArray1<'_, i64>>() {
        return Ok(Column::Integer(values.as_array().to_vec()));
    }
    if let Ok(values) = object.extract::<PyReadonlyArray2<'_, f64>>() {
        let view = values.as_array();
        return Ok(Column::Packed { values: view.iter().copied().collect(), width: view.ncols() });
    }
    if object.is_instance_of::<pyo3::types::PyList>() {
        return Ok(Column::Text(object.extract()?));
    }
    if object.hasattr("dtype")? {
        let found = object.getattr("dtype")?;
        return Err(PyTypeError::new_err(format!(
            "column: expected an array of float64 or int64, or float64 rows to pack, found {found}"
        )));
    }
    Ok(Column::Same(value_from(object)?))
}

/// Insert columns into several tables in one transaction: all of it or nothing. A column is an array of float64 (NaN is
/// NULL) or int64, a list of str, rows of float64 that are packed as JSON lists, or one value for every row.
#[pyfunction]
pub(super) fn insert_columns(
    py: Python<'_>,
    database: PyRef<'_, PyDatabase>,
    batches: Vec<PyColumns<'_>>,
) -> PyResult<usize> {
    let convert = |(table, columns, conflict): PyColumns<'_>| -> PyResult<ColumnBatch> {
        let columns = columns.into_iter().map(|(name, object)| Ok((name, column_from(&object)?)));
        Ok(ColumnBatch { table, columns: columns.collect::<PyResult<_>>()?, conflict })
    };
    let batches = batches.into_iter().map(convert).collect::<PyResult<Vec<_>>>()?;
    let database: &PyDatabase = &database;
    database.run(py, |db| db.insert_columns(&batches))
}
