//! How `exp(-2 pi i w (n - 1))` is split between visibilities and image planes.
//!
//! *Moments*: for a nearly coplanar array the phase is small and `exp(i x t) = sum_j c_j i^j J_j(x) T_j(t)` (Jacobi-Anger)
//! converges after a few terms. Plane `j` holds `T_j(w / w_max) V`; every plane is the grid of a real image, so that half of it is
//! stored and transformed. *Stack*: for large `w` every visibility is spread over the nearest planes of `w` with a kernel
//! (Arras, Reinecke, Westermann & Ensslin 2021, doi:10.1051/0004-6361/202039723).

use std::f64::consts::PI;

use super::kernel::Kernel;
use super::real::Real;

/// Largest phase for which moments are considered \[rad\].
pub(super) const MOMENT_PHASE: f64 = 14.0;

/// An even function of an argument in `[-1, 1]`: a polynomial in `2 s^2 - 1`.
#[derive(Clone, Debug)]
pub(super) struct Even(Vec<f64>);

impl Even {
    /// The interpolant of `f` to an accuracy of `tolerance` relative to its peak, or of the highest degree.
    pub fn fit(tolerance: f64, f: impl Fn(f64) -> f64) -> Self {
        let peak = (0..=40).map(|i| f(i as f64 / 40.0).abs()).fold(0.0, f64::max);
        Self::fitted(|_| tolerance * peak, f)
    }

    /// The interpolant of `f` to an accuracy of `tolerance` relative to its value at each place: what undoes a kernel is a hundred times
    /// and more as large at the edge as at the centre, where the image is as well.
    pub fn fit_everywhere(tolerance: f64, f: impl Fn(f64) -> f64) -> Self {
        Self::fitted(|value: f64| tolerance * value.abs(), f)
    }

    fn fitted(allowed: impl Fn(f64) -> f64, f: impl Fn(f64) -> f64) -> Self {
        let mut degree = 2;
        loop {
            let coefficients = super::kernel::interpolate(degree, |y| f((0.5 * (1.0 + y)).max(0.0).sqrt()));
            let even = Self(coefficients);
            let good = |s: f64| (even.at(s) - f(s)).abs() <= allowed(f(s));
            if degree >= 26 || (0..=40).all(|i| good(i as f64 / 40.0)) {
                return even;
            }
            degree += 1;
        }
    }

    #[inline(always)]
    pub fn at(&self, s: f64) -> f64 {
        let y = 2.0 * s * s - 1.0;
        self.0.iter().rev().fold(0.0, |sum, &c| sum * y + c)
    }

    /// Values for a row of arguments.
    #[inline(always)]
    pub fn row<F: Real>(&self, s: &[F], out: &mut [F]) {
        out.fill(F::of(0.0));
        let (one, two) = (F::of(1.0), F::of(2.0));
        for &c in self.0.iter().rev() {
            let c = F::of(c);
            for (o, &s) in out.iter_mut().zip(s) {
                *o = *o * (two * s * s - one) + c;
            }
        }
    }
}

/// Bessel function of the first kind by the trapezoidal rule on Bessel's integral (exponentially exact).
pub(super) fn bessel_j(order: usize, x: f64) -> f64 {
    let points = 2 * (order + x.abs().ceil() as usize) + 48;
    let sum: f64 = (0..points)
        .map(|k| {
            let theta = 2.0 * PI * k as f64 / points as f64;
            (order as f64 * theta - x * theta.sin()).cos()
        })
        .sum();
    sum / points as f64
}

/// Number of moments that keep the error below `epsilon` for phases up to `phase`.
pub(super) fn moments_needed(phase: f64, epsilon: f64) -> usize {
    // Terms beyond the first dropped one are far smaller once orders exceed the phase.
    let tail = |first: usize| -> f64 { (first..first + 4).map(|j| 2.0 * bessel_j(j, phase).abs()).sum() };
    let mut count = 1;
    while count < 64 && ((count as f64) < 0.6 * phase || tail(count) > epsilon) {
        count += 1;
    }
    count
}

