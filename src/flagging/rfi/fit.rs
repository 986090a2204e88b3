//! A smooth complex level of aligned visibilities: a polynomial of the second degree in time and frequency, less what stands out.

use super::evidence::{noise, sharpen};
use super::order::median;
use super::tile::Tile;

/// Residuals beyond these many sigma take no part in the next fit, step by step.
const CUTS: [f32; 3] = [3.0, 2.3, 2.0];
/// Terms: powers of time and of frequency.
const TERMS: [(usize, usize); 6] = [(0, 0), (1, 0), (0, 1), (2, 0), (1, 1), (0, 2)];
/// Channels whose level differs from the smooth one by more than this fraction are interference, no ripple of the bandpass, and so
/// are those that differ by more than so many times what the channels do in the middle.
const RIPPLE: f32 = 0.3;
const UNLIKE: f32 = 4.0;

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
    sums: Vec<f32>,
    spread: Vec<f32>,
    /// Of the channels: coordinate, and place between the blocks of [`rest`].
    y: Vec<f32>,
    place: Vec<(usize, f32)>,
    /// Powers of the coordinates of the channels (0 to 4) and of the times (1 to 4).
    of_y: Vec<[f64; 5]>,
    of_x: Vec<[f32; 4]>,
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
        if self.y.len() != nf {
            let (from, step) = if nf > 1 { (-1.0, 2.0 / (nf - 1) as f32) } else { (0.0, 0.0) };
            self.y.clear();
            self.y.extend((0..nf).map(|f| from + step * f as f32));
            self.place.clear();
            self.place.extend((0..nf).map(|f| between(f, nf, BLOCKS.0)));
            self.of_y.clear();
            self.of_y.extend((0..nf).map(|f| {
                let y = f64::from(coordinate(f, nf));
                [1.0, y, y * y, y * y * y, y * y * y * y]
            }));
        }
        if self.of_x.len() != nt {
            self.of_x.clear();
            self.of_x.extend((0..nt).map(|t| {
                let x = coordinate(t, nt);
                [x, x * x, x * x * x, x * x * x * x]
            }));
        }
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

