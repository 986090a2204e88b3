//! Kernels of the sources of one image: wider than the beam where the source is, or where averaging smeared it.

use super::measure::MeasureParams;
use crate::constants::SITE_LATITUDE_DEG;
use crate::image::{Plane, RestoringBeam};
use crate::photometry::{widened, PixelKernel, Smearing};
use crate::Error;

/// How one source is fitted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct SourceShape {
    /// Its own kernel, where it is not the beam's.
    pub kernel: Option<PixelKernel>,
    /// Area of that kernel over the beam's: from peak to flux density.
    pub area_ratio: f64,
    /// Error of a peak of that kernel over that of the beam's, for noise that the beam has smoothed:
    /// `sqrt(2 sqrt(|B| / |W + B|))` of the second moments.
    pub error_factor: f64,
    /// The source itself is wider than the limit.
    pub resolved: bool,
}

impl SourceShape {
    pub const POINT: Self = Self { kernel: None, area_ratio: 1.0, error_factor: 1.0, resolved: false };
}

/// Least widening that a kernel of its own is made for.
const LEAST: f64 = 1.0 + 1e-4;

pub(super) fn of_sources(
    plane: &Plane,
    with_beam: bool,
    pixel_xy: &[[f64; 2]],
    params: &MeasureParams,
) -> Result<Vec<SourceShape>, Error> {
    let Some(beam) = plane.beam.filter(|_| with_beam) else {
        return Ok(vec![SourceShape::POINT; pixel_xy.len()]);
    };
    let smearing = params.averaging.map(|[integration_s, channel_hz]| Smearing {
        integration_s,
        channel_hz,
        freq_hz: plane.freq_hz,
        dec_rad: plane.wcs.centre.dec_rad,
        latitude_rad: SITE_LATITUDE_DEG.to_radians(),
    });
    let one = |i: usize| -> Result<SourceShape, Error> {
        let own = params.sizes.get(i).copied().flatten().filter(|s| s.major_rad > 0.0);
        let mut moments: Vec<[f64; 3]> = own.iter().map(RestoringBeam::covariance).collect();
        let ratio_of = |moments: &[[f64; 3]]| widened(beam, moments).map_or(1.0, |w| w.1);
        let resolved = own.is_some() && ratio_of(&moments) >= params.resolved_area;
        if !resolved {
            // Below the limit the catalogue's size is as likely noise as size.
            moments.clear();
        }
        if let Some(smearing) = smearing.filter(|s| s.freq_hz > 0.0) {
            let lmn = plane.wcs.pixel_to_lmn(pixel_xy[i]);
            let m = smearing.moments(lmn.l, lmn.m);
            moments.extend(m.iter().all(|v| v.is_finite()).then_some(m));
        }
        let Some((wide, area_ratio)) = widened(beam, &moments).filter(|w| w.1 >= LEAST) else {
            return Ok(SourceShape { resolved, ..SourceShape::POINT });
        };
        let (b, w) = (beam.covariance(), wide.covariance());
        let determinant = |m: [f64; 3]| m[0] * m[2] - m[1] * m[1];
        let sum = determinant([0, 1, 2].map(|k| b[k] + w[k]));
        let error_factor = (2.0 * (determinant(b) / sum).sqrt()).sqrt();
        Ok(SourceShape {
            kernel: Some(PixelKernel::new(wide, &plane.wcs)?),
            area_ratio,
            error_factor,
            resolved,
        })
    };
    (0..pixel_xy.len()).map(one).collect()
}
