//! Amplitudes in units of their noise, less the strongest source.

use num_complex::Complex32;

use super::limits::{MEAN, MEDIAN, SIGMA};
use super::response::median;
use super::Plane;
use crate::vis::VisBlock;

/// Least sigma of a component, as a fraction of the source that was taken off: what a smooth model leaves of it.
const SOURCE_STRUCTURE: f32 = 0.05;
/// Median coherence of neighbouring channels above which a source is there; noise has 0 +- 0.03.
const COHERENT: f32 = 0.12;
/// Channels binned before smoothing, and sigma of the smoothing in frequency \[bins\] and in time \[samples\].
const BIN: usize = 4;
const SMOOTH: (f32, f32) = (1.0, 2.0);
/// Times that the fine model is smoothed, each time what the last one left: fringes are then followed to the edges as well.
const RIDGE: f32 = 0.03;
const PASSES: usize = 2;

/// A channel that differs from the smooth model by less than this fraction at all times is a ripple of the bandpass.
const RIPPLE: f32 = 0.2;

/// Sources taken off one after the other, as long as one is seen.
const SOURCES: usize = 3;
/// Amplitudes above the median by this factor take no part in estimates: 1 in 500 of noise.
const STRONG: f32 = 3.0;

/// Buffers.
#[derive(Default)]
pub(super) struct Scratch {
    vis: Vec<Complex32>,
    good: Vec<bool>,
    aligned: Vec<Complex32>,
    values: Vec<f32>,
    grid: Vec<[f32; 3]>,
    line: Vec<[f32; 3]>,
    model: Vec<Complex32>,
}

/// Fill `plane` from rows of one baseline (ascending in time): amplitudes by the bandpass's `response` (product, channel) and the
/// baseline's noise. Samples of `mask` take no part in estimates, flagged ones in nothing. A `fine` model of the sources follows
/// their fringes, and would follow broad interference that is not in `mask`. Returns whether there was a source; `None`: nothing
/// to look at.
pub(super) fn whiten(
    block: &VisBlock,
    rows: &[usize],
    response: &[Vec<f32>],
    (mask, fine): (&[bool], bool),
    plane: &mut Plane,
    scratch: &mut Scratch,
) -> Option<bool> {
    let (nt, nf) = (rows.len(), block.channels.freq_hz.len());
    (plane.nt, plane.nf) = (nt, nf);
    for values in [&mut plane.sum, &mut plane.count] {
        values.clear();
        values.resize(nt * nf, 0.0);
    }
    let (mut any, mut sources) = (false, false);
    for (p, response) in response.iter().enumerate() {
        load(block, rows, p, response, mask, scratch);
        strong(scratch);
        let mut source = 0.0f32;
        for _ in 0..if fine { SOURCES } else { 1 } {
            let taken = subtract_source((nt, nf), fine, scratch);
            source = source.hypot(taken);
            if !(taken > 0.0) {
                break;
            }
        }
        scratch.values.clear();
        let good = scratch.vis.iter().zip(&scratch.good).filter(|(_, g)| **g);
        scratch.values.extend(good.map(|(v, _)| v.norm_sqr()));
        if scratch.values.len() < 4 {
            continue;
        }
        let sigma = (median(&mut scratch.values).sqrt() / MEDIAN).hypot(SOURCE_STRUCTURE * source);
        if !(sigma > 0.0 && sigma.is_finite()) {
            continue;
        }
        any = true;
        sources |= source > 0.0;
        let scale = 1.0 / (SIGMA * sigma);
        for (t, row) in rows.iter().enumerate() {
            let flags = block.flag_rfp.slice(ndarray::s![*row, .., p]);
            for (f, flag) in flags.iter().enumerate() {
                let k = t * nf + f;
                // The modulus without the guard against overflow that the library's has, which costs ten times as much.
                let amp = scratch.vis[k].norm_sqr().sqrt();
                if !*flag && amp.is_finite() {
                    plane.sum[k] += amp.mul_add(scale, -MEAN / SIGMA);
                    plane.count[k] += 1.0;
                }
            }
        }
    }
    any.then_some(sources)
}

