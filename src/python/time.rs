//! Boundary of `time`: the table of Earth orientation.

use std::path::PathBuf;

use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::door;
use crate::time::{self, EarthOrientation, OrientationTable};

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(iers_status, module)?)?;
    module.add_function(wrap_pyfunction!(iers_update, module)?)?;
    module.add_function(wrap_pyfunction!(iers_user_file, module)?)?;
    module.add_function(wrap_pyfunction!(earth_orientation, module)?)
}

fn summary<'py>(py: Python<'py>, table: &OrientationTable) -> PyResult<Bound<'py, PyDict>> {
    let (first, last) = table.span_mjd();
    let dict = PyDict::new(py);
    dict.set_item("source", &table.origin)?;
    dict.set_item("first_mjd", first)?;
    dict.set_item("last_measured_mjd", table.last_measured_mjd)?;
    dict.set_item("last_mjd", last)?;
    Ok(dict)
}

/// The table in use: source, first, last measured and last predicted MJD; with `mjd` also how that date is covered.
#[pyfunction]
#[pyo3(signature = (mjd=None))]
fn iers_status(py: Python<'_>, mjd: Option<f64>) -> PyResult<Bound<'_, PyDict>> {
    let earth = door::run_detached(py, None, |_| EarthOrientation::current())?;
    let dict = summary(py, earth.table())?;
    if let Some(mjd) = mjd {
        let coverage = earth.coverage(mjd * crate::constants::SECONDS_PER_DAY);
        dict.set_item("coverage", coverage.name())?;
        dict.set_item("days_outside", coverage.days_outside())?;
        dict.set_item("dut1_error_ms", coverage.dut1_error_s() * 1e3)?;
        dict.set_item("direction_error_mas", coverage.direction_error_arcsec() * 1e3)?;
        dict.set_item("w_error_mm", coverage.w_error_mm())?;
    }
    Ok(dict)
}

/// Renew the user's table from an IERS finals2000A file; returns the new table's summary and path.
#[pyfunction]
#[pyo3(signature = (source, destination=None))]
fn iers_update(py: Python<'_>, source: PathBuf, destination: Option<PathBuf>) -> PyResult<Bound<'_, PyDict>> {
    let (path, table) = door::run_detached(py, None, |_| time::update(&source, destination.as_deref()))?;
    let dict = summary(py, &table)?;
    dict.set_item("path", path)?;
    Ok(dict)
}

/// Where the user's renewed table lives (it need not exist), and whether the environment demands it.
#[pyfunction]
fn iers_user_file() -> Option<(PathBuf, bool)> {
    time::user_file()
}

/// UT1 - UTC [s], polar motion x and y [rad], TAI - UTC [s] at a UTC time.
#[pyfunction]
fn earth_orientation(py: Python<'_>, time_mjd_s: f64) -> PyResult<(f64, f64, f64, f64)> {
    let at =
        door::run_detached(py, None, |_| Ok::<_, time::Error>(EarthOrientation::current()?.at(time_mjd_s)))?;
    Ok((at.dut1_s, at.x_rad, at.y_rad, at.tai_minus_utc_s))
}
