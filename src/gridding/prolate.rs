//! Interpolation of functions of limited bandwidth from as few nodes as they need.
//!
//! `exp(i x t)` on `[-1, 1]`, `|x| <= c`, spans little more than `2 c / pi` dimensions (Slepian & Pollak 1961,
//! doi:10.1002/j.1538-7305.1961.tb03976.x), of which interpolation at the zeros of a prolate spheroidal wave function makes use (Xiao,
//! Rokhlin & Yarvin 2001, doi:10.1088/0266-5611/17/4/315); polynomials need `c` and more. The zeros are taken from the phase integral of
//! their differential equation (DLMF 30.2.1), `int sqrt((1 - k^2 t^2) / (1 - t^2)) dt`, and the weights are those of least squares over
//! all `x`, whose residual is measured: nodes that are not quite the zeros cost a per cent of the bandwidth.

use std::collections::HashMap;
use std::f64::consts::{FRAC_PI_2, PI};
use std::sync::{Arc, Mutex};

/// Weight of the band's end beside its mean: least squares over the band alone are worst there.
const EDGE: f64 = 0.05;
/// Steps of the phase integral over a quarter of a turn.
const STEPS: usize = 256;

/// Nodes for one bandwidth, and how to interpolate between them.
#[derive(Clone, Debug)]
pub(super) struct Band {
    /// On `[-1, 1]`, ascending.
    nodes: Vec<f64>,
    /// Phases `x` of the least squares, and the roots of their weights.
    waves: Vec<(f64, f64)>,
    /// Householder vectors of their values at the nodes, and the triangle that they leave, row by row.
    reflectors: Vec<Vec<f64>>,
    upper: Vec<Vec<f64>>,
}

impl Band {
    /// `count` nodes for phases to `reach`, which is at most what [`reaches`] says.
    pub fn new(count: usize, reach: f64) -> Self {
        let nodes = zeros(count, reach);
        let steps = 2 * count + 8;
        let inner =
            (0..steps).map(|j| (reach * (j as f64 + 0.5) / steps as f64, 1.0 / (steps as f64).sqrt()));
        let waves: Vec<(f64, f64)> = inner.chain([(reach, EDGE.sqrt())]).collect();
        let mut columns: Vec<Vec<f64>> = nodes.iter().map(|t| values(&waves, *t)).collect();
        let (mut reflectors, mut upper) = (Vec::with_capacity(count), vec![Vec::new(); count]);
        for k in 0..count {
            let reflector = reflector(&columns[k], k);
            for column in &mut columns[k..] {
                reflect(&reflector, k, column);
            }
            upper[k] = columns[k..].iter().map(|column| column[k]).collect();
            reflectors.push(reflector);
        }
        Self { nodes, waves, reflectors, upper }
    }

    /// Where functions are sampled.
    pub fn nodes(&self) -> &[f64] {
        &self.nodes
    }

    /// What the samples contribute to the value at `t`.
    pub fn weights(&self, t: f64) -> Vec<f64> {
        let mut x = values(&self.waves, t);
        for (k, reflector) in self.reflectors.iter().enumerate() {
            reflect(reflector, k, &mut x);
        }
        x.truncate(self.nodes.len());
        for k in (0..x.len()).rev() {
            let known: f64 = self.upper[k][1..].iter().zip(&x[k + 1..]).map(|(u, x)| u * x).sum();
            let own = self.upper[k][0];
            // A column that the others hold to rounding takes no part.
            x[k] = if own.abs() > f64::EPSILON { (x[k] - known) / own } else { 0.0 };
        }
        x
    }

    /// Error of the interpolation, rms over `[-1, 1]`, at the phase where it is worst.
    fn error(&self, reach: f64) -> f64 {
        const PLACES: usize = 20;
        const PHASES: usize = 24;
        // Nodes and their errors are symmetric.
        let at: Vec<(f64, Vec<f64>)> =
            (0..PLACES).map(|i| (i as f64 + 0.5) / PLACES as f64).map(|t| (t, self.weights(t))).collect();
        let square = |x: f64| {
            let wave: Vec<(f64, f64)> = self.nodes.iter().map(|t| (x * t).sin_cos()).collect();
            let sum: f64 = at
                .iter()
                .map(|(t, weights)| {
                    let (sine, cosine) = (x * t).sin_cos();
                    let (s, c) = weights
                        .iter()
                        .zip(&wave)
                        .fold((-sine, -cosine), |(s, c), (w, v)| (s + w * v.0, c + w * v.1));
                    s * s + c * c
                })
                .sum();
            sum / PLACES as f64
        };
        (1..=PHASES).map(|k| square(reach * k as f64 / PHASES as f64)).fold(0.0, f64::max).sqrt()
    }
}

/// Largest phases at which 1 to `most` nodes keep the error, rms over the interval, below `epsilon`.
pub(super) fn reaches(most: usize, epsilon: f64) -> Arc<[f64]> {
    /// A table takes tens of milliseconds, and a run asks for the same one for every image.
    static KNOWN: Mutex<Option<HashMap<(usize, u64), Arc<[f64]>>>> = Mutex::new(None);
    let key = (most, epsilon.to_bits());
    // Others may have panicked with the table whole.
    let mut known = KNOWN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let table = known.get_or_insert_default();
    table.entry(key).or_insert_with(|| (1..=most).map(|count| reach(count, epsilon)).collect()).clone()
}