fn load(block: &VisBlock, rows: &[usize], p: usize, response: &[f32], mask: &[bool], scratch: &mut Scratch) {
    let inverse: Vec<f32> = response.iter().map(|r| 1.0 / r).collect();
    let nf = inverse.len();
    scratch.vis.clear();
    scratch.good.clear();
    for (t, row) in rows.iter().enumerate() {
        let vis = block.vis_rfp.slice(ndarray::s![*row, .., p]);
        let flag = block.flag_rfp.slice(ndarray::s![*row, .., p]);
        for (f, ((v, bad), r)) in vis.iter().zip(&flag).zip(&inverse).enumerate() {
            let usable = !*bad && !mask[t * nf + f] && v.re.is_finite() && v.im.is_finite();
            scratch.vis.push(v * *r);
            scratch.good.push(usable);
        }
    }
}

/// Samples far above the rest take no part in estimates.
fn strong(scratch: &mut Scratch) {
    scratch.values.clear();
    let good = scratch.vis.iter().zip(&scratch.good).filter(|(_, g)| **g);
    scratch.values.extend(good.map(|(v, _)| v.norm_sqr()));
    if !scratch.values.is_empty() {
        let most = STRONG * STRONG * median(&mut scratch.values);
        for (g, v) in scratch.good.iter_mut().zip(&scratch.vis) {
            *g &= v.norm_sqr() <= most;
        }
    }
}

/// Take the strongest source off: its delay from neighbouring channels, its rate from neighbouring times, and then a mean.
/// Returns its amplitude, 0 when there is none (then nothing is changed).
fn subtract_source((nt, nf): (usize, usize), fine: bool, scratch: &mut Scratch) -> f32 {
    let Some(turn) = delay(nt, nf, scratch) else { return 0.0 };
    scratch.values.clear();
    let good = scratch.vis.iter().zip(&scratch.good).filter(|(_, g)| **g);
    scratch.values.extend(good.map(|(v, _)| v.norm_sqr()));
    let most = 2.0 * median(&mut scratch.values).sqrt();
    let turn = finer_delay(turn, (nt, nf), most, scratch);
    scratch.aligned.clear();
    let turns: Vec<Complex32> = (0..nf).map(|f| Complex32::from_polar(1.0, -turn * f as f32)).collect();
    let mut sums = Vec::with_capacity(nt);
    for t in 0..nt {
        scratch
            .aligned
            .extend(scratch.vis[t * nf..(t + 1) * nf].iter().zip(&turns).map(|(v, turn)| v * turn));
        let samples = scratch.aligned[t * nf..].iter().zip(&scratch.good[t * nf..]);
        sums.push(
            samples.filter(|(_, g)| **g).map(|(v, _)| v * (most / v.norm_sqr().sqrt().max(most))).sum(),
        );
    }
    let rate = slope(&sums, nt, 0.0);
    for (t, line) in scratch.aligned.chunks_exact_mut(nf).enumerate() {
        let back = Complex32::from_polar(1.0, -rate * t as f32);
        for v in line {
            *v *= back;
        }
    }
    let level = smooth((nt, nf), fine, scratch);
    scratch.vis.clear();
    scratch.vis.extend_from_slice(&scratch.aligned);
    level
}

/// Slope of phase along lines of `n` sums, from neighbours first and then from ever wider steps; `turn` is known already. Unit
/// phasors: a wild sum counts no more than another.
fn slope(sums: &[Complex32], n: usize, mut turn: f32) -> f32 {
    for lag in [1, n / 6, n / 2] {
        if lag == 0 || lag >= n {
            continue;
        }
        let mut total = Complex32::new(0.0, 0.0);
        for line in sums.chunks_exact(n) {
            for (a, b) in line.iter().zip(&line[lag..]) {
                let product = b * a.conj();
                total += product / product.norm_sqr().sqrt().max(f32::MIN_POSITIVE);
            }
        }
        let back = Complex32::from_polar(1.0, -turn * lag as f32);
        turn += (total * back).arg() / lag as f32;
    }
    turn
}

