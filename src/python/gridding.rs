//! Boundary of `gridding`.

use ndarray::{ArrayView2, Ix1, Ix2};
use num_complex::Complex;
use numpy::{Element, IntoPyArray, PyReadonlyArray2, PyUntypedArray, PyUntypedArrayMethods};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::{arrays, door};
use crate::control::Control;
use crate::gridding::{self, Baselines, GridParams, Real};

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(vis2dirty, module)?)?;
    module.add_function(wrap_pyfunction!(dirty2vis, module)?)?;
    module.add_function(wrap_pyfunction!(plan_summary, module)?)
}

/// Image and accuracy, as a dict with exactly these keys.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
struct Options {
    npix_x: usize,
    npix_y: usize,
    pixsize_x: f64,
    pixsize_y: f64,
    center_x: f64,
    center_y: f64,
    epsilon: f64,
    do_wgridding: bool,
    divide_by_n: bool,
    compress: bool,
    max_memory_bytes: Option<usize>,
    nthreads: usize,
}

impl Options {
    fn params(&self) -> GridParams {
        GridParams {
            center_l: self.center_x,
            center_m: self.center_y,
            epsilon: self.epsilon,
            do_w: self.do_wgridding,
            divide_by_n: self.divide_by_n,
            compress: self.compress,
            max_memory_bytes: self.max_memory_bytes,
            ..GridParams::new(self.npix_x, self.npix_y, self.pixsize_x, self.pixsize_y)
        }
    }
}

/// Dirty image `(x, y)` of visibilities `(r, f)`, complex64 or complex128.
#[pyfunction]
#[pyo3(signature = (uvw_m, freq_hz, vis, wgt, mask, options, *, progress=None))]
fn vis2dirty<'py>(
    uvw_m: &Bound<'py, PyAny>,
    freq_hz: &Bound<'py, PyAny>,
    vis: &Bound<'py, PyAny>,
    wgt: Option<&Bound<'py, PyAny>>,
    mask: Option<&Bound<'py, PyAny>>,
    options: Options,
    progress: Option<Py<PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    if is_double(vis, "complex128") {
        vis2dirty_as::<f64>((uvw_m, freq_hz), vis, (wgt, mask), &options, progress)
    } else {
        vis2dirty_as::<f32>((uvw_m, freq_hz), vis, (wgt, mask), &options, progress)
    }
}

/// Visibilities `(r, f)` of an image `(x, y)`, float32 or float64.
#[pyfunction]
#[pyo3(signature = (uvw_m, freq_hz, dirty, wgt, mask, options, *, progress=None))]
fn dirty2vis<'py>(
    uvw_m: &Bound<'py, PyAny>,
    freq_hz: &Bound<'py, PyAny>,
    dirty: &Bound<'py, PyAny>,
    wgt: Option<&Bound<'py, PyAny>>,
    mask: Option<&Bound<'py, PyAny>>,
    options: Options,
    progress: Option<Py<PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    if is_double(dirty, "float64") {
        dirty2vis_as::<f64>((uvw_m, freq_hz), dirty, (wgt, mask), &options, progress)
    } else {
        dirty2vis_as::<f32>((uvw_m, freq_hz), dirty, (wgt, mask), &options, progress)
    }
}

/// What a plan would decide: kernel, padding, planes, samples after compression.
#[pyfunction]
fn plan_summary<'py>(
    py: Python<'py>,
    uvw_m: &Bound<'py, PyAny>,
    freq_hz: &Bound<'py, PyAny>,
    options: Options,
) -> PyResult<Bound<'py, PyDict>> {
    let uvw_m = arrays::view::<f64, Ix2>(uvw_m, "uvw", "rk")?;
    let freq_hz = arrays::view::<f64, Ix1>(freq_hz, "freq", "f")?;
    let (uvw, freq, params) = (uvw_m.as_array(), freq_hz.as_slice()?, options.params());
    let summary =
        door::run_detached(py, None, |_| gridding::Plan::new(uvw, freq, &params).map(|plan| plan.summary()))?;
    let dict = PyDict::new(py);
    dict.set_item("support", summary.support)?;
    dict.set_item("padded", summary.padded)?;
    dict.set_item("planes", summary.planes)?;
    dict.set_item("planes_each", summary.planes_each)?;
    dict.set_item("w_term", summary.w_term)?;
    dict.set_item("w_max", summary.w_max)?;
    dict.set_item("visibilities", summary.visibilities)?;
    dict.set_item("samples", summary.samples)?;
    dict.set_item("kernel_epsilon", summary.kernel_epsilon)?;
    Ok(dict)
}

