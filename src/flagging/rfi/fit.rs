//! A smooth complex level of aligned visibilities: a sum of polynomials, less what stands out.

use super::basis::{evaluate, project, Lanes, Polynomials, MOST};
use super::evidence::{noise, sharpen};
use super::tile::Tile;

/// Residuals beyond these many sigma take no part in the next step: of the first steps, which know polynomials below the third degree,
/// and of those after them, which know all that stand out.
const CUTS: [f32; 4] = [3.0, 2.5, 2.2, 2.0];
const LAST_CUT: f32 = 2.0;
const LEAST_STEPS: usize = 2;
const MORE_STEPS: usize = 12;
/// A step that leaves more than this part of the variance was the last.
const SETTLED: f32 = 0.97;
/// What a model may leave of the level: residuals that are less than this part of it always take part. Where there is hardly any
/// noise, cutting at multiples of what is left would end with a few samples.
const FLOOR: f32 = 0.02;
/// Polynomials below this degree are always there (where there are samples enough).
const LOW: usize = 3;
/// The others must have so many times the power of noise, which has it in 0.25 % of the cases.
const STANDS_OUT: f32 = 6.0;
/// Samples below the last cut have this part of the variance of noise.
const BELOW_CUT: f32 = 0.687;

/// Samples turned so that a source stands still, and its level there.
#[derive(Default)]
pub(super) struct Aligned {
    pub re: Vec<f32>,
    pub im: Vec<f32>,
    model_re: Vec<f32>,
    model_im: Vec<f32>,
    cos: Vec<f32>,
    sin: Vec<f32>,
    of_time: Vec<[f32; 2]>,
    power: Vec<f32>,
    /// Residuals of the samples that take part.
    rest: [Vec<f32>; 2],
    /// 1 where a sample takes part.
    weight: Vec<f32>,
    pub coefficients: [Vec<f32>; 2],
    steps: [Vec<f32>; 2],
    time: Polynomials,
    freq: Polynomials,
    lanes: Lanes,
}

impl Aligned {
    /// Turn the samples of `tile` back by so much from channel to channel, from time to time, and with the square of time from the
    /// middle \[rad\].
    #[inline(always)]
    pub(super) fn align(&mut self, tile: &Tile, (in_freq, in_time, curve): (f32, f32, f32)) {
        let (nt, nf) = (tile.nt, tile.nf);
        self.cos.clear();
        self.sin.clear();
        for f in 0..nf {
            let (sin, cos) = (-in_freq * f as f32).sin_cos();
            self.cos.push(cos);
            self.sin.push(sin);
        }
        self.of_time.clear();
        self.of_time.extend((0..nt).map(|t| {
            let off = t as f32 - 0.5 * (nt - 1) as f32;
            let (sin, cos) = (-in_time * t as f32 - curve * off * off).sin_cos();
            [cos, sin]
        }));
        for values in [&mut self.re, &mut self.im] {
            values.resize(nt * nf, 0.0);
        }
        for t in 0..nt {
            let line = t * nf..(t + 1) * nf;
            let to = (&mut self.re[line.clone()], &mut self.im[line.clone()]);
            turn(to, (&tile.re[line.clone()], &tile.im[line]), (&self.cos, &self.sin), self.of_time[t], 1.0);
        }
    }

    /// The model where the samples came from.
    #[inline(always)]
    pub(super) fn turn_back(&self, tile: &Tile, to_re: &mut Vec<f32>, to_im: &mut Vec<f32>) {
        let (nt, nf) = (tile.nt, tile.nf);
        for values in [&mut *to_re, &mut *to_im] {
            values.resize(nt * nf, 0.0);
        }
        for t in 0..nt {
            let line = t * nf..(t + 1) * nf;
            let to = (&mut to_re[line.clone()], &mut to_im[line.clone()]);
            let from = (&self.model_re[line.clone()], &self.model_im[line]);
            turn(to, from, (&self.cos, &self.sin), self.of_time[t], -1.0);
        }
    }
}

