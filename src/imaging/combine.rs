//! One row of polarisation products to one row of a Stokes parameter about the image's centre.

use num_complex::{Complex32, Complex64};

use super::stokes::Combination;
use crate::constants::SPEED_OF_LIGHT_M_S;

/// Samples of one row of one window, `(f, p)` in C order.
#[derive(Clone, Copy)]
pub(super) struct RowSamples<'a> {
    pub vis: &'a [Complex32],
    pub weight: &'a [f32],
    pub flag: &'a [bool],
}

/// What was found in a row.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Found {
    pub unflagged: usize,
    /// Whether any unflagged visibility is not zero.
    pub nonzero: bool,
}

impl Found {
    pub fn plus(self, other: Self) -> Self {
        Self { unflagged: self.unflagged + other.unflagged, nonzero: self.nonzero || other.nonzero }
    }
}

/// Channels treated at once.
const BLOCK: usize = 64;
/// Channels whose phases are computed side by side.
const LANES: usize = 8;

/// How the rows of a window are combined.
pub(super) struct Combiner {
    how: Combination,
    products: usize,
    turns: Turns,
    vector: bool,
}

impl Combiner {
    pub fn new(how: Combination, products: usize, freq_hz: &[f64]) -> Self {
        #[cfg(target_arch = "x86_64")]
        let vector = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
        #[cfg(not(target_arch = "x86_64"))]
        let vector = false;
        Self { how, products, turns: Turns::of(freq_hz), vector }
    }

    /// The Stokes parameter `a P + b Q` of a row, times `exp(-2 pi i shift nu / c)`, and its weight
    /// `4 w1 w2 / (w1 + w2)`; both are zero where either product is flagged, without weight or no number.
    pub fn row(&self, row: RowSamples<'_>, shift_m: f64, vis: &mut [Complex32], weight: &mut [f32]) -> Found {
        #[cfg(target_arch = "x86_64")]
        if self.vector {
            // SAFETY: `vector` is set only after the features were detected.
            return unsafe { self.row_vector(row, shift_m, vis, weight) };
        }
        self.row_body(row, shift_m, vis, weight)
    }

    /// # Safety
    /// The machine has AVX2 and FMA.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma")]
    unsafe fn row_vector(
        &self,
        row: RowSamples<'_>,
        shift_m: f64,
        vis: &mut [Complex32],
        weight: &mut [f32],
    ) -> Found {
        self.row_body(row, shift_m, vis, weight)
    }

    #[inline(always)]
    fn row_body(
        &self,
        row: RowSamples<'_>,
        shift_m: f64,
        vis: &mut [Complex32],
        weight: &mut [f32],
    ) -> Found {
        let p = self.products;
        let ([first, second], [a, b]) = (self.how.places, self.how.factors);
        // Stokes I and Q of two products lie side by side and need no complex products.
        let plain = p == 2 && first == 0 && second == 1 && a.im == 0.0 && b.im == 0.0;
        let mut found = Found::default();
        let blocks = vis.chunks_mut(BLOCK).zip(weight.chunks_mut(BLOCK)).enumerate();
        for (k, (vis, weight)) in blocks {
            let span = k * BLOCK * p..(k * BLOCK + vis.len()) * p;
            let part = RowSamples {
                vis: &row.vis[span.clone()],
                weight: &row.weight[span.clone()],
                flag: &row.flag[span],
            };
            let own =
                if plain { pairs(part, [a.re, b.re], vis, weight) } else { self.any(part, vis, weight) };
            found = found.plus(own);
            // A micrometre is a phase of 3e-5.
            if shift_m.abs() >= 1e-7 {
                self.turns.rotate(vis, k * BLOCK, shift_m);
            }
        }
        found
    }

