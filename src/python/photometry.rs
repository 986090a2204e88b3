//! Boundary of `photometry`, `detection` and the measure task.

use std::path::PathBuf;

use ndarray::Ix2;
use numpy::{IntoPyArray, PyArray1, PyArray2};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::catalog::positions;
use super::ese::to_python;
use super::{arrays, door, errors};
use crate::detection::{background, BackgroundParams};
use crate::image::RestoringBeam;
use crate::photometry as core;
use crate::source::Measurement;
use crate::tasks::{inject, measure};

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let flags = [
        ("OUTSIDE", Measurement::OUTSIDE),
        ("EDGE", Measurement::EDGE),
        ("BLEND", Measurement::BLEND),
        ("RESOLVED", Measurement::RESOLVED),
        ("PEAK_IN_BOX", Measurement::PEAK_IN_BOX),
        ("LOW_ELEVATION", Measurement::LOW_ELEVATION),
        ("BODY_NEAR", Measurement::BODY_NEAR),
        ("POLS_DIFFER", Measurement::POLS_DIFFER),
        ("NO_REFERENCE", Measurement::NO_REFERENCE),
    ];
    for (name, bit) in flags {
        module.add(name, bit)?;
    }
    module.add_function(wrap_pyfunction!(measure_image, module)?)?;
    module.add_function(wrap_pyfunction!(measure_pixels, module)?)?;
    module.add_function(wrap_pyfunction!(inject_source, module)?)?;
    module.add_function(wrap_pyfunction!(background_maps, module)?)?;
    super::photometry_gains::register(module)
}

/// Sizes `(major, minor, pa)` \[degrees\]; a source without one is a point.
fn sizes(list: Vec<Option<[f64; 3]>>) -> Vec<Option<RestoringBeam>> {
    let beam = |[major, minor, pa]: [f64; 3]| RestoringBeam {
        major_rad: major.to_radians(),
        minor_rad: minor.to_radians(),
        pa_rad: pa.to_radians(),
    };
    list.into_iter().map(|size| size.filter(|s| s.iter().all(|v| v.is_finite())).map(beam)).collect()
}

/// Images of parts of the band, each with its primary beam and its residual or `None`, which may be left out.
fn bands(list: Vec<Vec<Option<PathBuf>>>) -> PyResult<Vec<measure::BandImage>> {
    let one = |mut part: Vec<Option<PathBuf>>| {
        let found = part.len();
        part.resize(found.max(3), None);
        match <[Option<PathBuf>; 3]>::try_from(part) {
            Ok([Some(image), pb, residual]) if found > 0 => Ok(measure::BandImage { image, pb, residual }),
            _ => {
                let expected = "an image, its primary beam or None and its residual or None";
                Err(errors::exception(&crate::kind::BadArgument::new(
                    "bands",
                    expected,
                    format!("{found} entries"),
                )))
            }
        }
    };
    list.into_iter().map(one).collect()
}

/// Options of `measure_image`, from a dictionary; an unknown key is an error.
fn measure_params(
    image: PathBuf,
    positions: Vec<crate::coords::RaDec>,
    options: Option<&Bound<'_, PyDict>>,
) -> PyResult<measure::MeasureParams> {
    let mut p = measure::MeasureParams::new(image, positions);
    let (mut noise, mut level) = (None, None);
    for (key, value) in options.into_iter().flat_map(|d| d.iter()) {
        match key.extract::<String>()?.as_str() {
            "pb" => p.pb = value.extract()?,
            "residual" => p.residual = value.extract()?,
            "matched" => p.matched = value.extract()?,
            "min_pb" => p.min_pb = value.extract()?,
            "ignore_beam" => p.ignore_beam = value.extract()?,
            "blank_fits" => p.blank_fits = value.extract()?,
            "nbeam" => p.forced.nbeam = value.extract()?,
            "annulus_px" => p.forced.annulus_px = value.extract()?,
            "box_px" => p.forced.box_px = value.extract()?,
            "cluster_beams" => p.forced.cluster_beams = value.extract()?,
            "error_factor" => p.forced.error_factor = value.extract()?,
            "sizes_deg" => p.sizes = sizes(value.extract()?),
            "resolved_area" => p.resolved_area = value.extract()?,
            "averaging" => p.averaging = value.extract()?,
            "limit_sigma" => p.limit_sigma = value.extract()?,
            "fraction_floor" => p.fraction_floor = value.extract()?,
            "min_elevation_deg" => p.sky.min_elevation_deg = value.extract()?,
            "near_deg" => p.sky.near_deg = value.extract()?,
            "bands" => p.bands = bands(value.extract()?)?,
            "pols" => p.pols = value.extract()?,
            "noise_map" => noise = value.extract()?,
            "background_map" => level = value.extract()?,
            "mesh_beams" => {
                if let Some(box_beams) = value.extract()? {
                    p.noise = measure::NoiseSource::Mesh { box_beams };
                }
            }
            other => {
                let expected = "pb, residual, matched, min_pb, ignore_beam, blank_fits, nbeam, annulus_px, box_px, cluster_beams, \
                    error_factor, noise_map, background_map, mesh_beams, sizes_deg, resolved_area, averaging, \
                    limit_sigma, fraction_floor, min_elevation_deg, near_deg, bands or pols";
                return Err(errors::exception(&crate::kind::BadArgument::new("option", expected, other)));
            }
        }
    }
    if let Some(noise) = noise {
        p.noise = measure::NoiseSource::Maps { noise, background: level };
    }
    Ok(p)
}

