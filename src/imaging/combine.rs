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

/// Channels treated at once: those of a subband.
const BLOCK: usize = 48;
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
            // A micrometre is a phase of 3e-5.
            let phases = (shift_m.abs() >= 1e-7).then(|| self.turns.phases(vis.len(), k * BLOCK, shift_m));
            if plain {
                found = found.plus(pairs(part, [a.re, b.re], phases.as_ref(), vis, weight));
                continue;
            }
            found = found.plus(self.any(part, vis, weight));
            if let Some(Phases { cos, sin }) = &phases {
                for ((v, c), s) in vis.iter_mut().zip(cos).zip(sin) {
                    *v = Complex32::new(v.re * c - v.im * s, v.re * s + v.im * c);
                }
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

/// Two products side by side with real factors. All loops are over a whole block, so that none has a remainder; a shorter one is
/// filled up with flagged samples first.
#[inline(always)]
fn pairs(
    part: RowSamples<'_>,
    factors: [f32; 2],
    phases: Option<&Phases>,
    vis: &mut [Complex32],
    weight: &mut [f32],
) -> Found {
    let whole = (
        part.vis.first_chunk(),
        part.weight.first_chunk(),
        part.flag.first_chunk(),
        vis.first_chunk_mut(),
        weight.first_chunk_mut(),
    );
    if let (Some(v), Some(w), Some(f), Some(vis), Some(weight)) = whole {
        return pairs_of_block(v, w, f, factors, phases, vis, weight);
    }
    let n = vis.len();
    let (mut v, mut w, mut f) = ([Complex32::default(); 2 * BLOCK], [0f32; 2 * BLOCK], [true; 2 * BLOCK]);
    v[..2 * n].copy_from_slice(part.vis);
    w[..2 * n].copy_from_slice(part.weight);
    f[..2 * n].copy_from_slice(part.flag);
    let (mut all_vis, mut all_weight) = ([Complex32::default(); BLOCK], [0f32; BLOCK]);
    let found = pairs_of_block(&v, &w, &f, factors, phases, &mut all_vis, &mut all_weight);
    vis.copy_from_slice(&all_vis[..n]);
    weight.copy_from_slice(&all_weight[..n]);
    found
}

#[inline(always)]
fn pairs_of_block(
    v: &[Complex32; 2 * BLOCK],
    w: &[f32; 2 * BLOCK],
    flag: &[bool; 2 * BLOCK],
    [a, b]: [f32; 2],
    phases: Option<&Phases>,
    vis: &mut [Complex32; BLOCK],
    weight: &mut [f32; BLOCK],
) -> Found {
    let (mut re, mut im, mut bits) = ([0f32; BLOCK], [0f32; BLOCK], [0u32; BLOCK]);
    for k in 0..BLOCK {
        let (p, q) = (v[2 * k], v[2 * k + 1]);
        re[k] = p.re * a + q.re * b;
        im[k] = p.im * a + q.im * b;
        bits[k] = (p.re.to_bits() | p.im.to_bits() | q.re.to_bits() | q.im.to_bits()) & 0x7fff_ffff;
    }
    let mut mean = [0f32; BLOCK];
    for k in 0..BLOCK {
        let (wa, wb) = (w[2 * k], w[2 * k + 1]);
        // Zero times a number is zero, times anything else it is not.
        let finite = (re[k] + im[k] + wa + wb) * 0.0 == 0.0;
        let good = finite & (wa > 0.0) & (wb > 0.0) & !(flag[2 * k] | flag[2 * k + 1]);
        mean[k] = if good { 4.0 * wa * wb / (wa + wb) } else { 0.0 };
    }
    let (mut unflagged, mut nonzero) = (0, 0);
    for k in 0..BLOCK {
        let used = mean[k] != 0.0;
        re[k] = if used { re[k] } else { 0.0 };
        im[k] = if used { im[k] } else { 0.0 };
        nonzero |= if used { bits[k] } else { 0 };
        unflagged += u32::from(used);
    }
    *weight = mean;
    match phases {
        Some(Phases { cos, sin }) => {
            for k in 0..BLOCK {
                let (x, y) = (re[k] * cos[k] - im[k] * sin[k], re[k] * sin[k] + im[k] * cos[k]);
                vis[k] = Complex32::new(x, y);
            }
        }
        None => {
            for k in 0..BLOCK {
                vis[k] = Complex32::new(re[k], im[k]);
            }
        }
    }
    Found { unflagged: unflagged as usize, nonzero: nonzero != 0 }
}

/// `exp(-2 pi i shift nu / c)` of the channels of a block.
struct Phases {
    cos: [f32; BLOCK],
    sin: [f32; BLOCK],
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

    /// Of `count` channels from `first` on, at most [`BLOCK`] of them.
    #[inline(always)]
    fn phases(&self, count: usize, first: usize, shift_m: f64) -> Phases {
        let turn = |freq: f64| cis(-shift_m * freq / SPEED_OF_LIGHT_M_S);
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
                // Five products in single precision at most: 4e-7.
                let (c, s) = (eight.re as f32, eight.im as f32);
                for k in (LANES..BLOCK).step_by(LANES) {
                    for i in k..k + LANES {
                        (cos[i], sin[i]) = (
                            cos[i - LANES] * c - sin[i - LANES] * s,
                            cos[i - LANES] * s + sin[i - LANES] * c,
                        );
                    }
                }
            }
            Self::Listed(freq_hz) => {
                for (k, f) in freq_hz[first..first + count].iter().enumerate() {
                    let phase = turn(*f);
                    (cos[k], sin[k]) = (phase.re as f32, phase.im as f32);
                }
            }
        }
        Phases { cos, sin }
    }
}

/// `exp(2 pi i turns)` to 1e-11: the series of half the angle, squared, without the library's calls.
#[inline(always)]
fn cis(turns: f64) -> Complex64 {
    let x = std::f64::consts::PI * (turns - turns.round_ties_even());
    let y = x * x;
    let (mut sin, mut cos) = (0.0, 0.0);
    for k in (0..9).rev() {
        sin = 1.0 - sin * y / f64::from((2 * k + 2) * (2 * k + 3));
        cos = 1.0 - cos * y / f64::from((2 * k + 1) * (2 * k + 2));
    }
    let sin = sin * x;
    Complex64::new(cos * cos - sin * sin, 2.0 * sin * cos)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imaging::Stokes;
    use crate::vis::Product;

    #[test]
    fn cis_is_the_library_s() {
        for k in -500..500 {
            let turns = 0.0173 * f64::from(k);
            assert!((cis(turns) - Complex64::cis(std::f64::consts::TAU * turns)).norm() < 1e-11, "{turns}");
        }
    }

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
                    // Five single products of the phase, one of the visibility.
                    assert!((wide(out[f]) - exact).norm() < 1.5e-6, "{f}: {} {exact}", out[f]);
                    let (a, b) = (f64::from(weight[i]), f64::from(weight[j]));
                    let mean = if i == j { a } else { 4.0 * a * b / (a + b) };
                    assert!((f64::from(w[f]) / mean - 1.0).abs() < 1e-6);
                }
            }
        }
    }
}
