//! The gridding kernel: `exp(beta W ((1 - z^2)^mu - 1))` on `|z| < 1`, as one polynomial per tap.
//!
//! With `mu = 1/2` this is the exponential of a semicircle (Barnett, Magland & af Klinteberg 2019,
//! doi:10.1137/18M120885X); `beta` and `mu` were tuned for every support and oversampling to the least misfit in the
//! sense of Ye, Gull, Tan & Nikolic (2020, doi:10.1093/mnras/stz2970): the error of the worst pixel, rms over the
//! position of a visibility in its cell. What the polynomials reach is measured when a kernel is made.

use std::f64::consts::PI;

use super::kernel_table::{self, SIGMAS};
use super::real::Real;
use super::simd::LANES;

/// Largest support in cells.
pub(super) const MAX_SUPPORT: usize = 16;
const MIN_SUPPORT: usize = 2;
/// Highest degree of a tap's polynomial.
const MAX_DEGREE: usize = 24;
/// Nodes of the quadrature over one tap.
const NODES: usize = 12;

/// A kernel of `support` cells for images padded by at least `sigma`.
#[derive(Clone, Debug)]
pub(super) struct Kernel {
    pub support: usize,
    /// Error reached: worst pixel, rms over the position in the cell, one axis.
    pub epsilon: f64,
    /// `taps[j]`: coefficients, constant first, of tap `j` in `2 t - 1`, `t` the distance of the first cell from the edge.
    taps: Vec<Vec<f64>>,
    /// Quadrature: offset from the kernel's centre \[cells\] and weight times kernel, right half.
    quadrature: Vec<(f64, f64)>,
}

/// Whether a kernel of `support` reaches `epsilon` at some padding, and the least padding at which it does.
pub(super) fn least_sigma(support: usize, epsilon: f64) -> Option<f64> {
    let errors = kernel_table::errors(support)?;
    // The table is interpolated in sigma, and its minima are sharp: a fifth is kept back.
    let wanted = (0.8 * epsilon).ln();
    if errors[0].ln() <= wanted {
        return Some(SIGMAS[0]);
    }
    for i in 1..SIGMAS.len() {
        let (before, after) = (errors[i - 1].ln(), errors[i].ln());
        if after <= wanted {
            let fraction = (before - wanted) / (before - after);
            return Some(SIGMAS[i - 1] + fraction * (SIGMAS[i] - SIGMAS[i - 1]));
        }
    }
    None
}

/// Supports that reach `epsilon`, each with its least padding.
pub(super) fn choices(epsilon: f64) -> Vec<(usize, f64)> {
    (MIN_SUPPORT..=MAX_SUPPORT)
        .filter_map(|support| Some((support, least_sigma(support, epsilon)?)))
        .collect()
}

/// How much the image's edge is lifted over its centre when the kernel is undone: rounding errors grow by it.
pub(super) fn amplification(support: usize, sigma: f64) -> f64 {
    let (beta, mu) = kernel_table::shape(support, sigma);
    let (mut centre, mut edge) = (0.0, 0.0);
    let points = 8 * support + 16;
    for i in 0..points {
        // Midpoints in the angle: the kernel is flat at its ends.
        let angle = PI * (i as f64 + 0.5) / points as f64;
        let z = angle.cos();
        let value = angle.sin() * (beta * support as f64 * (angle.sin().powf(2.0 * mu) - 1.0)).exp();
        centre += value;
        edge += value * (PI * support as f64 * z * 0.5 / sigma).cos();
    }
    (centre / edge).abs()
}

impl Kernel {
    /// The kernel of `support` taps for padding `sigma`, its polynomials good to a tenth of `epsilon`.
    pub fn new(support: usize, sigma: f64, epsilon: f64) -> Self {
        let (beta, mu) = kernel_table::shape(support, sigma);
        let shape = |z: f64| {
            let inside = (1.0 - z * z).max(0.0);
            (beta * support as f64 * (inside.powf(mu) - 1.0)).exp()
        };
        let mut degree = support.min(4);
        let mut best: Option<Self> = None;
        loop {
            let mut kernel = Self::fitted(support, degree, &shape);
            kernel.epsilon = kernel.measured_error(sigma);
            let better = best.as_ref().is_none_or(|b| kernel.epsilon < 0.97 * b.epsilon);
            let good = kernel.epsilon <= 0.5 * epsilon;
            if better || best.is_none() {
                best = Some(kernel);
            }
            if good || degree >= MAX_DEGREE || (!better && degree > support + 2) {
                break;
            }
            degree += 1;
        }
        best.unwrap_or_else(|| Self::fitted(support, MAX_DEGREE, &shape))
    }

    fn fitted(support: usize, degree: usize, shape: &impl Fn(f64) -> f64) -> Self {
        let half = support as f64 / 2.0;
        let taps: Vec<Vec<f64>> = (0..support)
            .map(|j| interpolate(degree, |s| shape((j as f64 + 0.5 * (s + 1.0) - half) / half)))
            .collect();
        let (nodes, weights) = gauss_legendre(NODES);
        let mut quadrature = Vec::new();
        // The kernel is even: the taps' right half is enough, with twice the weight.
        for (j, tap) in taps.iter().enumerate() {
            for (&s, &weight) in nodes.iter().zip(&weights) {
                let offset = j as f64 + 0.5 * (s + 1.0) - half;
                quadrature.push((offset, 0.5 * weight * horner(tap, s)));
            }
        }
        Self { support, epsilon: 1.0, taps, quadrature }
    }

