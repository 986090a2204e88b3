//! Boundary of `variability`.

use numpy::PyArray1;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::{arrays, door, errors};
use crate::control::Control;
use crate::variability::{self as core, Depth, Ragged, Summary, Undefined};

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("VS_OF_M", core::VS_OF_M)?;
    module.add_function(wrap_pyfunction!(eta, module)?)?;
    module.add_function(wrap_pyfunction!(weighted_mean, module)?)?;
    module.add_function(wrap_pyfunction!(fractional, module)?)?;
    module.add_function(wrap_pyfunction!(chi2_nu, module)?)?;
    module.add_function(wrap_pyfunction!(significance, module)?)?;
    module.add_function(wrap_pyfunction!(modulation_index, module)?)?;
    module.add_function(wrap_pyfunction!(von_neumann, module)?)?;
    module.add_function(wrap_pyfunction!(amplitude, module)?)?;
    module.add_function(wrap_pyfunction!(sigma_deviation, module)?)?;
    module.add_function(wrap_pyfunction!(vs, module)?)?;
    module.add_function(wrap_pyfunction!(m, module)?)?;
    module.add_function(wrap_pyfunction!(vs_max, module)?)?;
    module.add_function(wrap_pyfunction!(m_max, module)?)?;
    module.add_function(wrap_pyfunction!(timescale, module)?)?;
    module.add_function(wrap_pyfunction!(asymmetry, module)?)?;
    module.add_function(wrap_pyfunction!(gaussian_process, module)?)?;
    module.add_function(wrap_pyfunction!(structure_function, module)?)?;
    module.add_function(wrap_pyfunction!(summarise, module)?)
}

fn defined<T>(value: Result<T, Undefined>) -> PyResult<T> {
    value.map_err(|e| errors::exception(&e))
}

/// One-dimensional float64 argument.
pub(super) fn column<'py>(
    value: &Bound<'py, PyAny>,
    name: &str,
) -> PyResult<numpy::PyReadonlyArray1<'py, f64>> {
    arrays::view::<f64, ndarray::Ix1>(value, name, "n")
}

#[pyfunction]
fn eta(flux: &Bound<'_, PyAny>, err: &Bound<'_, PyAny>) -> PyResult<f64> {
    defined(core::eta(column(flux, "flux")?.as_slice()?, column(err, "err")?.as_slice()?))
}

#[pyfunction]
fn weighted_mean(flux: &Bound<'_, PyAny>, err: &Bound<'_, PyAny>) -> PyResult<(f64, f64)> {
    defined(core::weighted_mean(column(flux, "flux")?.as_slice()?, column(err, "err")?.as_slice()?))
        .map(|w| (w.value, w.err))
}

#[pyfunction]
fn fractional(flux: &Bound<'_, PyAny>) -> PyResult<f64> {
    defined(core::fractional(column(flux, "flux")?.as_slice()?))
}

#[pyfunction]
fn chi2_nu(flux: &Bound<'_, PyAny>, err: &Bound<'_, PyAny>) -> PyResult<f64> {
    defined(core::chi2_nu(column(flux, "flux")?.as_slice()?, column(err, "err")?.as_slice()?))
}

#[pyfunction]
fn significance(reduced: f64, n: usize) -> PyResult<f64> {
    defined(core::significance(reduced, n))
}

#[pyfunction]
fn modulation_index(flux: &Bound<'_, PyAny>, err: &Bound<'_, PyAny>) -> PyResult<f64> {
    defined(core::modulation_index(column(flux, "flux")?.as_slice()?, column(err, "err")?.as_slice()?))
}

#[pyfunction]
fn von_neumann(flux: &Bound<'_, PyAny>) -> PyResult<f64> {
    defined(core::von_neumann(column(flux, "flux")?.as_slice()?))
}

#[pyfunction]
fn amplitude(flux: &Bound<'_, PyAny>) -> PyResult<f64> {
    defined(core::amplitude(column(flux, "flux")?.as_slice()?))
}

#[pyfunction]
fn sigma_deviation(flux: &Bound<'_, PyAny>) -> PyResult<f64> {
    defined(core::sigma_deviation(column(flux, "flux")?.as_slice()?))
}

#[pyfunction]
fn vs(flux_a: f64, flux_b: f64, err_a: f64, err_b: f64) -> PyResult<f64> {
    defined(core::vs(flux_a, flux_b, err_a, err_b))
}

#[pyfunction]
fn m(flux_a: f64, flux_b: f64) -> PyResult<f64> {
    defined(core::m(flux_a, flux_b))
}

#[pyfunction]
fn vs_max(flux: &Bound<'_, PyAny>, err: &Bound<'_, PyAny>) -> PyResult<(f64, usize, usize)> {
    defined(core::vs_max(column(flux, "flux")?.as_slice()?, column(err, "err")?.as_slice()?))
        .map(|p| (p.value, p.first, p.second))
}

