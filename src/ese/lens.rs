//! The forward model of an extreme scattering event: a Gaussian plasma lens.

use std::f64::consts::TAU;

use super::Error;
use crate::kind::BadArgument;

/// A one-dimensional lens of free-electron column `N0 exp(-(x / a)^2)` (Clegg, Fey & Lazio 1998, ApJ 496, 253,
/// doi:10.1086/305344). Lengths are in units of `a`.
///
/// A ray that crosses the lens plane at `u` reaches the observer's plane at `u' = u (1 + alpha exp(-u^2))`; the flux at `u'`
/// is the sum over its rays of `|du' / du|^-1`, averaged over the source. Far from the lens it is 1; on the axis of a weak
/// lens `1 / (1 + alpha)`; flux is conserved over `u'`.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlasmaLens {
    /// Strength at the reference frequency, `lambda^2 r_e N0 D / (pi a^2)`; negative for an underdense lens (above -1).
    pub alpha: f64,
    /// Frequency of `alpha` \[Hz\]; the strength goes as the wavelength squared.
    pub reference_hz: f64,
    /// Standard deviation of the (Gaussian) source, in units of the lens's angular width `a / D`; 0 is a point.
    pub source_sigma: f64,
}

/// Strengths past this are refused: the integral's cost grows with the strength.
const STRONGEST: f64 = 1e4;
/// Steps of the ray grid for one source sigma on the observer's plane.
const STEPS_PER_SIGMA: f64 = 4.0;
/// Source profile beyond this many sigma is left out (1e-14 of the flux).
const REACH_SIGMA: f64 = 7.7;
/// Magnification of a point on a caustic, where the formula has none.
const CAUSTIC: f64 = 1e6;

impl PlasmaLens {
    /// # Errors
    /// A strength that is not in `(-1, 1e4]`, a source size that is negative or below 1e-3 but not zero, a frequency that is
    /// not positive.
    pub fn new(alpha: f64, reference_hz: f64, source_sigma: f64) -> Result<Self, Error> {
        let lens = Self { alpha, reference_hz, source_sigma };
        lens.check()?;
        Ok(lens)
    }

    /// # Errors
    /// As [`PlasmaLens::new`]; for a lens that was read from a file.
    pub fn check(&self) -> Result<(), Error> {
        if !(self.alpha > -1.0 && self.alpha <= STRONGEST) {
            return Err(BadArgument::new("alpha", "a strength in (-1, 1e4]", self.alpha).into());
        }
        if !(self.source_sigma == 0.0 || (1e-3..=1e3).contains(&self.source_sigma)) {
            return Err(BadArgument::new(
                "source_sigma",
                "0 (a point) or 1e-3..1e3 lens widths",
                self.source_sigma,
            )
            .into());
        }
        if !(self.reference_hz.is_finite() && self.reference_hz > 0.0) {
            return Err(BadArgument::new("reference_hz", "a positive frequency", self.reference_hz).into());
        }
        Ok(())
    }

    /// Strength at `freq_hz`.
    pub fn alpha_at(&self, freq_hz: f64) -> f64 {
        self.alpha * (self.reference_hz / freq_hz).powi(2)
    }

    /// Flux over the unlensed flux at `offset` (lens widths from the axis, on the observer's plane).
    /// Accuracy 1e-6 for a resolved source, 1e-9 for a point away from caustics.
    pub fn magnification(&self, offset: f64, freq_hz: f64) -> f64 {
        let alpha = self.alpha_at(freq_hz);
        if self.source_sigma == 0.0 {
            point(offset, alpha)
        } else {
            resolved(offset, alpha, self.source_sigma)
        }
    }
}

/// Where a ray through `u` arrives.
fn arrival(u: f64, alpha: f64) -> f64 {
    u * (1.0 + alpha * (-u * u).exp())
}

/// Sum over the rays that arrive at `offset`.
fn point(offset: f64, alpha: f64) -> f64 {
    // |u' - u| <= |alpha| max(u exp(-u^2)) = 0.429 |alpha|, and nothing is bent beyond |u| = 7.
    let bend = 0.43 * alpha.abs() + 1e-9;
    let (low, high) = ((offset - bend).min(offset), (offset + bend).max(offset));
    let (low, high) = (low.max(offset.min(-7.0)), high.min(offset.max(7.0)));
    let steps = (((high - low) * 400.0).ceil() as usize).clamp(400, 20_000);
    let at = |i: usize| low + (high - low) * i as f64 / steps as f64;
    let mut sum = 0.0;
    let mut before = arrival(at(0), alpha) - offset;
    for i in 1..=steps {
        let now = arrival(at(i), alpha) - offset;
        if (before < 0.0) != (now < 0.0) {
            sum += brightness(root(at(i - 1), at(i), offset, alpha), alpha);
        }
        before = now;
    }
    sum
}

/// `|du' / du|^-1`.
fn brightness(u: f64, alpha: f64) -> f64 {
    let slope = 1.0 + alpha * (1.0 - 2.0 * u * u) * (-u * u).exp();
    (1.0 / slope.abs()).min(CAUSTIC)
}

fn root(mut a: f64, mut b: f64, offset: f64, alpha: f64) -> f64 {
    let rising = arrival(a, alpha) < offset;
    for _ in 0..60 {
        let middle = 0.5 * (a + b);
        if (arrival(middle, alpha) < offset) == rising {
            a = middle;
        } else {
            b = middle;
        }
    }
    0.5 * (a + b)
}

