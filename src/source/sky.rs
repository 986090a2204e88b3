//! A list of sources with spectra and shapes.

use crate::coords::RaDec;

/// Flux density against frequency: `S(f) = S0 * exp(sum_k c_k x^(k+1))` with `x = ln(f / f0)`, so that
/// `c_0` is the spectral index (S ~ f^alpha) and `c_1` the curvature.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Spectrum {
    /// Stokes I at the reference frequency \[Jy\].
    pub flux_jy: f64,
    /// Reference frequency \[Hz\].
    pub reference_hz: f64,
    /// Log-polynomial coefficients, spectral index first.
    pub coefficients: Vec<f64>,
}

impl Spectrum {
    /// A power law `S ~ f^alpha`.
    pub fn power_law(flux_jy: f64, reference_hz: f64, alpha: f64) -> Self {
        Self { flux_jy, reference_hz, coefficients: vec![alpha] }
    }

    /// Stokes I at `freq_hz` \[Jy\].
    pub fn flux_at_jy(&self, freq_hz: f64) -> f64 {
        let x = (freq_hz / self.reference_hz).ln();
        let exponent = self.coefficients.iter().rev().fold(0.0, |acc, c| (acc + c) * x);
        self.flux_jy * exponent.exp()
    }
}

/// An elliptical Gaussian on the sky.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct GaussianShape {
    /// Major axis, full width at half maximum \[rad\].
    pub major_rad: f64,
    /// Minor axis, full width at half maximum \[rad\].
    pub minor_rad: f64,
    /// Position angle, north through east \[rad\].
    pub pa_rad: f64,
}

/// One source, unpolarised: XX = YY = I.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct SkySource {
    /// Name, unique in its model.
    pub name: String,
    /// Position, ICRS.
    pub position: RaDec,
    /// Flux density against frequency.
    pub spectrum: Spectrum,
    /// Shape; `None` is a point.
    pub shape: Option<GaussianShape>,
}

/// A list of sources.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct SkyModel {
    /// The sources, in no particular order.
    pub sources: Vec<SkySource>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn power_law_and_curvature() {
        let mut s = Spectrum::power_law(2.0, 1.4e9, -0.7);
        assert!((s.flux_at_jy(2.8e9) - 2.0 * 2f64.powf(-0.7)).abs() < 1e-14);
        s.coefficients.push(0.1);
        let x = 2f64.ln();
        assert!((s.flux_at_jy(2.8e9) - 2.0 * (-0.7 * x + 0.1 * x * x).exp()).abs() < 1e-14);
    }
}