/// The chosen split.
#[derive(Clone, Debug)]
pub(super) enum WTerm {
    /// One plane; a constant `n - 1` may still be taken out of the visibilities.
    Flat,
    /// Moments in `w / w_max`, and the image factor of each: `J_j` for even, `J_j / s` for odd orders.
    Moments { w_max: f64, factors: Vec<Even> },
    /// Planes of `w` at `first + p * spacing` wavelengths.
    Stack { first: f64, spacing: f64, planes: usize, kernel: Kernel, correction: Even },
}

impl WTerm {
    /// Moments for `|w| <= w_max` wavelengths and `|n - 1 - middle| <= z_half`.
    pub fn moments(w_max: f64, z_half: f64, count: usize, epsilon: f64) -> Self {
        let phase = 2.0 * PI * w_max * z_half;
        let factors = (0..count)
            .map(|j| {
                let scale = if j == 0 { 1.0 } else { 2.0 };
                Even::fit(0.01 * epsilon.max(1e-14), |s| {
                    if j % 2 == 0 {
                        scale * bessel_j(j, phase * s)
                    } else if s > 1e-9 {
                        scale * bessel_j(j, phase * s) / s
                    } else if j == 1 {
                        phase
                    } else {
                        0.0
                    }
                })
            })
            .collect();
        Self::Moments { w_max, factors }
    }

    /// Planes for `w_range` wavelengths with a kernel padded by `sigma` in `n - 1`.
    pub fn stack(w_range: (f64, f64), z_half: f64, (support, sigma): (usize, f64), epsilon: f64) -> Self {
        let kernel = Kernel::new(support, sigma, epsilon);
        let spacing = 0.5 / (sigma * z_half);
        let first = w_range.0 - 0.5 * spacing * (support as f64 + 0.01);
        let planes = ((w_range.1 - w_range.0) / spacing).ceil() as usize + support + 1;
        let x_edge = 0.5 / sigma;
        let correction = Even::fit_everywhere(0.01 * epsilon.max(1e-14), |s| kernel.correction(x_edge * s));
        Self::Stack { first, spacing, planes, kernel, correction }
    }

    /// Number of planes in the image domain.
    pub fn planes(&self) -> usize {
        match self {
            Self::Flat => 1,
            Self::Moments { factors, .. } => factors.len(),
            Self::Stack { planes, .. } => *planes,
        }
    }

    /// Number of planes that one visibility touches.
    pub fn planes_each(&self) -> usize {
        match self {
            Self::Flat => 1,
            Self::Moments { factors, .. } => factors.len(),
            Self::Stack { kernel, .. } => kernel.support,
        }
    }

    /// Whether the planes are grids of real images.
    pub fn real(&self) -> bool {
        !matches!(self, Self::Stack { .. })
    }

    /// Planes and weights of a visibility at `w`, of those in `wanted`; planes count from the first wanted one.
    #[inline(always)]
    pub fn weights<T: Real>(&self, w: f64, wanted: &std::ops::Range<usize>, out: &mut [T]) -> (u16, u16) {
        match self {
            Self::Flat => {
                out[0] = T::of(1.0);
                (0, 1)
            }
            Self::Moments { w_max, .. } => {
                let t = w / w_max;
                let (mut before, mut current) = (t, 1.0);
                for j in 0..wanted.end {
                    if j >= wanted.start {
                        out[j - wanted.start] = T::of(current);
                    }
                    (before, current) = (current, 2.0 * t * current - before);
                    if j == 0 {
                        current = t;
                    }
                }
                (0, (wanted.end - wanted.start) as u16)
            }
            Self::Stack { first, spacing, kernel, .. } => {
                let support = kernel.support;
                let edge = (w - first) / spacing - 0.5 * support as f64;
                let plane = edge.ceil();
                let s = 2.0 * (plane - edge) - 1.0;
                let plane = plane.max(0.0) as usize;
                let (from, to) = (plane.max(wanted.start), (plane + support).min(wanted.end));
                for p in from..to {
                    out[p - from] = T::of(kernel.tap(p - plane, s));
                }
                (from.saturating_sub(wanted.start) as u16, to.saturating_sub(from) as u16)
            }
        }
    }
}