/// The delay's turn from channel to channel, better known from sums over parts of the window.
fn finer_delay(turn: f32, (nt, nf): (usize, usize), most: f32, scratch: &mut Scratch) -> f32 {
    let width = nf / 6;
    if width < 2 {
        return turn;
    }
    let parts = nf / width;
    let turns: Vec<Complex32> = (0..width).map(|f| Complex32::from_polar(1.0, -turn * f as f32)).collect();
    let mut sums = Vec::with_capacity(nt * parts);
    for t in 0..nt {
        for part in 0..parts {
            let start = t * nf + part * width;
            let mut sum = Complex32::new(0.0, 0.0);
            for (k, turn) in turns.iter().enumerate() {
                let v = scratch.vis[start + k];
                if scratch.good[start + k] {
                    sum += v * turn * (most / v.norm_sqr().sqrt().max(most));
                }
            }
            sums.push(sum);
        }
    }
    slope(&sums, parts, turn * width as f32) / width as f32
}

/// Turn of phase from channel to channel \[rad\], when neighbours are coherent at most times.
fn delay(nt: usize, nf: usize, scratch: &mut Scratch) -> Option<f32> {
    let mut of_time = Vec::with_capacity(nt);
    let mut all = Complex32::new(0.0, 0.0);
    for t in 0..nt {
        let vis = &scratch.vis[t * nf..(t + 1) * nf];
        let good = &scratch.good[t * nf..(t + 1) * nf];
        let (mut sum, mut count) = (Complex32::new(0.0, 0.0), 0.0f32);
        for (v, g) in vis.windows(2).zip(good.windows(2)) {
            let product = v[1] * v[0].conj();
            let amp = product.norm_sqr().sqrt();
            if g[0] && g[1] && amp > 0.0 {
                sum += product / amp;
                count += 1.0;
            }
        }
        if count > 0.0 {
            of_time.push(sum / count);
            all += sum / count;
        }
    }
    if of_time.is_empty() || !(all.norm() > 0.0) {
        return None;
    }
    let back = all.conj() / all.norm();
    scratch.values.clear();
    scratch.values.extend(of_time.iter().map(|c| (c * back).re));
    (median(&mut scratch.values) > COHERENT).then(|| all.arg())
}

/// Subtract the median, and then (`fine`) the masked Gaussian mean, from the aligned samples; returns the median modulus of what was
/// subtracted.
fn smooth((nt, nf): (usize, usize), fine: bool, scratch: &mut Scratch) -> f32 {
    let bins = nf.div_ceil(BIN);
    scratch.model.clear();
    scratch.model.resize(nt * nf, Complex32::new(0.0, 0.0));
    let centre = centre(scratch);
    scratch.model.fill(centre);
    for _ in 0..if fine { PASSES } else { 0 } {
        bin((nt, nf), bins, scratch);
        regress(&mut scratch.grid, &mut scratch.line, (nt, bins), 1, SMOOTH.0);
        regress(&mut scratch.grid, &mut scratch.line, (nt, bins), bins, SMOOTH.1);
        for t in 0..nt {
            let line = &scratch.grid[t * bins..(t + 1) * bins];
            for f in 0..nf {
                // Linear between bin centres.
                let x = ((f as f32 + 0.5) / BIN as f32 - 0.5).clamp(0.0, (bins - 1) as f32);
                let k = (x as usize).min(bins.saturating_sub(2));
                let (low, high, rest) = (line[k], line[(k + 1).min(bins - 1)], x - k as f32);
                scratch.model[t * nf + f] +=
                    Complex32::new(low[0] + rest * (high[0] - low[0]), low[1] + rest * (high[1] - low[1]));
            }
        }
    }
    for (v, m) in scratch.aligned.iter_mut().zip(&scratch.model) {
        *v -= m;
    }
    ripple(nt, nf, scratch);
    scratch.values.clear();
    scratch.values.extend(scratch.model.iter().step_by(7).map(|m| m.norm_sqr()));
    median(&mut scratch.values).sqrt()
}

