//! Limits of sums of amplitudes of noise, from a false-alarm probability.

use crate::math::special::normal_quantile_of_survival;

/// Mean, standard deviation, skewness and excess kurtosis of the amplitude of complex noise of unit sigma a component
/// (Rayleigh): sqrt(pi / 2), sqrt(2 - pi / 2), ...
pub(super) const MEAN: f32 = 1.253_314_1;
pub(super) const SIGMA: f32 = 0.655_136_4;
/// Median of the same: sqrt(2 ln 2).
pub(super) const MEDIAN: f32 = 1.177_410;
const SKEWNESS: f64 = 0.631_110_66;
const KURTOSIS: f64 = 0.245_089_3;

/// A rectangle and the limit of its sum.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    /// Times.
    pub nt: usize,
    /// Channels.
    pub nf: usize,
    z: f32,
    skew: f32,
    second: f32,
}

impl Window {
    /// `p`: probability that the sum of noise exceeds the limit.
    fn new(nt: usize, nf: usize, p: f64) -> Self {
        let z = normal_quantile_of_survival(p.ln());
        // Cornish-Fisher to second order, multiplied by the root of the number of terms.
        let skew = SKEWNESS / 6.0 * (z * z - 1.0);
        let second = KURTOSIS / 24.0 * z.mul_add(z * z, -3.0 * z)
            - SKEWNESS * SKEWNESS / 36.0 * (2.0 * z * z).mul_add(z, -5.0 * z);
        Self { nt, nf, z: z as f32, skew: skew as f32, second: second as f32 }
    }

    /// Limit of a sum of `count` normalised amplitudes; `count` of 0 has the limit infinity.
    pub(super) fn limit(&self, count: f32) -> f32 {
        if count < 0.5 {
            return f32::INFINITY;
        }
        let root = count.sqrt();
        self.z.mul_add(root, self.skew) + self.second / root
    }

    /// The same where sums are spread `scale` times wider than independent noise: `count / scale^2` samples are independent.
    pub(super) fn limit_of_spread(&self, count: f32, scale: f32) -> f32 {
        let alike = (scale * scale).min(count);
        // The quantiles that `scale` was taken between lie closer in the skewed distribution of few samples.
        let closer = 1.0 + 0.25 * alike / count.max(1.0);
        closer * alike * self.limit(count / alike)
    }
}

/// The rectangles that are tried on a plane of `nt` by `nf`, small ones first within each height. The chances of all that
/// hold one sample add up to `false_alarm` at most.
pub(super) fn windows(
    (nt, nf): (usize, usize),
    (longest_t, longest_f): (usize, usize),
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
    shapes.into_iter().map(|(t, f)| Window::new(t, f, share / (t * f) as f64)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_distr::{Distribution, Exp1};

    // The amplitude of complex noise is the root of twice an exponential variate.
    #[test]
    fn noise_exceeds_a_limit_as_often_as_asked() {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
        for n in [2usize, 16] {
            let window = Window::new(1, n, 1e-3);
            let limit = window.limit(n as f32);
            let mut over = 0;
            let trials = 400_000;
            for _ in 0..trials {
                let sum: f32 = (0..n)
                    .map(|_| {
                        let e: f32 = Exp1.sample(&mut rng);
                        ((2.0 * e).sqrt() - MEAN) / SIGMA
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
