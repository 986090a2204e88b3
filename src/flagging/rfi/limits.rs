//! Limits of sums of evidence on noise, from a false-alarm probability.

use crate::math::special::normal_quantile_of_survival;

/// Skewness and excess kurtosis, on noise, of the evidence of one product.
const SKEWNESS: f64 = 0.928_600;
const KURTOSIS: f64 = 0.754_780;

/// A rectangle and the limit of its sum.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    /// Times.
    pub nt: usize,
    /// Channels.
    pub nf: usize,
    /// Limit of the sum of as many samples, each in units of its noise.
    pub limit: f32,
}

impl Window {
    /// `p`: probability that the sum of noise exceeds the limit; samples are sums of `products` products.
    fn new(nt: usize, nf: usize, products: usize, p: f64) -> Self {
        let z = normal_quantile_of_survival(p.ln());
        let samples = (nt * nf) as f64;
        let terms = samples * products.max(1) as f64;
        // Cornish-Fisher to second order.
        let skew = SKEWNESS / 6.0 * (z * z - 1.0);
        let second = KURTOSIS / 24.0 * z.mul_add(z * z, -3.0 * z)
            - SKEWNESS * SKEWNESS / 36.0 * (2.0 * z * z).mul_add(z, -5.0 * z);
        Self { nt, nf, limit: (samples.sqrt() * (z + skew / terms.sqrt() + second / terms)) as f32 }
    }
}

/// The rectangles that are tried on a plane of `nt` by `nf`, small ones first within each height. The chances of all that
/// hold one sample add up to `false_alarm` at most.
pub(super) fn windows(
    (nt, nf): (usize, usize),
    (longest_t, longest_f): (usize, usize),
    products: usize,
    false_alarm: f64,
) -> Vec<Window> {
    let sizes = |n: usize, longest: usize| -> Vec<usize> {
        (0..usize::BITS).map(|k| 1usize << k).take_while(|k| *k <= n.min(longest)).collect()
    };
    let mut shapes = Vec::new();
    let mut heights = sizes(nt, longest_t);
    // A line that lasts is best seen over all times.
    if nt > 0 && nt <= longest_t && !nt.is_power_of_two() {
        heights.push(nt);
    }
    for t in heights {
        for f in sizes(nf, longest_f) {
            // Rectangles larger than a quarter of the plane leave nothing to compare with, lines and bursts excepted.
            if t == 1 || f == 1 || 4 * t * f <= nt * nf {
                shapes.push((t, f));
            }
        }
    }
    let share = false_alarm / shapes.len().max(1) as f64;
    shapes.into_iter().map(|(t, f)| Window::new(t, f, products, share / (t * f) as f64)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::evidence::{MEAN, SIGMA};
    use super::*;
    use rand::SeedableRng;
    use rand_distr::{Distribution, Exp1};

    // The power of complex noise is twice an exponential variate.
    #[test]
    fn noise_exceeds_a_limit_as_often_as_asked() {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
        for n in [2usize, 16] {
            let limit = Window::new(1, n, 1, 1e-3).limit;
            let mut over = 0;
            let trials = 400_000;
            for _ in 0..trials {
                let sum: f32 = (0..n)
                    .map(|_| {
                        let e: f32 = Exp1.sample(&mut rng);
                        ((4.0 + 18.0 * e).sqrt() - 6.5 - MEAN) / SIGMA
                    })
                    .sum();
                over += i32::from(sum > limit);
            }
            // 400 expected, 20 by chance; the expansion is good to a tenth.
            let rate = f64::from(over) / f64::from(trials);
            assert!((rate / 1e-3 - 1.0).abs() < 0.25, "{n}: {rate}");
        }
    }
}
