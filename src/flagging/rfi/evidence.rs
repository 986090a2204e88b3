//! From visibilities to evidence of interference.
//!
//! Noise of sigma a component has amplitudes $r \sigma$ of Rayleigh's distribution; interference of amplitude $a \sigma$ beside it
//! those of Rice's. The logarithm of their ratio is $\ln I_0(a r) - a^2 / 2$, here for $a = 3$ and with
//! $\ln I_0(x) \approx \sqrt{4 + x^2} - 2$ (within 0.25 everywhere).

use super::order::nth_roughly;
use super::source::{self, subtract};
use super::tile::{gather, parts, total, Tile};
use super::Plane;
use crate::vis::VisBlock;

/// Interference that evidence is asked for \[sigma of a component\].
const TEMPLATE: f32 = 3.0;
/// Mean and standard deviation, on noise, of the evidence of one product.
pub(super) const MEAN: f32 = -2.128_79;
pub(super) const SIGMA: f32 = 1.700_75;
/// A part of so many samples knows its noise as well as all baselines together do.
const ENOUGH: f32 = 150.0;
/// Fewer samples than this tell nothing about noise.
const FEWEST: f32 = 8.0;

/// Buffers.
#[derive(Default)]
pub(super) struct Scratch {
    tile: Tile,
    source: source::Scratch,
    inverse: Vec<f32>,
}

/// Fill `plane` from rows of one baseline (ascending in time): amplitudes less the sources, by the bandpass's `response` (product,
/// channel) and the baseline's noise. Samples of `mask` take no part in estimates, flagged ones in nothing. `typical` variances of the
/// products, where they are given, keep the estimates of small planes near.
#[inline(always)]
fn weigh_body(
    (block, rows): (&VisBlock, &[usize]),
    response: &[Vec<f32>],
    (mask, typical): (&[bool], &[f32]),
    plane: &mut Plane,
    scratch: &mut Scratch,
) {
    let (nt, nf) = (rows.len(), block.channels.freq_hz.len());
    (plane.nt, plane.nf) = (nt, nf);
    plane.evidence.clear();
    plane.evidence.resize(nt * nf, 0.0);
    plane.count.clear();
    plane.count.resize(nt * nf, 0);
    plane.variance.clear();
    plane.variance.resize(response.len(), 0.0);
    for (times, channels) in parts(nt, nf) {
        for (p, response) in response.iter().enumerate() {
            scratch.inverse.clear();
            scratch.inverse.extend(response.iter().map(|r| 1.0 / r));
            let tile = &mut scratch.tile;
            tile.load(block, (rows, p), (times.clone(), channels.clone()), &scratch.inverse, mask);
            let (source, noise) = subtract(tile, &mut scratch.source);
            let variance = source.mul_add(source, noise);
            plane.variance[p] = variance;
            let variance = match typical.get(p) {
                Some(all) if *all > 0.0 && variance > 0.0 => {
                    let own = total(&tile.used);
                    ((own * variance.ln() + ENOUGH * all.ln()) / (own + ENOUGH)).exp().max(variance)
                }
                _ => variance,
            };
            if !(variance > 0.0 && variance.is_finite()) {
                continue;
            }
            let scale = TEMPLATE * TEMPLATE / variance;
            let width = channels.len();
            for (k, t) in times.clone().enumerate() {
                let from = k * width..(k + 1) * width;
                let to = t * nf + channels.start..t * nf + channels.end;
                let (power, good) = (&scratch.source.power[from.clone()], &tile.good[from]);
                add(&mut plane.evidence[to.clone()], &mut plane.count[to], power, good, scale);
            }
        }
    }
}

/// Add the evidence of one time.
#[inline(always)]
fn add(evidence: &mut [f32], count: &mut [u8], power: &[f32], good: &[f32], scale: f32) {
    let n = evidence.len();
    let (count, power, good) = (&mut count[..n], &power[..n], &good[..n]);
    for k in 0..n {
        evidence[k] += good[k] * ((4.0 + power[k] * scale).sqrt() - (2.0 + 0.5 * TEMPLATE * TEMPLATE));
        count[k] += u8::from(good[k] > 0.0);
    }
}

