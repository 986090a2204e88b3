//! Boundary of `predict`.

use ndarray::{Ix1, Ix2};
use num_complex::Complex32;
use numpy::{IntoPyArray, PyArray2};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::simulate::from_json;
use super::{arrays, door};
use crate::beam::{Airy, Beam};
use crate::coords::{Observatory, RaDec};
use crate::predict::{predict_rows, Pointing, PredictParams};
use crate::simulate::SimSource;
use crate::source::SkyModel;
use crate::vis::{Channels, Field, Rows};

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(rows, module)?)
}

/// Stokes I of a sky on rows and channels, complex64 (r, f). `sources` is JSON (the simulation's), `rows` a dict of arrays
/// (time_mjd_s, interval_s, antenna1, antenna2, field, uvw_m), `fields_rad` ICRS (field, 2).
///
/// The pointing is the meridian at `dec_deg` of date, or each row's phase centre when that is None.
#[pyfunction]
#[pyo3(signature = (sources, rows, freq_hz, width_hz, fields_rad, *, dec_deg=None, beam="airy", smear=true, accuracy=1e-4, site=None,
    progress=None))]
#[allow(clippy::too_many_arguments)] // Python's keywords.
fn rows<'py>(
    py: Python<'py>,
    sources: &str,
    rows: &Bound<'py, PyDict>,
    freq_hz: &Bound<'py, PyAny>,
    width_hz: &Bound<'py, PyAny>,
    fields_rad: &Bound<'py, PyAny>,
    dec_deg: Option<f64>,
    beam: &str,
    smear: bool,
    accuracy: f64,
    site: Option<(f64, f64, f64)>,
    progress: Option<Py<PyAny>>,
) -> PyResult<Bound<'py, PyArray2<Complex32>>> {
    let sources: Vec<SimSource> = from_json("sources", sources)?;
    let sky = SkyModel { sources: sources.iter().map(SimSource::to_source).collect() };
    let rows = row_lists(rows)?;
    let list = |value, name| -> PyResult<Vec<f64>> {
        Ok(arrays::view::<f64, Ix1>(value, name, "f")?.as_array().to_vec())
    };
    let channels =
        Channels { spw: 0, freq_hz: list(freq_hz, "freq_hz")?, width_hz: list(width_hz, "width_hz")? };
    let centres = arrays::view::<f64, Ix2>(fields_rad, "fields_rad", "fc")?.as_array().to_owned();
    arrays::same_length("fields_rad", 'c', 2, centres.ncols())?;
    let field = |c: ndarray::ArrayView1<'_, f64>| Field {
        name: String::new(),
        centre: RaDec::from_rad(c[0], c[1]),
        time_mjd_s: 0.0,
    };
    let fields: Vec<Field> = centres.outer_iter().map(field).collect();
    let params = PredictParams {
        beam: beam_by_name(beam)?,
        pointing: dec_deg.map_or(Pointing::PhaseCentre, |d| Pointing::Meridian { dec_rad: d.to_radians() }),
        smear,
        accuracy,
        observatory: site
            .map_or_else(Observatory::dsa110, |(lon, lat, h)| Observatory::from_deg(lon, lat, h)),
    };
    let vis = door::run_detached(py, progress, move |control| {
        predict_rows(&sky, &rows, &channels, &fields, &params, control)
    })?;
    Ok(vis.into_pyarray(py))
}

fn row_lists(rows: &Bound<'_, PyDict>) -> PyResult<Rows> {
    let get = |name: &str| {
        rows.get_item(name)?
            .ok_or_else(|| PyValueError::new_err(format!("rows: expected a key '{name}', found none")))
    };
    let floats = |name: &str| -> PyResult<Vec<f64>> {
        Ok(arrays::view::<f64, Ix1>(&get(name)?, name, "r")?.as_array().to_vec())
    };
    let numbers = |name: &str| -> PyResult<Vec<u32>> {
        Ok(arrays::view::<u32, Ix1>(&get(name)?, name, "r")?.as_array().to_vec())
    };
    let uvw = arrays::view::<f64, Ix2>(&get("uvw_m")?, "uvw_m", "rc")?.as_array().to_owned();
    arrays::same_length("uvw_m", 'c', 3, uvw.ncols())?;
    Ok(Rows {
        time_mjd_s: floats("time_mjd_s")?,
        interval_s: floats("interval_s")?,
        antenna1: numbers("antenna1")?,
        antenna2: numbers("antenna2")?,
        field: numbers("field")?,
        uvw_m: uvw.outer_iter().map(|b| [b[0], b[1], b[2]]).collect(),
    })
}

fn beam_by_name(name: &str) -> PyResult<Beam> {
    match name {
        "airy" => Ok(Beam::Airy(Airy::dsa110())),
        "none" => Ok(Beam::Unit),
        other => Err(PyValueError::new_err(format!("beam: expected 'airy' or 'none', found {other:?}"))),
    }
}
