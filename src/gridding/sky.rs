//! Pixels and directions: `n - 1` on a plain or slanted SIN grid, and its range over an image.

use crate::kind::BadArgument;

use super::params::GridParams;
use super::real::Real;
use super::Error;

/// A plane `w = a u + b v` taken out of the baselines. Directions then appear at `l' = l + a (n - 1)`,
/// `m' = m + b (n - 1)`: a slant SIN projection (Calabretta & Greisen 2002, doi:10.1051/0004-6361:20021327, section 5.1.5).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Slant {
    /// Slope along `u`.
    pub a: f64,
    /// Slope along `v`.
    pub b: f64,
}

impl Slant {
    /// `(PV2_1, PV2_2)` of the FITS header.
    pub fn pv2(self) -> (f64, f64) {
        (-self.a, -self.b)
    }

    /// `n - 1` of the direction that appears at `(l', m')`; NaN beyond the horizon.
    #[inline(always)]
    pub fn n_minus_1(self, l: f64, m: f64) -> f64 {
        let quadratic = 1.0 + self.a * self.a + self.b * self.b;
        let half_linear = 1.0 - self.a * l - self.b * m;
        let constant = l * l + m * m;
        -constant / (half_linear + (half_linear * half_linear - quadratic * constant).sqrt())
    }

    /// As [`Self::n_minus_1`]; where a plain grid has no direction, `-1 - sqrt(l^2 + m^2 - 1)`, which goes on without a jump and is
    /// what ducc0 takes. A slanted grid's horizon is another curve: NaN beyond it.
    #[inline(always)]
    fn continued(self, l: f64, m: f64) -> f64 {
        let beyond = l * l + m * m - 1.0;
        if beyond > 0.0 && self == Self::default() {
            -1.0 - beyond.sqrt()
        } else {
            self.n_minus_1(l, m)
        }
    }

    /// `(l', m')` of the direction `(l, m)`.
    pub fn project(self, l: f64, m: f64) -> (f64, f64) {
        let z = Slant::default().n_minus_1(l, m);
        (l + self.a * z, m + self.b * z)
    }

    /// The plane through the origin that fits `w` best in the least squares over `(u, v)`; zero for degenerate coverage.
    pub fn fit(uvw_m: impl Iterator<Item = [f64; 3]>) -> Self {
        let (mut uu, mut uv, mut vv, mut uw, mut vw) = (0.0, 0.0, 0.0, 0.0, 0.0);
        for [u, v, w] in uvw_m {
            uu += u * u;
            uv += u * v;
            vv += v * v;
            uw += u * w;
            vw += v * w;
        }
        let determinant = uu * vv - uv * uv;
        if determinant <= 1e-9 * (uu + vv) * (uu + vv) {
            return Self::default();
        }
        Self { a: (uw * vv - vw * uv) / determinant, b: (vw * uu - uw * uv) / determinant }
    }
}

/// The image's pixels on the sky.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sky {
    pub nx: usize,
    pub ny: usize,
    cell_x: f64,
    cell_y: f64,
    center_l: f64,
    center_m: f64,
    pub slant: Slant,
    /// Smallest and largest `n - 1` over the image.
    pub z_range: (f64, f64),
}

impl Sky {
    pub fn new(params: &GridParams, slant: Slant) -> Result<Self, Error> {
        let mut sky = Self {
            nx: params.nx,
            ny: params.ny,
            cell_x: params.cell_x_rad,
            cell_y: params.cell_y_rad,
            center_l: params.center_l,
            center_m: params.center_m,
            slant,
            z_range: (0.0, 0.0),
        };
        if params.do_w || params.divide_by_n {
            sky.z_range = sky.find_range()?;
        }
        Ok(sky)
    }

    /// Whether pixels of a plain grid lie on the horizon or beyond it.
    pub fn beyond_horizon(&self) -> bool {
        self.z_range.0 <= -1.0
    }

    #[inline(always)]
    pub fn l(&self, x: usize) -> f64 {
        self.center_l + (x as f64 - (self.nx / 2) as f64) * self.cell_x
    }

    #[inline(always)]
    pub fn m(&self, y: usize) -> f64 {
        self.center_m + (y as f64 - (self.ny / 2) as f64) * self.cell_y
    }

    /// `n - 1` of pixel `(x, y)`; beyond the horizon of a plain grid its continuation.
    #[inline(always)]
    pub fn z(&self, x: usize, y: usize) -> f64 {
        self.slant.continued(self.l(x), self.m(y))
    }

    /// What a division by n multiplies pixel `(x, y)` with: `1 / n`, and zero where there is no direction.
    #[inline(always)]
    pub fn per_n(&self, x: usize, y: usize) -> f64 {
        let n = 1.0 + self.z(x, y);
        if n > 0.0 {
            1.0 / n
        } else {
            0.0
        }
    }

