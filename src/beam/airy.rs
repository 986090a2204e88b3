//! The uniformly illuminated circular dish.

use std::sync::OnceLock;

use super::bessel::half_jinc;
use super::Error;
use crate::constants::{DISH_DIAMETER_M, SPEED_OF_LIGHT_M_S};
use crate::kind::BadArgument;

/// Airy power pattern `(2 J_1(x) / x)^2`, `x = pi D sin(theta) / lambda`; 1 on the axis, zero behind the dish.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Airy {
    diameter_m: f64,
}

/// First positive zero of `J_1` over pi: the first null is at `sin(theta) = 1.2197 lambda / D`.
const FIRST_NULL: f64 = 1.219_669_891_266_504_5;
/// Half-power radius in units of `lambda / D`.
const HALF_POWER: f64 = 0.514_497_1;

impl Airy {
    /// # Errors
    /// A diameter that is not positive and finite.
    pub fn new(diameter_m: f64) -> Result<Self, Error> {
        if !(diameter_m.is_finite() && diameter_m > 0.0) {
            return Err(BadArgument::new("diameter_m", "a positive length in metres", diameter_m).into());
        }
        Ok(Self { diameter_m })
    }

    /// The 4.65 m dish of DSA-110.
    pub fn dsa110() -> Self {
        Self { diameter_m: DISH_DIAMETER_M }
    }

    /// Diameter \[m\].
    pub fn diameter_m(&self) -> f64 {
        self.diameter_m
    }

    /// `(x / sin(theta))^2` at `freq_hz`.
    pub(super) fn scale(&self, freq_hz: f64) -> f64 {
        let k = std::f64::consts::PI * self.diameter_m * freq_hz / SPEED_OF_LIGHT_M_S;
        k * k
    }

    /// Power at `sin^2(theta)`, to 1e-10 absolute.
    pub fn power_exact(&self, sin2_theta: f64, freq_hz: f64) -> f64 {
        let a = 2.0 * half_jinc(self.scale(freq_hz) * sin2_theta);
        a * a
    }

    /// Power at `sin^2(theta)` from the shared table, to 1e-8 absolute.
    pub fn power(&self, sin2_theta: f64, freq_hz: f64) -> f64 {
        table_power(self.scale(freq_hz) * sin2_theta)
    }

    /// Full width at half power \[rad\] at `freq_hz`: 1.029 lambda / D.
    pub fn fwhm_rad(&self, freq_hz: f64) -> f64 {
        2.0 * (HALF_POWER * SPEED_OF_LIGHT_M_S / (freq_hz * self.diameter_m)).min(1.0).asin()
    }

    /// Diameter \[m\] of the dish whose beam has this full width at half power at `freq_hz`: [`Airy::fwhm_rad`] turned round.
    pub fn diameter_m_of(fwhm_rad: f64, freq_hz: f64) -> f64 {
        HALF_POWER * SPEED_OF_LIGHT_M_S / (freq_hz * (0.5 * fwhm_rad).sin())
    }

    /// Radius of the first null \[rad\] at `freq_hz`: 1.22 lambda / D.
    pub fn first_null_rad(&self, freq_hz: f64) -> f64 {
        (FIRST_NULL * SPEED_OF_LIGHT_M_S / (freq_hz * self.diameter_m)).min(1.0).asin()
    }
}

/// Nodes per unit of `x^2`: with four-point interpolation of this entire function the error is below 1e-8.
const PER_UNIT: f64 = 16.0;
/// The table ends here in `x^2` (26 degrees off axis at 1.5 GHz); beyond it the formula itself is evaluated.
const TABLE_END: f64 = 1024.0;

/// `(2 J_1(x) / x)^2` as a function of `x^2`, from a table made once a process.
fn table_power(x2: f64) -> f64 {
    static TABLE: OnceLock<Vec<f64>> = OnceLock::new();
    if x2.is_nan() || x2 >= TABLE_END {
        let a = 2.0 * half_jinc(x2);
        return a * a;
    }
    let table = TABLE.get_or_init(|| {
        // One node before zero (the function is entire in x^2) and two after the end.
        let nodes = (TABLE_END * PER_UNIT) as usize + 4;
        (0..nodes)
            .map(|i| {
                let a = 2.0 * half_jinc((i as f64 - 1.0) / PER_UNIT);
                a * a
            })
            .collect()
    });
    cubic(table, x2.max(0.0) * PER_UNIT + 1.0)
}

/// Four-point Lagrange interpolation at `position` (in nodes), at least one node from either end.
pub(super) fn cubic(table: &[f64], position: f64) -> f64 {
    let i = (position as usize).clamp(1, table.len() - 3);
    let t = position - i as f64;
    let [a, b, c, d] = [table[i - 1], table[i], table[i + 1], table[i + 2]];
    let (tm, tp, tq) = (t - 1.0, t + 1.0, t - 2.0);
    -t * tm * tq * a / 6.0 + tp * tm * tq * b * 0.5 - tp * t * tq * c * 0.5 + tp * t * tm * d / 6.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_on_axis_zero_at_the_null_half_at_half_width() {
        let beam = Airy::dsa110();
        for freq_hz in [1.311e9, 1.405e9, 1.4986e9] {
            assert_eq!(beam.power_exact(0.0, freq_hz), 1.0);
            assert!((beam.power(0.0, freq_hz) - 1.0).abs() < 1e-14);
            let null = beam.first_null_rad(freq_hz).sin().powi(2);
            assert!(beam.power_exact(null, freq_hz) < 1e-18);
            let half = (0.5 * beam.fwhm_rad(freq_hz)).sin().powi(2);
            assert!((beam.power_exact(half, freq_hz) - 0.5).abs() < 1e-6);
        }
        // Facts 4.5: 2.70 degrees at 1.405 GHz; first sidelobe 1.75 % (17.57 dB), at 1.635 lambda / D.
        assert!((beam.fwhm_rad(1.405e9).to_degrees() - 2.70).abs() < 0.01);
        let sidelobe = (1.634_7 * SPEED_OF_LIGHT_M_S / (1.405e9 * 4.65)).powi(2);
        assert!((beam.power_exact(sidelobe, 1.405e9) - 0.0175).abs() < 1e-4);
    }

    #[test]
    fn table_keeps_its_stated_accuracy() {
        let beam = Airy::dsa110();
        for i in 0..200_000 {
            let s = f64::from(i) * 5e-6;
            let error = beam.power(s * s, 1.4986e9) - beam.power_exact(s * s, 1.4986e9);
            assert!(error.abs() < 1e-8, "{s}: {error}");
        }
    }

    #[test]
    fn a_beam_is_wider_at_a_lower_frequency() {
        let beam = Airy::dsa110();
        let s2 = 1.5f64.to_radians().sin().powi(2);
        assert!(beam.power(s2, 1.3e9) > beam.power(s2, 1.5e9));
        // The pattern depends on frequency times angle alone.
        let scaled = s2 * (1.5f64 / 1.3).powi(2);
        assert!((beam.power(scaled, 1.3e9) - beam.power(s2, 1.5e9)).abs() < 2e-8);
    }

    #[test]
    fn a_dish_needs_a_size() {
        for diameter in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(Airy::new(diameter).is_err());
        }
    }
}
