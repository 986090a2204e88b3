//! The kernel of the sums: one row of samples into the running sums of its baseline.

use num_complex::{Complex32, Complex64};

/// Sums of one baseline, interval, channel and receptor.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cell {
    /// `sum w V conj(M)`.
    pub num: Complex64,
    /// `sum w |M|^2`.
    pub den: f64,
    /// `sum w |V|^2`.
    pub power: f64,
    /// Visibilities.
    pub count: f64,
}

/// Numbers of a cell as they are stored.
pub(super) const CELL: usize = 5;

/// Samples of one row, `(f, p)` in C order.
#[derive(Clone, Copy)]
pub(super) struct RowSamples<'a> {
    pub vis: &'a [Complex32],
    pub model: &'a [Complex32],
    pub weight: &'a [f32],
    pub flag: &'a [bool],
}

/// Gains of one antenna at one time as `(f, hand)`; zero where there is no solution.
#[derive(Clone, Debug, Default)]
pub(super) struct Corrupting {
    pub re: Vec<f64>,
    pub im: Vec<f64>,
    /// Both, in single precision.
    pub narrow: Vec<Complex32>,
}

/// Running sums of one baseline over `(f, hand)`.
pub(super) struct Accumulator {
    /// Numerator (re, im), denominator, power, count.
    sums: [Vec<f64>; CELL],
    /// Work: visibilities, model, weights (zero where a sample is left out).
    vis: [Vec<f32>; 2],
    model: [Vec<f32>; 2],
    pub weight: Vec<f32>,
    gain: [Vec<f64>; 2],
}

impl Accumulator {
    pub fn new(n: usize) -> Self {
        let (f32s, f64s) = (|| vec![0.0_f32; n], || vec![0.0_f64; n]);
        Self {
            sums: [f64s(), f64s(), f64s(), f64s(), f64s()],
            vis: [f32s(), f32s()],
            model: [f32s(), f32s()],
            weight: f32s(),
            gain: [f64s(), f64s()],
        }
    }

    /// Take a row: split it, and give weight zero to what is flagged, without weight, not finite or without a model.
    /// `hands` are the products to take; `None` takes all as they are.
    pub fn load(&mut self, row: RowSamples<'_>, products: usize, hands: Option<&[usize]>) {
        let Some(hands) = hands else {
            return load_wide(self, row);
        };
        let n = hands.len();
        for k in 0..self.weight.len() {
            let at = k / n * products + hands[k % n];
            let (v, m) = (row.vis[at], row.model[at]);
            [self.vis[0][k], self.vis[1][k], self.model[0][k], self.model[1][k]] = [v.re, v.im, m.re, m.im];
            let good = usable(v, m, row.weight[at]) && !row.flag[at];
            self.weight[k] = if good { row.weight[at] } else { 0.0 };
            if !good {
                // Not even zero times a number that is none may enter a sum.
                self.vis.iter_mut().chain(&mut self.model).for_each(|x| x[k] = 0.0);
            }
        }
    }

    /// Weights alone: which samples of a row can be used (all products, as they lie), given its gains.
    pub fn weigh(&mut self, row: RowSamples<'_>, products: usize, gains: Option<(&Corrupting, &Corrupting)>) {
        self.load(row, products, None);
        if let Some((first, second)) = gains {
            corrupt_wide(self, first, second);
        }
    }

    /// Add the loaded row, its model multiplied by `first * conj(second)`; returns the samples used.
    pub fn add(&mut self, gains: Option<(&Corrupting, &Corrupting)>) -> usize {
        if let Some((first, second)) = gains {
            corrupt_wide(self, first, second);
        }
        add_wide(self) as usize
    }

    /// Hand the sums over to `cells`, of `bin` channels each, and begin again at zero.
    pub fn flush(&mut self, cells: &mut [f64], hands: &[usize], bin: usize, receptors: usize) {
        let n = hands.len();
        if n > 0 && bin * n >= self.weight.len() && LANES % n == 0 {
            for (s, sums) in self.sums.iter_mut().enumerate() {
                for (lane, x) in lanes(sums).into_iter().enumerate() {
                    cells[hands[lane % n] * CELL + s] += x;
                }
                sums.fill(0.0);
            }
            return;
        }
        for c in 0..self.weight.len() / n.max(1) {
            let f = c / bin;
            for (h, hand) in hands.iter().enumerate() {
                let cell = &mut cells[(f * receptors + hand) * CELL..][..CELL];
                for (x, sums) in cell.iter_mut().zip(&mut self.sums) {
                    *x += std::mem::take(&mut sums[c * n + h]);
                }
            }
        }
    }
}

/// Partial sums side by side: a multiple of the hands, and of a vector's width.
const LANES: usize = 8;

