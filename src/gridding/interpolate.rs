//! Interpolation between channels and nodes: the tables of [`super::compress`].

use num_complex::Complex;

use super::prolate::Band;
use super::real::Real;
use super::simd::{has_vectors, lanes, Vec8, LANES};

/// Most nodes of one part of the band.
pub(super) const MOST_NODES: usize = 32;

/// The parts of a band and their nodes.
#[derive(Debug)]
pub(super) struct Table {
    /// Frequencies of the nodes of all parts.
    pub freq_hz: Vec<f64>,
    /// Nodes of one part.
    pub nodes: usize,
    parts: Vec<Part>,
}

/// Channels of a part, and what each contributes to every node.
#[derive(Debug)]
struct Part {
    channels: std::ops::Range<usize>,
    /// `[channel][node]`.
    matrix: Vec<Vec<f64>>,
}

impl Table {
    /// `parts` equal parts of the band with `nodes` nodes each, for phases to `reach` radians from the middle of a part.
    pub fn new(channel_hz: &[f64], parts: usize, nodes: usize, reach: f64) -> Self {
        let count = channel_hz.len();
        let band = Band::new(nodes, reach);
        let mut freq_hz = Vec::with_capacity(parts * nodes);
        let parts = (0..parts)
            .map(|i| {
                let channels = i * count / parts..(i + 1) * count / parts;
                let (first, last) = (channel_hz[channels.start], channel_hz[channels.end - 1]);
                let (middle, half) = (0.5 * (first + last), 0.5 * (last - first));
                freq_hz.extend(band.nodes().iter().map(|t| middle + half * t));
                let matrix = channels
                    .clone()
                    .map(|c| band.weights(if half == 0.0 { 0.0 } else { (channel_hz[c] - middle) / half }))
                    .collect();
                Part { channels, matrix }
            })
            .collect();
        Self { freq_hz, nodes, parts }
    }

    /// Channels of every part and its matrix `[channel][node]`.
    pub fn parts(&self) -> impl Iterator<Item = (std::ops::Range<usize>, &[Vec<f64>])> {
        self.parts.iter().map(|part| (part.channels.clone(), part.matrix.as_slice()))
    }

    /// The matrices by channel, nodes padded to whole vectors.
    pub fn to_nodes<T: Real>(&self) -> ToNodes<T> {
        let groups = self.nodes.div_ceil(LANES);
        let pad = |row: &Vec<f64>| {
            (0..groups * LANES).map(|p| T::of(row.get(p).copied().unwrap_or(0.0))).collect::<Vec<T>>()
        };
        let parts = self
            .parts
            .iter()
            .map(|p| (p.channels.clone(), p.matrix.iter().flat_map(pad).collect()))
            .collect();
        ToNodes { nodes: self.nodes, groups, parts, vector: has_vectors() }
    }

    /// The matrices by node, channels padded to whole vectors.
    pub fn to_channels<T: Real>(&self) -> ToChannels<T> {
        let parts = self
            .parts
            .iter()
            .map(|part| {
                let blocks = part.matrix.len().div_ceil(LANES);
                let mut matrix = vec![[T::of(0.0); LANES]; blocks * self.nodes];
                for (c, row) in part.matrix.iter().enumerate() {
                    for (p, value) in row.iter().enumerate() {
                        matrix[c / LANES * self.nodes + p][c % LANES] = T::of(*value);
                    }
                }
                (part.channels.clone(), matrix)
            })
            .collect();
        ToChannels { nodes: self.nodes, parts, vector: has_vectors() }
    }
}

/// Channels to nodes.
pub(super) struct ToNodes<T> {
    nodes: usize,
    groups: usize,
    parts: Vec<(std::ops::Range<usize>, Vec<T>)>,
    vector: bool,
}

/// Nodes to channels.
pub(super) struct ToChannels<T> {
    nodes: usize,
    /// `[block of eight channels][node][lane]`.
    parts: Vec<(std::ops::Range<usize>, Vec<[T; LANES]>)>,
    vector: bool,
}

/// Channels weighted at once.
const BLOCK: usize = 64;

