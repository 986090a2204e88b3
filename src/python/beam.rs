//! Boundary of `beam`.

use std::path::PathBuf;

use ndarray::{Ix1, Ix2};
use numpy::{IntoPyArray, PyArray1};
use pyo3::prelude::*;

use super::ese::to_python;
use super::{arrays, door, errors};
use crate::beam::{average_power, Airy, Beam, Error, Pointings, Radial};
use crate::coords::RaDec;
use crate::tasks::beam;

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(airy_power, module)?)?;
    module.add_function(wrap_pyfunction!(airy_fwhm_rad, module)?)?;
    module.add_function(wrap_pyfunction!(radial_power, module)?)?;
    module.add_function(wrap_pyfunction!(describe_file, module)?)?;
    module.add_function(wrap_pyfunction!(tile_power, module)?)
}

/// Airy power at angles from the pointing (rad) at one frequency, to 1e-10.
#[pyfunction]
#[pyo3(signature = (theta_rad, freq_hz, *, diameter_m=None))]
fn airy_power<'py>(
    py: Python<'py>,
    theta_rad: &Bound<'py, PyAny>,
    freq_hz: f64,
    diameter_m: Option<f64>,
) -> PyResult<Bound<'py, PyArray1<f64>>> {
    let airy = dish(diameter_m)?;
    let theta = arrays::view::<f64, Ix1>(theta_rad, "theta_rad", "t")?.as_array().to_owned();
    let power = door::run_detached(py, None, move |_| {
        Ok::<_, Error>(theta.mapv(|t| airy.power_exact(t.sin().powi(2), freq_hz)))
    })?;
    Ok(power.into_pyarray(py))
}

/// Full width at half power of the Airy beam (rad).
#[pyfunction]
#[pyo3(signature = (freq_hz, *, diameter_m=None))]
fn airy_fwhm_rad(freq_hz: f64, diameter_m: Option<f64>) -> PyResult<f64> {
    Ok(dish(diameter_m)?.fwhm_rad(freq_hz))
}

/// Power of a tabulated beam (frequency by radius) at angles from the pointing (rad).
#[pyfunction]
fn radial_power<'py>(
    py: Python<'py>,
    table_freq_hz: &Bound<'py, PyAny>,
    table_radius_rad: &Bound<'py, PyAny>,
    table_power_fs: &Bound<'py, PyAny>,
    theta_rad: &Bound<'py, PyAny>,
    freq_hz: f64,
) -> PyResult<Bound<'py, PyArray1<f64>>> {
    let list = |value, name: &str, axes: &str| -> PyResult<Vec<f64>> {
        Ok(arrays::view::<f64, Ix1>(value, name, axes)?.as_array().to_vec())
    };
    let freqs = list(table_freq_hz, "table_freq_hz", "f")?;
    let radii = list(table_radius_rad, "table_radius_rad", "s")?;
    let power = arrays::view::<f64, Ix2>(table_power_fs, "table_power_fs", "fs")?.as_array().to_owned();
    let theta = list(theta_rad, "theta_rad", "t")?;
    let out = door::run_detached(py, None, move |_| {
        let radial = Radial::new(freqs, radii, power)?;
        Ok::<Vec<f64>, Error>(theta.iter().map(|t| radial.power(t.sin().powi(2), freq_hz)).collect())
    })?;
    Ok(out.into_pyarray(py))
}

/// What a user's file of a beam holds (HDF5 or FITS).
#[pyfunction]
fn describe_file<'py>(py: Python<'py>, path: PathBuf) -> PyResult<Bound<'py, PyAny>> {
    let report = door::run_detached(py, None, move |_| beam::describe(&path))?;
    to_python(py, &report)
}

/// Mean power of a drifting tile towards directions: `pointing_rad` and `direction_rad` are (n, 2) right ascensions and
/// declinations in one frame.
#[pyfunction]
#[pyo3(signature = (telescope, pointing_rad, weights, freq_hz, freq_weights, direction_rad, *, progress=None))]
#[allow(clippy::too_many_arguments)] // Python's keywords.
fn tile_power<'py>(
    py: Python<'py>,
    telescope: &str,
    pointing_rad: &Bound<'py, PyAny>,
    weights: &Bound<'py, PyAny>,
    freq_hz: &Bound<'py, PyAny>,
    freq_weights: &Bound<'py, PyAny>,
    direction_rad: &Bound<'py, PyAny>,
    progress: Option<Py<PyAny>>,
) -> PyResult<Bound<'py, PyArray1<f64>>> {
    let beam = Beam::for_telescope(telescope).map_err(|e| errors::exception(&e))?;
    let list = |value, name: &str, axes: &str| -> PyResult<Vec<f64>> {
        Ok(arrays::view::<f64, Ix1>(value, name, axes)?.as_array().to_vec())
    };
    let (weights, freq_weights) = (list(weights, "weights", "t")?, list(freq_weights, "freq_weights", "f")?);
    let freqs = list(freq_hz, "freq_hz", "f")?;
    let (pointings, directions) =
        (sky(pointing_rad, "pointing_rad", "tc")?, sky(direction_rad, "direction_rad", "sc")?);
    let power = door::run_detached(py, progress, move |control| {
        let tile = Pointings {
            directions: &pointings,
            weights: &weights,
            freq_hz: &freqs,
            freq_weights: &freq_weights,
        };
        average_power(&beam, tile, &directions, control)
    })?;
    Ok(power.into_pyarray(py))
}

fn sky(value: &Bound<'_, PyAny>, name: &str, axes: &str) -> PyResult<Vec<RaDec>> {
    let array = arrays::view::<f64, Ix2>(value, name, axes)?;
    let array = array.as_array();
    arrays::same_length(name, 'c', 2, array.ncols())?;
    Ok(array.outer_iter().map(|d| RaDec::from_rad(d[0], d[1])).collect())
}

fn dish(diameter_m: Option<f64>) -> PyResult<Airy> {
    match diameter_m {
        None => Ok(Airy::dsa110()),
        Some(d) => Airy::new(d).map_err(|e| errors::exception(&e)),
    }
}