    /// Products at any places.
    #[inline(always)]
    fn any(&self, part: RowSamples<'_>, vis: &mut [Complex32], weight: &mut [f32]) -> Found {
        let ([first, second], [a, b]) = (self.how.places, self.how.factors);
        let mut found = Found::default();
        for f in 0..vis.len() {
            let (i, j) = (f * self.products + first, f * self.products + second);
            let (p, q, wa, wb) = (part.vis[i], part.vis[j], part.weight[i], part.weight[j]);
            let sum = p * a + q * b;
            let good = !part.flag[i] && !part.flag[j] && wa > 0.0 && wb > 0.0;
            let finite = sum.re.is_finite() && sum.im.is_finite() && wa.is_finite() && wb.is_finite();
            if good && finite {
                vis[f] = sum;
                weight[f] = if first == second { wa } else { 4.0 * wa * wb / (wa + wb) };
                found.unflagged += 1;
                found.nonzero |= p != Complex32::default() || q != Complex32::default();
            } else {
                vis[f] = Complex32::default();
                weight[f] = 0.0;
            }
        }
        found
    }
}

/// Two products side by side with real factors, in loops without branches.
#[inline(always)]
fn pairs(part: RowSamples<'_>, [a, b]: [f32; 2], vis: &mut [Complex32], weight: &mut [f32]) -> Found {
    let n = vis.len();
    let (mut re, mut im, mut bits) = ([0f32; BLOCK], [0f32; BLOCK], [0u32; BLOCK]);
    let (pairs, _) = part.vis.as_chunks::<2>();
    for (((re, im), bits), [p, q]) in re.iter_mut().zip(&mut im).zip(&mut bits).zip(pairs) {
        *re = p.re * a + q.re * b;
        *im = p.im * a + q.im * b;
        *bits = (p.re.to_bits() | p.im.to_bits() | q.re.to_bits() | q.im.to_bits()) & 0x7fff_ffff;
    }
    let (weights, _) = part.weight.as_chunks::<2>();
    let (flags, _) = part.flag.as_chunks::<2>();
    let mut good = [0u32; BLOCK];
    for ((good, [wa, wb]), [fa, fb]) in good.iter_mut().zip(weights).zip(flags) {
        *good = u32::from(
            !(*fa | *fb) & (*wa > 0.0) & (*wb > 0.0) & (*wa < f32::INFINITY) & (*wb < f32::INFINITY),
        );
    }
    let (mut unflagged, mut nonzero) = (0, 0);
    for k in 0..n {
        // Zero times a number is zero, times anything else it is not.
        let finite = re[k] * 0.0 + im[k] * 0.0 == 0.0;
        let used = good[k] & u32::from(finite);
        let [wa, wb] = weights[k];
        let mean = 4.0 * wa * wb / (wa + wb);
        weight[k] = if used == 1 { mean } else { 0.0 };
        vis[k].re = if used == 1 { re[k] } else { 0.0 };
        vis[k].im = if used == 1 { im[k] } else { 0.0 };
        unflagged += used;
        nonzero |= if used == 1 { bits[k] } else { 0 };
    }
    Found { unflagged: unflagged as usize, nonzero: nonzero != 0 }
}

/// Phase turns over the channels of a window.
enum Turns {
    /// First frequency and step \[Hz\].
    Regular(f64, f64),
    /// Any frequencies \[Hz\].
    Listed(Vec<f64>),
}

impl Turns {
    fn of(freq_hz: &[f64]) -> Self {
        let (start, count) = (freq_hz[0], freq_hz.len());
        let step = if count > 1 { (freq_hz[count - 1] - start) / (count - 1) as f64 } else { 0.0 };
        // 0.01 Hz over 10 km is a phase of 2e-6.
        let regular = freq_hz.iter().enumerate().all(|(i, f)| (start + step * i as f64 - f).abs() < 0.01);
        if regular {
            Self::Regular(start, step)
        } else {
            Self::Listed(freq_hz.to_vec())
        }
    }

