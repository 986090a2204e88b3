//! Direction cosines about a phase centre.

use super::RaDec;

/// Direction cosines: `l` to the east, `m` to the north, `n` to the phase centre.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lmn {
    /// East \[1\].
    pub l: f64,
    /// North \[1\].
    pub m: f64,
    /// `n - 1`, kept apart because `n` itself loses it to rounding near the centre \[1\].
    pub n_minus_1: f64,
}

impl Lmn {
    /// From `l` and `m` of a direction less than 90 degrees from the centre; NaN `n` outside the unit circle.
    pub fn from_lm(l: f64, m: f64) -> Self {
        let r2 = l * l + m * m;
        Self { l, m, n_minus_1: -r2 / (1.0 + (1.0 - r2).sqrt()) }
    }

    /// Direction cosines of `direction` about `centre` (the
    /// orthographic projection of FITS `SIN`, Calabretta & Greisen 2002, doi:10.1051/0004-6361:20021327).
    pub fn of(direction: RaDec, centre: RaDec) -> Self {
        let cos_d = direction.dec_rad.cos();
        let (sin_c, cos_c) = centre.dec_rad.sin_cos();
        let d_ra = direction.ra_rad - centre.ra_rad;
        let sin_ra = d_ra.sin();
        let half = (0.5 * d_ra).sin();
        // cos(d_ra) = 1 - 2 sin^2(d_ra / 2) keeps the digits of a small offset.
        let versine = 2.0 * half * half;
        let l = cos_d * sin_ra;
        let m = (direction.dec_rad - centre.dec_rad).sin() + sin_c * cos_d * versine;
        let half_dec = (0.5 * (direction.dec_rad - centre.dec_rad)).sin();
        let n_minus_1 = -2.0 * half_dec * half_dec - cos_c * cos_d * versine;
        Self { l, m, n_minus_1 }
    }

    /// The cosine to the centre, `n` \[1\].
    pub fn n(&self) -> f64 {
        1.0 + self.n_minus_1
    }

    /// The direction that has these cosines about `centre`.
    pub fn direction(&self, centre: RaDec) -> RaDec {
        let (sin_c, cos_c) = centre.dec_rad.sin_cos();
        let n = self.n();
        let x = n * cos_c - self.m * sin_c;
        let z = n * sin_c + self.m * cos_c;
        RaDec::from_rad(centre.ra_rad + self.l.atan2(x), z.atan2(x.hypot(self.l)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back_at_the_pole_and_across_zero() {
        for centre in
            [RaDec::from_deg(0.01, 54.0), RaDec::from_deg(359.99, 89.0), RaDec::from_deg(10.0, -30.0)]
        {
            for (l, m) in [(0.0, 0.0), (0.03, -0.02), (-0.05, 0.05), (1e-9, 0.0)] {
                let lmn = Lmn::from_lm(l, m);
                let back = Lmn::of(lmn.direction(centre), centre);
                assert!((back.l - l).abs() < 1e-15 && (back.m - m).abs() < 1e-15, "{back:?}");
                assert!((back.n_minus_1 - lmn.n_minus_1).abs() < 1e-15);
            }
        }
    }

    #[test]
    fn east_is_positive_l() {
        let lmn = Lmn::of(RaDec::from_deg(0.5, 0.0), RaDec::from_deg(359.5, 0.0));
        assert!((lmn.l - 1f64.to_radians().sin()).abs() < 1e-15 && lmn.m.abs() < 1e-18);
    }
}
