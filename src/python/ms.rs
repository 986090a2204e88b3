//! Boundary of `ms`.

use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use numpy::IntoPyArray;
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::door::run_detached;
use super::errors::exception;
use crate::ms::{self, Column, MsLock, MsReader, ReadRequest};
use crate::tasks::configure::{self, ConfigureParams};
use crate::tasks::convert::{self, ConvertParams, PhaseCenter};
use crate::tasks::verify::{self, VerifyParams};
use crate::vis::VisBlock;
use crate::Error;

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Lock>()?;
    module.add_function(wrap_pyfunction!(meta, module)?)?;
    module.add_function(wrap_pyfunction!(read, module)?)?;
    module.add_function(wrap_pyfunction!(verify_ms, module)?)?;
    module.add_function(wrap_pyfunction!(configure_ms, module)?)?;
    module.add_function(wrap_pyfunction!(convert_group, module)?)
}

/// The right to work on one Measurement Set, as a context manager: `with Lock(path, wait_s):`.
#[pyclass(name = "Lock", module = "dsa110_contimg._core.ms", frozen)]
struct Lock {
    path: PathBuf,
    wait: Duration,
    held: Mutex<Option<MsLock>>,
}

#[pymethods]
impl Lock {
    #[new]
    #[pyo3(signature = (path, wait_s=60.0))]
    fn new(path: PathBuf, wait_s: f64) -> PyResult<Self> {
        let wait = Duration::try_from_secs_f64(wait_s)
            .map_err(|_| PyValueError::new_err(format!("wait_s: expected seconds from 0, found {wait_s}")))?;
        Ok(Self { path, wait, held: Mutex::new(None) })
    }

    /// Take it, waiting with a message for whoever has it.
    fn __enter__(&self, py: Python<'_>) -> PyResult<()> {
        let lock = run_detached(py, None, |control| MsLock::take(&self.path, self.wait, control))?;
        *self.held.lock().map_err(|e| PyRuntimeError::new_err(e.to_string()))? = lock;
        Ok(())
    }

    #[pyo3(signature = (*_exception))]
    fn __exit__(&self, _exception: &Bound<'_, pyo3::types::PyTuple>) -> PyResult<()> {
        *self.held.lock().map_err(|e| PyRuntimeError::new_err(e.to_string()))? = None;
        Ok(())
    }
}

/// What a Measurement Set says about itself, as a dict of its subtables.
#[pyfunction]
fn meta(py: Python<'_>, path: PathBuf) -> PyResult<Py<PyAny>> {
    let text = run_detached(py, None, |_| {
        let reader = MsReader::open(&path)?;
        Ok::<_, ms::Error>(serde_json::to_string(reader.meta()).unwrap_or_default())
    })?;
    from_json(py, &text)
}

/// One block of visibilities: rows of a spectral window with their metadata.
#[pyfunction]
#[pyo3(signature = (path, spw=0, *, column="data", rows=None, fields=None, time_range_mjd_s=None,
                    without_autos=false, with_model=false, data_description=None))]
#[allow(clippy::too_many_arguments)] // keyword arguments of a Python call
fn read<'py>(
    py: Python<'py>,
    path: PathBuf,
    spw: usize,
    column: &str,
    rows: Option<(u64, u64)>,
    fields: Option<Vec<u32>>,
    time_range_mjd_s: Option<(f64, f64)>,
    without_autos: bool,
    with_model: bool,
    data_description: Option<usize>,
) -> PyResult<Bound<'py, PyDict>> {
    let column = Column::from_name(column).ok_or_else(|| {
        PyValueError::new_err(format!("column: expected data, corrected or model, found {column}"))
    })?;
    let request = ReadRequest {
        spw,
        data_description,
        column,
        with_model,
        rows: rows.map(|(a, b)| a..b),
        fields,
        time_range_mjd_s: time_range_mjd_s.map(|(a, b)| [a, b]),
        without_autos,
        without_weights: false,
    };
    let block = run_detached(py, None, |_| MsReader::open(&path)?.read(&request))?;
    block_dict(py, block)
}