/// Median of the good aligned samples, real and imaginary parts apart.
fn centre(scratch: &mut Scratch) -> Complex32 {
    let mut parts = [0.0; 2];
    for (k, part) in parts.iter_mut().enumerate() {
        scratch.values.clear();
        let good = scratch.aligned.iter().zip(&scratch.good).step_by(3).filter(|(_, g)| **g);
        scratch.values.extend(good.map(|(v, _)| if k == 0 { v.re } else { v.im }));
        if !scratch.values.is_empty() {
            *part = median(&mut scratch.values);
        }
    }
    Complex32::new(parts[0], parts[1])
}

/// Means of what the model leaves, and numbers of samples, in bins of channels.
fn bin((nt, nf): (usize, usize), bins: usize, scratch: &mut Scratch) {
    scratch.grid.clear();
    scratch.grid.resize(nt * bins, [0.0; 3]);
    for t in 0..nt {
        for f in 0..nf {
            let k = t * nf + f;
            if scratch.good[k] {
                let v = scratch.aligned[k] - scratch.model[k];
                let cell = &mut scratch.grid[t * bins + f / BIN];
                *cell = [cell[0] + v.re, cell[1] + v.im, cell[2] + 1.0];
            }
        }
    }
    for cell in &mut scratch.grid {
        let weight = 1.0 / cell[2].max(1.0);
        *cell = [cell[0] * weight, cell[1] * weight, cell[2]];
    }
}

/// Take off what a channel has of the model at all times, as long as it is a ripple of the bandpass and no interference.
fn ripple(nt: usize, nf: usize, scratch: &mut Scratch) {
    for f in 0..nf {
        let channel = (0..nt).map(|t| t * nf + f);
        let (mut data, mut power) = (Complex32::new(0.0, 0.0), 0.0f32);
        for k in channel.clone().filter(|k| scratch.good[*k]) {
            data += scratch.aligned[k] * scratch.model[k].conj();
            power += scratch.model[k].norm_sqr();
        }
        let gain = data / power.max(f32::MIN_POSITIVE);
        if power > 0.0 && gain.norm() < RIPPLE {
            for k in channel {
                scratch.aligned[k] -= gain * scratch.model[k];
            }
        }
    }
}

/// Local straight lines (Gaussian weights times numbers of samples) along the axis with this stride (1: frequency, bins: time),
/// cut at 2.5 sigma: a plain mean would lag behind a fringe at the edges. Cells hold values and weights.
fn regress(
    grid: &mut [[f32; 3]],
    line: &mut Vec<[f32; 3]>,
    (nt, bins): (usize, usize),
    stride: usize,
    sigma: f32,
) {
    let reach = (2.5 * sigma).ceil() as usize;
    let kernel: Vec<f32> = (0..=reach).map(|k| (-0.5 * (k as f32 / sigma).powi(2)).exp()).collect();
    let (lines, length, step) = if stride == 1 { (nt, bins, bins) } else { (bins, nt, 1) };
    for l in 0..lines {
        let start = l * step;
        line.clear();
        line.extend((0..length).map(|k| grid[start + k * stride]));
        for k in 0..length {
            let low = k.saturating_sub(reach);
            let high = (k + reach).min(length - 1);
            // Sums of weights, of weights times distance and its square; of values and of values times distance.
            let (mut s, mut v, mut d) = ([0.0f32; 3], [0.0f32; 2], [0.0f32; 2]);
            for j in low..=high {
                let x = j as f32 - k as f32;
                let w = kernel[k.abs_diff(j)] * line[j][2];
                s = [s[0] + w, w.mul_add(x, s[1]), (w * x).mul_add(x, s[2])];
                for c in 0..2 {
                    v[c] = w.mul_add(line[j][c], v[c]);
                    d[c] = (w * x).mul_add(line[j][c], d[c]);
                }
            }
            // A ridge keeps the slope in bounds where samples are few.
            let square = s[2] + RIDGE * sigma * sigma * s[0];
            let det = s[0].mul_add(square, -s[1] * s[1]);
            let value = |c: usize| if det > 0.0 { square.mul_add(v[c], -s[1] * d[c]) / det } else { 0.0 };
            grid[start + k * stride] = [value(0), value(1), s[0]];
        }
    }
}
