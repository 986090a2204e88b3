//! Boundary of `association`: matching and the HEALPix index.

use numpy::PyArray1;
use pyo3::prelude::*;

use super::variability::column;
use super::{arrays, door, errors};
use crate::association::{self as core, SphereIndex};
use crate::control::Cancelled;
use crate::coords::RaDec;

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("HEALPIX_DEPTH", core::INDEX_DEPTH)?;
    module.add_function(wrap_pyfunction!(match_nearest, module)?)?;
    module.add_function(wrap_pyfunction!(match_pairs, module)?)?;
    module.add_function(wrap_pyfunction!(healpix, module)?)?;
    module.add_function(wrap_pyfunction!(cone_ranges, module)?)
}

/// Positions of two columns of degrees.
pub(super) fn positions(ra_deg: &Bound<'_, PyAny>, dec_deg: &Bound<'_, PyAny>) -> PyResult<Vec<RaDec>> {
    let (ra, dec) = (column(ra_deg, "ra_deg")?, column(dec_deg, "dec_deg")?);
    let (ra, dec) = (ra.as_slice()?, dec.as_slice()?);
    arrays::same_length("dec_deg", 'n', ra.len(), dec.len())?;
    Ok(ra.iter().zip(dec).map(|(ra, dec)| RaDec::from_deg(*ra, *dec)).collect())
}

/// Index of the nearest catalogue position within the radius (-1: none) and its distance in arcsec (NaN: none).
#[pyfunction]
fn match_nearest<'py>(
    py: Python<'py>,
    ra_deg: &Bound<'py, PyAny>,
    dec_deg: &Bound<'py, PyAny>,
    catalog_ra_deg: &Bound<'py, PyAny>,
    catalog_dec_deg: &Bound<'py, PyAny>,
    radius_arcsec: f64,
) -> PyResult<(Bound<'py, PyArray1<i64>>, Bound<'py, PyArray1<f64>>)> {
    let (query, catalog) = (positions(ra_deg, dec_deg)?, positions(catalog_ra_deg, catalog_dec_deg)?);
    let radius = (radius_arcsec / 3600.0).to_radians();
    let found = door::run_detached(py, None, |_| {
        Ok::<_, Cancelled>(SphereIndex::new(&catalog).nearest_of_each(&query, radius))
    })?;
    Ok((
        PyArray1::from_iter(py, found.iter().map(|m| m.map_or(-1, |m| m.found as i64))),
        PyArray1::from_iter(
            py,
            found.iter().map(|m| m.map_or(f64::NAN, |m| m.separation_rad.to_degrees() * 3600.0)),
        ),
    ))
}

/// Every pair within the radius: query index, catalogue index, distance in arcsec.
#[pyfunction]
fn match_pairs<'py>(
    py: Python<'py>,
    ra_deg: &Bound<'py, PyAny>,
    dec_deg: &Bound<'py, PyAny>,
    catalog_ra_deg: &Bound<'py, PyAny>,
    catalog_dec_deg: &Bound<'py, PyAny>,
    radius_arcsec: f64,
) -> PyResult<(Bound<'py, PyArray1<i64>>, Bound<'py, PyArray1<i64>>, Bound<'py, PyArray1<f64>>)> {
    let (query, catalog) = (positions(ra_deg, dec_deg)?, positions(catalog_ra_deg, catalog_dec_deg)?);
    let radius = (radius_arcsec / 3600.0).to_radians();
    let found = door::run_detached(py, None, |_| {
        Ok::<_, Cancelled>(SphereIndex::new(&catalog).pairs(&query, radius))
    })?;
    Ok((
        PyArray1::from_iter(py, found.iter().map(|m| m.query as i64)),
        PyArray1::from_iter(py, found.iter().map(|m| m.found as i64)),
        PyArray1::from_iter(py, found.iter().map(|m| m.separation_rad.to_degrees() * 3600.0)),
    ))
}

/// Nested HEALPix numbers at the depth of the catalogues' index.
#[pyfunction]
fn healpix<'py>(
    py: Python<'py>,
    ra_deg: &Bound<'py, PyAny>,
    dec_deg: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyArray1<i64>>> {
    let pixels: Result<Vec<u64>, _> = positions(ra_deg, dec_deg)?.into_iter().map(core::pixel_of).collect();
    let pixels = pixels.map_err(|e| errors::exception(&e))?;
    Ok(PyArray1::from_iter(py, pixels.into_iter().map(|p| p as i64)))
}

/// Half-open ranges of HEALPix numbers that cover a cone.
#[pyfunction]
fn cone_ranges(ra_deg: f64, dec_deg: f64, radius_deg: f64) -> PyResult<Vec<(u64, u64)>> {
    core::cone_ranges(RaDec::from_deg(ra_deg, dec_deg), radius_deg.to_radians())
        .map_err(|e| errors::exception(&e))
}