fn reach(count: usize, epsilon: f64) -> f64 {
    let (mut low, mut high) = (0.0, count as f64 * FRAC_PI_2);
    for _ in 0..14 {
        let middle = 0.5 * (low + high);
        if Band::new(count, middle).error(middle) <= epsilon {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}

/// Cosines and sines of all waves at `t`.
fn values(waves: &[(f64, f64)], t: f64) -> Vec<f64> {
    let cosines = waves.iter().map(|(x, root)| root * (x * t).cos());
    cosines.chain(waves.iter().map(|(x, root)| root * (x * t).sin())).collect()
}

/// The Householder vector that clears `column` below row `k`, of unit length; rows from `k` on.
fn reflector(column: &[f64], k: usize) -> Vec<f64> {
    let mut v = column[k..].to_vec();
    let norm = v.iter().map(|x| x * x).sum::<f64>().sqrt();
    v[0] += if v[0] < 0.0 { -norm } else { norm };
    let size = v.iter().map(|x| x * x).sum::<f64>().sqrt();
    if size > 0.0 {
        v.iter_mut().for_each(|x| *x /= size);
    }
    v
}

fn reflect(v: &[f64], k: usize, column: &mut [f64]) {
    let along: f64 = v.iter().zip(&column[k..]).map(|(v, x)| v * x).sum();
    column[k..].iter_mut().zip(v).for_each(|(x, v)| *x -= 2.0 * along * v);
}

/// The zeros of the prolate function of order `count` and bandwidth `reach`, near enough; those of a Chebyshev polynomial when that is 0.
fn zeros(count: usize, reach: f64) -> Vec<f64> {
    let speed =
        |k: f64, i: usize| (1.0 - (k * (FRAC_PI_2 * i as f64 / STEPS as f64).sin()).powi(2)).max(0.0).sqrt();
    let phase = |k: f64| {
        let mut sum = vec![0.0; STEPS + 1];
        for i in 0..STEPS {
            sum[i + 1] = sum[i] + 0.5 * (speed(k, i) + speed(k, i + 1)) * FRAC_PI_2 / STEPS as f64;
        }
        sum
    };
    // Half a turn a zero: `reach / k` times the integral over the interval is `count` times pi.
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..40 {
        let k = 0.5 * (low + high);
        if 2.0 * reach * phase(k)[STEPS] > count as f64 * PI * k {
            low = k;
        } else {
            high = k;
        }
    }
    let table = phase(high);
    let mut out = vec![0.0; count];
    for p in count.div_ceil(2)..count {
        let wanted = table[STEPS] * ((2 * p + 1) as f64 / count as f64 - 1.0);
        let i = table.partition_point(|sum| *sum < wanted).clamp(1, STEPS);
        let share = (wanted - table[i - 1]) / (table[i] - table[i - 1]).max(f64::MIN_POSITIVE);
        let t = (FRAC_PI_2 * (i as f64 - 1.0 + share) / STEPS as f64).sin();
        (out[p], out[count - 1 - p]) = (t, -t);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_bandwidth_the_nodes_are_chebyshevs() {
        for count in [1, 2, 7, 16] {
            for (p, t) in zeros(count, 0.0).into_iter().enumerate() {
                let expected = -(PI * (p as f64 + 0.5) / count as f64).cos();
                // The integral is summed in 256 steps, and looked up between them.
                assert!((t - expected).abs() < 1e-4, "{count} {p}: {t} {expected}");
            }
        }
    }

    #[test]
    fn nodes_reach_nearly_as_far_as_any_could() {
        for (epsilon, share) in [(2e-3, 0.8), (2e-5, 0.68), (2e-8, 0.54), (2e-13, 0.37)] {
            let table = reaches(32, epsilon);
            assert!(table.windows(2).all(|p| p[1] >= p[0]), "{epsilon:e}: {table:?}");
            // A turn of pi a node is the bound of Landau (1967); polynomials at Chebyshev nodes reach 0.47, 0.39, 0.30 and 0.21 of it.
            assert!(table[31] > share * 32.0 * FRAC_PI_2, "{epsilon:e}: {}", table[31]);
        }
    }

    #[test]
    fn waves_between_the_nodes_come_out_right_everywhere() {
        for epsilon in [1e-3, 1e-6, 1e-11] {
            let table = reaches(32, epsilon);
            for count in [3, 8, 21, 32] {
                let band = Band::new(count, table[count - 1]);
                let mut worst = 0f64;
                for k in 0..101 {
                    let t = f64::from(k) / 50.0 - 1.0;
                    let weights = band.weights(t);
                    // Rounding of visibilities grows by this much at most.
                    assert!(weights.iter().map(|w| w.abs()).sum::<f64>() < 4.0);
                    for x in (0..=50).map(|j| table[count - 1] * f64::from(j) / 50.0) {
                        let (s, c) =
                            band.nodes().iter().zip(&weights).fold((0.0, 0.0), |(s, c), (node, w)| {
                                (s + w * (x * node).sin(), c + w * (x * node).cos())
                            });
                        worst = worst.max((s - (x * t).sin()).hypot(c - (x * t).cos()));
                    }
                }
                // The table bounds the rms over the interval; its ends are some times worse.
                assert!(worst < 6.0 * epsilon, "{epsilon:e} {count}: {worst:e}");
            }
        }
    }
}