/// Weighted real and imaginary parts of up to [`BLOCK`] channels; false when one is not finite.
#[inline(always)]
fn weigh<T: Real>(
    vis: &[Complex<T>],
    weight: Option<&[T]>,
    re: &mut [T; BLOCK],
    im: &mut [T; BLOCK],
) -> bool {
    let zero = T::of(0.0);
    let mut bad = false;
    let parts = re.iter_mut().zip(im.iter_mut()).zip(vis);
    match weight {
        Some(weight) => {
            for (((re, im), v), &w) in parts.zip(weight) {
                // Not a product: a weight of zero hides a NaN.
                let used = w != zero;
                *re = if used { v.re * w } else { zero };
                *im = if used { v.im * w } else { zero };
                bad |= *re * zero != zero || *im * zero != zero;
            }
        }
        None => {
            for ((re, im), v) in parts {
                (*re, *im) = (v.re, v.im);
                bad |= *re * zero != zero || *im * zero != zero;
            }
        }
    }
    !bad
}

/// `G` vectors of nodes, `U` channels at a time in sums of their own so that the additions do not wait for each other.
#[inline(always)]
fn nodes_body<T: Real, V: Vec8<T>, const G: usize, const U: usize>(
    vis: &[Complex<T>],
    weight: Option<&[T]>,
    matrix: &[T],
    out: &mut [Complex<T>],
) -> bool {
    let zero = T::of(0.0);
    let mut sum_re = [[V::splat(zero); G]; U];
    let mut sum_im = [[V::splat(zero); G]; U];
    let (mut re, mut im) = ([zero; BLOCK], [zero; BLOCK]);
    let width = G * LANES;
    let mut finite = true;
    for (block, vis) in vis.chunks(BLOCK).enumerate() {
        let first = block * BLOCK;
        finite &= weigh(vis, weight.map(|w| &w[first..first + vis.len()]), &mut re, &mut im);
        let matrix = &matrix[first * width..(first + vis.len()) * width];
        let whole = vis.len() / U * U;
        for c in (0..whole).step_by(U) {
            for k in 0..U {
                let (a, b) = (V::splat(re[c + k]), V::splat(im[c + k]));
                for g in 0..G {
                    let m = V::load(lanes(matrix, (c + k) * width + g * LANES));
                    sum_re[k][g] = m.muladd(a, sum_re[k][g]);
                    sum_im[k][g] = m.muladd(b, sum_im[k][g]);
                }
            }
        }
        for c in whole..vis.len() {
            let (a, b) = (V::splat(re[c]), V::splat(im[c]));
            for g in 0..G {
                let m = V::load(lanes(matrix, c * width + g * LANES));
                sum_re[0][g] = m.muladd(a, sum_re[0][g]);
                sum_im[0][g] = m.muladd(b, sum_im[0][g]);
            }
        }
    }
    let one = V::splat(T::of(1.0));
    for g in 0..G {
        for k in 1..U {
            sum_re[0][g] = sum_re[k][g].muladd(one, sum_re[0][g]);
            sum_im[0][g] = sum_im[k][g].muladd(one, sum_im[0][g]);
        }
        let (mut a, mut b) = ([zero; LANES], [zero; LANES]);
        sum_re[0][g].store(&mut a);
        sum_im[0][g].store(&mut b);
        for ((o, a), b) in out.iter_mut().skip(g * LANES).zip(a).zip(b) {
            *o = Complex::new(a, b);
        }
    }
    finite
}

/// The sums of [`nodes_body`] for visibilities of one: those of the weights, which are real.
#[inline(always)]
fn weights_body<T: Real, V: Vec8<T>, const G: usize>(
    weight: &[T],
    matrix: &[T],
    out: &mut [Complex<T>],
) -> bool {
    let zero = T::of(0.0);
    let width = G * LANES;
    let mut sums = [[V::splat(zero); G]; 2];
    let mut bad = false;
    let (pairs, rest) = weight.as_chunks::<2>();
    for (c, pair) in pairs.iter().enumerate() {
        for k in 0..2 {
            bad |= pair[k] * zero != zero;
            let w = V::splat(pair[k]);
            for g in 0..G {
                let m = V::load(lanes(matrix, (2 * c + k) * width + g * LANES));
                sums[k][g] = m.muladd(w, sums[k][g]);
            }
        }
    }
    for w in rest {
        bad |= *w * zero != zero;
        for g in 0..G {
            let m = V::load(lanes(matrix, 2 * pairs.len() * width + g * LANES));
            sums[0][g] = m.muladd(V::splat(*w), sums[0][g]);
        }
    }
    for g in 0..G {
        let mut a = [zero; LANES];
        sums[1][g].muladd(V::splat(T::of(1.0)), sums[0][g]).store(&mut a);
        out.iter_mut().skip(g * LANES).zip(a).for_each(|(o, a)| *o = Complex::new(a, zero));
    }
    !bad
}

