//! Equatorial direction, ICRS unless said otherwise.

use std::f64::consts::TAU;

/// A direction in an equatorial frame.
#[derive(Clone, Copy, Debug, PartialEq, Default, serde::Serialize, serde::Deserialize)]
pub struct RaDec {
    /// Right ascension \[rad\], in `[0, 2 pi)` when made by this crate.
    pub ra_rad: f64,
    /// Declination \[rad\].
    pub dec_rad: f64,
}

impl RaDec {
    /// From radians; the right ascension is wrapped to `[0, 2 pi)`.
    pub fn from_rad(ra_rad: f64, dec_rad: f64) -> Self {
        Self { ra_rad: ra_rad.rem_euclid(TAU), dec_rad }
    }

    /// From degrees; the right ascension is wrapped to `[0, 360)`.
    pub fn from_deg(ra_deg: f64, dec_deg: f64) -> Self {
        Self::from_rad(ra_deg.to_radians(), dec_deg.to_radians())
    }

    /// Right ascension \[degrees\].
    pub fn ra_deg(&self) -> f64 {
        self.ra_rad.to_degrees()
    }

    /// Declination \[degrees\].
    pub fn dec_deg(&self) -> f64 {
        self.dec_rad.to_degrees()
    }

    /// Unit vector (x to RA 0, y to RA 6 h, z to the pole).
    pub fn unit(&self) -> [f64; 3] {
        let (sin_ra, cos_ra) = self.ra_rad.sin_cos();
        let (sin_dec, cos_dec) = self.dec_rad.sin_cos();
        [cos_dec * cos_ra, cos_dec * sin_ra, sin_dec]
    }

    /// The direction of a vector (need not be of unit length).
    pub fn from_vector(v: [f64; 3]) -> Self {
        Self::from_rad(v[1].atan2(v[0]), v[2].atan2(v[0].hypot(v[1])))
    }

    /// Great-circle distance \[rad\], accurate at every separation (Vincenty's formula for the sphere).
    pub fn separation_rad(&self, other: RaDec) -> f64 {
        let (sin_a, cos_a) = self.dec_rad.sin_cos();
        let (sin_b, cos_b) = other.dec_rad.sin_cos();
        let (sin_d, cos_d) = (other.ra_rad - self.ra_rad).sin_cos();
        let y = (cos_b * sin_d).hypot(cos_a * sin_b - sin_a * cos_b * cos_d);
        y.atan2(sin_a * sin_b + cos_a * cos_b * cos_d)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separation_across_ra_zero_is_small() {
        let a = RaDec::from_deg(359.99, 0.0);
        let b = RaDec::from_deg(0.01, 0.0);
        assert!((a.separation_rad(b).to_degrees() - 0.02).abs() < 1e-12);
    }

    #[test]
    fn vector_there_and_back() {
        for (ra, dec) in [(0.0, 0.0), (359.99, -10.0), (123.4, 89.9), (200.0, -89.0)] {
            let p = RaDec::from_deg(ra, dec);
            assert!(p.separation_rad(RaDec::from_vector(p.unit())) < 1e-14);
        }
    }
}