type Optional<'a, 'py> = Option<&'a Bound<'py, PyAny>>;
type Coordinates<'a, 'py> = (&'a Bound<'py, PyAny>, &'a Bound<'py, PyAny>);

fn is_double(value: &Bound<'_, PyAny>, name: &str) -> bool {
    value.cast::<PyUntypedArray>().is_ok_and(|a| a.dtype().to_string() == name)
}

fn vis2dirty_as<'py, T: Real + Element>(
    (uvw_m, freq_hz): Coordinates<'_, 'py>,
    vis: &Bound<'py, PyAny>,
    (wgt, mask): (Optional<'_, 'py>, Optional<'_, 'py>),
    options: &Options,
    progress: Option<Py<PyAny>>,
) -> PyResult<Bound<'py, PyAny>>
where
    Complex<T>: Element,
{
    let py = vis.py();
    let uvw_m = arrays::view::<f64, Ix2>(uvw_m, "uvw", "rk")?;
    let freq_hz = arrays::view::<f64, Ix1>(freq_hz, "freq", "f")?;
    let vis = arrays::view::<Complex<T>, Ix2>(vis, "vis", "rf")?;
    let wgt = wgt.map(|w| arrays::view::<T, Ix2>(w, "wgt", "rf")).transpose()?;
    let mask = mask.map(|m| arrays::view::<u8, Ix2>(m, "mask", "rf")).transpose()?;
    let baselines = Baselines { uvw_m: uvw_m.as_array(), freq_hz: freq_hz.as_slice()? };
    let (vis, params) = (vis.as_array(), options.params());
    let (wgt, mask) = (as_view(&wgt), as_view(&mask));
    let image = door::run_detached(py, progress, |control: &Control| {
        gridding::on_threads(options.nthreads, || {
            let masked = gridding::masked(wgt, mask)?;
            let weight = masked.as_ref().map(|m| m.view()).or(wgt);
            gridding::vis2dirty(baselines, vis, weight, &params, control)
        })
    })?;
    Ok(image.into_pyarray(py).into_any())
}

fn dirty2vis_as<'py, T: Real + Element>(
    (uvw_m, freq_hz): Coordinates<'_, 'py>,
    dirty: &Bound<'py, PyAny>,
    (wgt, mask): (Optional<'_, 'py>, Optional<'_, 'py>),
    options: &Options,
    progress: Option<Py<PyAny>>,
) -> PyResult<Bound<'py, PyAny>>
where
    Complex<T>: Element,
{
    let py = dirty.py();
    let uvw_m = arrays::view::<f64, Ix2>(uvw_m, "uvw", "rk")?;
    let freq_hz = arrays::view::<f64, Ix1>(freq_hz, "freq", "f")?;
    let dirty = arrays::view::<T, Ix2>(dirty, "dirty", "xy")?;
    let wgt = wgt.map(|w| arrays::view::<T, Ix2>(w, "wgt", "rf")).transpose()?;
    let mask = mask.map(|m| arrays::view::<u8, Ix2>(m, "mask", "rf")).transpose()?;
    let baselines = Baselines { uvw_m: uvw_m.as_array(), freq_hz: freq_hz.as_slice()? };
    let (dirty, params) = (dirty.as_array(), options.params());
    let (wgt, mask) = (as_view(&wgt), as_view(&mask));
    let vis = door::run_detached(py, progress, |control: &Control| {
        gridding::on_threads(options.nthreads, || {
            let masked = gridding::masked(wgt, mask)?;
            let weight = masked.as_ref().map(|m| m.view()).or(wgt);
            gridding::dirty2vis(baselines, dirty, weight, &params, control)
        })
    })?;
    Ok(vis.into_pyarray(py).into_any())
}

fn as_view<'a, T: Element>(array: &'a Option<PyReadonlyArray2<'_, T>>) -> Option<ArrayView2<'a, T>> {
    array.as_ref().map(|a| a.as_array())
}
