//! Images of a spectrum fitted by CLEAN: restored terms and the spectral index.

use ndarray::{Array2, Zip};

use super::bright::{on_pixels, BrightSource};
use super::clean_report::{Cleaned, Planes};
use super::run::{beam_at, ImagingParams};
use super::weigh::Weights;
use super::{primary_beam, restore, restore_points, Error, View, Visibilities};
use crate::control::Control;
use crate::deconvolution::{mad_rms, JointPsf};
use crate::image::{RestoringBeam, Wcs};

/// Below this many sigma of the image the spectral index is blank.
const LEAST_SIGMA: f32 = 5.0;
/// Half the span of the frequencies between which the beam's own slope is taken, as a share of the band.
const HALF_SPAN: f64 = 0.25;

/// What spectral terms add to an image.
#[derive(Clone, Debug)]
pub struct SpectralImages {
    /// Frequency of the terms \[Hz\].
    pub reference_hz: f64,
    /// Components of the terms from the second on \[Jy/pixel\].
    pub models_yx: Planes,
    /// Restored terms from the second on \[Jy/beam\].
    pub restored_yx: Planes,
    /// Spectral index behind the primary beam's own; NaN below five sigma or the beam's limit.
    pub alpha_yx: Array2<f32>,
    /// Its standard deviation.
    pub alpha_error_yx: Array2<f32>,
}

/// What the maps are made of.
pub(super) struct Spectral<'a> {
    pub vis: &'a Visibilities,
    pub weights: &'a Weights,
    pub params: &'a ImagingParams,
    pub wcs: &'a Wcs,
    pub beam: &'a RestoringBeam,
    pub bright: &'a [BrightSource],
    pub joint: &'a JointPsf,
    pub reference_hz: f64,
}

impl Spectral<'_> {
    /// Restored terms and spectral index; `restored_yx` and `pb_yx` are those at the reference frequency.
    pub(super) fn images(
        &self,
        cleaned: &Cleaned,
        restored_yx: &Array2<f32>,
        pb_yx: &Array2<f32>,
        control: &Control,
    ) -> Result<SpectralImages, Error> {
        let residuals: Planes =
            std::iter::once(&cleaned.residual_yx).chain(&cleaned.more_residuals_yx).cloned().collect();
        // The residual of a term is not its spectrum: one least-squares step at every pixel is.
        let left = self.joint.principal(&residuals);
        let increment = self.wcs.increment_rad;
        let mut terms = Vec::new();
        for (model, left) in cleaned.more_models_yx.iter().zip(&left[1..]) {
            terms.push(restore(left, model, self.beam, increment, control)?);
        }
        for (t, term) in terms.iter_mut().enumerate() {
            let points: Vec<_> = self.points(t + 1);
            restore_points(term, &points, self.beam, increment);
        }
        let (alpha_yx, alpha_error_yx) = self.alpha(&left, restored_yx, &terms[0], pb_yx, control)?;
        let models_yx = cleaned.more_models_yx.clone();
        Ok(SpectralImages {
            reference_hz: self.reference_hz,
            models_yx,
            restored_yx: terms,
            alpha_yx,
            alpha_error_yx,
        })
    }

    /// Bright sources in one term: places and peaks.
    pub(super) fn points(&self, term: usize) -> Vec<([f64; 2], f64)> {
        let seen = self.bright.iter().filter(|s| self.wcs.sky_to_pixel(s.position).is_some());
        let peaks = on_pixels(self.bright, self.wcs);
        peaks.into_iter().zip(seen).map(|((xy, peak), s)| (xy, peak * self.expansion(s)[term])).collect()
    }

    /// Taylor coefficients of a bright source behind the beam, over its mean peak.
    fn expansion(&self, source: &BrightSource) -> [f64; 3] {
        let p = self.params;
        let view = View { beam: &p.beam, pointings: &p.pointings, centre: p.centre, accuracy: 1e-6 };
        let half = HALF_SPAN * self.span();
        let at = |x: f64| {
            let freq_hz = self.reference_hz * (1.0 + x);
            let one = Weights {
                by_channel: vec![1.0],
                freq_hz: vec![freq_hz],
                mean_freq_hz: freq_hz,
                ..self.weights.clone()
            };
            source.ratio_in(view, &one)
        };
        let (low, middle, high) = (at(-half), at(0.0), at(half));
        [middle, 0.5 * (high - low) / half, 0.5 * (high + low - 2.0 * middle) / (half * half)]
    }

    /// Width of the band over the reference frequency.
    fn span(&self) -> f64 {
        let f = &self.vis.freq_hz;
        match (f.first(), f.last()) {
            (Some(low), Some(high)) if high > low => (high - low) / self.reference_hz,
            _ => 1e-3,
        }
    }

    fn alpha(
        &self,
        left: &[Array2<f32>],
        restored_yx: &Array2<f32>,
        slope_yx: &Array2<f32>,
        pb_yx: &Array2<f32>,
        control: &Control,
    ) -> Result<(Array2<f32>, Array2<f32>), Error> {
        let (noise, slope_noise) = (mad_rms(left[0].iter()), mad_rms(left[1].iter()));
        let half = HALF_SPAN * self.span();
        let shape = [restored_yx.nrows(), restored_yx.ncols()];
        let pb_at = |x: f64| -> Result<Array2<f32>, Error> {
            let beam = beam_at(self.reference_hz * (1.0 + x), self.weights, self.params)?;
            primary_beam(&beam, self.wcs, shape, control)
        };
        let (low, high) = (pb_at(-half)?, pb_at(half)?);
        let step = ((1.0 + half) / (1.0 - half)).ln() as f32;
        let limit = self.params.pb_limit;
        let mut alpha = slope_yx / restored_yx;
        let mut error = Array2::from_elem(alpha.dim(), f32::NAN);
        Zip::from(&mut alpha).and(&mut error).and(restored_yx).and(pb_yx).for_each(|a, e, i, pb| {
            if *i >= LEAST_SIGMA * noise && *pb >= limit && a.is_finite() {
                *e = (slope_noise * slope_noise + *a * *a * noise * noise).sqrt() / i;
            } else {
                *a = f32::NAN;
            }
        });
        Zip::from(&mut alpha).and(&low).and(&high).for_each(|a, low, high| *a -= (high / low).ln() / step);
        Ok((alpha, error))
    }
}
