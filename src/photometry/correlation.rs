//! Correlation of an image's noise, and what it does to the error of a fit.

use ndarray::ArrayView2;
use rayon::prelude::*;

use super::forced::Maps;
use super::kernel::PixelKernel;
use super::Error;
use crate::control::Control;
use crate::math::robust::{median_f32, SIGMA_PER_MAD};

/// Reach of the correlation that is looked at, in major axes: the kernel's own correlation is 1e-5 there.
const REACH: f64 = 2.0;
/// Most lags along a side, whatever the beam: sparser steps of a smooth function tell the same.
const MAX_LAG: f64 = 48.0;
/// Pixels further from the level than this hold sources \[sigma\].
const CLIP: f32 = 4.0;
/// Fewest pixels that tell anything.
const FEWEST: usize = 2000;

/// Noise of an image as a stationary field.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct NoiseCorrelation {
    /// Standard deviation of a forced fit over the rms of the pixels.
    pub error_factor: f64,
    /// Pixels that one independent value takes, `sum rho^2`: a chi-square of `N` pixels has `N` over this degrees of freedom.
    pub pixels_per_dof: f64,
    /// Pixels used.
    pub n: usize,
}

/// Measure the autocorrelation `rho` of the noise on up to `samples` pixels spread over the image, and from it
/// `factor^2 = sum_lag rho(lag) A(lag) / (sum K^2)^2` with `A` the autocorrelation of the kernel: the variance of the least-squares
/// amplitude under correlated noise (Condon 1997, doi:10.1086/133871, section 3, has the two limits). White noise gives
/// `1 / sum K^2`, noise smoothed by the beam itself about 1.
///
/// `None` with fewer than 2000 pixels without a source.
///
/// # Errors
/// Cancelled.
pub fn noise_correlation(
    maps: Maps<'_>,
    kernel: &PixelKernel,
    samples: usize,
    control: &Control,
) -> Result<Option<NoiseCorrelation>, Error> {
    let (ny, nx) = maps.image_yx.dim();
    let reach = (REACH * kernel.major_px).ceil().min(MAX_LAG) as usize;
    if ny <= 2 * reach || nx <= 2 * reach {
        return Ok(None);
    }
    let Some(field) = Field::new(maps) else { return Ok(None) };
    let step = (((ny - 2 * reach) * (nx - 2 * reach)) as f64 / samples.max(1) as f64).sqrt().max(1.0);
    let count = |n: usize| ((n - 2 * reach) as f64 / step) as usize;
    let rows: Vec<usize> = (0..count(ny)).map(|i| reach + (i as f64 * step) as usize).collect();
    let points: Vec<[usize; 2]> = rows
        .iter()
        .enumerate()
        .flat_map(|(k, &y)| {
            (0..count(nx)).map(move |i| [y, reach + (((i as f64) + 0.37 * (k % 3) as f64) * step) as usize])
        })
        .filter(|[y, x]| *x + reach < nx && field.at(*y as isize, *x as isize).is_some())
        .collect();
    if points.len() < FEWEST {
        return Ok(None);
    }
    let half = reach as isize;
    // Half the plane of lags: the other half is the same.
    let lags: Vec<[isize; 2]> = (0..=half)
        .flat_map(|dy| (-half..=half).map(move |dx| [dy, dx]))
        .filter(|[dy, dx]| *dy > 0 || *dx >= 0)
        .collect();
    let covariance: Result<Vec<f64>, Error> = lags
        .par_iter()
        .map(|[dy, dx]| {
            control.check()?;
            let (mut sum, mut n) = (0.0, 0u32);
            for [y, x] in &points {
                let (y, x) = (*y as isize, *x as isize);
                if let (Some(a), Some(b)) = (field.at(y, x), field.at(y + dy, x + dx)) {
                    sum += f64::from(a * b);
                    n += 1;
                }
            }
            Ok(if n > 0 { sum / f64::from(n) } else { 0.0 })
        })
        .collect();
    let covariance = covariance?;
    let (mut weighted, mut squares) = (0.0, 0.0);
    for ([dy, dx], c) in lags.iter().zip(&covariance) {
        let (rho, twice) = (c / covariance[0], if *dy == 0 && *dx == 0 { 1.0 } else { 2.0 });
        // The kernel's autocorrelation over its sum of squares is a Gaussian of sqrt(2) times its width.
        weighted += twice * rho * kernel.at(*dx as f64, *dy as f64).sqrt();
        squares += twice * rho * rho;
    }
    // The products of n pixels scatter by 1/sqrt(n): rho^2 is too large by that at every lag.
    let bias = (2 * lags.len() - 1) as f64 / points.len() as f64;
    let variance = weighted / kernel.sum_of_squares();
    Ok((variance > 0.0 && variance.is_finite()).then(|| NoiseCorrelation {
        error_factor: variance.sqrt(),
        pixels_per_dof: (squares - bias).max(1.0),
        n: points.len(),
    }))
}

/// The image in units of its noise, sources left out.
struct Field<'a> {
    maps: Maps<'a>,
    /// Level and rms of the whole image, where there are no maps.
    whole: [f32; 2],
}

impl<'a> Field<'a> {
    fn new(maps: Maps<'a>) -> Option<Self> {
        let whole = if maps.noise_yx.is_some() { [0.0, 1.0] } else { level_and_rms(maps.image_yx)? };
        Some(Self { maps, whole })
    }

    fn at(&self, y: isize, x: isize) -> Option<f32> {
        let (y, x) = (y as usize, x as usize);
        let level = self.maps.background_yx.map_or(self.whole[0], |b| b[[y, x]]);
        let rms = self.maps.noise_yx.map_or(self.whole[1], |n| n[[y, x]]);
        let z = (self.maps.image_yx[[y, x]] - level) / rms;
        (z.abs() < CLIP).then_some(z)
    }
}

fn level_and_rms(image_yx: ArrayView2<'_, f32>) -> Option<[f32; 2]> {
    let stride = (image_yx.len() / 100_000).max(1);
    let mut values: Vec<f32> = image_yx.iter().step_by(stride).copied().filter(|v| v.is_finite()).collect();
    let level = median_f32(&mut values);
    for v in &mut values {
        *v = (*v - level).abs();
    }
    let rms = SIGMA_PER_MAD as f32 * median_f32(&mut values);
    (rms > 0.0).then_some([level, rms])
}