#[inline(always)]
fn weights_of<T: Real, V: Vec8<T>>(
    groups: usize,
    weight: &[T],
    matrix: &[T],
    out: &mut [Complex<T>],
) -> bool {
    match groups {
        1 => weights_body::<T, V, 1>(weight, matrix, out),
        2 => weights_body::<T, V, 2>(weight, matrix, out),
        3 => weights_body::<T, V, 3>(weight, matrix, out),
        _ => weights_body::<T, V, 4>(weight, matrix, out),
    }
}

/// # Safety
/// The machine has AVX2 and FMA.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn weights_vector<T: Real>(groups: usize, weight: &[T], matrix: &[T], out: &mut [Complex<T>]) -> bool {
    weights_of::<T, T::Fast>(groups, weight, matrix, out)
}

#[inline(always)]
fn channels_body<T: Real, V: Vec8<T>>(nodes: &[Complex<T>], matrix: &[[T; LANES]], out: &mut [Complex<T>]) {
    let zero = T::of(0.0);
    for (block, out) in matrix.chunks_exact(nodes.len()).zip(out.chunks_mut(LANES)) {
        let (mut re, mut im) = (V::splat(zero), V::splat(zero));
        for (row, node) in block.iter().zip(nodes) {
            let row = V::load(row);
            re = row.muladd(V::splat(node.re), re);
            im = row.muladd(V::splat(node.im), im);
        }
        let (mut a, mut b) = ([zero; LANES], [zero; LANES]);
        re.store(&mut a);
        im.store(&mut b);
        for ((o, a), b) in out.iter_mut().zip(a).zip(b) {
            *o = Complex::new(a, b);
        }
    }
}

#[inline(always)]
fn nodes_of<T: Real, V: Vec8<T>>(
    groups: usize,
    vis: &[Complex<T>],
    weight: Option<&[T]>,
    matrix: &[T],
    out: &mut [Complex<T>],
) -> bool {
    match groups {
        1 => nodes_body::<T, V, 1, 4>(vis, weight, matrix, out),
        2 => nodes_body::<T, V, 2, 2>(vis, weight, matrix, out),
        3 => nodes_body::<T, V, 3, 1>(vis, weight, matrix, out),
        _ => nodes_body::<T, V, 4, 1>(vis, weight, matrix, out),
    }
}

/// # Safety
/// The machine has AVX2 and FMA.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn nodes_vector<T: Real>(
    groups: usize,
    vis: &[Complex<T>],
    weight: Option<&[T]>,
    matrix: &[T],
    out: &mut [Complex<T>],
) -> bool {
    nodes_of::<T, T::Fast>(groups, vis, weight, matrix, out)
}

/// # Safety
/// The machine has AVX2 and FMA.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn channels_vector<T: Real>(nodes: &[Complex<T>], matrix: &[[T; LANES]], out: &mut [Complex<T>]) {
    channels_body::<T, T::Fast>(nodes, matrix, out);
}

impl<T: Real> ToNodes<T> {
    /// Weighted visibilities of one row to its samples; false when a value was not finite.
    pub fn apply(&self, vis: &[Complex<T>], weight: Option<&[T]>, out: &mut [Complex<T>]) -> bool {
        let mut finite = true;
        for ((channels, matrix), out) in self.parts.iter().zip(out.chunks_mut(self.nodes)) {
            let vis = &vis[channels.clone()];
            let weight = weight.map(|w| &w[channels.clone()]);
            #[cfg(target_arch = "x86_64")]
            if self.vector {
                // SAFETY: `vector` is set only after the features were detected.
                finite &= unsafe { nodes_vector(self.groups, vis, weight, matrix, out) };
                continue;
            }
            finite &= nodes_of::<T, T::Plain>(self.groups, vis, weight, matrix, out);
        }
        finite
    }
}

