//! One product of a part of a baseline's plane, real and imaginary parts apart.

use std::ops::Range;

use num_complex::Complex32;

use crate::vis::VisBlock;

/// Most times and channels of a part: a source's fringe is followed well over that much.
const MOST: (usize, usize) = (32, 64);

/// Parts of a plane, as even as can be.
pub(super) fn parts(nt: usize, nf: usize) -> Vec<(Range<usize>, Range<usize>)> {
    let cut = |n: usize, most: usize| -> Vec<Range<usize>> {
        let pieces = n.div_ceil(most).max(1);
        (0..pieces).map(|k| k * n / pieces..(k + 1) * n / pieces).collect()
    };
    let freqs = cut(nf, MOST.1);
    cut(nt, MOST.0).into_iter().flat_map(|t| freqs.iter().map(move |f| (t.clone(), f.clone()))).collect()
}

/// Samples of one product, time-major.
#[derive(Default)]
pub(super) struct Tile {
    pub nt: usize,
    pub nf: usize,
    pub re: Vec<f32>,
    pub im: Vec<f32>,
    /// 1 where there is a number that is not flagged, else 0.
    pub good: Vec<f32>,
    /// 1 where the sample takes part in estimates.
    pub used: Vec<f32>,
}

impl Tile {
    /// Read product `p`, multiplied by `inverse` (one for each channel of the block), without the samples of `mask` (of the plane).
    #[inline(always)]
    pub(super) fn load(
        &mut self,
        block: &VisBlock,
        (rows, p): (&[usize], usize),
        (times, channels): (Range<usize>, Range<usize>),
        inverse: &[f32],
        mask: &[bool],
    ) {
        let (nf, np) = (block.channels.freq_hz.len(), block.products.len());
        (self.nt, self.nf) = (times.len(), channels.len());
        let width = channels.len();
        for values in [&mut self.re, &mut self.im, &mut self.good, &mut self.used] {
            values.resize(times.len() * width, 0.0);
        }
        let inverse = &inverse[channels.clone()];
        for (k, t) in times.enumerate() {
            let vis = block.vis_rfp.index_axis(ndarray::Axis(0), rows[t]);
            let flag = block.flag_rfp.index_axis(ndarray::Axis(0), rows[t]);
            let mask = &mask[t * nf + channels.start..t * nf + channels.end];
            let line = k * width..(k + 1) * width;
            let to = (&mut self.re[line.clone()], &mut self.im[line.clone()]);
            let weights = (&mut self.good[line.clone()], &mut self.used[line]);
            if let (Some(vis), Some(flag)) = (vis.as_slice(), flag.as_slice()) {
                let part = channels.start * np..channels.end * np;
                let samples = (&vis[part.clone()], &flag[part]);
                match np {
                    1 => one::<1>(samples, p, (inverse, mask), to, weights),
                    2 => one::<2>(samples, p, (inverse, mask), to, weights),
                    4 => one::<4>(samples, p, (inverse, mask), to, weights),
                    _ => other(samples, (np, p), (inverse, mask), to, weights),
                }
            } else {
                let vis: Vec<Complex32> = vis.slice(ndarray::s![channels.clone(), p]).to_vec();
                let flag: Vec<bool> = flag.slice(ndarray::s![channels.clone(), p]).to_vec();
                one::<1>((&vis, &flag), 0, (inverse, mask), to, weights);
            }
        }
    }
}

/// One product of `P` of one time.
#[inline(always)]
fn one<const P: usize>(
    (vis, flag): (&[Complex32], &[bool]),
    p: usize,
    (inverse, mask): (&[f32], &[bool]),
    (re, im): (&mut [f32], &mut [f32]),
    (good, used): (&mut [f32], &mut [f32]),
) {
    let n = re.len();
    let (all, any) = (&vis[..n * P], &flag[..n * P]);
    let (inverse, mask) = (&inverse[..n], &mask[..n]);
    let (im, good, used) = (&mut im[..n], &mut good[..n], &mut used[..n]);
    // Most rows hold numbers only, and no flag: then nothing is chosen sample by sample.
    let flagged = any.iter().fold(false, |or, f| or | *f);
    let odd = all.iter().fold(false, |or, v| or | !(v.re.is_finite() & v.im.is_finite()));
    let vis = all.as_chunks::<P>().0;
    if !(flagged | odd) {
        for f in 0..n {
            let v = vis[f][p];
            re[f] = v.re * inverse[f];
            im[f] = v.im * inverse[f];
        }
        good.fill(1.0);
        for f in 0..n {
            used[f] = if mask[f] { 0.0 } else { 1.0 };
        }
        return;
    }
    let flag = any.as_chunks::<P>().0;
    for f in 0..n {
        let v = vis[f][p];
        let fine = v.re.is_finite() & v.im.is_finite() & !flag[f][p];
        re[f] = if fine { v.re * inverse[f] } else { 0.0 };
        im[f] = if fine { v.im * inverse[f] } else { 0.0 };
        good[f] = if fine { 1.0 } else { 0.0 };
        used[f] = if fine & !mask[f] { 1.0 } else { 0.0 };
    }
}

/// The same for any number of products.
fn other(
    (vis, flag): (&[Complex32], &[bool]),
    (np, p): (usize, usize),
    channels: (&[f32], &[bool]),
    to: (&mut [f32], &mut [f32]),
    weights: (&mut [f32], &mut [f32]),
) {
    let vis: Vec<Complex32> = vis.iter().skip(p).step_by(np).copied().collect();
    let flag: Vec<bool> = flag.iter().skip(p).step_by(np).copied().collect();
    one::<1>((&vis, &flag), 0, channels, to, weights);
}

/// Number of samples that are used.
#[inline(always)]
pub(super) fn total(used: &[f32]) -> f32 {
    const LANES: usize = 32;
    let mut sums = [0.0f32; LANES];
    let (blocks, rest) = used.as_chunks::<LANES>();
    for block in blocks {
        for k in 0..LANES {
            sums[k] += block[k];
        }
    }
    sums.iter().chain(rest).sum()
}

/// Every `stride`-th value of those that are used, without a branch.
#[inline(always)]
pub(super) fn gather(values: &mut Vec<f32>, used: &[f32], stride: usize, value: impl Fn(usize) -> f32) {
    let n = used.len().div_ceil(stride);
    values.resize(n, 0.0);
    let mut kept = 0;
    for k in 0..n {
        values[kept] = value(k * stride);
        kept += usize::from(used[k * stride] > 0.0);
    }
    values.truncate(kept);
}