/// Samples of one time multiplied by the phase factors of the channels and of the time, or (`way` -1) by their conjugates.
#[inline(always)]
fn turn(
    (re, im): (&mut [f32], &mut [f32]),
    (a, b): (&[f32], &[f32]),
    (cos, sin): (&[f32], &[f32]),
    [c, s]: [f32; 2],
    way: f32,
) {
    let n = re.len();
    let (im, a, b, cos, sin) = (&mut im[..n], &a[..n], &b[..n], &cos[..n], &sin[..n]);
    for f in 0..n {
        let (x, y) = (c * cos[f] - s * sin[f], way * (c * sin[f] + s * cos[f]));
        re[f] = a[f] * x - b[f] * y;
        im[f] = a[f] * y + b[f] * x;
    }
}

/// Where a fit begins.
#[derive(Clone, Copy)]
pub(super) enum Start {
    /// A constant level.
    Level([f32; 2]),
    /// The coefficients that are there, and the variance of a component of what they leave.
    Again(f32),
}

/// Fit the level of `aligned` samples into its model; returns the level's amplitude.
#[inline(always)]
pub(super) fn fit(tile: &Tile, aligned: &mut Aligned, start: Start, values: &mut Vec<f32>) -> f32 {
    aligned.time.prepare(tile.nt, MOST.0);
    aligned.freq.prepare(tile.nf, MOST.1);
    let all = (aligned.time.count, aligned.freq.count);
    let mut variance = match start {
        Start::Level(level) => match low(tile, aligned, level, values) {
            Some(variance) => variance,
            None => return amplitude(aligned),
        },
        Start::Again(variance) => {
            aligned.model_re.resize(tile.nt * tile.nf, 0.0);
            aligned.model_im.resize(tile.nt * tile.nf, 0.0);
            show(aligned, all);
            variance
        }
    };
    for k in 0..MORE_STEPS {
        residual_power(aligned);
        let last = variance;
        variance = sharpen(&aligned.power, &tile.used, variance);
        if k >= LEAST_STEPS && variance > SETTLED * last {
            break;
        }
        let least = STANDS_OUT * 2.0 * BELOW_CUT * variance;
        let limit = LAST_CUT * LAST_CUT * variance.max(floor(aligned));
        if !step(tile, aligned, all, (limit, least)) {
            break;
        }
    }
    amplitude(aligned)
}

/// The first steps, which end with room for all polynomials; returns the variance of a component, where there was enough to fit.
#[inline(always)]
fn low(tile: &Tile, aligned: &mut Aligned, level: [f32; 2], values: &mut Vec<f32>) -> Option<f32> {
    let count = (aligned.time.count.min(LOW), aligned.freq.count.min(LOW));
    let n = tile.nt * tile.nf;
    for (k, model) in [&mut aligned.model_re, &mut aligned.model_im].into_iter().enumerate() {
        model.clear();
        model.resize(n, level[k]);
        let coefficients = &mut aligned.coefficients[k];
        coefficients.clear();
        coefficients.resize(count.0 * count.1, 0.0);
        // The first polynomials are constant.
        coefficients[0] = level[k] * (n as f32).sqrt();
    }
    let mut variance = 0.0;
    let mut enough = true;
    for (k, cut) in CUTS.into_iter().enumerate() {
        residual_power(aligned);
        variance = match k {
            0 => noise(&aligned.power, &tile.used, values),
            _ => sharpen(&aligned.power, &tile.used, variance),
        };
        let limit = cut * cut * variance.max(floor(aligned));
        enough = variance > 0.0 && step(tile, aligned, count, (limit, 0.0));
        if !enough {
            break;
        }
    }
    let all = (aligned.time.count, aligned.freq.count);
    widen(aligned, count, all);
    enough.then_some(variance)
}

