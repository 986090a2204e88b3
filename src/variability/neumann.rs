//! The von Neumann ratio: how much neighbouring points resemble each other.

use super::error::{check_flux, Undefined};
use crate::math::sums::{mean, squares_about, sum_by};

const NAME: &str = "von Neumann ratio";

/// `[sum_i (f_{i+1} - f_i)^2 / (N-1)] / s^2` with the sample variance `s^2` (ddof 1), unit 1: about 2 for white noise, small
/// for slow changes, up to 4 for alternation (von Neumann 1941, doi:10.1214/aoms/1177731677). Points in order of time.
///
/// # Errors
/// Fewer than three points; a flux that is not finite; fluxes all equal.
pub fn von_neumann(flux: &[f64]) -> Result<f64, Undefined> {
    check_flux(NAME, 3, flux)?;
    let spread = squares_about(flux, mean(flux));
    if spread <= 0.0 {
        return Err(Undefined::Constant { statistic: NAME });
    }
    // Both sums are over N - 1.
    Ok(sum_by(flux.len() - 1, |i| (flux[i + 1] - flux[i]).powi(2)) / spread)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alternation_and_step() {
        // Alternating +-1, N = 4: (3 * 4 / 3) / (4 / 3) = 3; one step, N = 4: (4 / 3) / (4 / 3) = 1.
        assert!((von_neumann(&[1.0, -1.0, 1.0, -1.0]).unwrap() - 3.0).abs() < 1e-15);
        assert!((von_neumann(&[1.0, 1.0, -1.0, -1.0]).unwrap() - 1.0).abs() < 1e-15);
    }

    #[test]
    fn constant_is_undefined() {
        assert_eq!(von_neumann(&[1.0; 4]), Err(Undefined::Constant { statistic: NAME }));
    }
}
