//! Boundary of `db`.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyInt, PyList, PyString};

use super::{door, errors};
use crate::db::{
    self, Arrival, Batch, Condition, Database, Operator, Row, Schema, Selection, TableType, Value,
};

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PyDatabase>()?;
    module.add_function(wrap_pyfunction!(query, module)?)?;
    module.add_function(wrap_pyfunction!(super::db_columns::insert_columns, module)?)?;
    module.add_function(wrap_pyfunction!(table_type, module)?)
}

/// Table, columns, rows, conflict columns.
type PyBatch<'py> = (String, Vec<String>, Vec<Vec<Bound<'py, PyAny>>>, Vec<String>);

pub(super) fn value_from(object: &Bound<'_, PyAny>) -> PyResult<Value> {
    if object.is_none() {
        return Ok(Value::Null);
    }
    if object.is_instance_of::<PyBool>() || object.is_instance_of::<PyInt>() {
        return Ok(Value::Integer(object.extract()?));
    }
    if object.is_instance_of::<PyFloat>() {
        let number: f64 = object.extract()?;
        // SQLite stores NaN as NULL; do it knowingly.
        return Ok(if number.is_nan() { Value::Null } else { Value::Real(number) });
    }
    if object.is_instance_of::<PyString>() {
        return Ok(Value::Text(object.extract()?));
    }
    if let Ok(bytes) = object.cast::<PyBytes>() {
        return Ok(Value::Blob(bytes.as_bytes().to_vec()));
    }
    // numpy scalars and paths
    if let Ok(item) = object.call_method0("item") {
        return value_from(&item);
    }
    if object.hasattr("__fspath__")? {
        return Ok(Value::Text(object.str()?.extract()?));
    }
    Err(PyTypeError::new_err(format!(
        "database value: expected None, bool, int, float, str, bytes or a path, found {}",
        object.get_type().name()?
    )))
}

fn value_into<'py>(py: Python<'py>, value: Value) -> PyResult<Bound<'py, PyAny>> {
    Ok(match value {
        Value::Null => py.None().into_bound(py),
        Value::Integer(v) => v.into_pyobject(py)?.into_any(),
        Value::Real(v) => v.into_pyobject(py)?.into_any(),
        Value::Text(v) => v.into_pyobject(py)?.into_any(),
        Value::Blob(v) => PyBytes::new(py, &v).into_any(),
    })
}

fn rows_into<'py>(py: Python<'py>, rows: Vec<Row>) -> PyResult<Bound<'py, PyList>> {
    let list = PyList::empty(py);
    for row in rows {
        let dict = PyDict::new(py);
        for (name, value) in row {
            dict.set_item(name, value_into(py, value)?)?;
        }
        list.append(dict)?;
    }
    Ok(list)
}

fn conditions_from(where_: Option<Vec<(String, String, Bound<'_, PyAny>)>>) -> PyResult<Vec<Condition>> {
    let convert = |(column, symbol, value): (String, String, Bound<'_, PyAny>)| {
        let operator = Operator::from_symbol(&symbol).ok_or_else(|| {
            PyValueError::new_err(format!("operator: expected = != < <= > >=, found {symbol:?}"))
        })?;
        Ok(Condition { column, operator, value: value_from(&value)? })
    };
    where_.unwrap_or_default().into_iter().map(convert).collect()
}

/// A database of one of the schemas `queue`, `registry`, `products`, `catalog`; migrated when opened.
#[pyclass(name = "Database", module = "dsa110_contimg._core.db", frozen)]
pub(super) struct PyDatabase {
    inner: Mutex<Database>,
}

impl PyDatabase {
    fn lock(&self) -> MutexGuard<'_, Database> {
        // A panic while the lock was held left at most an uncommitted transaction, which SQLite rolls back.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn run<T: Send>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&mut Database) -> Result<T, db::Error> + Send,
    ) -> PyResult<T> {
        door::run_detached(py, None, |_| work(&mut self.lock()))
    }
}

#[pymethods]
impl PyDatabase {
    #[new]
    fn new(py: Python<'_>, path: PathBuf, schema: &str) -> PyResult<Self> {
        let Some(schema) = Schema::from_name(schema) else {
            let known: Vec<&str> = Schema::ALL.iter().map(|s| s.name()).collect();
            return Err(PyValueError::new_err(format!(
                "schema: expected one of {}, found {schema:?}",
                known.join(", ")
            )));
        };
        let inner = py.detach(|| Database::open(&path, schema)).map_err(|e| errors::exception(&e))?;
        Ok(Self { inner: Mutex::new(inner) })
    }

    #[getter]
    fn path(&self) -> PathBuf {
        self.lock().path().to_owned()
    }

