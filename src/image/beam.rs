//! The restoring beam.

/// An elliptical Gaussian beam of unit peak.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct RestoringBeam {
    /// Major axis, full width at half maximum \[rad\] (FITS `BMAJ`, there in degrees).
    pub major_rad: f64,
    /// Minor axis, full width at half maximum \[rad\] (`BMIN`).
    pub minor_rad: f64,
    /// Position angle of the major axis, north through east \[rad\] (`BPA`).
    pub pa_rad: f64,
}

impl RestoringBeam {
    /// Solid angle \[sr\]: `pi / (4 ln 2) * major * minor`.
    pub fn area_sr(&self) -> f64 {
        std::f64::consts::PI / (4.0 * std::f64::consts::LN_2) * self.major_rad * self.minor_rad
    }

    /// Exponent coefficients `[a, b, c]` of `exp(-(a l^2 + b l m + c m^2))`, `l` east and `m` north \[1/rad^2\].
    pub fn exponent(&self) -> [f64; 3] {
        let k = 4.0 * std::f64::consts::LN_2;
        let (s, c) = self.pa_rad.sin_cos();
        // Along the major axis the unit vector is (sin pa, cos pa) in (east, north).
        let (ia, ib) = (k / self.major_rad.powi(2), k / self.minor_rad.powi(2));
        [ia * s * s + ib * c * c, 2.0 * s * c * (ia - ib), ia * c * c + ib * s * s]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_power_on_the_axes() {
        let b = RestoringBeam { major_rad: 3.0, minor_rad: 1.0, pa_rad: 30f64.to_radians() };
        let [a, bb, c] = b.exponent();
        let at = |l: f64, m: f64| (-(a * l * l + bb * l * m + c * m * m)).exp();
        let (s, k) = b.pa_rad.sin_cos();
        assert!((at(1.5 * s, 1.5 * k) - 0.5).abs() < 1e-12);
        assert!((at(0.5 * k, -0.5 * s) - 0.5).abs() < 1e-12);
    }
}
