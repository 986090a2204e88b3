//! Boundary of `detection`: the blind finder.

use std::path::PathBuf;

use numpy::PyArray1;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::door;
use crate::detection::{FindParams, Found};
use crate::tasks::find;

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(find_sources, module)?)
}

/// Components found in an image, brightest first: columns as arrays.
#[pyfunction]
#[pyo3(signature = (image, *, seed_sigma=5.0, island_sigma=3.0, mesh_beams=20.0, progress=None))]
fn find_sources<'py>(
    py: Python<'py>,
    image: PathBuf,
    seed_sigma: f64,
    island_sigma: f64,
    mesh_beams: f64,
    progress: Option<Py<PyAny>>,
) -> PyResult<Bound<'py, PyDict>> {
    let limits = FindParams { seed_sigma, island_sigma, mesh_beams };
    let params = find::FindParams { image, limits };
    let report = door::run_detached(py, progress, |control| find::run(&params, control))?;
    let arcsec = |rad: f64| rad.to_degrees() * 3600.0;
    let columns: [(&str, &dyn Fn(&Found) -> f64); 23] = [
        ("ra_deg", &|f| f.position.ra_deg().rem_euclid(360.0)),
        ("dec_deg", &|f| f.position.dec_deg()),
        ("ra_err_arcsec", &|f| arcsec(f.errors.east_rad)),
        ("dec_err_arcsec", &|f| arcsec(f.errors.north_rad)),
        ("peak_jy", &|f| f.peak_jy),
        ("peak_err_jy", &|f| f.errors.peak * f.peak_jy),
        ("flux_jy", &|f| f.integrated_jy),
        ("flux_err_jy", &|f| f.errors.integrated * f.integrated_jy),
        ("maj_arcsec", &|f| arcsec(f.shape.major_rad)),
        ("min_arcsec", &|f| arcsec(f.shape.minor_rad)),
        ("pa_deg", &|f| f.shape.pa_rad.to_degrees()),
        ("maj_err_arcsec", &|f| arcsec(f.errors.major_rad)),
        ("min_err_arcsec", &|f| arcsec(f.errors.minor_rad)),
        ("pa_err_deg", &|f| f.errors.pa_rad.to_degrees()),
        ("deconv_maj_arcsec", &|f| f.deconvolved.map_or(f64::NAN, |d| arcsec(d.major_rad))),
        ("deconv_min_arcsec", &|f| f.deconvolved.map_or(f64::NAN, |d| arcsec(d.minor_rad))),
        ("deconv_pa_deg", &|f| f.deconvolved.map_or(f64::NAN, |d| d.pa_rad.to_degrees())),
        ("local_rms_jy", &|f| f.rms_jy),
        ("background_jy", &|f| f.level_jy),
        ("snr", &|f| f.peak_jy / f.rms_jy),
        ("pix_x", &|f| f.pixel_xy[0]),
        ("pix_y", &|f| f.pixel_xy[1]),
        ("components", &|f| f.components as f64),
    ];
    let out = PyDict::new(py);
    for (name, get) in columns {
        out.set_item(name, PyArray1::from_iter(py, report.found.iter().map(get)))?;
    }
    out.set_item("island", PyArray1::from_iter(py, report.found.iter().map(|f| f.island as i64)))?;
    out.set_item("fixed_shape", PyArray1::from_iter(py, report.found.iter().map(|f| f.fixed_shape)))?;
    out.set_item("mjd", report.time_mjd_s / crate::constants::SECONDS_PER_DAY)?;
    out.set_item("freq_hz", report.freq_hz)?;
    Ok(out)
}