/// Power of a component that a model may leave: the polynomials are orthonormal, so their coefficients have the level's power.
#[inline(always)]
fn floor(aligned: &Aligned) -> f32 {
    let [a, b] = &aligned.coefficients;
    let power: f32 = a.iter().map(|x| x * x).sum::<f32>() + b.iter().map(|x| x * x).sum::<f32>();
    FLOOR * FLOOR * power / aligned.re.len().max(1) as f32
}

/// The model of the coefficients.
#[inline(always)]
fn show(aligned: &mut Aligned, count: (usize, usize)) {
    let Aligned { model_re, model_im, coefficients: [a, b], time, freq, lanes, .. } = aligned;
    evaluate(a, (&*time, &*freq), count, lanes, model_re);
    evaluate(b, (&*time, &*freq), count, lanes, model_im);
}

#[inline(always)]
fn amplitude(aligned: &Aligned) -> f32 {
    let level = aligned.model_re.iter().zip(&aligned.model_im).map(|(a, b)| a * a + b * b);
    (level.step_by(7).sum::<f32>() / aligned.model_re.len().div_ceil(7) as f32).sqrt()
}

#[inline(always)]
fn residual_power(aligned: &mut Aligned) {
    let n = aligned.re.len();
    aligned.power.resize(n, 0.0);
    let (re, im, power) = (&aligned.re[..n], &aligned.im[..n], &mut aligned.power[..n]);
    let (x, y) = (&aligned.model_re[..n], &aligned.model_im[..n]);
    for k in 0..n {
        let (a, b) = (re[k] - x[k], im[k] - y[k]);
        power[k] = a * a + b * b;
    }
}

/// Room for more polynomials.
fn widen(aligned: &mut Aligned, from: (usize, usize), to: (usize, usize)) {
    for part in &mut aligned.coefficients {
        let old = std::mem::take(part);
        part.resize(to.0 * to.1, 0.0);
        for k in 0..from.0 {
            part[k * to.1..k * to.1 + from.1].copy_from_slice(&old[k * from.1..(k + 1) * from.1]);
        }
    }
}

/// One step towards the least squares over samples whose residual power is below `limit`: their residuals are projected onto the
/// polynomials. Those of higher degree whose power stays below `least` are left out. Returns whether there was enough to fit.
#[inline(always)]
fn step(tile: &Tile, aligned: &mut Aligned, count: (usize, usize), (limit, least): (f32, f32)) -> bool {
    let n = tile.nt * tile.nf;
    let Aligned {
        re,
        im,
        model_re,
        model_im,
        power,
        rest,
        weight,
        coefficients,
        steps,
        time,
        freq,
        lanes,
        ..
    } = &mut *aligned;
    let [rest_re, rest_im] = rest;
    rest_re.resize(n, 0.0);
    rest_im.resize(n, 0.0);
    weight.resize(n, 0.0);
    let kept = remains(
        (&tile.used[..n], &power[..n], limit),
        ([&re[..n], &im[..n]], [&model_re[..n], &model_im[..n]]),
        (&mut rest_re[..n], &mut rest_im[..n], &mut weight[..n]),
    );
    if kept < 12.0 {
        return false;
    }
    let part = kept / n as f32;
    let polynomials = (&*time, &*freq);
    for (samples, out) in [&*rest_re, &*rest_im].into_iter().zip(steps.iter_mut()) {
        out.resize(count.0 * count.1, 0.0);
        project(samples, polynomials, count, lanes, out);
    }
    if count.0 <= LOW && count.1 <= LOW {
        // The few low terms are solved for: a twist of phase over the plane begins with samples that hardly know of it.
        solve(gram(&weight[..n], polynomials, count, lanes), count.0 * count.1, steps);
    } else {
        // What takes no part is as the model has it, so steps fall short by the fraction that does.
        steps.iter_mut().flatten().for_each(|x| *x /= part);
    }
    let [a, b] = coefficients;
    let least = least / part;
    for k in 0..count.0 {
        for j in 0..count.1 {
            let at = k * count.1 + j;
            let (x, y) = (a[at] + steps[0][at], b[at] + steps[1][at]);
            let keep = (k < LOW && j < LOW) || x * x + y * y > least;
            (a[at], b[at]) = if keep { (x, y) } else { (0.0, 0.0) };
        }
    }
    show(aligned, count);
    true
}