    /// Fourier transform of the kernel at `x` cycles per cell.
    pub fn transform(&self, x: f64) -> f64 {
        self.quadrature.iter().map(|&(offset, value)| value * (2.0 * PI * x * offset).cos()).sum()
    }

    /// `1 / transform`: what undoes the kernel in the image at `x` cycles per cell.
    pub fn correction(&self, x: f64) -> f64 {
        1.0 / self.transform(x)
    }

    /// Aliasing relative to the wanted response: the response's deviation from `exp(2 pi i x u)` over positions `u` in a cell,
    /// rms over the positions, at the worst of a few `x` up to the image's edge.
    fn measured_error(&self, sigma: f64) -> f64 {
        let edge = 0.5 / sigma;
        let positions = 16;
        let mut worst: f64 = 0.0;
        for step in 0..6 {
            let x = edge * (step as f64 / 5.0 * PI / 2.0).sin();
            let factor = self.correction(x);
            let mut sum = 0.0;
            for p in 0..positions {
                let t = (p as f64 + 0.5) / positions as f64;
                let (mut re, mut im) = (0.0, 0.0);
                for (j, tap) in self.taps.iter().enumerate() {
                    let offset = j as f64 + t - self.support as f64 / 2.0;
                    let (sin, cos) = (2.0 * PI * x * offset).sin_cos();
                    let value = horner(tap, 2.0 * t - 1.0);
                    re += value * cos;
                    im += value * sin;
                }
                sum += (re * factor - 1.0).powi(2) + (im * factor).powi(2);
            }
            worst = worst.max((sum / positions as f64).sqrt());
        }
        worst
    }

    /// Value of one tap at `s = 2 t - 1`.
    #[inline(always)]
    pub fn tap(&self, tap: usize, s: f64) -> f64 {
        horner(&self.taps[tap], s)
    }

    /// The taps' coefficients, highest degree first, each power `N` vectors of taps (those beyond the support are zero).
    pub fn lanes<T: Real, const N: usize>(&self) -> Vec<[[T; LANES]; N]> {
        let degree = self.taps.first().map_or(0, |tap| tap.len() - 1);
        (0..=degree)
            .rev()
            .map(|power| {
                let mut row = [[T::of(0.0); LANES]; N];
                for (lane, tap) in row.iter_mut().flatten().zip(&self.taps) {
                    *lane = T::of(tap[power]);
                }
                row
            })
            .collect()
    }
}

fn horner(coefficients: &[f64], s: f64) -> f64 {
    coefficients.iter().rev().fold(0.0, |sum, &c| sum * s + c)
}

/// Monomial coefficients on `[-1, 1]` of the interpolant at the Chebyshev nodes.
pub(super) fn interpolate(degree: usize, f: impl Fn(f64) -> f64) -> Vec<f64> {
    let count = degree + 1;
    let angle = |k: usize| PI * (k as f64 + 0.5) / count as f64;
    let values: Vec<f64> = (0..count).map(|k| f(angle(k).cos())).collect();
    let mut sum = vec![0.0; count];
    let (mut previous, mut current) = (vec![0.0; count], vec![0.0; count]);
    current[0] = 1.0;
    for order in 0..count {
        let c: f64 = (0..count).map(|k| values[k] * (order as f64 * angle(k)).cos()).sum::<f64>()
            / count as f64
            * if order == 0 { 1.0 } else { 2.0 };
        for (s, p) in sum.iter_mut().zip(&current) {
            *s += c * p;
        }
        let mut next = vec![0.0; count];
        for i in 0..count - 1 {
            next[i + 1] = if order == 0 { current[i] } else { 2.0 * current[i] };
        }
        if order > 0 {
            for (n, p) in next.iter_mut().zip(&previous) {
                *n -= p;
            }
        }
        previous = std::mem::replace(&mut current, next);
    }
    sum
}

/// Nodes and weights of Gauss-Legendre quadrature on `[-1, 1]`.
pub(super) fn gauss_legendre(count: usize) -> (Vec<f64>, Vec<f64>) {
    let mut nodes = vec![0.0; count];
    let mut weights = vec![0.0; count];
    for i in 0..count {
        let mut x = (PI * (i as f64 + 0.75) / (count as f64 + 0.5)).cos();
        let mut slope = 1.0;
        for _ in 0..100 {
            let (mut before, mut p) = (1.0, x);
            for k in 2..=count {
                let k = k as f64;
                (before, p) = (p, ((2.0 * k - 1.0) * x * p - (k - 1.0) * before) / k);
            }
            slope = count as f64 * (x * p - before) / (x * x - 1.0);
            let step = p / slope;
            x -= step;
            if step.abs() < 1e-15 {
                break;
            }
        }
        nodes[i] = x;
        weights[i] = 2.0 / ((1.0 - x * x) * slope * slope);
    }
    (nodes, weights)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quadrature_is_exact_for_polynomials_of_twice_its_order() {
        let (nodes, weights) = gauss_legendre(6);
        let sum: f64 = nodes.iter().zip(&weights).map(|(x, w)| w * x.powi(10)).sum();
        assert!((sum - 2.0 / 11.0).abs() < 1e-14);
    }

    #[test]
    fn every_choice_reaches_its_epsilon() {
        for exponent in 2..=12 {
            let epsilon = 10f64.powi(-exponent);
            let choices = choices(epsilon);
            assert!(!choices.is_empty(), "{epsilon}");
            for (support, sigma) in choices {
                let kernel = Kernel::new(support, sigma, epsilon);
                // 1.25: what interpolating beta and mu in sigma costs at worst.
                assert!(kernel.epsilon <= 1.25 * epsilon, "{support} {sigma} {epsilon}: {}", kernel.epsilon);
            }
        }
    }
}