/// Forced fluxes at positions on one image, as a dictionary of arrays and of what is known of the image.
#[pyfunction]
#[pyo3(signature = (image, ra_deg, dec_deg, *, options=None, progress=None))]
fn measure_image<'py>(
    py: Python<'py>,
    image: PathBuf,
    ra_deg: &Bound<'py, PyAny>,
    dec_deg: &Bound<'py, PyAny>,
    options: Option<&Bound<'py, PyDict>>,
    progress: Option<Py<PyAny>>,
) -> PyResult<Bound<'py, PyDict>> {
    let params = measure_params(image, positions(ra_deg, dec_deg)?, options)?;
    let report = door::run_detached(py, progress, |control| measure::run(&params, control))?;
    let rows = &report.measurements;
    let out = PyDict::new(py);
    let columns: [(&str, fn(&Measurement) -> f64); 9] = [
        ("peak_jy", |m| m.peak_jy),
        ("flux_jy", |m| m.flux_jy),
        ("flux_err_jy", |m| m.flux_err_jy),
        ("fit_err_jy", |m| m.fit_err_jy),
        ("upper_limit_jy", |m| m.upper_limit_jy),
        ("local_rms_jy", |m| m.local_rms_jy),
        ("chi2", |m| m.chi2),
        ("pix_x", |m| m.pixel_xy[0]),
        ("pix_y", |m| m.pixel_xy[1]),
    ];
    for (name, get) in columns {
        out.set_item(name, PyArray1::from_iter(py, rows.iter().map(get)))?;
    }
    out.set_item("dof", PyArray1::from_iter(py, rows.iter().map(|m| m.dof as i64)))?;
    let cluster = rows.iter().map(|m| m.cluster.map_or(-1, |c| c as i64));
    out.set_item("cluster", PyArray1::from_iter(py, cluster))?;
    out.set_item("flags", PyArray1::from_iter(py, rows.iter().map(|m| m.flags)))?;
    out.set_item("pb", report.pb.into_pyarray(py))?;
    let beam = report.beam.map(|b| [b.major_rad, b.minor_rad, b.pa_rad].map(f64::to_degrees));
    out.set_item("beam_deg", beam)?;
    out.set_item("mjd", report.time_mjd_s / crate::constants::SECONDS_PER_DAY)?;
    out.set_item("freq_hz", report.freq_hz)?;
    out.set_item("noise_jy", report.noise_jy)?;
    out.set_item("shape_yx", report.shape_yx)?;
    out.set_item("blank_sky", to_python(py, &report.blank_sky)?)?;
    out.set_item("correlation", to_python(py, &report.correlation)?)?;
    out.set_item("bandwidth_hz", report.bandwidth_hz)?;
    for (k, name) in ["x_deg", "y_deg"].into_iter().enumerate() {
        let offsets = report.offset_rad.iter().map(|o| o[k].to_degrees());
        out.set_item(name, PyArray1::from_iter(py, offsets))?;
    }
    out.set_item("bands", report.bands.into_iter().map(|b| band(py, b)).collect::<PyResult<Vec<_>>>()?)?;
    Ok(out)
}