    #[getter]
    fn schema(&self) -> &'static str {
        self.lock().schema().name()
    }

    fn tables(&self) -> Vec<String> {
        self.lock().tables().into_iter().map(str::to_owned).collect()
    }

    #[pyo3(signature = (table, *, columns=None, where_=None, order_by=None, limit=None, offset=0))]
    #[allow(clippy::too_many_arguments)] // keyword arguments of one Python call
    fn select<'py>(
        &self,
        py: Python<'py>,
        table: String,
        columns: Option<Vec<String>>,
        where_: Option<Vec<(String, String, Bound<'py, PyAny>)>>,
        order_by: Option<Vec<(String, bool)>>,
        limit: Option<u64>,
        offset: u64,
    ) -> PyResult<Bound<'py, PyList>> {
        let selection = Selection {
            columns: columns.unwrap_or_default(),
            conditions: conditions_from(where_)?,
            order_by: order_by.unwrap_or_default(),
            limit,
            offset,
        };
        let rows = self.run(py, |db| db.select(&table, &selection))?;
        rows_into(py, rows)
    }

    fn insert_all(&self, py: Python<'_>, batches: Vec<PyBatch<'_>>) -> PyResult<usize> {
        let converted = batches_from(batches)?;
        self.run(py, |db| db.insert_all(&converted))
    }

    /// Delete what meets each of `deletions`, then insert, in one transaction.
    fn replace_all(
        &self,
        py: Python<'_>,
        deletions: Vec<(String, Vec<(String, String, Bound<'_, PyAny>)>)>,
        batches: Vec<PyBatch<'_>>,
    ) -> PyResult<usize> {
        let gone = deletions
            .into_iter()
            .map(|(table, where_)| Ok((table, conditions_from(Some(where_))?)))
            .collect::<PyResult<Vec<_>>>()?;
        let converted = batches_from(batches)?;
        self.run(py, |db| db.replace_all(&gone, &converted))
    }

    #[pyo3(signature = (table, values, where_))]
    fn update(
        &self,
        py: Python<'_>,
        table: String,
        values: Vec<(String, Bound<'_, PyAny>)>,
        where_: Vec<(String, String, Bound<'_, PyAny>)>,
    ) -> PyResult<usize> {
        let values: Row =
            values.iter().map(|(k, v)| Ok((k.clone(), value_from(v)?))).collect::<PyResult<_>>()?;
        let conditions = conditions_from(Some(where_))?;
        self.run(py, |db| db.update(&table, &values, &conditions))
    }

    fn delete(
        &self,
        py: Python<'_>,
        table: String,
        where_: Vec<(String, String, Bound<'_, PyAny>)>,
    ) -> PyResult<usize> {
        let conditions = conditions_from(Some(where_))?;
        self.run(py, |db| db.delete(&table, &conditions))
    }

    fn backup(&self, py: Python<'_>, target: PathBuf) -> PyResult<()> {
        self.run(py, |db| db.backup(&target))
    }

    fn integrity_errors(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        self.run(py, |db| db.integrity_errors())
    }

    fn record_arrivals(
        &self,
        py: Python<'_>,
        arrivals: Vec<(String, u32, String)>,
        expected_subbands: u32,
        now_unix_s: f64,
    ) -> PyResult<Vec<String>> {
        let arrivals: Vec<Arrival> = arrivals
            .into_iter()
            .map(|(group_id, subband, path)| Arrival { group_id, subband, path })
            .collect();
        self.run(py, |db| db.record_arrivals(&arrivals, expected_subbands, now_unix_s))
    }

    fn claim_group(&self, py: Python<'_>, now_unix_s: f64) -> PyResult<Option<(String, Vec<String>, u32)>> {
        let claimed = self.run(py, |db| db.claim_group(now_unix_s))?;
        Ok(claimed.map(|g| (g.group_id, g.paths, g.retry_count)))
    }

    fn recover_groups(
        &self,
        py: Python<'_>,
        now_unix_s: f64,
        stuck_s: f64,
        abandoned_s: f64,
    ) -> PyResult<(usize, usize)> {
        self.run(py, |db| db.recover_groups(now_unix_s, stuck_s, abandoned_s))
    }

    #[pyo3(signature = (mjd, set_name=None))]
    fn active_tables<'py>(
        &self,
        py: Python<'py>,
        mjd: f64,
        set_name: Option<String>,
    ) -> PyResult<(Bound<'py, PyList>, Vec<String>)> {
        let (tables, warnings) = self.run(py, |db| db.active_tables(mjd, set_name.as_deref()))?;
        let list = PyList::empty(py);
        for table in tables {
            let dict = PyDict::new(py);
            dict.set_item("set_name", table.set_name)?;
            dict.set_item("path", table.path)?;
            dict.set_item("table_type", table.table_type)?;
            dict.set_item("cal_field", table.cal_field)?;
            dict.set_item("refant", table.refant)?;
            list.append(dict)?;
        }
        Ok((list, warnings))
    }
}

/// Run one reading statement on a read-only connection; rows as dictionaries.
#[pyfunction]
#[pyo3(signature = (path, sql, parameters=None))]
fn query<'py>(
    py: Python<'py>,
    path: PathBuf,
    sql: String,
    parameters: Option<Vec<Bound<'py, PyAny>>>,
) -> PyResult<Bound<'py, PyList>> {
    let parameters = parameters.unwrap_or_default().iter().map(value_from).collect::<PyResult<Vec<_>>>()?;
    let rows = door::run_detached(py, None, |_| db::query(&path, &sql, parameters))?;
    rows_into(py, rows)
}

/// Type and apply order of a calibration table by the ending of its path; None when the ending is not known.
#[pyfunction]
fn table_type(path: &str) -> Option<(&'static str, i64)> {
    TableType::from_path(path).map(|t| (t.name(), t.order_index()))
}

fn batches_from(batches: Vec<PyBatch<'_>>) -> PyResult<Vec<Batch>> {
    let convert = |row: &Vec<Bound<'_, PyAny>>| row.iter().map(value_from).collect::<PyResult<Vec<Value>>>();
    batches
        .into_iter()
        .map(|(table, columns, rows, conflict)| {
            let rows = rows.iter().map(convert).collect::<PyResult<Vec<_>>>()?;
            Ok(Batch { table, columns, conflict, rows })
        })
        .collect()
}
