//! How unequal the rise and the fall about the largest excursion are.

use std::cmp::Ordering;

use super::error::{check_times, Undefined};
use crate::math::robust::median_mad;

const NAME: &str = "asymmetry";
/// Steps of the grid on which the e-folding time is first sought, before a golden-section search refines it.
const STEPS: usize = 40;

/// The largest excursion from the median, and the exponential times on its two sides.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Excursion {
    /// Time of the extremum \[MJD\].
    pub mjd: f64,
    /// Signed height over the median, in the unit of the fluxes: negative for a dip.
    pub height: f64,
    /// e-folding time before the extremum \[days\].
    pub tau_before_days: f64,
    /// e-folding time after it \[days\].
    pub tau_after_days: f64,
}

impl Excursion {
    /// `|tau_rise - tau_fall| / (tau_rise + tau_fall)`, between 0 and 1.
    pub fn asymmetry(&self) -> f64 {
        (self.tau_before_days - self.tau_after_days).abs() / (self.tau_before_days + self.tau_after_days)
    }
}

/// Fit `height exp(-|t - t0| / tau)` to the deviations from the median on each side of the extremum, by least squares in
/// `tau`. The extremum is that of a running median of three, so that a single bad point does not make one.
///
/// # Errors
/// Fewer than five points; bad or unsorted or all equal times; constant flux; an extremum at either end, where one side is
/// unseen.
pub fn excursion(mjd: &[f64], flux: &[f64]) -> Result<Excursion, Undefined> {
    check_times(NAME, 5, mjd, flux)?;
    let level = median_mad(flux).median;
    let n = flux.len();
    let smooth: Vec<f64> = (0..n).map(|i| median_of_three(flux, i) - level).collect();
    // The running median is flat about a cusp: of equal values take the one whose own point stands out most.
    let rank =
        |i: usize| (smooth[i].abs(), ((flux[i] - level) * smooth[i].signum()).min(2.0 * smooth[i].abs()));
    let peak = (0..n).max_by(|&a, &b| rank(a).partial_cmp(&rank(b)).unwrap_or(Ordering::Equal)).unwrap_or(0);
    // A spike on top of an event counts for no more than twice the event.
    let height = rank(peak).1.max(smooth[peak].abs()).copysign(smooth[peak]);
    if height == 0.0 {
        return Err(Undefined::Constant { statistic: NAME });
    }
    let after: Vec<(f64, f64)> = (peak + 1..n).map(|i| (mjd[i] - mjd[peak], smooth[i] / height)).collect();
    let before: Vec<(f64, f64)> = (0..peak).rev().map(|i| (mjd[peak] - mjd[i], smooth[i] / height)).collect();
    if after.len() < 2 || before.len() < 2 {
        return Err(Undefined::NotReached { statistic: NAME });
    }
    Ok(Excursion { mjd: mjd[peak], height, tau_before_days: decay(&before)?, tau_after_days: decay(&after)? })
}

/// Asymmetry index of the largest excursion, see [`excursion`] and [`Excursion::asymmetry`].
///
/// # Errors
/// As [`excursion`].
pub fn asymmetry(mjd: &[f64], flux: &[f64]) -> Result<f64, Undefined> {
    excursion(mjd, flux).map(|e| e.asymmetry())
}

fn median_of_three(flux: &[f64], i: usize) -> f64 {
    let (a, b, c) = (flux[i.saturating_sub(1)], flux[i], flux[(i + 1).min(flux.len() - 1)]);
    a.max(b).min(a.min(b).max(c))
}

/// `tau` that minimises `sum (y - exp(-d / tau))^2` over `(d, y)`, `d >= 0` in days.
fn decay(side: &[(f64, f64)]) -> Result<f64, Undefined> {
    let longest = side[side.len() - 1].0;
    let shortest =
        side.iter().map(|s| s.0).find(|d| *d > 0.0).ok_or(Undefined::EqualTimes { statistic: NAME })?;
    let cost = |ln_tau: f64| {
        let rate = (-ln_tau).exp();
        side.iter().map(|(d, y)| (y - (-d * rate).exp()).powi(2)).sum::<f64>()
    };
    let (low, high) = ((0.1 * shortest).ln(), (10.0 * longest).ln());
    let step = (high - low) / STEPS as f64;
    let best = (0..=STEPS)
        .map(|k| low + k as f64 * step)
        .min_by(|a, b| cost(*a).total_cmp(&cost(*b)))
        .unwrap_or(low);
    Ok(golden(cost, best - step, best + step).exp())
}

/// Minimum of a function with one valley in `[a, b]`.
fn golden(cost: impl Fn(f64) -> f64, mut a: f64, mut b: f64) -> f64 {
    const RATIO: f64 = 0.618_033_988_749_894_9;
    let (mut c, mut d) = (b - RATIO * (b - a), a + RATIO * (b - a));
    let (mut at_c, mut at_d) = (cost(c), cost(d));
    for _ in 0..30 {
        if at_c < at_d {
            (b, d, at_d) = (d, c, at_c);
            c = b - RATIO * (b - a);
            at_c = cost(c);
        } else {
            (a, c, at_c) = (c, d, at_d);
            d = a + RATIO * (b - a);
            at_d = cost(d);
        }
    }
    0.5 * (a + b)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exponential(before: f64, after: f64, sign: f64) -> (Vec<f64>, Vec<f64>) {
        let mjd: Vec<f64> = (0..400).map(f64::from).collect();
        let flux = mjd
            .iter()
            .map(|t| {
                let d: f64 = t - 200.0;
                1.0 + sign * 0.5 * (-d.abs() / if d < 0.0 { before } else { after }).exp()
            })
            .collect();
        (mjd, flux)
    }

    #[test]
    fn known_times_come_back() {
        for sign in [1.0, -1.0] {
            let (mjd, flux) = exponential(5.0, 20.0, sign);
            let e = excursion(&mjd, &flux).unwrap();
            // The median of the wings is not exactly 1.
            assert!((e.tau_before_days / 5.0 - 1.0).abs() < 0.05, "{e:?}");
            assert!((e.tau_after_days / 20.0 - 1.0).abs() < 0.05, "{e:?}");
            assert!((e.asymmetry() - 0.6).abs() < 0.03 && e.height * sign > 0.0);
        }
    }

    #[test]
    fn symmetric_events_are_symmetric_and_reversal_changes_nothing() {
        let (mjd, flux) = exponential(8.0, 8.0, -1.0);
        assert!(asymmetry(&mjd, &flux).unwrap() < 0.02);
        let (mjd, flux) = exponential(5.0, 20.0, -1.0);
        let back: Vec<f64> = flux.iter().rev().copied().collect();
        let (a, b) = (asymmetry(&mjd, &flux).unwrap(), asymmetry(&mjd, &back).unwrap());
        assert!((a - b).abs() < 1e-3, "{a} {b}");
    }

    #[test]
    fn one_bad_point_is_not_an_event() {
        let (mjd, mut flux) = exponential(5.0, 20.0, -1.0);
        let clean = excursion(&mjd, &flux).unwrap();
        flux[50] = 30.0;
        let spiked = excursion(&mjd, &flux).unwrap();
        assert_eq!(clean.mjd, spiked.mjd);
    }
}
