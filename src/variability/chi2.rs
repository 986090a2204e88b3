//! Reduced chi-square about the plain mean, and what it says as a number of sigmas.

use super::error::{check_errors, Undefined};
use crate::math::special::{ln_chi2_survival, normal_quantile_of_survival};
use crate::math::sums::{mean, sum_by};

const NAME: &str = "chi2_nu";

/// `chi2_nu = sum ((f - mean f) / sigma)^2 / (N - 1)` about the unweighted mean, unit 1.
///
/// # Errors
/// Fewer than two points; a flux or error that is not finite; an error that is not positive.
pub fn chi2_nu(flux: &[f64], err: &[f64]) -> Result<f64, Undefined> {
    check_errors(NAME, 2, flux, err)?;
    let centre = mean(flux);
    let sum = sum_by(flux.len(), |i| {
        let pull = (flux[i] - centre) / err[i];
        pull * pull
    });
    Ok(sum / (flux.len() - 1) as f64)
}

/// How unlikely a steady source is, as the one-sided Gaussian quantile of the chi-square tail beyond
/// `reduced * (n - 1)` with `n - 1` degrees of freedom \[sigma\]; exact in far tails. Pass [`super::eta()`]: chi-square about
/// the weighted mean is the one that follows the distribution.
///
/// # Errors
/// Fewer than two points; a value that is negative or not finite.
pub fn significance(reduced: f64, n: usize) -> Result<f64, Undefined> {
    if n < 2 {
        return Err(Undefined::TooFew { statistic: "significance", needed: 2, found: n });
    }
    if !(reduced.is_finite() && reduced >= 0.0) {
        return Err(Undefined::BadPoint { statistic: "significance", index: 0, found: reduced });
    }
    let dof = (n - 1) as f64;
    Ok(normal_quantile_of_survival(ln_chi2_survival(reduced * dof, dof)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_eta_for_equal_errors_only() {
        let f = [1.0, 2.0, 4.0];
        let eta = super::super::eta(&f, &[0.3; 3]).unwrap();
        assert!((chi2_nu(&f, &[0.3; 3]).unwrap() / eta - 1.0).abs() < 1e-14);
        assert!(chi2_nu(&f, &[0.3, 0.1, 1.0]).unwrap() > super::super::eta(&f, &[0.3, 0.1, 1.0]).unwrap());
    }

    #[test]
    fn significance_of_one_degree_is_the_two_sided_tail() {
        // n = 2: chi2 with one degree beyond x^2 is the two-sided normal tail; 1.96 sigma two-sided = 1.645 one-sided.
        let s = significance(1.959_963_984_540_054f64.powi(2), 2).unwrap();
        assert!((s - 1.644_853_626_951_472).abs() < 1e-9);
        assert!(significance(1e6, 100).unwrap() > 1e3);
    }
}
