//! Sources taken off one product of one baseline: each a delay, a rate, and a smooth complex level.

use super::evidence::{noise, power};
use super::fit::{fit, Aligned};
use super::order::median_roughly;
use super::tile::{gather, total, Tile};

/// Coherence of neighbouring samples, times the root of their number, above which a source may be there; noise exceeds it in 0.3 % of
/// the cases.
const COHERENT: f32 = 2.4;
/// Samples above the median amplitude by this factor count as that much where phases are compared.
const BOUND: f32 = 1.5;
/// Sources taken off one after the other, as long as one is seen, and how often each is fitted beside the others, at most.
const SOURCES: usize = 3;
const SWEEPS: usize = 2;
/// A source leaves less variance than this part of what was there.
const QUIETER: f32 = 0.97;
/// Second differences of phase over the blocks exceed their scatter by this factor where there is a curvature.
const SCATTER: f64 = 2.0;
/// Samples below which a part is no place to look for a source.
const FEWEST: usize = 60;

/// What a smooth model leaves of one source, and of several, as a fraction of the amplitude.
const STRUCTURE: (f32, f32) = (0.02, 0.05);

/// Buffers.
#[derive(Default)]
pub(super) struct Scratch {
    aligned: Aligned,
    limited: [Vec<f32>; 2],
    lag: [Vec<f32>; 2],
    norms: Vec<f32>,
    blocks: Vec<[f32; 2]>,
    values: Vec<f32>,
    pub power: Vec<f32>,
    models: Vec<Model>,
}

/// One source: its turns of phase from channel to channel, from time to time, and with the square of time; its visibilities.
#[derive(Default)]
struct Model {
    turn: (f32, f32, f32),
    re: Vec<f32>,
    im: Vec<f32>,
}

/// Take the sources off; returns what a model leaves of their amplitude, 0 when there is none (then nothing is changed), and the variance of what is left, whose
/// powers are in `scratch`.
#[inline(always)]
pub(super) fn subtract(tile: &mut Tile, scratch: &mut Scratch) -> (f32, f32) {
    let mut variance = level(tile, scratch);
    if tile.nt * tile.nf < FEWEST {
        return (0.0, variance);
    }
    let mut amplitude = 0.0f32;
    let mut found = 0;
    while found < SOURCES {
        let Some(rough) = turns(tile, scratch) else { break };
        if scratch.models.len() <= found {
            scratch.models.push(Model::default());
        }
        scratch.aligned.align(tile, (rough.0, rough.1, 0.0));
        blocks(tile, scratch);
        let curve = curve(tile, &scratch.blocks);
        if curve != 0.0 {
            scratch.aligned.align(tile, (rough.0, rough.1, curve));
            blocks(tile, scratch);
        }
        let finer = finer(tile, &scratch.blocks);
        scratch.models[found].turn = (rough.0 + finer.0, rough.1 + finer.1, curve);
        let flux = take(tile, found, scratch);
        let after = level(tile, scratch);
        if !(after < QUIETER * variance) {
            // Interference on part of the samples, not a source in all of them.
            put_back(tile, &scratch.models[found]);
            variance = level(tile, scratch);
            break;
        }
        variance = after;
        amplitude = amplitude.hypot(flux);
        found += 1;
    }
    if found > 1 {
        for _ in 0..SWEEPS {
            for k in 0..found {
                put_back(tile, &scratch.models[k]);
                take(tile, k, scratch);
            }
            let before = std::mem::replace(&mut variance, level(tile, scratch));
            if !(variance < QUIETER * before) {
                break;
            }
        }
    }
    // What a model leaves of a source is no noise; that of several leaves more.
    let structure = amplitude * if found > 1 { STRUCTURE.1 } else { STRUCTURE.0 };
    (structure, variance)
}

#[inline(always)]
fn put_back(tile: &mut Tile, model: &Model) {
    add(&mut tile.re, &model.re, 1.0);
    add(&mut tile.im, &model.im, 1.0);
}

/// Variance of what is there.
#[inline(always)]
fn level(tile: &Tile, scratch: &mut Scratch) -> f32 {
    power(tile, &mut scratch.power);
    noise(&scratch.power, &tile.used, &mut scratch.values)
}

#[inline(always)]
fn add(to: &mut [f32], from: &[f32], factor: f32) {
    for (a, b) in to.iter_mut().zip(from) {
        *a += factor * b;
    }
}