impl<T: Real> ToNodes<T> {
    /// Weights of one row to its samples, as visibilities of one would come out; false when one was not finite.
    pub fn apply_weights(&self, weight: &[T], out: &mut [Complex<T>]) -> bool {
        let mut finite = true;
        for ((channels, matrix), out) in self.parts.iter().zip(out.chunks_mut(self.nodes)) {
            let weight = &weight[channels.clone()];
            #[cfg(target_arch = "x86_64")]
            if self.vector {
                // SAFETY: `vector` is set only after the features were detected.
                finite &= unsafe { weights_vector(self.groups, weight, matrix, out) };
                continue;
            }
            finite &= weights_of::<T, T::Plain>(self.groups, weight, matrix, out);
        }
        finite
    }
}

impl<T: Real> ToChannels<T> {
    /// Samples of one row to its channels.
    pub fn apply(&self, samples: &[Complex<T>], out: &mut [Complex<T>]) {
        for ((channels, matrix), nodes) in self.parts.iter().zip(samples.chunks(self.nodes)) {
            let out = &mut out[channels.clone()];
            #[cfg(target_arch = "x86_64")]
            if self.vector {
                // SAFETY: `vector` is set only after the features were detected.
                unsafe { channels_vector(nodes, matrix, out) };
                continue;
            }
            channels_body::<T, T::Plain>(nodes, matrix, out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gridding::prolate::reaches;

    #[test]
    fn tables_hold_waves_and_are_transposes_of_each_other() {
        let freq: Vec<f64> = (0..37).map(|c| 1e9 + 1e6 * f64::from(c)).collect();
        let reach = reaches(6, 1e-6)[5];
        let table = Table::new(&freq, 3, 6, reach);
        // Thirteen channels at most a part: the delay at which their ends have turned by the reach.
        let delay = 0.9 * reach / 6e6;
        let wave = |f: f64| Complex::cis(delay * (f - 1.02e9)) * 0.7;
        let nodes: Vec<Complex<f64>> = table.freq_hz.iter().map(|&f| wave(f)).collect();
        let mut channels = vec![Complex::default(); 37];
        table.to_channels::<f64>().apply(&nodes, &mut channels);
        for (v, &f) in channels.iter().zip(&freq) {
            // The ends of a part are some times worse than the rms that the reach is of.
            assert!((v - wave(f)).norm() < 6e-6, "{f}: {v}");
        }
        let data: Vec<Complex<f64>> =
            (0..37).map(|c| Complex::new((c as f64).sin(), (2.0 * c as f64).cos())).collect();
        let mut back = vec![Complex::default(); 18];
        assert!(table.to_nodes::<f64>().apply(&data, None, &mut back));
        let dot = |a: &[Complex<f64>], b: &[Complex<f64>]| -> f64 {
            a.iter().zip(b).map(|(a, b)| (a * b.conj()).re).sum()
        };
        assert!((dot(&channels, &data) - dot(&nodes, &back)).abs() < 1e-12);
        let mut weight = vec![1.0; 37];
        // Weights alone are visibilities of one.
        let uneven: Vec<f64> = (0..37).map(|c| f64::from(c % 5)).collect();
        let (mut a, mut b) = (back.clone(), back.clone());
        assert!(table.to_nodes::<f64>().apply(&vec![Complex::new(1.0, 0.0); 37], Some(&uneven), &mut a));
        assert!(table.to_nodes::<f64>().apply_weights(&uneven, &mut b));
        assert!(a.iter().zip(&b).all(|(a, b)| (a - b).norm() < 1e-12));
        weight[4] = 0.0;
        let mut bad = data.clone();
        bad[4].re = f64::NAN;
        assert!(table.to_nodes::<f64>().apply(&bad, Some(&weight), &mut back));
        assert!(!table.to_nodes::<f64>().apply(&bad, None, &mut back));
    }
}
