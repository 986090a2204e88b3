//! What forced fits give where there is no source: the honest size of their errors.

use super::forced::{measure, ForcedParams, Maps};
use super::kernel::PixelKernel;
use super::Error;
use crate::control::Control;
use crate::math::robust::{clip, median_mad};
use crate::source::Measurement;

/// Scatter of forced fits on blank sky, in units of the local rms.
///
/// Image noise is correlated over a beam or so, and how exactly depends on the weighting. Rather than model it, fit blank
/// positions and look: pulls with the errors so scaled are N(0, 1) by construction.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct BlankSky {
    /// Robust standard deviation of `flux / flux_err` over blank positions, for [`ForcedParams::error_factor`].
    pub error_factor: f64,
    /// Median of `flux / flux_err`: the background that was not taken off \[sigma\].
    pub bias: f64,
    /// Effective degrees of freedom of a fit's chi-square, `2 <chi2>^2 / var(chi2)`: far fewer than pixels.
    pub effective_dof: f64,
    /// Blank positions used.
    pub n: usize,
}

/// Fit up to `n` positions spread evenly over the image, those nearer than two windows to a source of `avoid_xy` left out.
///
/// `None` when fewer than 50 positions are blank.
///
/// # Errors
/// As [`measure`].
pub fn blank_sky(
    maps: Maps<'_>,
    kernel: &PixelKernel,
    avoid_xy: &[[f64; 2]],
    n: usize,
    params: &ForcedParams,
    control: &Control,
) -> Result<Option<BlankSky>, Error> {
    const FEWEST: usize = 50;
    let (ny, nx) = maps.image_yx.dim();
    let half = kernel.half_window(params.nbeam)? as f64;
    if nx as f64 <= 2.0 * half || ny as f64 <= 2.0 * half {
        return Ok(None);
    }
    // A source off the image has no pixel (NaN) and is far from everything.
    let near = |p: &[f64; 2], q: &[f64; 2]| (p[0] - q[0]).hypot(p[1] - q[1]) <= 2.0 * half;
    let far = |p: &[f64; 2]| !avoid_xy.iter().any(|q| near(p, q));
    let positions: Vec<[f64; 2]> = (0..n)
        .map(|i| {
            // The additive recurrence of the plastic number fills a square evenly (Roberts 2018).
            let [a, b] =
                [0.754_877_666_246_692_8, 0.569_840_290_998_053_3].map(|c| (0.5 + c * i as f64).fract());
            [half + a * (nx as f64 - 2.0 * half - 1.0), half + b * (ny as f64 - 2.0 * half - 1.0)]
        })
        .filter(far)
        .collect();
    let plain = ForcedParams { cluster_beams: None, error_factor: 1.0, ..*params };
    let fits = measure(maps, Some(kernel), &positions, &plain, control)?;
    let clean = || fits.iter().filter(|f| f.flags & (Measurement::EDGE | Measurement::OUTSIDE) == 0);
    let pulls: Vec<f64> = clean().map(|f| f.flux_jy / f.flux_err_jy).filter(|p| p.is_finite()).collect();
    if pulls.len() < FEWEST {
        return Ok(None);
    }
    let stats = median_mad(&pulls);
    let chi2: Vec<f64> = clean().map(|f| f.chi2).filter(|c| c.is_finite()).collect();
    let kept = clip(&chi2, 4.0, 3).stats;
    let effective_dof = 2.0 * (kept.median / kept.sigma).powi(2);
    Ok((stats.sigma > 0.0).then_some(BlankSky {
        error_factor: stats.sigma,
        bias: stats.median / stats.sigma,
        effective_dof,
        n: pulls.len(),
    }))
}
