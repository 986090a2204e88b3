//! Bright sources at the nodes of compressed visibilities: what they add there, and how that answers to their parameters.
//!
//! Position, beam, spectrum and the correlator's averaging are those of each row and node, as in the exact prediction; the sums run over
//! eight sources at a time. Nodes stand for the channels between them, which is right to the gridder's epsilon of a source
//! inside the image: enough to find and fit sources, not enough to subtract the brightest (see [`super::exact`]).

use num_complex::Complex32;
use rayon::prelude::*;

use super::bright::BrightSource;
use super::smear::EARTH_ROTATION_RAD_S;
use super::{Grid, View, Visibilities};
use crate::constants::SPEED_OF_LIGHT_M_S;
use crate::coords::Lmn;
use crate::math::turn::sin_cos_turn;

/// Sources treated together.
const LANES: usize = 8;
/// Rows of one task.
const ROWS: usize = 256;
/// Unknowns of a source: flux, flux times index, flux times shifts along l and m.
pub(super) const UNKNOWNS: usize = 4;

type Lanes = [f32; LANES];

/// Sources as the rows of one integration see them, eight by eight.
#[derive(Clone, Debug)]
struct Seen {
    /// Apparent direction less the phase centre's, over the speed of light \[s/m\].
    direction: [[f64; LANES]; 3],
    /// Beam times spectrum of 1 Jy: `c0 + c1 x + c2 x^2`, `x = ln(f / f0)`.
    response: [Lanes; 3],
}

/// Sources on the rows of a grid.
pub(super) struct Model<'a> {
    vis: &'a Visibilities,
    grid: &'a Grid,
    lmn: Vec<Lmn>,
    /// `[time][group of eight]`.
    seen: Vec<Vec<Seen>>,
    /// Phase centre less fringe-stopping centre, over the speed of light, by time \[s/m\].
    offset: Vec<[f64; 3]>,
    reference_hz: f64,
    width_hz: f64,
}

/// What one row needs of a group of sources.
struct Phases {
    /// Turns at the reference frequency, and for a relative change of it.
    start: Lanes,
    slope: Lanes,
    /// Response times averaging over channels.
    response: [Lanes; 3],
    /// Averaging over time: `1 - z + 0.3 z^2`, `z` this times the relative frequency squared.
    blur: Lanes,
}

/// A row's baseline and place.
struct Row<'a> {
    baseline_m: [f64; 3],
    uvw_s: [f64; 3],
    time: usize,
    interval_s: f64,
    freq_hz: &'a [f64],
    first: usize,
}

impl<'a> Model<'a> {
    /// `sources` as `view` sees them, each of 1 Jy, with its own spectral index; all with the same reference frequency.
    pub fn new(view: View<'_>, vis: &'a Visibilities, grid: &'a Grid, sources: &[&BrightSource]) -> Self {
        let reference_hz = sources.first().map_or(1.0, |s| s.freq_hz);
        let ends = vis.freq_hz.iter().fold((f64::INFINITY, 0f64), |(a, b), f| (a.min(*f), b.max(*f)));
        let half = (ends.1 / reference_hz).ln().max((reference_hz / ends.0).ln()).max(1e-6);
        let freq = [-half, 0.0, half].map(|x| reference_hz * x.exp());
        let mut seen = Vec::with_capacity(vis.frames.len());
        let mut offset = Vec::with_capacity(vis.frames.len());
        for (frame, pointing) in vis.frames.iter().zip(view.pointings) {
            let (centre, towards) = (frame.direction(view.centre), frame.direction(*pointing));
            offset.push(std::array::from_fn(|k| (centre[k] - towards[k]) / SPEED_OF_LIGHT_M_S));
            let group = |chunk: &[&BrightSource]| {
                let mut one = Seen { direction: [[0.0; LANES]; 3], response: [[0.0; LANES]; 3] };
                for (k, source) in chunk.iter().enumerate() {
                    let direction = frame.direction(source.position);
                    for axis in 0..3 {
                        one.direction[axis][k] = (direction[axis] - centre[axis]) / SPEED_OF_LIGHT_M_S;
                    }
                    let mut at = freq.map(|f| (f / source.freq_hz).powf(source.alpha));
                    view.beam.attenuate(direction, towards, &freq, &mut at);
                    let [a, b, c] = at;
                    let terms = [b, 0.5 * (c - a) / half, 0.5 * (a + c - 2.0 * b) / (half * half)];
                    one.response.iter_mut().zip(terms).for_each(|(r, t)| r[k] = t as f32);
                }
                one
            };
            seen.push(sources.chunks(LANES).map(group).collect());
        }
        let lmn = sources.iter().map(|s| Lmn::of(s.position, view.centre)).collect();
        let width_hz = vis.width_hz.iter().fold(0.0f64, |a, w| a.max(*w));
        Self { vis, grid, lmn, seen, offset, reference_hz, width_hz }
    }

