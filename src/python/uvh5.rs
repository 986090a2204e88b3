//! Boundary of `uvh5`.

use std::path::PathBuf;

use numpy::IntoPyArray;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use super::door;
use crate::uvh5::{FringeStopped, Header, Keyword, Reader, Selection};
use crate::vis::VisBlock;

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(read_header, module)?)?;
    module.add_function(wrap_pyfunction!(read, module)?)
}

/// The header of a UVH5 file as a dict (angles in degrees unless the key says rad, times in MJD seconds UTC).
#[pyfunction]
fn read_header(py: Python<'_>, path: PathBuf) -> PyResult<Bound<'_, PyDict>> {
    let header = door::run_detached(py, None, move |_| Header::read(&path))?;
    header_dict(py, &header)
}

/// Visibilities of a UVH5 file as a dict of arrays, in the crate's convention; `times` and `channels` are half-open index ranges.
#[pyfunction]
#[pyo3(signature = (path, *, times=None, channels=None, antennas=None, baselines=None, no_autos=false, progress=None))]
#[allow(clippy::too_many_arguments)] // Python's keywords.
fn read(
    py: Python<'_>,
    path: PathBuf,
    times: Option<(usize, usize)>,
    channels: Option<(usize, usize)>,
    antennas: Option<Vec<u32>>,
    baselines: Option<Vec<(u32, u32)>>,
    no_autos: bool,
    progress: Option<Py<PyAny>>,
) -> PyResult<Bound<'_, PyDict>> {
    let range = |pair: Option<(usize, usize)>| pair.map(|(start, end)| start..end);
    let selection =
        Selection { times: range(times), channels: range(channels), antennas, baselines, no_autos };
    let block =
        door::run_detached(py, progress, move |control| Reader::open(&path)?.read(&selection, control))?;
    block_dict(py, block)
}

fn block_dict(py: Python<'_>, block: VisBlock) -> PyResult<Bound<'_, PyDict>> {
    let dict = PyDict::new(py);
    let uvw = ndarray::Array2::from(block.rows.uvw_m);
    dict.set_item("time_mjd_s", block.rows.time_mjd_s.into_pyarray(py))?;
    dict.set_item("interval_s", block.rows.interval_s.into_pyarray(py))?;
    dict.set_item("antenna1", block.rows.antenna1.into_pyarray(py))?;
    dict.set_item("antenna2", block.rows.antenna2.into_pyarray(py))?;
    dict.set_item("integration", block.rows.field.into_pyarray(py))?;
    dict.set_item("uvw_m", uvw.into_pyarray(py))?;
    dict.set_item("freq_hz", block.channels.freq_hz.into_pyarray(py))?;
    dict.set_item("width_hz", block.channels.width_hz.into_pyarray(py))?;
    dict.set_item("products", block.products.iter().map(|p| format!("{p:?}")).collect::<Vec<_>>())?;
    dict.set_item("vis_rfp", block.vis_rfp.into_pyarray(py))?;
    dict.set_item("weight_rfp", block.weight_rfp.into_pyarray(py))?;
    dict.set_item("flag_rfp", block.flag_rfp.into_pyarray(py))?;
    Ok(dict)
}

fn header_dict<'py>(py: Python<'py>, header: &Header) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("path", &header.path)?;
    dict.set_item("telescope_name", &header.telescope_name)?;
    dict.set_item("instrument", &header.instrument)?;
    dict.set_item("object_name", &header.object_name)?;
    dict.set_item("history", &header.history)?;
    dict.set_item("latitude_deg", header.latitude_deg)?;
    dict.set_item("longitude_deg", header.longitude_deg)?;
    dict.set_item("altitude_m", header.altitude_m)?;
    dict.set_item("antenna_names", &header.antennas.names)?;
    dict.set_item("antenna_numbers", header.antennas.numbers.clone().into_pyarray(py))?;
    let position = ndarray::Array2::from(header.antennas.position_m.clone());
    dict.set_item("antenna_position_m", position.into_pyarray(py))?;
    dict.set_item("antenna_diameter_m", header.antennas.diameter_m.clone().into_pyarray(py))?;
    dict.set_item("freq_hz", header.channels.freq_hz.clone().into_pyarray(py))?;
    dict.set_item("width_hz", header.channels.width_hz.clone().into_pyarray(py))?;
    dict.set_item("products", header.products.iter().map(|p| format!("{p:?}")).collect::<Vec<_>>())?;
    dict.set_item("start_mjd_s", header.span.start_mjd_s)?;
    dict.set_item("mid_mjd_s", header.span.mid_mjd_s())?;
    dict.set_item("end_mjd_s", header.span.end_mjd_s)?;
    dict.set_item("rows", header.rows)?;
    dict.set_item("times", header.times)?;
    dict.set_item("baselines", header.baselines)?;
    dict.set_item("subband", header.subband())?;
    dict.set_item("placeholder", header.placeholder())?;
    dict.set_item("phase_type", &header.phase.kind)?;
    let kinds = PyList::new(py, header.phase.catalogue.iter().map(|entry| &entry.kind))?;
    dict.set_item("phase_center_kinds", kinds)?;
    dict.set_item("phase_center_ha_rad", header.phase.ha_rad)?;
    dict.set_item("phase_center_dec_rad", header.phase.dec_rad)?;
    dict.set_item("phase_center_epoch", &header.phase.epoch)?;
    dict.set_item(
        "applied_delays_ns",
        header.applied_delays_ns().map(|list| list.into_iter().map(Vec::from).collect::<Vec<_>>()),
    )?;
    let (stopped, why) = match header.fringe_stopped() {
        FringeStopped::Yes => (Some(true), None),
        FringeStopped::No => (Some(false), None),
        FringeStopped::Ambiguous(why) => (None, Some(why)),
    };
    dict.set_item("fringe_stopped", stopped)?;
    dict.set_item("fringe_stopped_reason", why)?;
    let extra = PyDict::new(py);
    for (key, value) in &header.extra {
        match value {
            Keyword::Text(text) => extra.set_item(key, text)?,
            Keyword::Number(number) => extra.set_item(key, number)?,
            Keyword::Flag(flag) => extra.set_item(key, flag)?,
        }
    }
    dict.set_item("extra_keywords", extra)?;
    Ok(dict)
}
