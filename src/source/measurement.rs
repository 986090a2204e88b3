//! One flux measurement of one source in one image.

use crate::coords::RaDec;

/// A forced or free flux measurement. Limits are kept apart from the signed flux.
#[derive(Clone, Debug, PartialEq)]
pub struct Measurement {
    /// Position measured at, ICRS.
    pub position: RaDec,
    /// Pixel position, zero based, `[x, y]`.
    pub pixel_xy: [f64; 2],
    /// Peak of the fitted shape, signed \[Jy/beam\].
    pub peak_jy: f64,
    /// Flux density, signed: the peak times the area of the fitted shape over the beam's, so the peak itself for a point source \[Jy\].
    pub flux_jy: f64,
    /// Its 1-sigma error, fractional floor included \[Jy\].
    pub flux_err_jy: f64,
    /// Its 1-sigma error from the noise alone \[Jy\].
    pub fit_err_jy: f64,
    /// Limit on the flux density where the source was not detected; NaN where it was \[Jy\].
    pub upper_limit_jy: f64,
    /// Local noise rms \[Jy/beam\].
    pub local_rms_jy: f64,
    /// Chi-square of the fit and its degrees of freedom.
    pub chi2: f64,
    /// Degrees of freedom of the fit.
    pub dof: usize,
    /// Cluster that the source was fitted with, if it was blended.
    pub cluster: Option<usize>,
    /// Bit mask of [`Measurement`] quality flags; 0 is clean.
    pub flags: u32,
}

impl Measurement {
    /// The position lies outside the image or on blank pixels: flux and error are NaN.
    pub const OUTSIDE: u32 = 1;
    /// The fit box is cut by the image's edge or by blank pixels.
    pub const EDGE: u32 = 2;
    /// Fitted together with a neighbour closer than the blend limit.
    pub const BLEND: u32 = 4;
    /// The catalogue says the source is resolved by this beam.
    pub const RESOLVED: u32 = 8;
    /// The image has no beam: the flux is the peak in a box.
    pub const PEAK_IN_BOX: u32 = 16;
    /// The field was low over the horizon.
    pub const LOW_ELEVATION: u32 = 32;
    /// The Sun, the Moon or a planet was near.
    pub const BODY_NEAR: u32 = 64;
    /// The two polarisations disagree.
    pub const POLS_DIFFER: u32 = 128;
    /// No reference is near: the gain is a guess.
    pub const NO_REFERENCE: u32 = 256;
}