/// `int du G(u'(u) - offset)`, G the source's normalised profile: every ray counts once, however many images there are.
fn resolved(offset: f64, alpha: f64, sigma: f64) -> f64 {
    let reach = REACH_SIGMA * sigma + 0.43 * alpha.abs();
    let step = sigma / (STEPS_PER_SIGMA * (1.0 + alpha.abs()));
    // Beyond |u| = 7 rays are straight: there the integral is that of the profile itself.
    let (low, high) = ((offset - reach).max(-7.0), (offset + reach).min(7.0));
    let straight = normal_above(7.0 - offset, sigma) + normal_above(7.0 + offset, sigma);
    if high <= low {
        return straight;
    }
    let n = ((high - low) / step).ceil().max(64.0) as usize;
    let h = (high - low) / n as f64;
    let profile = |u: f64| {
        let x = (arrival(u, alpha) - offset) / sigma;
        (-0.5 * x * x).exp()
    };
    // Simpson's weights keep the accuracy where the range is cut at 7.
    let n2 = n + n % 2;
    let h = h * n as f64 / n2 as f64;
    let sum: f64 = (0..=n2)
        .map(|i| {
            let weight = if i == 0 || i == n2 { 1.0 } else { [2.0, 4.0][i % 2] };
            weight * profile(low + h * i as f64)
        })
        .sum();
    sum * h / 3.0 / (TAU.sqrt() * sigma) + straight
}

/// Fraction of a normal distribution of `sigma` above `x`, to 1e-7 (Abramowitz & Stegun 26.2.17).
fn normal_above(x: f64, sigma: f64) -> f64 {
    let z = x / sigma;
    if z < 0.0 {
        return 1.0 - normal_above(-x, sigma);
    }
    let t = 1.0 / (1.0 + 0.231_641_9 * z);
    let poly = t
        * (0.319_381_530
            + t * (-0.356_563_782 + t * (1.781_477_937 + t * (-1.821_255_978 + t * 1.330_274_429))));
    poly * (-0.5 * z * z).exp() / TAU.sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    const REF: f64 = 1.4e9;

    fn lens(alpha: f64, sigma: f64) -> PlasmaLens {
        PlasmaLens::new(alpha, REF, sigma).unwrap()
    }

    #[test]
    fn on_the_axis_a_weak_lens_has_its_closed_form() {
        for alpha in [0.0, 0.3, 2.0 / 3.0, 1.5] {
            assert!((lens(alpha, 0.0).magnification(0.0, REF) - 1.0 / (1.0 + alpha)).abs() < 1e-9);
        }
        assert!((lens(2.0 / 3.0, 0.0).magnification(0.0, REF) - 0.6).abs() < 1e-9);
    }

    #[test]
    fn no_lens_and_far_away_change_nothing() {
        for sigma in [0.0, 0.1, 2.0] {
            for offset in [0.0, 0.7, -3.0, 6.9, 7.1, 40.0] {
                assert!((lens(0.0, sigma).magnification(offset, REF) - 1.0).abs() < 1e-6, "{sigma} {offset}");
            }
            assert!((lens(5.0, sigma).magnification(60.0, REF) - 1.0).abs() < 1e-6);
        }
    }

    #[test]
    fn flux_is_conserved_over_the_observers_plane() {
        for (alpha, sigma) in [(0.667, 0.2), (10.0, 0.3), (-0.5, 0.1)] {
            let (n, reach) = (4000, 30.0);
            let excess: f64 = (0..n)
                .map(|i| {
                    lens(alpha, sigma)
                        .magnification(reach * (2.0 * (f64::from(i) + 0.5) / f64::from(n) - 1.0), REF)
                        - 1.0
                })
                .sum::<f64>()
                * 2.0
                * reach
                / f64::from(n);
            assert!(excess.abs() < 1e-3, "{alpha} {sigma}: {excess}");
        }
    }

    #[test]
    fn a_small_source_is_a_point_away_from_caustics() {
        for alpha in [0.5, 8.0] {
            for offset in [0.0, 0.3, 5.0] {
                let (a, b) = (
                    lens(alpha, 0.0).magnification(offset, REF),
                    lens(alpha, 2e-3).magnification(offset, REF),
                );
                assert!((a - b).abs() < 1e-3 * a, "{alpha} {offset}: {a} {b}");
            }
        }
    }

    #[test]
    fn strong_lenses_make_three_images_between_their_caustics() {
        let strong = lens(20.0, 0.0);
        // Inside: a deep dip on the axis; between the caustics bright; even in the offset.
        assert!(strong.magnification(0.0, REF) < 0.1);
        let brightest = (0..400).map(|i| strong.magnification(0.025 * f64::from(i), REF)).fold(0.0, f64::max);
        assert!(brightest > 2.0);
        for offset in [0.4, 2.2, 4.1] {
            assert!((strong.magnification(offset, REF) - strong.magnification(-offset, REF)).abs() < 1e-6);
        }
    }

    #[test]
    fn longer_waves_are_bent_more() {
        let l = lens(0.667, 0.1);
        assert!(l.magnification(0.0, 1.3e9) < l.magnification(0.0, 1.5e9));
        assert!((l.alpha_at(0.7e9) - 4.0 * 0.667).abs() < 1e-12);
    }

    #[test]
    fn impossible_lenses_are_refused() {
        for (alpha, sigma) in
            [(-1.0, 0.0), (f64::NAN, 0.0), (1e5, 0.0), (1.0, -0.1), (1.0, 1e-6), (1.0, f64::NAN)]
        {
            assert!(PlasmaLens::new(alpha, REF, sigma).is_err());
        }
        assert!(PlasmaLens::new(1.0, 0.0, 0.0).is_err());
    }
}
