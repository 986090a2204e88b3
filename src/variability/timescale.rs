//! The characteristic time: first zero crossing of the autocorrelation.

use super::error::{check_times, Undefined};
use crate::math::robust::median;
use crate::math::sums::mean;

const NAME: &str = "timescale";
/// Most cells of the regular grid that the light curve is averaged onto.
const MAX_CELLS: usize = 1 << 15;

/// The lag \[days\] at which the autocorrelation of `flux` first falls to zero, by linear interpolation between lags.
///
/// The points are averaged onto a regular grid of the median spacing (empty cells stay empty), and
/// `r(k) = mean over pairs of (f_i - mean)(f_{i+k} - mean)`: the discrete correlation function of Edelson & Krolik 1988
/// (doi:10.1086/166773) with one bin a cell. Lags without a pair are passed over.
///
/// # Errors
/// Fewer than four points; bad or unsorted or all equal times; constant flux; no crossing within the light curve.
pub fn timescale(mjd: &[f64], flux: &[f64]) -> Result<f64, Undefined> {
    check_times(NAME, 4, mjd, flux)?;
    let grid = Grid::of(mjd, flux);
    let (mut last_lag, mut last) = (0.0, grid.correlation(0).unwrap_or(0.0));
    if last <= 0.0 {
        return Err(Undefined::Constant { statistic: NAME });
    }
    for k in 1..grid.deviation.len() {
        let Some(now) = grid.correlation(k) else { continue };
        let lag = k as f64 * grid.step_days;
        if now <= 0.0 {
            return Ok(last_lag + (lag - last_lag) * last / (last - now));
        }
        (last_lag, last) = (lag, now);
    }
    Err(Undefined::NotReached { statistic: NAME })
}

/// Deviations from the mean on a regular grid; empty cells hold zero and count zero.
struct Grid {
    step_days: f64,
    deviation: Vec<f64>,
    filled: Vec<bool>,
}

impl Grid {
    fn of(mjd: &[f64], flux: &[f64]) -> Self {
        let mut gaps: Vec<f64> = mjd.windows(2).map(|t| t[1] - t[0]).filter(|g| *g > 0.0).collect();
        let span = mjd[mjd.len() - 1] - mjd[0];
        let step_days = median(&mut gaps).max(span / (MAX_CELLS - 2) as f64);
        let cells = (span / step_days).round() as usize + 1;
        let centre = mean(flux);
        let (mut deviation, mut count) = (vec![0.0; cells], vec![0u32; cells]);
        for (t, f) in mjd.iter().zip(flux) {
            let cell = (((t - mjd[0]) / step_days).round() as usize).min(cells - 1);
            deviation[cell] += f - centre;
            count[cell] += 1;
        }
        for (d, c) in deviation.iter_mut().zip(&count) {
            *d /= f64::from((*c).max(1));
        }
        Self { step_days, deviation, filled: count.iter().map(|c| *c > 0).collect() }
    }

    /// Mean product at a lag of `k` cells, when a pair has it.
    fn correlation(&self, k: usize) -> Option<f64> {
        let n = self.deviation.len() - k;
        let (mut sum, mut pairs) = (0.0, 0u32);
        for i in 0..n {
            sum += self.deviation[i] * self.deviation[i + k];
            pairs += u32::from(self.filled[i] && self.filled[i + k]);
        }
        (pairs > 0).then(|| sum / f64::from(pairs))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sine_crosses_at_a_quarter_period() {
        // Whole periods, many samples: r(lag) = cos(2 pi lag / P), zero at P / 4 = 10 days.
        let mjd: Vec<f64> = (0..2000).map(f64::from).collect();
        let flux: Vec<f64> =
            mjd.iter().map(|t| 1.0 + 0.1 * (std::f64::consts::TAU * t / 40.0).sin()).collect();
        // One cell of linear interpolation against the cosine, and the edge of the sample.
        assert!((timescale(&mjd, &flux).unwrap() - 10.0).abs() < 0.05);
    }

    #[test]
    fn gaps_do_not_move_the_crossing() {
        let mjd: Vec<f64> =
            (0..2000).filter(|i| i % 7 != 0 && !(500..560).contains(i)).map(f64::from).collect();
        let flux: Vec<f64> =
            mjd.iter().map(|t| 1.0 + 0.1 * (std::f64::consts::TAU * t / 40.0).sin()).collect();
        assert!((timescale(&mjd, &flux).unwrap() - 10.0).abs() < 0.2);
    }

    #[test]
    fn alternation_crosses_within_one_step() {
        let mjd: Vec<f64> = (0..10).map(f64::from).collect();
        let flux: Vec<f64> = (0..10).map(|i| if i % 2 == 0 { 1.0 } else { -1.0 }).collect();
        assert!(timescale(&mjd, &flux).unwrap() < 1.0);
    }

    #[test]
    fn undefined_cases() {
        let t = [0.0, 1.0, 2.0, 3.0];
        assert!(matches!(timescale(&t, &[1.0; 4]), Err(Undefined::Constant { .. })));
        assert!(matches!(timescale(&[5.0; 4], &[1.0, 2.0, 3.0, 4.0]), Err(Undefined::EqualTimes { .. })));
        assert!(matches!(timescale(&[0.0, 2.0, 1.0, 3.0], &t), Err(Undefined::Unsorted { index: 2, .. })));
        assert!(matches!(timescale(&t[..3], &t[..3]), Err(Undefined::TooFew { .. })));
    }
}