fn band(py: Python<'_>, report: measure::BandReport) -> PyResult<Bound<'_, PyDict>> {
    let out = PyDict::new(py);
    out.set_item("path", report.path)?;
    out.set_item("freq_hz", report.freq_hz)?;
    out.set_item("bandwidth_hz", report.bandwidth_hz)?;
    let beam = report.beam.map(|b| [b.major_rad, b.minor_rad, b.pa_rad].map(f64::to_degrees));
    out.set_item("beam_deg", beam)?;
    out.set_item("noise_jy", report.noise_jy)?;
    out.set_item("flux_jy", report.flux_jy.into_pyarray(py))?;
    out.set_item("flux_err_jy", report.flux_err_jy.into_pyarray(py))?;
    Ok(out)
}

/// Forced fits on an array: `(flux, flux_err, chi2)` at `pixel_xy` for a beam `(major, minor)` in pixels and position angle in
/// degrees from +y towards -x (north through east on the usual grid).
#[pyfunction]
#[pyo3(signature = (image_yx, pixel_xy, beam, *, noise=None, nbeam=3.0, cluster_beams=None))]
fn measure_pixels<'py>(
    py: Python<'py>,
    image_yx: &Bound<'py, PyAny>,
    pixel_xy: &Bound<'py, PyAny>,
    beam: (f64, f64, f64),
    noise: Option<f64>,
    nbeam: f64,
    cluster_beams: Option<f64>,
) -> PyResult<[Bound<'py, PyArray1<f64>>; 3]> {
    let image = arrays::view::<f32, Ix2>(image_yx, "image_yx", "yx")?;
    let positions = arrays::view::<f64, Ix2>(pixel_xy, "pixel_xy", "nx")?;
    arrays::same_length("pixel_xy", 'x', 2, positions.as_array().ncols())?;
    let xy: Vec<[f64; 2]> = positions.as_slice()?.chunks_exact(2).map(|p| [p[0], p[1]]).collect();
    let kernel = core::PixelKernel::in_pixels(beam.0, beam.1, beam.2.to_radians())
        .map_err(|e| errors::exception(&e))?;
    let params = core::ForcedParams { nbeam, cluster_beams, rms_jy: noise, ..Default::default() };
    let maps = core::Maps { image_yx: image.as_array(), noise_yx: None, background_yx: None, left_yx: None };
    let fits =
        door::run_detached(py, None, |control| core::measure(maps, Some(&kernel), &xy, &params, control))?;
    let array = |get: fn(&core::PixelFit) -> f64| PyArray1::from_iter(py, fits.iter().map(get));
    Ok([array(|f| f.flux_jy), array(|f| f.flux_err_jy), array(|f| f.chi2)])
}

/// Add a beam-shaped source to an image and write the sum.
#[pyfunction]
#[pyo3(signature = (image, ra_deg, dec_deg, flux_jy, output, *, nbeam=15.0))]
fn inject_source(
    py: Python<'_>,
    image: PathBuf,
    ra_deg: f64,
    dec_deg: f64,
    flux_jy: f64,
    output: PathBuf,
    nbeam: f64,
) -> PyResult<()> {
    let position = crate::coords::RaDec::from_deg(ra_deg, dec_deg);
    let params = inject::InjectParams { image, output, sources: vec![(position, flux_jy)], nbeam };
    door::run_detached(py, None, |control| inject::run(&params, control))
}

/// Background and noise of an image: `(level_yx, rms_yx)`.
#[pyfunction]
#[pyo3(signature = (image_yx, *, box_px=128, step_px=64, clip_sigma=3.0, samples=48))]
fn background_maps<'py>(
    py: Python<'py>,
    image_yx: &Bound<'py, PyAny>,
    box_px: usize,
    step_px: usize,
    clip_sigma: f64,
    samples: usize,
) -> PyResult<(Bound<'py, PyArray2<f32>>, Bound<'py, PyArray2<f32>>)> {
    let view = arrays::view::<f32, Ix2>(image_yx, "image_yx", "yx")?;
    let (image, params) = (view.as_array(), BackgroundParams { box_px, step_px, clip_sigma, samples });
    let maps = door::run_detached(py, None, |control| background(image, &params, control))?;
    Ok((maps.level_yx.into_pyarray(py), maps.rms_yx.into_pyarray(py)))
}