    fn row(&self, r: usize) -> Row<'a> {
        let [p, q] = self.vis.pairs[r].map(|a| self.vis.antenna_itrf_m[a as usize]);
        let packed = self.grid.packed_row(r);
        let time = self.vis.time_of_row[r] as usize;
        Row {
            baseline_m: std::array::from_fn(|k| p[k] - q[k]),
            uvw_s: self.vis.uvw_m[r].map(|x| x / SPEED_OF_LIGHT_M_S),
            time,
            interval_s: self.vis.times[time].interval_s,
            freq_hz: packed.freq_hz,
            first: packed.first,
        }
    }

    #[inline(always)]
    fn phases(&self, row: &Row<'_>, seen: &Seen) -> Phases {
        let (b, f0) = (row.baseline_m, self.reference_hz);
        let o = self.offset[row.time];
        let stopped = b[0] * o[0] + b[1] * o[1] + b[2] * o[2];
        let turn = EARTH_ROTATION_RAD_S * row.interval_s;
        let channel = std::f64::consts::PI * self.width_hz;
        let time = std::f64::consts::PI * turn * f0;
        let mut out =
            Phases { start: [0.0; LANES], slope: [0.0; LANES], response: seen.response, blur: [0.0; LANES] };
        let [dx, dy, dz] = &seen.direction;
        for k in 0..LANES {
            let path = b[0] * dx[k] + b[1] * dy[k] + b[2] * dz[k];
            let turns = path * f0;
            out.start[k] = (turns - turns.round_ties_even()) as f32;
            out.slope[k] = turns as f32;
            let delay = channel * (path + stopped);
            let z = delay * delay / 6.0;
            let kept = (1.0 - z + 0.3 * z * z) as f32;
            out.response.iter_mut().for_each(|r| r[k] *= kept);
            let rate = time * (b[0] * (dy[k] + o[1]) - b[1] * (dx[k] + o[0]));
            out.blur[k] = (rate * rate / 6.0) as f32;
        }
        out
    }

    /// Sum over the sources of `flux_jy` times their visibilities, at the nodes of the grid.
    pub fn at_nodes(&self, flux_jy: &[f64]) -> Vec<Complex32> {
        let flux = padded(flux_jy);
        let rows = self.vis.pairs.len();
        let samples = if rows == 0 { 0 } else { self.grid.samples() };
        let mut out = vec![Complex32::default(); samples];
        let mut tasks = Vec::new();
        let mut rest = out.as_mut_slice();
        for begin in (0..rows).step_by(ROWS) {
            let end = (begin + ROWS).min(rows);
            let from = self.grid.packed_row(begin).first;
            let to = if end < rows { self.grid.packed_row(end).first } else { samples };
            let (part, after) = rest.split_at_mut(to - from);
            tasks.push((begin..end, from, part));
            rest = after;
        }
        tasks.into_par_iter().for_each(|(range, from, part)| {
            for r in range {
                let row = self.row(r);
                let own = &mut part[row.first - from..][..row.freq_hz.len()];
                #[cfg(target_arch = "x86_64")]
                if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                    // SAFETY: the features were just detected.
                    unsafe { self.add_row_vector(&row, &flux, own) };
                    continue;
                }
                self.add_row(&row, &flux, own);
            }
        });
        out
    }

    #[inline(always)]
    fn add_row(&self, row: &Row<'_>, flux: &[Lanes], out: &mut [Complex32]) {
        for (seen, flux) in self.seen[row.time].iter().zip(flux) {
            let phases = self.phases(row, seen);
            for (f, value) in row.freq_hz.iter().zip(out.iter_mut()) {
                let node = Node::at(*f, self.reference_hz);
                let (re, im) = node.phasor(&phases);
                let (mut sum_re, mut sum_im) = (0f32, 0f32);
                for k in 0..LANES {
                    sum_re += flux[k] * re[k];
                    sum_im += flux[k] * im[k];
                }
                value.re += sum_re;
                value.im += sum_im;
            }
        }
    }

    /// # Safety
    /// The machine has AVX2 and FMA.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma")]
    unsafe fn add_row_vector(&self, row: &Row<'_>, flux: &[Lanes], out: &mut [Complex32]) {
        self.add_row(row, flux, out);
    }

    /// `Re sum conj(D) left` for the derivatives `D` by the unknowns of every source, sources of 1 Jy, source-major.
    pub fn gradient(&self, left: &[Complex32]) -> Vec<f64> {
        let groups = self.lmn.len().div_ceil(LANES);
        let zero = || vec![[[0f64; LANES]; UNKNOWNS]; groups];
        let rows: Vec<usize> = (0..self.vis.pairs.len()).collect();
        let sums = rows
            .par_chunks(ROWS)
            .fold(zero, |mut sums, chunk| {
                for r in chunk {
                    let row = self.row(*r);
                    let own = &left[row.first..][..row.freq_hz.len()];
                    #[cfg(target_arch = "x86_64")]
                    if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                        // SAFETY: the features were just detected.
                        unsafe { self.row_gradient_vector(&row, own, &mut sums) };
                        continue;
                    }
                    self.row_gradient(&row, own, &mut sums);
                }
                sums
            })
            .reduce(zero, |mut a, b| {
                a.iter_mut().flatten().flatten().zip(b.iter().flatten().flatten()).for_each(|(x, y)| *x += y);
                a
            });
        let of = |k: usize| (0..UNKNOWNS).map(move |u| (k / LANES, u, k % LANES));
        (0..self.lmn.len()).flat_map(of).map(|(group, u, lane)| sums[group][u][lane]).collect()
    }

    #[inline(always)]
    fn row_gradient(&self, row: &Row<'_>, left: &[Complex32], sums: &mut [[[f64; LANES]; UNKNOWNS]]) {
        for ((seen, sums), lmn) in self.seen[row.time].iter().zip(sums).zip(self.lmn.chunks(LANES)) {
            let phases = self.phases(row, seen);
            let (mut flux, mut slope, mut turned) = ([0f32; LANES], [0f32; LANES], [0f32; LANES]);
            for (f, r) in row.freq_hz.iter().zip(left) {
                let node = Node::at(*f, self.reference_hz);
                let (re, im) = node.phasor(&phases);
                let ratio = 1.0 + node.step;
                for k in 0..LANES {
                    let in_phase = re[k] * r.re + im[k] * r.im;
                    flux[k] += in_phase;
                    slope[k] += in_phase * node.log;
                    turned[k] += (re[k] * r.im - im[k] * r.re) * ratio;
                }
            }
            for (k, lmn) in lmn.iter().enumerate() {
                let [kl, km] = wave(row.uvw_s, lmn).map(|w| w * self.reference_hz);
                sums[0][k] += f64::from(flux[k]);
                sums[1][k] += f64::from(slope[k]);
                sums[2][k] += kl * f64::from(turned[k]);
                sums[3][k] += km * f64::from(turned[k]);
            }
        }
    }

    /// # Safety
    /// The machine has AVX2 and FMA.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma")]
    unsafe fn row_gradient_vector(
        &self,
        row: &Row<'_>,
        left: &[Complex32],
        sums: &mut [[[f64; LANES]; UNKNOWNS]],
    ) {
        self.row_gradient(row, left, sums);
    }

    /// Derivatives of every source at one node of a row, `(re, im)`, source-major; and where the node is among the samples.
    pub fn derivatives(&self, r: usize, node: usize, out: &mut [[f64; 2]]) -> Option<usize> {
        let row = self.row(r);
        let f = *row.freq_hz.get(node)?;
        let at = Node::at(f, self.reference_hz);
        for (g, seen) in self.seen[row.time].iter().enumerate() {
            let (re, im) = at.phasor(&self.phases(&row, seen));
            for (k, lmn) in self.lmn.iter().enumerate().skip(g * LANES).take(LANES) {
                let (re, im) = (f64::from(re[k % LANES]), f64::from(im[k % LANES]));
                let [kl, km] = wave(row.uvw_s, lmn).map(|w| w * f);
                let x = f64::from(at.log);
                let own = &mut out[k * UNKNOWNS..(k + 1) * UNKNOWNS];
                own.copy_from_slice(&[[re, im], [re * x, im * x], [-im * kl, re * kl], [-im * km, re * km]]);
            }
        }
        Some(row.first + node)
    }

    /// Sources.
    pub fn len(&self) -> usize {
        self.lmn.len()
    }
}