/// `exp(2 pi i turns)` to 1e-14, by polynomials that vectorise.
#[inline(always)]
pub(super) fn cis(turns: f64) -> (f64, f64) {
    // Adding and taking away 1.5 * 2^52 rounds to the nearest integer.
    const ROUND: f64 = 6_755_399_441_055_744.0;
    let r = turns - ((turns + ROUND) - ROUND);
    // Half the angle keeps the series short: e = exp(i pi r), squared below.
    let x = PI * r;
    let y = x * x;
    let mut sin = 0.0;
    for k in (0..10).rev() {
        sin = 1.0 - sin * y / ((2 * k + 2) * (2 * k + 3)) as f64;
    }
    let sin = sin * x;
    let mut cos = 0.0;
    for k in (0..10).rev() {
        cos = 1.0 - cos * y / ((2 * k + 1) * (2 * k + 2)) as f64;
    }
    (cos * cos - sin * sin, 2.0 * sin * cos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cis_is_the_library_s() {
        for i in -400..400 {
            let turns = i as f64 * 0.0173 + 3.0;
            let (cos, sin) = cis(turns);
            let angle = 2.0 * PI * turns;
            assert!((cos - angle.cos()).abs() < 1e-13 && (sin - angle.sin()).abs() < 1e-13, "{turns}");
        }
    }

    #[test]
    fn bessel_values() {
        // Abramowitz & Stegun, table 9.1.
        assert!((bessel_j(0, 1.0) - 0.765_197_686_557_966_6).abs() < 1e-15);
        assert!((bessel_j(2, 5.0) - 0.046_565_116_277_752_2).abs() < 1e-15);
    }

    #[test]
    fn planes_are_undone_at_the_centre_as_well_as_at_the_edge() {
        for exponent in 2..=12 {
            let epsilon = 10f64.powi(-exponent);
            for choice in super::super::kernel::choices(epsilon) {
                let WTerm::Stack { kernel, correction, .. } = WTerm::stack((0.0, 1e5), 1e-3, choice, epsilon)
                else {
                    unreachable!()
                };
                for i in 0..=97 {
                    let s = i as f64 / 97.0;
                    let ratio = correction.at(s) / kernel.correction(0.5 / choice.1 * s);
                    // A hundredth was asked for at nodes; 1e-13 is the rounding of polynomials of degree 26.
                    assert!(
                        (ratio - 1.0).abs() < 0.02 * epsilon + 1e-13,
                        "{choice:?} {epsilon} {s}: {ratio}"
                    );
                }
            }
        }
    }

    #[test]
    fn moments_converge_to_the_exponential() {
        for (phase, epsilon) in [(0.02, 1e-4), (0.4, 1e-5), (3.0, 1e-9), (12.0, 1e-11)] {
            let count = moments_needed(phase, epsilon);
            let term = WTerm::moments(1.0, phase / (2.0 * PI), count, epsilon);
            let WTerm::Moments { factors, .. } = &term else { unreachable!() };
            for (t, s) in [(1.0, 1.0), (-1.0, 0.9), (0.3, -1.0), (0.0, 0.5)] {
                let mut weights = vec![0.0f64; count];
                term.weights(t, &(0..count), &mut weights);
                let (mut re, mut im) = (0.0, 0.0);
                for j in 0..count {
                    let factor = factors[j].at(s) * if j % 2 == 1 { s } else { 1.0 } * weights[j];
                    match j % 4 {
                        0 => re += factor,
                        1 => im += factor,
                        2 => re -= factor,
                        _ => im -= factor,
                    }
                }
                let angle: f64 = phase * s * t;
                assert!((re - angle.cos()).abs() < 1.2 * epsilon && (im - angle.sin()).abs() < 1.2 * epsilon);
            }
        }
    }
}