    /// Multiply channels from `first` on, at most [`BLOCK`] of them, by `exp(-2 pi i shift nu / c)`.
    #[inline(always)]
    fn rotate(&self, vis: &mut [Complex32], first: usize, shift_m: f64) {
        let turn = |freq: f64| {
            let turns = shift_m * freq / SPEED_OF_LIGHT_M_S;
            Complex64::cis(-std::f64::consts::TAU * (turns - turns.round()))
        };
        let (mut cos, mut sin) = ([0f32; BLOCK], [0f32; BLOCK]);
        match self {
            Self::Regular(start, step) => {
                let (mut phase, advance) = (turn(start + step * first as f64), turn(*step));
                let mut eight = Complex64::new(1.0, 0.0);
                for k in 0..LANES {
                    (cos[k], sin[k]) = (phase.re as f32, phase.im as f32);
                    phase *= advance;
                    eight *= advance;
                }
                // Seven products in single precision at most: 5e-7.
                let (c, s) = (eight.re as f32, eight.im as f32);
                for k in (LANES..vis.len().next_multiple_of(LANES)).step_by(LANES) {
                    for i in k..k + LANES {
                        (cos[i], sin[i]) = (
                            cos[i - LANES] * c - sin[i - LANES] * s,
                            cos[i - LANES] * s + sin[i - LANES] * c,
                        );
                    }
                }
            }
            Self::Listed(freq_hz) => {
                for (k, f) in freq_hz[first..first + vis.len()].iter().enumerate() {
                    let phase = turn(*f);
                    (cos[k], sin[k]) = (phase.re as f32, phase.im as f32);
                }
            }
        }
        for ((v, c), s) in vis.iter_mut().zip(&cos).zip(&sin) {
            *v = Complex32::new(v.re * c - v.im * s, v.re * s + v.im * c);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imaging::Stokes;
    use crate::vis::Product;

    /// Against the formula in double precision, sample by sample: two products, one of two hands of four, and a single hand;
    /// regular and irregular frequencies; flags, weights of zero and infinity, NaN.
    #[test]
    fn rows_are_combined_and_turned_as_the_formula_says() {
        use Product::{XX, XY, YX, YY};
        let n = 131;
        let regular: Vec<f64> = (0..n).map(|c| 1.31e9 + 2.44e5 * c as f64).collect();
        let uneven: Vec<f64> = regular.iter().enumerate().map(|(c, f)| f + 3e4 * (c as f64).sin()).collect();
        for freq_hz in [&regular, &uneven] {
            for products in [vec![XX, YY], vec![XX, XY, YX, YY], vec![XX]] {
                let p = products.len();
                let mut vis: Vec<Complex32> = (0..n * p)
                    .map(|k| Complex32::new((k as f32 * 0.7).sin(), (k as f32 * 1.3).cos()))
                    .collect();
                let mut weight: Vec<f32> = (0..n * p).map(|k| 0.5 + (k % 7) as f32).collect();
                let mut flag = vec![false; n * p];
                flag[5 * p] = true;
                weight[9 * p] = 0.0;
                weight[11 * p] = f32::INFINITY;
                vis[13 * p].im = f32::NAN;
                let how = Stokes::I.of(&products).unwrap();
                let combiner = Combiner::new(how, p, freq_hz);
                let (mut out, mut w) = (vec![Complex32::new(9.0, 9.0); n], vec![9f32; n]);
                let row = RowSamples { vis: &vis, weight: &weight, flag: &flag };
                let shift_m = 37.25;
                let found = combiner.row(row, shift_m, &mut out, &mut w);
                assert_eq!((found.unflagged, found.nonzero), (n - 4, true));
                for f in 0..n {
                    if [5, 9, 11, 13].contains(&f) {
                        assert_eq!((out[f], w[f]), (Complex32::default(), 0.0));
                        continue;
                    }
                    let [i, j] = how.places.map(|place| f * p + place);
                    let wide = |v: Complex32| Complex64::new(f64::from(v.re), f64::from(v.im));
                    let angle = -std::f64::consts::TAU * shift_m * freq_hz[f] / SPEED_OF_LIGHT_M_S;
                    let exact = (wide(vis[i]) + wide(vis[j])) * 0.5 * Complex64::cis(angle);
                    // Seven single products of the phase, one of the visibility.
                    assert!((wide(out[f]) - exact).norm() < 1.5e-6, "{f}: {} {exact}", out[f]);
                    let (a, b) = (f64::from(weight[i]), f64::from(weight[j]));
                    let mean = if i == j { a } else { 4.0 * a * b / (a + b) };
                    assert!((f64::from(w[f]) / mean - 1.0).abs() < 1e-6);
                }
            }
        }
    }
}