/// A frequency, as the loops over sources use it.
struct Node {
    /// `f / f0 - 1`.
    step: f32,
    /// `ln(f / f0)`.
    log: f32,
    /// `(f / f0)^2`.
    square: f32,
}

impl Node {
    #[inline(always)]
    fn at(freq_hz: f64, reference_hz: f64) -> Self {
        let d = freq_hz / reference_hz - 1.0;
        // ln(1 + d) to fourth order: 1e-6 over this band.
        let log = d * (1.0 - d * (0.5 - d * (1.0 / 3.0 - 0.25 * d)));
        Self { step: d as f32, log: log as f32, square: ((1.0 + d) * (1.0 + d)) as f32 }
    }

    /// Visibilities of sources of 1 Jy.
    #[inline(always)]
    fn phasor(&self, p: &Phases) -> (Lanes, Lanes) {
        let (mut re, mut im) = ([0f32; LANES], [0f32; LANES]);
        for k in 0..LANES {
            let turns = p.start[k] + p.slope[k] * self.step;
            let t = turns - turns.round_ties_even();
            let (sine, cosine) = sin_cos_turn(t);
            let z = p.blur[k] * self.square;
            let [c0, c1, c2] = [p.response[0][k], p.response[1][k], p.response[2][k]];
            let size = (c0 + self.log * (c1 + self.log * c2)) * (1.0 - z + 0.3 * z * z);
            re[k] = size * cosine;
            im[k] = size * sine;
        }
        (re, im)
    }
}

/// Change of phase by l and m \[rad a hertz\].
#[inline(always)]
fn wave(uvw_s: [f64; 3], p: &Lmn) -> [f64; 2] {
    let n = p.n();
    let turn = std::f64::consts::TAU;
    [turn * (uvw_s[0] - uvw_s[2] * p.l / n), turn * (uvw_s[1] - uvw_s[2] * p.m / n)]
}

fn padded(values: &[f64]) -> Vec<Lanes> {
    let group = |chunk: &[f64]| std::array::from_fn(|k| chunk.get(k).map_or(0.0, |v| *v as f32));
    values.chunks(LANES).map(group).collect()
}
