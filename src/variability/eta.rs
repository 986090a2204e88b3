//! The weighted reduced chi-square of a light curve about its weighted mean.

use super::error::{check_errors, Undefined};
use crate::math::sums::sum_by;

const NAME: &str = "eta";

/// `eta = N/(N-1) (mean(w f^2) - mean(w f)^2 / mean(w))` with `w = 1/sigma^2`, which is
/// `sum w (f - f_w)^2 / (N - 1)` about the weighted mean `f_w` (Swinbank et al. 2015,
/// doi:10.1016/j.ascom.2015.03.002). The second form is computed: it does not cancel.
///
/// Near 1 for a steady source with honest errors.
///
/// # Errors
/// Fewer than two points; a flux or error that is not finite; an error that is not positive.
pub fn eta(flux: &[f64], err: &[f64]) -> Result<f64, Undefined> {
    let centre = weighted_mean(flux, err).map_err(|e| e.renamed(NAME))?.value;
    if flux.len() < 2 {
        return Err(Undefined::TooFew { statistic: NAME, needed: 2, found: flux.len() });
    }
    let sum = sum_by(flux.len(), |i| {
        let pull = (flux[i] - centre) / err[i];
        pull * pull
    });
    Ok(sum / (flux.len() - 1) as f64)
}

/// A mean and its error.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WeightedMean {
    /// `sum w f / sum w`, in the unit of the fluxes.
    pub value: f64,
    /// `1 / sqrt(sum w)`.
    pub err: f64,
}

/// Mean with weights `1/sigma^2`.
///
/// # Errors
/// No points; a flux or error that is not finite; an error that is not positive.
pub fn weighted_mean(flux: &[f64], err: &[f64]) -> Result<WeightedMean, Undefined> {
    check_errors("weighted mean", 1, flux, err)?;
    let weight = sum_by(flux.len(), |i| 1.0 / (err[i] * err[i]));
    let value = sum_by(flux.len(), |i| flux[i] / (err[i] * err[i])) / weight;
    Ok(WeightedMean { value, err: 1.0 / weight.sqrt() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn square_wave_with_equal_errors() {
        // Four points at +-1 about 5, errors 0.5: sum of pulls^2 = 4 / 0.25 = 16, over N - 1 = 3.
        assert!((eta(&[4.0, 6.0, 4.0, 6.0], &[0.5; 4]).unwrap() - 16.0 / 3.0).abs() < 1e-14);
    }

    #[test]
    fn is_the_published_formula() {
        let (f, s) = ([1.0, 2.0, 4.0], [0.1, 0.5, 2.0]);
        let mean = |g: &dyn Fn(usize) -> f64| (0..3).map(g).sum::<f64>() / 3.0;
        let w = |i: usize| 1.0 / (s[i] * s[i]);
        let published = 1.5 * (mean(&|i| w(i) * f[i] * f[i]) - mean(&|i| w(i) * f[i]).powi(2) / mean(&w));
        assert!((eta(&f, &s).unwrap() / published - 1.0).abs() < 1e-12);
    }

    #[test]
    fn a_large_mean_does_not_cancel() {
        let f: Vec<f64> = [0.0, 1.0, 0.0, 1.0].iter().map(|d| 1e9 + d).collect();
        assert!((eta(&f, &[1.0; 4]).unwrap() - 1.0 / 3.0).abs() < 1e-9);
    }

    #[test]
    fn undefined_cases_say_why() {
        assert_eq!(eta(&[1.0], &[1.0]), Err(Undefined::TooFew { statistic: NAME, needed: 2, found: 1 }));
        assert!(matches!(eta(&[1.0, f64::NAN], &[1.0, 1.0]), Err(Undefined::BadPoint { index: 1, .. })));
        assert!(matches!(
            eta(&[1.0, 2.0], &[1.0, 0.0]),
            Err(Undefined::BadPoint { index: 1, found: 0.0, .. })
        ));
        assert!(matches!(eta(&[1.0, 2.0], &[1.0]), Err(Undefined::Lengths { .. })));
    }
}
