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

/// How far the psf is followed about a source, major axes of the beam: sidelobes from further off are noise to it.
const MATCHED_REACH: f64 = 6.0;

impl RestoringBeam {
    /// Radius within which components and neighbours count in a matched image, on pixels of `cell_rad` \[pixels\].
    pub fn matched_reach_px(&self, cell_rad: f64) -> f64 {
        MATCHED_REACH * self.major_rad / cell_rad
    }

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

    /// Second moments `[ll, lm, mm]` of the Gaussian, `l` east and `m` north \[rad^2\].
    pub fn covariance(&self) -> [f64; 3] {
        let k = 1.0 / (8.0 * std::f64::consts::LN_2);
        let (s, c) = self.pa_rad.sin_cos();
        let (major, minor) = (k * self.major_rad.powi(2), k * self.minor_rad.powi(2));
        [major * s * s + minor * c * c, (major - minor) * s * c, major * c * c + minor * s * s]
    }

    /// The Gaussian of second moments `[ll, lm, mm]` \[rad^2\]; `None` when they are not those of an ellipse.
    pub fn from_covariance([ll, lm, mm]: [f64; 3]) -> Option<Self> {
        let mean = 0.5 * (ll + mm);
        let half = (0.5 * (mm - ll)).hypot(lm);
        let (major, minor) = (mean + half, mean - half);
        if !(minor > 0.0 && major.is_finite()) {
            return None;
        }
        let k = 8.0 * std::f64::consts::LN_2;
        // mm - ll = 2 half cos(2 pa), 2 lm = 2 half sin(2 pa)
        let pa_rad = if half > 0.0 { 0.5 * (2.0 * lm).atan2(mm - ll) } else { 0.0 };
        Some(Self { major_rad: (k * major).sqrt(), minor_rad: (k * minor).sqrt(), pa_rad })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_there_and_back() {
        for pa_deg in [-80.0f64, -30.0, 0.0, 45.0, 89.0] {
            let b = RestoringBeam { major_rad: 3.0, minor_rad: 1.0, pa_rad: pa_deg.to_radians() };
            let back = RestoringBeam::from_covariance(b.covariance()).unwrap();
            assert!((back.major_rad - 3.0).abs() < 1e-12 && (back.minor_rad - 1.0).abs() < 1e-12);
            assert!((back.pa_rad - b.pa_rad).abs() < 1e-12, "{pa_deg}");
        }
        assert!(RestoringBeam::from_covariance([1.0, 2.0, 1.0]).is_none());
    }

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