/// Fit the level of `aligned` samples into its model; returns the level's amplitude.
#[inline(always)]
pub(super) fn fit(tile: &Tile, aligned: &mut Aligned, values: &mut Vec<f32>) -> f32 {
    let centre = centre(tile, aligned, values);
    for (model, value) in [(&mut aligned.model_re, centre[0]), (&mut aligned.model_im, centre[1])] {
        model.clear();
        model.resize(tile.nt * tile.nf, value);
    }
    let mut variance = 0.0;
    residual_power(aligned);
    for (k, cut) in CUTS.into_iter().enumerate() {
        variance = match k {
            0 => noise(&aligned.power, &tile.used, values),
            _ => sharpen(&aligned.power, &tile.used, variance),
        };
        if !(variance > 0.0) || !polynomial(tile, aligned, cut * cut * variance) {
            break;
        }
    }
    if rest(tile, aligned, CUTS[2] * CUTS[2] * variance) {
        residual_power(aligned);
    }
    ripple(tile, aligned, CUTS[2] * CUTS[2] * variance, values);
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

/// Median, real and imaginary parts apart.
#[inline(always)]
fn centre(tile: &Tile, aligned: &Aligned, values: &mut Vec<f32>) -> [f32; 2] {
    let stride = (aligned.re.len() / 200).max(1) | 1;
    [&aligned.re, &aligned.im].map(|part| {
        super::tile::gather(values, &tile.used, stride, |k| part[k]);
        if values.is_empty() {
            0.0
        } else {
            median(values)
        }
    })
}

/// From -1 to 1.
fn coordinate(k: usize, n: usize) -> f32 {
    if n < 2 {
        0.0
    } else {
        2.0 * k as f32 / (n - 1) as f32 - 1.0
    }
}

/// Moments along time are kept for each channel: weights times powers of time 0 to 4, values times powers 0 to 2.
const MOMENTS: usize = 11;

/// Least squares over samples whose residual power is below `limit`; returns whether there was enough to fit.
#[inline(always)]
fn polynomial(tile: &Tile, aligned: &mut Aligned, limit: f32) -> bool {
    let (nt, nf) = (tile.nt, tile.nf);
    let degree = |n: usize| usize::from(n >= 4) + usize::from(n >= 8);
    let (dt, df) = (degree(nt), degree(nf));
    // Every sum is written below.
    aligned.sums.resize(MOMENTS * nf, 0.0);
    let mut from = 0;
    while from + LANES <= nf {
        moments::<LANES>(tile, aligned, from, limit);
        from += LANES;
    }
    for f in from..nf {
        moments::<1>(tile, aligned, f, limit);
    }
    let Some(coefficients) = solve(&aligned.sums, &aligned.of_y, (dt, df)) else { return false };
    evaluate(tile, aligned, &coefficients);
    true
}

/// Channels whose moments are kept in registers.
const LANES: usize = 8;

/// Moments of `N` channels.
#[inline(always)]
fn moments<const N: usize>(tile: &Tile, aligned: &mut Aligned, from: usize, limit: f32) {
    let (nt, nf) = (tile.nt, tile.nf);
    // Each by its name: what an index chooses would not stay in a register.
    let mut w = Sums::<N>::default();
    let mut re = Sums::<N>::default();
    let mut im = Sums::<N>::default();
    let (mut cube, mut fourth) = ([0.0f32; N], [0.0f32; N]);
    for t in 0..nt {
        let [x, xx, xxx, xxxx] = aligned.of_x[t];
        let at = t * nf + from;
        let (a, b) = (&aligned.re[at..at + N], &aligned.im[at..at + N]);
        let (power, used) = (&aligned.power[at..at + N], &tile.used[at..at + N]);
        for f in 0..N {
            let weight = if power[f] < limit { used[f] } else { 0.0 };
            w.add(f, weight, x, xx);
            cube[f] += weight * xxx;
            fourth[f] += weight * xxxx;
            re.add(f, weight * a[f], x, xx);
            im.add(f, weight * b[f], x, xx);
        }
    }
    let lanes = [w.0, w.1, w.2, cube, fourth, re.0, re.1, re.2, im.0, im.1, im.2];
    for (k, lane) in lanes.iter().enumerate() {
        aligned.sums[k * nf + from..k * nf + from + N].copy_from_slice(lane);
    }
}

/// Sums of values, of values times time, and times its square.
struct Sums<const N: usize>([f32; N], [f32; N], [f32; N]);

impl<const N: usize> Default for Sums<N> {
    fn default() -> Self {
        Self([0.0; N], [0.0; N], [0.0; N])
    }
}

impl<const N: usize> Sums<N> {
    #[inline(always)]
    fn add(&mut self, f: usize, value: f32, x: f32, xx: f32) {
        self.0[f] += value;
        self.1[f] += value * x;
        self.2[f] += value * xx;
    }
}

/// Coefficients (real and imaginary) of the terms.
#[inline(always)]
fn solve(sums: &[f32], of_y: &[[f64; 5]], (dt, df): (usize, usize)) -> Option<[[f32; 2]; 6]> {
    let (mut moments, mut right) = ([[0.0f64; 5]; 5], [[[0.0f64; 2]; 3]; 3]);
    let nf = of_y.len();
    for (f, powers) in of_y.iter().enumerate() {
        for a in 0..5 {
            let sum = f64::from(sums[a * nf + f]);
            for b in 0..5 - a {
                moments[a][b] += sum * powers[b];
            }
        }
        for a in 0..3 {
            let (re, im) = (f64::from(sums[(5 + a) * nf + f]), f64::from(sums[(8 + a) * nf + f]));
            for b in 0..3 - a {
                right[a][b][0] += re * powers[b];
                right[a][b][1] += im * powers[b];
            }
        }
    }
    let count = moments[0][0];
    if count < 12.0 {
        return None;
    }
    let mut matrix = [[0.0f64; 8]; 6];
    for (i, (a, b)) in TERMS.iter().enumerate() {
        let there = *a <= dt && *b <= df;
        for (j, (c, d)) in TERMS.iter().enumerate() {
            if there && *c <= dt && *d <= df {
                matrix[i][j] = moments[a + c][b + d];
            }
        }
        // A ridge keeps terms in bounds that few samples tell of.
        matrix[i][i] += if there { 1e-3 * count } else { 1.0 };
        if there {
            [matrix[i][6], matrix[i][7]] = right[*a][*b];
        }
    }
    // The constant has no ridge: it would be too small.
    matrix[0][0] = count;
    eliminate(&mut matrix);
    Some(std::array::from_fn(|i| [matrix[i][6] as f32, matrix[i][7] as f32]))
}

/// Gauss and Jordan; the matrix is symmetric and positive, so no pivots are sought.
fn eliminate(matrix: &mut [[f64; 8]; 6]) {
    for i in 0..6 {
        let scale = 1.0 / matrix[i][i];
        for v in &mut matrix[i] {
            *v *= scale;
        }
        let row = matrix[i];
        for (j, other) in matrix.iter_mut().enumerate() {
            if j != i {
                let factor = other[i];
                for (a, b) in other.iter_mut().zip(&row) {
                    *a -= factor * b;
                }
            }
        }
    }
}

/// The model of these coefficients, and the powers of what it leaves.
#[inline(always)]
fn evaluate(tile: &Tile, aligned: &mut Aligned, c: &[[f32; 2]; 6]) {
    let (nt, nf) = (tile.nt, tile.nf);
    let y = &aligned.y[..nf];
    for t in 0..nt {
        let x = aligned.of_x[t][0];
        let at = |k: usize| -> [f32; 3] {
            [c[0][k] + x * (c[1][k] + x * c[3][k]), c[2][k] + x * c[4][k], c[5][k]]
        };
        let (r, i) = (at(0), at(1));
        let line = t * nf..(t + 1) * nf;
        let (re, im) = (&mut aligned.model_re[line.clone()][..nf], &mut aligned.model_im[line.clone()][..nf]);
        let (a, b) = (&aligned.re[line.clone()][..nf], &aligned.im[line.clone()][..nf]);
        let power = &mut aligned.power[line][..nf];
        for f in 0..nf {
            let (p, q) = (r[0] + y[f] * (r[1] + y[f] * r[2]), i[0] + y[f] * (i[1] + y[f] * i[2]));
            (re[f], im[f]) = (p, q);
            let (a, b) = (a[f] - p, b[f] - q);
            power[f] = a * a + b * b;
        }
    }
}

/// Blocks of the plane along frequency and time in which the rest of the level is averaged.
const BLOCKS: (usize, usize) = (8, 6);
/// Blocks whose mean power exceeds that of noise by this factor show that there is a rest.
const STRUCTURE: f32 = 1.4;
/// Samples below the last cut have this part of the variance of noise.
const BELOW_CUT: f32 = 0.687;

/// Add to the model what is left of it on scales of the blocks: other sources, beats. Noise is kept out by the ratio of powers.
/// Returns whether anything was added.
#[inline(always)]
fn rest(tile: &Tile, aligned: &mut Aligned, limit: f32) -> bool {
    let (nt, nf) = (tile.nt, tile.nf);
    let (columns, rows) = BLOCKS;
    if nf < 2 * columns || nt < 2 * rows || !(limit > 0.0) {
        return false;
    }
    // Sums of weights, real and imaginary parts over the times of a row of blocks; then means, spread over the channels.
    aligned.sums.clear();
    aligned.sums.resize(3 * nf, 0.0);
    aligned.spread.clear();
    aligned.spread.resize(2 * rows * nf, 0.0);
    let (mut power, mut number) = (0.0f32, 0.0f32);
    let place = &aligned.place[..nf];
    for row in 0..rows {
        aligned.sums.fill(0.0);
        for t in row * nt / rows..(row + 1) * nt / rows {
            let line = t * nf..(t + 1) * nf;
            let (re, im) = (&aligned.re[line.clone()][..nf], &aligned.im[line.clone()][..nf]);
            let (a, b) = (&aligned.model_re[line.clone()][..nf], &aligned.model_im[line.clone()][..nf]);
            let (off, used) = (&aligned.power[line.clone()][..nf], &tile.used[line][..nf]);
            let (w, values) = aligned.sums.split_at_mut(nf);
            let (x, y) = values.split_at_mut(nf);
            let y = &mut y[..nf];
            for f in 0..nf {
                let weight = if off[f] < limit { used[f] } else { 0.0 };
                w[f] += weight;
                x[f] += weight * (re[f] - a[f]);
                y[f] += weight * (im[f] - b[f]);
            }
        }
        let mut means = [[0.0f32; 2]; BLOCKS.0];
        for (column, mean) in means.iter_mut().enumerate() {
            let part = column * nf / columns..(column + 1) * nf / columns;
            let sum = |k: usize| aligned.sums[k * nf..][part.clone()].iter().sum::<f32>();
            let weight = sum(0);
            if weight > 0.0 {
                *mean = [sum(1) / weight, sum(2) / weight];
                power += weight * (mean[0] * mean[0] + mean[1] * mean[1]);
                number += 1.0;
            }
        }
        let (x, y) = aligned.spread[2 * row * nf..2 * (row + 1) * nf].split_at_mut(nf);
        for ((x, y), (low, part)) in x.iter_mut().zip(y).zip(place) {
            let ([a, b], [c, d]) = (means[*low], means[*low + 1]);
            *x = a + part * (c - a);
            *y = b + part * (d - b);
        }
    }
    // The limit is 4 variances of a component.
    let ratio = power / (number.max(1.0) * 0.5 * BELOW_CUT * limit);
    if !(ratio > STRUCTURE) {
        return false;
    }
    let keep = 1.0 - 1.0 / ratio;
    for t in 0..nt {
        let (low, part) = between(t, nt, rows);
        let high = low + 1;
        let line = t * nf..(t + 1) * nf;
        let (re, im) = (&mut aligned.model_re[line.clone()][..nf], &mut aligned.model_im[line][..nf]);
        let (a, b) = aligned.spread[2 * low * nf..2 * (low + 1) * nf].split_at(nf);
        let (c, d) = aligned.spread[2 * high * nf..2 * (high + 1) * nf].split_at(nf);
        let (b, c, d) = (&b[..nf], &c[..nf], &d[..nf]);
        for f in 0..nf {
            re[f] += keep * (a[f] + part * (c[f] - a[f]));
            im[f] += keep * (b[f] + part * (d[f] - b[f]));
        }
    }
    true
}

/// The first of the two blocks between whose centres `k` of `n` lies, and how far from it.
fn between(k: usize, n: usize, blocks: usize) -> (usize, f32) {
    let x = (k as f32 + 0.5) * blocks as f32 / n as f32 - 0.5;
    let low = (x.max(0.0) as usize).min(blocks - 2);
    // Beyond the outer centres the line goes on: a level taken as constant there would lag behind.
    (low, x - low as f32)
}

/// Where channels differ from the smooth level at all times, and by more than noise makes them, the level follows.
#[inline(always)]
fn ripple(tile: &Tile, aligned: &mut Aligned, limit: f32, values: &mut Vec<f32>) {
    let (nt, nf) = (tile.nt, tile.nf);
    if nt < 4 || nf < 8 {
        return;
    }
    aligned.sums.clear();
    aligned.sums.resize(3 * nf, 0.0);
    for t in 0..nt {
        let line = t * nf..(t + 1) * nf;
        let (re, im) = (&aligned.re[line.clone()], &aligned.im[line.clone()]);
        let (a, b) = (&aligned.model_re[line.clone()], &aligned.model_im[line.clone()]);
        let (used, power) = (&tile.used[line.clone()][..nf], &aligned.power[line][..nf]);
        let (x, rest) = aligned.sums.split_at_mut(nf);
        let (y, norm) = rest.split_at_mut(nf);
        let norm = &mut norm[..nf];
        let (re, im, a, b) = (&re[..nf], &im[..nf], &a[..nf], &b[..nf]);
        for f in 0..nf {
            let model = a[f] * a[f] + b[f] * b[f];
            // What is farther off than noise and a ripple can make it is interference.
            let w = if power[f] < 2.0 * (limit + RIPPLE * RIPPLE * model) { used[f] } else { 0.0 };
            x[f] += w * (re[f] * a[f] + im[f] * b[f]);
            y[f] += w * (im[f] * a[f] - re[f] * b[f]);
            norm[f] += w * model;
        }
    }
    let off = |sums: &[f32], f: usize| -> Option<[f32; 2]> {
        let norm = sums[2 * nf + f];
        (norm > 0.0).then(|| [sums[f] / norm - 1.0, sums[nf + f] / norm])
    };
    values.clear();
    values.extend((0..nf).filter_map(|f| off(&aligned.sums, f)).map(|[a, b]| a.hypot(b)));
    let total: f32 = aligned.sums[2 * nf..].iter().sum();
    if values.len() < 8 || !(total > 0.0) {
        return;
    }
    let middle = median(values);
    // What noise makes of it: sigma over the level and the root of the number of times, times the median of Rayleigh. The limit is
    // 4 variances.
    let by_noise = 1.18 * (0.25 * limit * values.len() as f32 / total).sqrt();
    if !(middle > 1.5 * by_noise) {
        return;
    }
    let most = (UNLIKE * middle).min(RIPPLE);
    for f in 0..nf {
        let Some([a, b]) = off(&aligned.sums, f).filter(|[a, b]| a.hypot(*b) < most) else { continue };
        for t in 0..nt {
            let k = t * nf + f;
            let (re, im) = (aligned.model_re[k], aligned.model_im[k]);
            aligned.model_re[k] = re + a * re - b * im;
            aligned.model_im[k] = im + a * im + b * re;
        }
    }
}