fn lanes(values: &[f64]) -> [f64; LANES] {
    let mut out = [0.0; LANES];
    let chunks = values.chunks_exact(LANES);
    let rest = chunks.remainder();
    for chunk in chunks {
        for (o, x) in out.iter_mut().zip(chunk) {
            *o += x;
        }
    }
    out.iter_mut().zip(rest).for_each(|(o, x)| *o += x);
    out
}

/// Whether a sample can be used at all.
pub(super) fn usable(v: Complex32, m: Complex32, w: f32) -> bool {
    let (size, power) = (v.norm_sqr(), m.norm_sqr());
    w > 0.0 && w < f32::INFINITY && size < f32::INFINITY && power > 0.0 && power < f32::INFINITY
}

#[inline(always)]
fn load(acc: &mut Accumulator, row: RowSamples<'_>) {
    let n = acc.weight.len();
    let (vis, model, weight, flag) = (&row.vis[..n], &row.model[..n], &row.weight[..n], &row.flag[..n]);
    let [vr, vi] = &mut acc.vis;
    let [mr, mi] = &mut acc.model;
    let (vr, vi, mr, mi) = (&mut vr[..n], &mut vi[..n], &mut mr[..n], &mut mi[..n]);
    let out = &mut acc.weight[..n];
    for k in 0..n {
        let good = usable(vis[k], model[k], weight[k]) & !flag[k];
        vr[k] = if good { vis[k].re } else { 0.0 };
        vi[k] = if good { vis[k].im } else { 0.0 };
        mr[k] = if good { model[k].re } else { 0.0 };
        mi[k] = if good { model[k].im } else { 0.0 };
        out[k] = if good { weight[k] } else { 0.0 };
    }
}

#[inline(always)]
fn corrupt(acc: &mut Accumulator, first: &Corrupting, second: &Corrupting) {
    let n = acc.weight.len();
    let (ar, ai, br, bi) = (&first.re[..n], &first.im[..n], &second.re[..n], &second.im[..n]);
    let [gr, gi] = &mut acc.gain;
    let (gr, gi, weight) = (&mut gr[..n], &mut gi[..n], &mut acc.weight[..n]);
    for k in 0..n {
        let (re, im) = (ar[k] * br[k] + ai[k] * bi[k], ai[k] * br[k] - ar[k] * bi[k]);
        gr[k] = re;
        gi[k] = im;
        weight[k] = if re * re + im * im > 0.0 { weight[k] } else { 0.0 };
    }
    let [mr, mi] = &mut acc.model;
    let (mr, mi) = (&mut mr[..n], &mut mi[..n]);
    for k in 0..n {
        let (re, im) = (f64::from(mr[k]), f64::from(mi[k]));
        mr[k] = (re * gr[k] - im * gi[k]) as f32;
        mi[k] = (re * gi[k] + im * gr[k]) as f32;
    }
}

#[inline(always)]
fn add(acc: &mut Accumulator) -> f64 {
    let n = acc.weight.len();
    let (vr, vi) = (&acc.vis[0][..n], &acc.vis[1][..n]);
    let (mr, mi) = (&acc.model[0][..n], &acc.model[1][..n]);
    let weight = &acc.weight[..n];
    let [nr, ni, den, power, count] = &mut acc.sums;
    let (nr, ni) = (&mut nr[..n], &mut ni[..n]);
    let (den, power, count) = (&mut den[..n], &mut power[..n], &mut count[..n]);
    let mut used = [0.0_f64; 8];
    for k in 0..n {
        let (a, b) = (f64::from(vr[k]), f64::from(vi[k]));
        let (c, d) = (f64::from(mr[k]), f64::from(mi[k]));
        let w = f64::from(weight[k]);
        nr[k] += w * (a * c + b * d);
        ni[k] += w * (b * c - a * d);
        den[k] += w * (c * c + d * d);
        power[k] += w * (a * a + b * b);
        let one = if weight[k] > 0.0 { 1.0 } else { 0.0 };
        count[k] += one;
        used[k % 8] += one;
    }
    used.iter().sum()
}

/// `$wide` runs `$body` compiled for the widest instructions that the machine has.
macro_rules! wide {
    ($wide:ident, $body:ident, ($($arg:ident: $type:ty),*) $(-> $out:ty)?) => {
        fn $wide($($arg: $type),*) $(-> $out)? {
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2,fma")]
                unsafe fn with_avx2($($arg: $type),*) $(-> $out)? {
                    $body($($arg),*)
                }
                if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma") {
                    // SAFETY: the machine has the instructions.
                    return unsafe { with_avx2($($arg),*) };
                }
            }
            $body($($arg),*)
        }
    };
}
pub(super) use wide;

wide!(load_wide, load, (acc: &mut Accumulator, row: RowSamples<'_>));
wide!(corrupt_wide, corrupt, (acc: &mut Accumulator, first: &Corrupting, second: &Corrupting));
wide!(add_wide, add, (acc: &mut Accumulator) -> f64);