/// Fit source `k` to what is there, keep it, subtract it; returns its amplitude.
#[inline(always)]
fn take(tile: &mut Tile, k: usize, scratch: &mut Scratch) -> f32 {
    let model = &mut scratch.models[k];
    scratch.aligned.align(tile, model.turn);
    let level = fit(tile, &mut scratch.aligned, &mut scratch.values);
    scratch.aligned.turn_back(tile, &mut model.re, &mut model.im);
    add(&mut tile.re, &model.re, -1.0);
    add(&mut tile.im, &model.im, -1.0);
    level
}

/// Turns of phase from channel to channel and from time to time \[rad\], when neighbours are coherent.
#[inline(always)]
fn turns(tile: &Tile, scratch: &mut Scratch) -> Option<(f32, f32)> {
    let (nt, nf) = (tile.nt, tile.nf);
    let stride = (nt * nf / 150).max(1) | 1;
    gather(&mut scratch.values, &tile.used, stride, |k| tile.re[k] * tile.re[k] + tile.im[k] * tile.im[k]);
    if scratch.values.len() < FEWEST / 6 {
        return None;
    }
    let bound = BOUND * BOUND * median_roughly(&scratch.values);
    if !(bound > 0.0) {
        return None;
    }
    let [re, im] = &mut scratch.limited;
    let norm_of_row = &mut scratch.norms;
    let n = nt * nf;
    re.resize(n, 0.0);
    im.resize(n, 0.0);
    norm_of_row.clear();
    norm_of_row.resize(nf, 0.0);
    for t in 0..nt {
        let line = t * nf..(t + 1) * nf;
        let (a, b, used) =
            (&tile.re[line.clone()][..nf], &tile.im[line.clone()][..nf], &tile.used[line.clone()][..nf]);
        let (re, im, norms) = (&mut re[line.clone()][..nf], &mut im[line][..nf], &mut norm_of_row[..nf]);
        // Two loops: with six arrays in one, too many might lie in one place for vector lanes.
        for f in 0..nf {
            let power = a[f] * a[f] + b[f] * b[f];
            // Never above 1; no number where there is none is multiplied by 0.
            let w = used[f] * (bound / if power > bound { power } else { bound }).sqrt();
            re[f] = w * a[f];
            im[f] = w * b[f];
        }
        for f in 0..nf {
            norms[f] += re[f] * re[f] + im[f] * im[f];
        }
    }
    let norm: f32 = norm_of_row.iter().sum();
    let in_freq = lag(re, im, (nt, nf), (0, 1), &mut scratch.lag);
    let in_time = lag(re, im, (nt, nf), (1, 0), &mut scratch.lag);
    // Pairs are fewer than samples.
    let coherence = |[a, b]: [f32; 2], n: usize| a.hypot(b) * n as f32 / ((n.max(2) - 1) as f32 * norm);
    let strength = (coherence(in_freq, nf), coherence(in_time, nt));
    let number = total(&tile.used);
    if !(strength.0.max(strength.1) * number.sqrt() > COHERENT) {
        return None;
    }
    Some((in_freq[1].atan2(in_freq[0]), in_time[1].atan2(in_time[0])))
}

/// Sum of products of samples with the conjugates of their neighbours at a distance.
#[inline(always)]
fn lag(
    re: &[f32],
    im: &[f32],
    (nt, nf): (usize, usize),
    (dt, df): (usize, usize),
    lanes: &mut [Vec<f32>; 2],
) -> [f32; 2] {
    if nt <= dt || nf <= df {
        return [0.0; 2];
    }
    let n = nf - df;
    let [x, y] = lanes;
    for lane in [&mut *x, &mut *y] {
        lane.clear();
        lane.resize(n, 0.0);
    }
    for t in 0..nt - dt {
        let (here, there) = (t * nf, (t + dt) * nf + df);
        let (a, b) = (&re[here..here + n], &im[here..here + n]);
        let (c, d) = (&re[there..there + n], &im[there..there + n]);
        let (x, y) = (&mut x[..n], &mut y[..n]);
        for k in 0..n {
            x[k] += c[k] * a[k] + d[k] * b[k];
            y[k] += d[k] * a[k] - c[k] * b[k];
        }
    }
    [x.iter().sum(), y.iter().sum()]
}

/// Channels and times of a block.
fn size(tile: &Tile) -> (usize, usize) {
    ((tile.nf / 8).max(1), (tile.nt / 6).max(1))
}

