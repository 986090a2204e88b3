//! Boundary of `uvh5`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use num_complex::Complex32;
use numpy::{IntoPyArray, PyReadonlyArray2, PyReadonlyArray3, PyUntypedArrayMethods};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyList};

use super::{arrays, door};
use crate::uvh5::{Antennas, FringeStopped, Header, Keyword, Reader, Selection, Spec, VisRef, Writer};
use crate::vis::{Channels, Product, Rows, VisBlock};

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(read_header, module)?)?;
    module.add_function(wrap_pyfunction!(read, module)?)?;
    module.add_function(wrap_pyfunction!(write, module)?)
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

/// Write one block as a UVH5 file in the correlator's layout; `header` and `block` have the entries that `read_header` and `read` give.
#[pyfunction]
#[pyo3(signature = (path, header, block, *, chunk=None, replace=false))]
fn write(
    py: Python<'_>,
    path: PathBuf,
    header: &Bound<'_, PyAny>,
    block: &Bound<'_, PyAny>,
    chunk: Option<[usize; 3]>,
    replace: bool,
) -> PyResult<()> {
    let spec = spec_of(header, block, chunk)?;
    let uvw: PyReadonlyArray2<'_, f64> = arrays::view(&block.get_item("uvw_m")?, "uvw_m", "rx")?;
    arrays::same_length("uvw_m", 'x', 3, uvw.shape()[1])?;
    let rows = Rows {
        time_mjd_s: block.get_item("time_mjd_s")?.extract()?,
        interval_s: block.get_item("interval_s")?.extract()?,
        antenna1: block.get_item("antenna1")?.extract()?,
        antenna2: block.get_item("antenna2")?.extract()?,
        field: Vec::new(),
        uvw_m: uvw.as_array().outer_iter().map(|x| [x[0], x[1], x[2]]).collect(),
    };
    let vis: PyReadonlyArray3<'_, Complex32> = arrays::view(&block.get_item("vis_rfp")?, "vis_rfp", "rfp")?;
    let weight: PyReadonlyArray3<'_, f32> =
        arrays::view(&block.get_item("weight_rfp")?, "weight_rfp", "rfp")?;
    let flag: PyReadonlyArray3<'_, bool> = arrays::view(&block.get_item("flag_rfp")?, "flag_rfp", "rfp")?;
    let data = VisRef { vis_rfp: vis.as_array(), weight_rfp: weight.as_array(), flag_rfp: flag.as_array() };
    door::run_detached(py, None, move |_| {
        let mut writer = Writer::create(&path, spec, replace)?;
        writer.append(&rows, data)?;
        writer.finish().map(drop)
    })
}

fn spec_of(header: &Bound<'_, PyAny>, block: &Bound<'_, PyAny>, chunk: Option<[usize; 3]>) -> PyResult<Spec> {
    let names: Vec<String> = block.get_item("products")?.extract()?;
    let products = names.iter().map(|name| Product::from_name(name)).collect::<Option<Vec<_>>>();
    let extra: BTreeMap<String, Bound<'_, PyAny>> = header.get_item("extra_keywords")?.extract()?;
    Ok(Spec {
        telescope_name: header.get_item("telescope_name")?.extract()?,
        instrument: header.get_item("instrument")?.extract()?,
        object_name: header.get_item("object_name")?.extract()?,
        history: header.get_item("history")?.extract()?,
        latitude_deg: header.get_item("latitude_deg")?.extract()?,
        longitude_deg: header.get_item("longitude_deg")?.extract()?,
        altitude_m: header.get_item("altitude_m")?.extract()?,
        antennas: Antennas {
            names: header.get_item("antenna_names")?.extract()?,
            numbers: header.get_item("antenna_numbers")?.extract()?,
            position_m: header.get_item("antenna_position_m")?.extract()?,
            diameter_m: header.get_item("antenna_diameter_m")?.extract()?,
        },
        channels: Channels {
            spw: 0,
            freq_hz: block.get_item("freq_hz")?.extract()?,
            width_hz: block.get_item("width_hz")?.extract()?,
        },
        products: products.ok_or_else(|| {
            PyValueError::new_err(format!("products: expected names like XX, found {names:?}"))
        })?,
        dec_rad: header.get_item("phase_center_dec_rad")?.extract()?,
        extra: extra
            .into_iter()
            .filter(|(key, _)| !Spec::OWN_KEYWORDS.contains(&key.as_str()))
            .map(|(key, value)| keyword(&value).map(|value| (key, value)))
            .collect::<PyResult<_>>()?,
        chunk,
    })
}

fn keyword(value: &Bound<'_, PyAny>) -> PyResult<Keyword> {
    if let Ok(flag) = value.cast::<PyBool>() {
        return Ok(Keyword::Flag(flag.is_true()));
    }
    value.extract().map(Keyword::Number).or_else(|_| value.extract().map(Keyword::Text))
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
