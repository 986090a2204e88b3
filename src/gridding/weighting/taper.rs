//! Tapers: smooth functions of the baseline's length in wavelengths.

use crate::gridding::Error;
use crate::kind::BadArgument;

/// A function of `r = sqrt(u^2 + v^2)` \[wavelengths\] that multiplies weights.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Taper {
    /// `exp(-(pi theta r)^2 / (4 ln 2))`: the transform of a Gaussian beam of full width `theta` at half maximum \[rad\].
    Gaussian {
        /// Full width at half maximum of the beam \[rad\].
        fwhm_rad: f64,
    },
    /// Rises as half a cosine from zero at `zero` to one at `one`, or falls when `one < zero` \[wavelengths\].
    Tukey {
        /// Where the taper is one.
        one: f64,
        /// Where it is zero.
        zero: f64,
    },
}

impl Taper {
    /// The taper at `r` wavelengths.
    pub fn at(self, r: f64) -> f64 {
        match self {
            Self::Gaussian { fwhm_rad } => {
                let x = std::f64::consts::PI * fwhm_rad * r;
                (-x * x / (4.0 * std::f64::consts::LN_2)).exp()
            }
            Self::Tukey { one, zero } => {
                let fraction = ((r - zero) / (one - zero)).clamp(0.0, 1.0);
                0.5 - 0.5 * (std::f64::consts::PI * fraction).cos()
            }
        }
    }

    pub(super) fn check(self) -> Result<(), Error> {
        let good = match self {
            Self::Gaussian { fwhm_rad } => fwhm_rad.is_finite() && fwhm_rad >= 0.0,
            Self::Tukey { one, zero } => {
                one.is_finite() && zero.is_finite() && one >= 0.0 && zero >= 0.0 && one != zero
            }
        };
        if good {
            return Ok(());
        }
        Err(BadArgument::new("taper", "finite widths, not negative, Tukey's ends apart", format!("{self:?}"))
            .into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tapers_have_their_named_points() {
        let gaussian = Taper::Gaussian { fwhm_rad: 1e-3 };
        // exp(-(pi theta r)^2 / (4 ln 2)) is one half at r = 2 ln 2 / (pi theta).
        let half = 2.0 * std::f64::consts::LN_2 / (std::f64::consts::PI * 1e-3);
        assert!((gaussian.at(half) - 0.5).abs() < 1e-12 && gaussian.at(0.0) == 1.0);
        let fall = Taper::Tukey { one: 100.0, zero: 200.0 };
        assert_eq!((fall.at(50.0), fall.at(250.0)), (1.0, 0.0));
        assert!((fall.at(150.0) - 0.5).abs() < 1e-12);
        let rise = Taper::Tukey { one: 200.0, zero: 100.0 };
        assert_eq!((rise.at(50.0), rise.at(250.0)), (0.0, 1.0));
        assert!(Taper::Tukey { one: 1.0, zero: 1.0 }.check().is_err());
    }
}
