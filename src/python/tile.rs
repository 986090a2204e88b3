//! Boundary of the fast path: the stage `tile`, in the submodule `imaging`.

use ndarray::Array2;
use numpy::IntoPyArray;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::calibration::{report as to_dict, request};
use super::door;
use crate::constants::SECONDS_PER_DAY;
use crate::source::Measurement;
use crate::tasks::measure::MeasureReport;
use crate::tasks::tile::{self, TileParams};

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(tile_group, module)?)
}

/// One group of UVH5 files to images and forced fluxes, in memory; `options` is a JSON object of `TileParams`. Returns the report
/// with `fluxes`: arrays of shape (plane, source), plane 0 the band, then the subbands ascending in frequency.
#[pyfunction]
#[pyo3(name = "tile", signature = (options, *, progress=None))]
fn tile_group<'py>(
    py: Python<'py>,
    options: &str,
    progress: Option<Py<PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let params: TileParams = request(options)?;
    let report = door::run_detached(py, progress, |control| tile::run(&params, control))?;
    let out = to_dict(py, &report)?;
    out.set_item("fluxes", fluxes(py, &report.fluxes)?)?;
    Ok(out)
}

fn fluxes<'py>(py: Python<'py>, planes: &[MeasureReport]) -> PyResult<Bound<'py, PyDict>> {
    let sources = planes.first().map_or(0, |p| p.measurements.len());
    let shape = (planes.len(), sources);
    let number = |get: fn(&Measurement) -> f64| {
        Array2::from_shape_fn(shape, |(f, s)| get(&planes[f].measurements[s])).into_pyarray(py)
    };
    let out = PyDict::new(py);
    out.set_item("flux_jy", number(|m| m.flux_jy))?;
    out.set_item("flux_err_jy", number(|m| m.flux_err_jy))?;
    out.set_item("local_rms_jy", number(|m| m.local_rms_jy))?;
    out.set_item("chi2", number(|m| m.chi2))?;
    out.set_item("pix_x", number(|m| m.pixel_xy[0]))?;
    out.set_item("pix_y", number(|m| m.pixel_xy[1]))?;
    let whole = |get: fn(&Measurement) -> i64| {
        Array2::from_shape_fn(shape, |(f, s)| get(&planes[f].measurements[s])).into_pyarray(py)
    };
    out.set_item("dof", whole(|m| m.dof as i64))?;
    out.set_item("cluster", whole(|m| m.cluster.map_or(-1, |c| c as i64)))?;
    out.set_item("flags", whole(|m| i64::from(m.flags)))?;
    let pb = Array2::from_shape_fn(shape, |(f, s)| planes[f].pb[s]);
    out.set_item("pb", pb.into_pyarray(py))?;
    out.set_item("freq_hz", planes.iter().map(|p| p.freq_hz).collect::<Vec<f64>>())?;
    out.set_item("mjd", planes.first().map(|p| p.time_mjd_s / SECONDS_PER_DAY))?;
    Ok(out)
}
