//! One image plane.

use ndarray::Array2;

use super::{RestoringBeam, Wcs};

/// Pixels with world coordinates, beam and unit.
#[derive(Clone, Debug)]
pub struct Plane {
    /// Pixels, rows of constant y first; blank pixels are NaN.
    pub data_yx: Array2<f32>,
    /// World coordinates.
    pub wcs: Wcs,
    /// Restoring beam, when the image has one.
    pub beam: Option<RestoringBeam>,
    /// Unit as a FITS `BUNIT`, for example `JY/BEAM`.
    pub unit: String,
    /// Reference frequency \[Hz\].
    pub freq_hz: f64,
    /// Bandwidth \[Hz\].
    pub bandwidth_hz: f64,
    /// Mid time of the observation, UTC \[MJD s\].
    pub time_mjd_s: f64,
}
