//! The modulation index freed of what the measurement errors add.

use super::error::{check_errors, Undefined};
use crate::math::sums::{mean, sum_by};

const NAME: &str = "modulation index";

/// `m_d = sqrt( mean((f - mean f)^2 - sigma^2) ) / mean f`, unit 1; when the errors exceed the scatter the value is
/// `-sqrt(|..|) / mean f`, so that averages over steady sources stay near zero (Sadler et al. 2006,
/// doi:10.1111/j.1365-2966.2006.10729.x).
///
/// # Errors
/// Fewer than two points; a flux or error that is not finite; an error or a mean that is not positive.
pub fn modulation_index(flux: &[f64], err: &[f64]) -> Result<f64, Undefined> {
    check_errors(NAME, 2, flux, err)?;
    let centre = mean(flux);
    if centre <= 0.0 {
        return Err(Undefined::Level { statistic: NAME, found: centre });
    }
    let excess = sum_by(flux.len(), |i| (flux[i] - centre).powi(2) - err[i] * err[i]) / flux.len() as f64;
    Ok(excess.abs().sqrt().copysign(excess) / centre)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn square_wave() {
        // Scatter 1, error 0.6: sqrt(1 - 0.36) / 5.
        assert!((modulation_index(&[4.0, 6.0, 4.0, 6.0], &[0.6; 4]).unwrap() - 0.16).abs() < 1e-15);
    }

    #[test]
    fn noise_larger_than_the_scatter_is_negative() {
        assert!((modulation_index(&[2.0; 5], &[0.5; 5]).unwrap() + 0.25).abs() < 1e-15);
    }
}