super::vectorized! {
    /// Evidence of one baseline.
    pub(super) fn weigh = weigh_body;
    (of: (&VisBlock, &[usize]), response: &[Vec<f32>], known: (&[bool], &[f32]), plane: &mut Plane, scratch: &mut Scratch)
}

/// Powers of the samples.
#[inline(always)]
pub(super) fn power(tile: &Tile, out: &mut Vec<f32>) {
    let n = tile.re.len();
    out.resize(n, 0.0);
    let (out, re, im) = (&mut out[..n], &tile.re[..n], &tile.im[..n]);
    for k in 0..n {
        out[k] = re[k] * re[k] + im[k] * im[k];
    }
}

/// Variance of a component of the noise among powers: the mean of those below 4 times itself, which interference of 3 sigma hardly
/// reaches, started from the quantile 0.35; 0 when there are too few.
#[inline(always)]
pub(super) fn noise(power: &[f32], used: &[f32], values: &mut Vec<f32>) -> f32 {
    // Powers are exponential with the mean 2 variances.
    const QUANTILE: f32 = 2.0 * 0.430_783;
    // Three steps shrink what interference added to the start to a fifth.
    const STEPS: usize = 3;
    let stride = (power.len() / 220).max(1) | 1;
    gather(values, used, stride, |k| power[k]);
    if (values.len() as f32) < FEWEST {
        gather(values, used, 1, |k| power[k]);
    }
    if (values.len() as f32) < FEWEST {
        return 0.0;
    }
    let at = values.len() * 35 / 100;
    let mut variance = nth_roughly(values, at) / QUANTILE;
    for _ in 0..STEPS {
        variance = sharpen(power, used, variance);
    }
    variance
}

/// One step from a variance to the better one among powers below 4 times itself.
#[inline(always)]
pub(super) fn sharpen(power: &[f32], used: &[f32], variance: f32) -> f32 {
    // Powers are exponential with the mean 2 variances; below 4 variances their mean is 0.687 of that.
    const CUT: f32 = 4.0;
    const BELOW: f32 = 2.0 * 0.686_965;
    const LANES: usize = 32;
    let limit = CUT * variance;
    let (mut sums, mut counts) = ([0.0f32; LANES], [0.0f32; LANES]);
    let (blocks, rest) = power.as_chunks::<LANES>();
    let (used_blocks, used_rest) = used[..power.len()].as_chunks::<LANES>();
    for (p, u) in blocks.iter().zip(used_blocks) {
        for k in 0..LANES {
            let w = if p[k] < limit { u[k] } else { 0.0 };
            sums[k] += w * p[k];
            counts[k] += w;
        }
    }
    for (p, u) in rest.iter().zip(used_rest) {
        let w = if *p < limit { *u } else { 0.0 };
        sums[0] += w * p;
        counts[0] += w;
    }
    let count = counts.iter().sum::<f32>();
    if count < FEWEST {
        return variance;
    }
    sums.iter().sum::<f32>() / (count * BELOW)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_distr::{Distribution, Exp1};

    #[test]
    fn noise_is_known_beside_interference() {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(3);
        let mut power: Vec<f32> = (0..1152)
            .map(|_| {
                let e: f32 = Exp1.sample(&mut rng);
                2.0 * 9.0 * e
            })
            .collect();
        let used = vec![1.0; power.len()];
        // 1152 samples, of which 86 % count: 4 % by chance.
        let plain = noise(&power, &used, &mut Vec::new());
        assert!((plain / 9.0 - 1.0).abs() < 0.12, "{plain}");
        for p in power.iter_mut().step_by(4) {
            *p = 9.0 * 25.0;
        }
        let beside = noise(&power, &used, &mut Vec::new());
        assert!((beside / 9.0 - 1.0).abs() < 0.2, "{beside}");
        assert_eq!(noise(&power, &vec![0.0; power.len()], &mut Vec::new()), 0.0);
    }
}
