//! One flux measurement of one source in one image.

use crate::coords::RaDec;

/// A forced or free flux measurement. Limits are kept apart from the signed flux.
#[derive(Clone, Debug, PartialEq)]
pub struct Measurement {
    /// Position measured at, ICRS.
    pub position: RaDec,
    /// Pixel position, zero based, `[x, y]`.
    pub pixel_xy: [f64; 2],
    /// Peak flux density, signed \[Jy/beam\].
    pub flux_jy: f64,
    /// 1-sigma error \[Jy/beam\].
    pub flux_err_jy: f64,
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
}