    /// `(n - 1 - middle) * scale` along the image row `x`, in the precision of `F`.
    #[inline(always)]
    pub fn z_row<F: Real>(&self, x: usize, (middle, scale): (f64, f64), out: &mut [F]) {
        let (one, l) = (F::of(1.0), self.l(x));
        let quadratic = F::of(1.0 + self.slant.a * self.slant.a + self.slant.b * self.slant.b);
        let (row, slope, square) = (F::of(1.0 - self.slant.a * l), F::of(self.slant.b), F::of(l * l));
        if self.beyond_horizon() {
            let z = |y| (self.z(x, y) - middle) * scale;
            out.iter_mut().enumerate().for_each(|(y, out)| *out = F::of(z(y)));
            return;
        }
        let (middle, scale) = (F::of(middle), F::of(scale));
        // A loop, not an iterator chain: it is to be compiled with its caller's vector instructions.
        for (y, out) in out.iter_mut().enumerate() {
            let m = F::of(self.m(y));
            let (linear, constant) = (row - slope * m, square + m * m);
            let root = (linear * linear - quadratic * constant).root();
            *out = (constant / (linear + root) * -one - middle) * scale;
        }
    }

    /// Half the range of `n - 1`, and its middle.
    pub fn z_half_and_middle(&self) -> (f64, f64) {
        let (low, high) = self.z_range;
        (0.5 * (high - low), 0.5 * (high + low))
    }

    /// Largest `|n - 1|` within a radius about the phase centre; zero for none, the horizon's where it reaches beyond.
    pub fn z_within(&self, radius: f64) -> f64 {
        let at = |k: i32| {
            let (s, c) = (f64::from(k) * std::f64::consts::TAU / 16.0).sin_cos();
            self.slant.n_minus_1(radius * c, radius * s).abs()
        };
        (0..16).map(at).fold(0.0, |most, z| if z.is_finite() { most.max(z) } else { 1.0 })
    }

    /// The corners of the image `(l', m')`.
    pub fn corners(&self) -> [(f64, f64); 4] {
        let (l0, l1) = (self.l(0), self.l(self.nx - 1));
        let (m0, m1) = (self.m(0), self.m(self.ny - 1));
        [(l0, m0), (l0, m1), (l1, m0), (l1, m1)]
    }

    /// `n - 1` is concave in `(l', m')`, and beyond a plain grid's horizon still falls with the distance: its minimum over a rectangle
    /// is at a corner, its maximum on the border or at the phase centre.
    fn find_range(&self) -> Result<(f64, f64), Error> {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        let mut take = |l: f64, m: f64| {
            let z = self.slant.continued(l, m);
            if !z.is_finite() {
                let text = format!("image reaching to l = {l:.4}, m = {m:.4}");
                return Err(Error::from(BadArgument::new(
                    "image",
                    "pixels above the horizon of the slanted grid",
                    text,
                )));
            }
            low = low.min(z);
            high = high.max(z);
            Ok(())
        };
        for x in 0..self.nx {
            take(self.l(x), self.m(0))?;
            take(self.l(x), self.m(self.ny - 1))?;
        }
        for y in 0..self.ny {
            take(self.l(0), self.m(y))?;
            take(self.l(self.nx - 1), self.m(y))?;
        }
        let inside = |low: f64, high: f64| low <= 0.0 && high >= 0.0;
        if inside(self.l(0), self.l(self.nx - 1)) && inside(self.m(0), self.m(self.ny - 1)) {
            take(0.0, 0.0)?;
        }
        Ok((low, high))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slanted_pixel_holds_the_direction_that_projects_there() {
        let slant = Slant { a: 0.31, b: -0.44 };
        for (l, m) in [(0.0f64, 0.0f64), (0.02, -0.03), (-0.3, 0.25)] {
            let (l1, m1) = slant.project(l, m);
            let expected = (1.0 - l * l - m * m).sqrt() - 1.0;
            assert!((slant.n_minus_1(l1, m1) - expected).abs() < 1e-14);
        }
    }

    #[test]
    fn fit_recovers_a_plane() {
        let points: Vec<[f64; 3]> = (0..20)
            .map(|i| {
                let (u, v) = ((i as f64 * 1.7).sin() * 300.0, (i as f64 * 0.9).cos() * 200.0);
                [u, v, 0.2 * u - 0.6 * v]
            })
            .collect();
        let slant = Slant::fit(points.into_iter());
        assert!((slant.a - 0.2).abs() < 1e-12 && (slant.b + 0.6).abs() < 1e-12);
        assert_eq!(Slant::fit([[1.0, 2.0, 3.0]].into_iter()), Slant::default());
    }
}
