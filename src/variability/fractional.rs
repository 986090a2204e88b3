//! The fractional standard deviation V.

use super::error::{check_flux, Undefined};
use crate::math::sums::{mean, squares_about};

const NAME: &str = "V";

/// `V = s / mean(f)` with the sample standard deviation `s` (ddof 1), unit 1 (Swinbank et al. 2015,
/// doi:10.1016/j.ascom.2015.03.002).
///
/// # Errors
/// Fewer than two points; a flux that is not finite; a mean that is not positive.
pub fn fractional(flux: &[f64]) -> Result<f64, Undefined> {
    check_flux(NAME, 2, flux)?;
    let centre = mean(flux);
    if centre <= 0.0 {
        return Err(Undefined::Level { statistic: NAME, found: centre });
    }
    Ok((squares_about(flux, centre) / (flux.len() - 1) as f64).sqrt() / centre)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn square_wave_and_constant() {
        // s^2 = 4 / 3 about a mean of 5.
        assert!((fractional(&[4.0, 6.0, 4.0, 6.0]).unwrap() - (4.0f64 / 3.0).sqrt() / 5.0).abs() < 1e-15);
        assert_eq!(fractional(&[2.0, 2.0, 2.0]), Ok(0.0));
    }

    #[test]
    fn a_mean_of_zero_has_no_fraction() {
        assert!(matches!(fractional(&[-1.0, 1.0]), Err(Undefined::Level { .. })));
        assert!(matches!(fractional(&[1.0]), Err(Undefined::TooFew { .. })));
    }
}