/// Terms of the low polynomials.
const TERMS: usize = LOW * LOW;

/// Sums of products of the low polynomials over the samples that take part.
#[inline(always)]
fn gram(
    weight: &[f32],
    (time, freq): (&Polynomials, &Polynomials),
    count: (usize, usize),
    lanes: &mut Lanes,
) -> [[f64; TERMS]; TERMS] {
    let nf = freq.n;
    let mut out = [[0.0; TERMS]; TERMS];
    for k in 0..count.0 {
        for l in k..count.0 {
            let lane = lanes.of_products(weight, (time.of(k), time.of(l)), nf);
            for j in 0..count.1 {
                for i in 0..count.1 {
                    let sum = lane.iter().zip(freq.of(j)).zip(freq.of(i)).map(|((w, a), b)| w * a * b);
                    let sum = f64::from(sum.sum::<f32>());
                    out[k * count.1 + j][l * count.1 + i] = sum;
                    out[l * count.1 + i][k * count.1 + j] = sum;
                }
            }
        }
    }
    out
}

/// Solve for the steps in place (Gauss and Jordan: the matrix is symmetric and positive, so no pivots are sought).
fn solve(mut matrix: [[f64; TERMS]; TERMS], terms: usize, steps: &mut [Vec<f32>; 2]) {
    let mut right = [[0.0f64; TERMS]; 2];
    for (right, steps) in right.iter_mut().zip(steps.iter()) {
        for (x, y) in right.iter_mut().zip(steps) {
            *x = f64::from(*y);
        }
    }
    for i in 0..terms {
        // A ridge keeps terms in bounds that few samples tell of.
        matrix[i][i] += if i == 0 { 1e-9 } else { 1e-3 };
    }
    for i in 0..terms {
        let scale = 1.0 / matrix[i][i];
        let row = matrix[i].map(|v| v * scale);
        matrix[i] = row;
        right.iter_mut().for_each(|r| r[i] *= scale);
        for j in (0..terms).filter(|j| *j != i) {
            let factor = matrix[j][i];
            matrix[j].iter_mut().zip(&row).for_each(|(a, b)| *a -= factor * b);
            right.iter_mut().for_each(|r| r[j] -= factor * r[i]);
        }
    }
    for (right, steps) in right.iter().zip(steps) {
        for (x, y) in right.iter().zip(steps) {
            *y = *x as f32;
        }
    }
}

/// Residuals of the samples that take part, 0 for the others; returns how many take part.
#[inline(always)]
fn remains(
    (used, power, limit): (&[f32], &[f32], f32),
    ([re, im], [model_re, model_im]): ([&[f32]; 2], [&[f32]; 2]),
    (rest_re, rest_im, weight): (&mut [f32], &mut [f32], &mut [f32]),
) -> f32 {
    const LANES: usize = 16;
    let n = used.len();
    let mut kept = [0.0f32; LANES];
    let whole = n / LANES * LANES;
    for from in (0..whole).step_by(LANES) {
        for lane in 0..LANES {
            let k = from + lane;
            let w = if power[k] < limit { used[k] } else { 0.0 };
            rest_re[k] = w * (re[k] - model_re[k]);
            rest_im[k] = w * (im[k] - model_im[k]);
            weight[k] = w;
            kept[lane] += w;
        }
    }
    for k in whole..n {
        let w = if power[k] < limit { used[k] } else { 0.0 };
        rest_re[k] = w * (re[k] - model_re[k]);
        rest_im[k] = w * (im[k] - model_im[k]);
        weight[k] = w;
        kept[0] += w;
    }
    kept.iter().sum()
}