fn block_dict(py: Python<'_>, block: VisBlock) -> PyResult<Bound<'_, PyDict>> {
    let out = PyDict::new(py);
    let rows = block.rows;
    let uvw = ndarray::Array2::from(rows.uvw_m);
    out.set_item("time_mjd_s", rows.time_mjd_s.into_pyarray(py))?;
    out.set_item("interval_s", rows.interval_s.into_pyarray(py))?;
    out.set_item("antenna1", rows.antenna1.into_pyarray(py))?;
    out.set_item("antenna2", rows.antenna2.into_pyarray(py))?;
    out.set_item("field", rows.field.into_pyarray(py))?;
    out.set_item("uvw_m", uvw.into_pyarray(py))?;
    out.set_item("freq_hz", block.channels.freq_hz.into_pyarray(py))?;
    out.set_item("width_hz", block.channels.width_hz.into_pyarray(py))?;
    out.set_item("products", block.products.iter().map(|p| format!("{p:?}")).collect::<Vec<_>>())?;
    out.set_item("vis_rfp", block.vis_rfp.into_pyarray(py))?;
    out.set_item("weight_rfp", block.weight_rfp.into_pyarray(py))?;
    out.set_item("flag_rfp", block.flag_rfp.into_pyarray(py))?;
    out.set_item("model_rfp", block.model_rfp.map(|m| m.into_pyarray(py)))?;
    Ok(out)
}

fn from_json(py: Python<'_>, text: &str) -> PyResult<Py<PyAny>> {
    Ok(py.import("json")?.call_method1("loads", (text,))?.unbind())
}

/// Checks of a Measurement Set: verdicts with value, limit and reason.
#[pyfunction]
#[pyo3(name = "verify", signature = (path, *, imaging_columns=true))]
fn verify_ms(py: Python<'_>, path: PathBuf, imaging_columns: bool) -> PyResult<Py<PyAny>> {
    let params = VerifyParams { path, imaging_columns };
    let text = run_detached(py, None, |control| {
        Ok::<_, Error>(serde_json::to_string(&verify::run(&params, control)?).unwrap_or_default())
    })?;
    from_json(py, &text)
}

/// Give a Measurement Set made elsewhere what imaging needs; the columns that were added.
#[pyfunction]
#[pyo3(name = "configure", signature = (path, *, columns=true, weights=true, mount=None, telescope_name=None))]
fn configure_ms(
    py: Python<'_>,
    path: PathBuf,
    columns: bool,
    weights: bool,
    mount: Option<String>,
    telescope_name: Option<String>,
) -> PyResult<Vec<String>> {
    let params = ConfigureParams { path, columns, weights, mount, telescope_name };
    run_detached(py, None, |control| configure::run(&params, control))
}

/// Convert one group of UVH5 files to a Measurement Set.
#[pyfunction]
#[pyo3(name = "convert", signature = (files, output, *, phase_center="per-integration", merge_spws=false,
        telescope_name=None, scratch=None, overwrite=false, fringe_stopped=None, antennas=None,
        expected_subbands=None, checksums=true, model_flux_jy=None, progress=None))]
#[allow(clippy::too_many_arguments)] // keyword arguments of a Python call
fn convert_group(
    py: Python<'_>,
    files: Vec<PathBuf>,
    output: PathBuf,
    phase_center: &str,
    merge_spws: bool,
    telescope_name: Option<String>,
    scratch: Option<PathBuf>,
    overwrite: bool,
    fringe_stopped: Option<bool>,
    antennas: Option<PathBuf>,
    expected_subbands: Option<usize>,
    checksums: bool,
    model_flux_jy: Option<f64>,
    progress: Option<Py<PyAny>>,
) -> PyResult<Py<PyAny>> {
    let mut params = ConvertParams::new(files, output);
    params.phase_center = PhaseCenter::parse(phase_center).map_err(|e| exception(&e))?;
    params.expected_subbands = expected_subbands.unwrap_or(params.expected_subbands);
    params = ConvertParams { merge_spws, scratch, overwrite, fringe_stopped, antennas, checksums, ..params };
    params = ConvertParams { telescope_name, model_flux_jy, ..params };
    let text = run_detached(py, progress, |control| {
        Ok::<_, Error>(serde_json::to_string(&convert::run(&params, control)?).unwrap_or_default())
    })?;
    from_json(py, &text)
}
