//! Peak-to-trough amplitude, and the largest deviation in units of the scatter.

use super::error::{check_flux, Undefined};
use crate::math::robust::median;
use crate::math::sums::{mean, squares_about};

/// `(max - min) / median`, unit 1.
///
/// # Errors
/// Fewer than two points; a flux that is not finite; a median that is not positive.
pub fn amplitude(flux: &[f64]) -> Result<f64, Undefined> {
    const NAME: &str = "amplitude";
    check_flux(NAME, 2, flux)?;
    let level = median(&mut flux.to_vec());
    if level <= 0.0 {
        return Err(Undefined::Level { statistic: NAME, found: level });
    }
    let (low, high) = range(flux);
    Ok((high - low) / level)
}

/// `max(|max - mean|, |min - mean|) / s` with the sample standard deviation (ddof 1). It never exceeds `(N - 1) / sqrt(N)`, so
/// that 5 sigma need 27 points or more.
///
/// # Errors
/// Fewer than two points; a flux that is not finite; fluxes all equal.
pub fn sigma_deviation(flux: &[f64]) -> Result<f64, Undefined> {
    const NAME: &str = "sigma deviation";
    check_flux(NAME, 2, flux)?;
    let centre = mean(flux);
    let spread = (squares_about(flux, centre) / (flux.len() - 1) as f64).sqrt();
    if spread <= 0.0 {
        return Err(Undefined::Constant { statistic: NAME });
    }
    let (low, high) = range(flux);
    Ok((high - centre).max(centre - low) / spread)
}

fn range(flux: &[f64]) -> (f64, f64) {
    flux.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), &f| (l.min(f), h.max(f)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn square_wave() {
        assert!((amplitude(&[4.0, 6.0, 4.0, 6.0]).unwrap() - 0.4).abs() < 1e-15);
        assert!((sigma_deviation(&[4.0, 6.0, 4.0, 6.0]).unwrap() - 0.75f64.sqrt()).abs() < 1e-15);
    }

    #[test]
    fn a_single_peak_reaches_the_bound() {
        let mut f = [1.0; 10];
        f[3] = 5.0;
        assert!((sigma_deviation(&f).unwrap() - 9.0 / 10f64.sqrt()).abs() < 1e-12);
        assert!((amplitude(&f).unwrap() - 4.0).abs() < 1e-15);
    }
}
