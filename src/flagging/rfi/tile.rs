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
        for values in [&mut self.re, &mut self.im, &mut self.good, &mut self.used] {
            values.clear();
        }
        let inverse = &inverse[channels.clone()];
        let mut push = |v: Complex32, bad: bool, r: f32, masked: bool| {
            let good = !bad && v.re.is_finite() && v.im.is_finite();
            self.re.push(if good { v.re * r } else { 0.0 });
            self.im.push(if good { v.im * r } else { 0.0 });
            self.good.push(f32::from(u8::from(good)));
            self.used.push(f32::from(u8::from(good && !masked)));
        };
        for t in times {
            let vis = block.vis_rfp.index_axis(ndarray::Axis(0), rows[t]);
            let flag = block.flag_rfp.index_axis(ndarray::Axis(0), rows[t]);
            let mask = &mask[t * nf + channels.start..t * nf + channels.end];
            if let (Some(vis), Some(flag)) = (vis.as_slice(), flag.as_slice()) {
                let part = channels.start * np..channels.end * np;
                let samples = vis[part.clone()].chunks_exact(np).zip(flag[part].chunks_exact(np));
                for (((v, bad), r), m) in samples.zip(inverse).zip(mask) {
                    push(v[p], bad[p], *r, *m);
                }
            } else {
                for ((f, r), m) in channels.clone().zip(inverse).zip(mask) {
                    push(vis[[f, p]], flag[[f, p]], *r, *m);
                }
            }
        }
    }
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