/// Sums of aligned samples over blocks.
#[inline(always)]
fn blocks(tile: &Tile, scratch: &mut Scratch) {
    let (nt, nf) = (tile.nt, tile.nf);
    let (wide, high) = size(tile);
    let (columns, rows) = (nf / wide, nt / high);
    scratch.blocks.clear();
    scratch.blocks.resize(rows * columns, [0.0; 2]);
    let aligned = &scratch.aligned;
    let stride = (nt * nf / 150).max(1) | 1;
    gather(&mut scratch.values, &tile.used, stride, |k| {
        aligned.re[k] * aligned.re[k] + aligned.im[k] * aligned.im[k]
    });
    if scratch.values.is_empty() {
        return;
    }
    let bound = BOUND * BOUND * median_roughly(&scratch.values);
    let [x, y] = &mut scratch.lag;
    for row in 0..rows {
        for lane in [&mut *x, &mut *y] {
            lane.clear();
            lane.resize(nf, 0.0);
        }
        for t in row * high..(row + 1) * high {
            let line = t * nf..(t + 1) * nf;
            let (re, im) = (&aligned.re[line.clone()][..nf], &aligned.im[line.clone()][..nf]);
            let (used, x, y) = (&tile.used[line][..nf], &mut x[..nf], &mut y[..nf]);
            for f in 0..nf {
                let power = re[f] * re[f] + im[f] * im[f];
                let w = used[f] * (bound / if power > bound { power } else { bound }).sqrt();
                x[f] += w * re[f];
                y[f] += w * im[f];
            }
        }
        for (column, block) in scratch.blocks[row * columns..(row + 1) * columns].iter_mut().enumerate() {
            let part = column * wide..(column + 1) * wide;
            *block = [x[part.clone()].iter().sum(), y[part].iter().sum()];
        }
    }
}

/// `a` times the conjugate of `b`.
fn against(a: [f32; 2], b: [f32; 2]) -> [f32; 2] {
    [a[0] * b[0] + a[1] * b[1], a[1] * b[0] - a[0] * b[1]]
}

/// How the phase goes with the square of time \[rad / sample^2\]: where phase centres follow the meridian, a source that drifts past it
/// on a long baseline turns ever faster.
fn curve(tile: &Tile, blocks: &[[f32; 2]]) -> f32 {
    let (wide, high) = size(tile);
    let (columns, rows) = (tile.nf / wide, tile.nt / high);
    if rows < 5 {
        return 0.0;
    }
    let (mut sum, mut norm) = ([0.0f64; 2], 0.0f64);
    for t in 0..rows - 2 {
        for f in 0..columns {
            let at = |k: usize| blocks[(t + k) * columns + f];
            let [re, im] = against(against(at(2), at(1)), against(at(1), at(0)));
            sum = [sum[0] + f64::from(re), sum[1] + f64::from(im)];
            norm += f64::from(re.hypot(im));
        }
    }
    // Beats of sources and noise scatter about none.
    let scatter = (2.0 * (1.0 - sum[0].hypot(sum[1]) / norm.max(f64::MIN_POSITIVE))).max(0.0).sqrt();
    if !(sum[1].atan2(sum[0]).abs() > SCATTER * scatter) {
        return 0.0;
    }
    // A second difference is twice the curvature.
    let curve = sum[1].atan2(sum[0]) / (2 * high * high) as f64;
    // The polynomial follows what turns the ends of the tile by less than a third of a radian.
    let half = 0.5 * tile.nt as f64;
    if curve.abs() * half * half > 0.33 {
        curve as f32
    } else {
        0.0
    }
}

/// What is left of the turns after a first alignment, from sums over blocks.
fn finer(tile: &Tile, blocks: &[[f32; 2]]) -> (f32, f32) {
    let (wide, high) = size(tile);
    let (columns, rows) = (tile.nf / wide, tile.nt / high);
    let slope = |dt: usize, df: usize, turn: f32| -> f32 {
        let mut sum = [0.0f32; 2];
        if dt < rows && df < columns {
            for t in 0..rows - dt {
                for f in 0..columns - df {
                    let product = against(blocks[(t + dt) * columns + f + df], blocks[t * columns + f]);
                    sum = [sum[0] + product[0], sum[1] + product[1]];
                }
            }
        }
        let (sin, cos) = turn.sin_cos();
        let rest = (sum[1] * cos - sum[0] * sin).atan2(sum[0] * cos + sum[1] * sin);
        turn + if sum == [0.0; 2] { 0.0 } else { rest }
    };
    // Twice as far each time: the turn over the last step is known well enough not to be off by a whole one.
    let in_freq = (slope(0, 2, 2.0 * slope(0, 1, 0.0)) / 2.0) / wide as f32;
    let in_time = (slope(2, 0, 2.0 * slope(1, 0, 0.0)) / 2.0) / high as f32;
    (in_freq, in_time)
}