#[pyfunction]
#[pyo3(signature = (flux, err, vs_min=core::VS_OF_M))]
fn m_max(
    flux: &Bound<'_, PyAny>,
    err: &Bound<'_, PyAny>,
    vs_min: f64,
) -> PyResult<Option<(f64, usize, usize)>> {
    let found = core::m_max(column(flux, "flux")?.as_slice()?, column(err, "err")?.as_slice()?, vs_min);
    Ok(defined(found)?.map(|p| (p.value, p.first, p.second)))
}

#[pyfunction]
fn timescale(mjd: &Bound<'_, PyAny>, flux: &Bound<'_, PyAny>) -> PyResult<f64> {
    defined(core::timescale(column(mjd, "mjd")?.as_slice()?, column(flux, "flux")?.as_slice()?))
}

#[pyfunction]
fn asymmetry(mjd: &Bound<'_, PyAny>, flux: &Bound<'_, PyAny>) -> PyResult<f64> {
    defined(core::asymmetry(column(mjd, "mjd")?.as_slice()?, column(flux, "flux")?.as_slice()?))
}

/// `(amplitude, tau_days, log_ratio)` of the damped random walk that describes the points best.
#[pyfunction]
fn gaussian_process(
    mjd: &Bound<'_, PyAny>,
    flux: &Bound<'_, PyAny>,
    err: &Bound<'_, PyAny>,
) -> PyResult<(f64, f64, f64)> {
    let (t, f, e) = (column(mjd, "mjd")?, column(flux, "flux")?, column(err, "err")?);
    defined(core::gaussian_process(t.as_slice()?, f.as_slice()?, e.as_slice()?))
        .map(|g| (g.amplitude, g.tau_days, g.log_ratio))
}

/// `(lag_days, value, pairs)` arrays, one element a bin.
#[pyfunction]
fn structure_function<'py>(
    py: Python<'py>,
    mjd: &Bound<'py, PyAny>,
    flux: &Bound<'py, PyAny>,
    err: &Bound<'py, PyAny>,
    edges_days: &Bound<'py, PyAny>,
) -> PyResult<(Bound<'py, PyArray1<f64>>, Bound<'py, PyArray1<f64>>, Bound<'py, PyArray1<u64>>)> {
    let (t, f, e) = (column(mjd, "mjd")?, column(flux, "flux")?, column(err, "err")?);
    let edges = column(edges_days, "edges_days")?;
    let (t, f, e, edges) = (t.as_slice()?, f.as_slice()?, e.as_slice()?, edges.as_slice()?);
    let bins =
        door::run_detached(py, None, |control: &Control| core::structure_function(t, f, e, edges, control))?;
    Ok((
        PyArray1::from_iter(py, bins.iter().map(|b| b.lag_days)),
        PyArray1::from_iter(py, bins.iter().map(|b| b.value)),
        PyArray1::from_iter(py, bins.iter().map(|b| b.pairs)),
    ))
}

/// Statistics of many light curves as a dictionary of arrays, one element a source.
#[pyfunction]
#[pyo3(signature = (offsets, mjd, flux, err, *, shape=false, progress=None))]
fn summarise<'py>(
    py: Python<'py>,
    offsets: Vec<usize>,
    mjd: &Bound<'py, PyAny>,
    flux: &Bound<'py, PyAny>,
    err: &Bound<'py, PyAny>,
    shape: bool,
    progress: Option<Py<PyAny>>,
) -> PyResult<Bound<'py, PyDict>> {
    let (t, f, e) = (column(mjd, "mjd")?, column(flux, "flux")?, column(err, "err")?);
    let curves = Ragged { offsets: &offsets, mjd: t.as_slice()?, flux: f.as_slice()?, err: e.as_slice()? };
    let depth = if shape { Depth::Shape } else { Depth::ClosedForm };
    let rows = door::run_detached(py, progress, |control| core::summarise_many(curves, depth, control))?;
    let out = PyDict::new(py);
    out.set_item("n", PyArray1::from_iter(py, rows.iter().map(|r| r.n as i64)))?;
    out.set_item("n_bad", PyArray1::from_iter(py, rows.iter().map(|r| r.n_bad as i64)))?;
    for (name, get) in COLUMNS {
        out.set_item(*name, PyArray1::from_iter(py, rows.iter().map(get)))?;
    }
    Ok(out)
}

type Getter = fn(&Summary) -> f64;

const COLUMNS: &[(&str, Getter)] = &[
    ("mean", |s| s.mean),
    ("weighted_mean", |s| s.weighted_mean),
    ("median", |s| s.median),
    ("std", |s| s.std),
    ("min", |s| s.min),
    ("max", |s| s.max),
    ("eta", |s| s.eta),
    ("v", |s| s.v),
    ("vs_max", |s| s.vs_max),
    ("m_max", |s| s.m_max),
    ("chi2_nu", |s| s.chi2_nu),
    ("significance", |s| s.significance),
    ("modulation_index", |s| s.modulation_index),
    ("von_neumann", |s| s.von_neumann),
    ("amplitude", |s| s.amplitude),
    ("sigma_deviation", |s| s.sigma_deviation),
    ("timescale_days", |s| s.timescale_days),
    ("asymmetry", |s| s.asymmetry),
    ("excursion", |s| s.excursion),
];
