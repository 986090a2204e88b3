//! The inner product over sources: outer products of antenna phasors, a vector of channels at a time.
//!
//! Per channel the visibility matrix is `sum_c (S_c E_c) E_c^H`, E the phasors of one term over the antennas: a rank-k update,
//! run on register tiles of antenna pairs with one channel a lane. Phases are f64 (recurrences over channels, seeded for
//! each call); sums are f32.

use num_complex::Complex32;

use super::components::{components, dot, Component};
use super::simd::{Portable, Simd};
use super::snapshot::{Snapshot, Window};
use super::Error;
use crate::constants::SPEED_OF_LIGHT_M_S;
use crate::control::Control;

/// Terms whose phasors are held at a time: 96 antennas x 32 x 16 lanes fit the second-level cache.
const BLOCK: usize = 32;
/// A grid of channels is regular when no channel is further from it than this \[Hz\]: 1e-6 of a turn over 300 m of path.
const GRID_TOLERANCE_HZ: f64 = 1.0;

/// A cache line, so that vectors never straddle one.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([f32; 16]);

fn lines(floats: usize) -> Vec<Line> {
    vec![Line([0.0; 16]); floats.div_ceil(16)]
}

/// Instruction sets that the kernel is compiled for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Isa {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Isa {
    /// Those of this machine, the best last.
    pub fn available() -> Vec<Self> {
        let mut found = vec![Self::Portable];
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                found.push(Self::Avx2);
                if is_x86_feature_detected!("avx512f") {
                    found.push(Self::Avx512);
                }
            }
        }
        found
    }
}

pub(super) fn run(
    snapshot: &Snapshot<'_>,
    window: &Window<'_>,
    out: &mut [Complex32],
    control: &Control,
) -> Result<(), Error> {
    let best = Isa::available().last().copied().unwrap_or(Isa::Portable);
    // Safety: the set was just detected.
    unsafe { run_with(best, snapshot, window, out, control) }
}

/// # Safety
/// `isa` is one of [`Isa::available`].
pub(super) unsafe fn run_with(
    isa: Isa,
    snapshot: &Snapshot<'_>,
    window: &Window<'_>,
    out: &mut [Complex32],
    control: &Control,
) -> Result<(), Error> {
    match isa {
        Isa::Portable => unsafe { drive::<Portable, 2, 2>(snapshot, window, out, control) },
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => {
            #[target_feature(enable = "avx2,fma")]
            unsafe fn go(
                s: &Snapshot<'_>,
                w: &Window<'_>,
                out: &mut [Complex32],
                control: &Control,
            ) -> Result<(), Error> {
                unsafe { drive::<super::simd::Avx2, 3, 2>(s, w, out, control) }
            }
            unsafe { go(snapshot, window, out, control) }
        }
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => {
            #[target_feature(enable = "avx512f,avx2,fma")]
            unsafe fn go(
                s: &Snapshot<'_>,
                w: &Window<'_>,
                out: &mut [Complex32],
                control: &Control,
            ) -> Result<(), Error> {
                unsafe { drive::<super::simd::Avx512, 4, 3>(s, w, out, control) }
            }
            unsafe { go(snapshot, window, out, control) }
        }
    }
}

/// Register tiles that cover the pairs, and where each row's value lies.
struct Tiles {
    /// First antennas of each tile.
    origin: Vec<[usize; 2]>,
    /// Tile, place in the tile, and whether the row is the conjugate.
    row: Vec<(usize, usize, bool)>,
}

impl Tiles {
    fn new(pairs: &[[u32; 2]], antennas: usize, shape: [usize; 2]) -> Self {
        let across = antennas.div_ceil(shape[1]);
        let mut number = vec![usize::MAX; antennas.div_ceil(shape[0]) * across];
        let mut origin = Vec::new();
        let row = pairs
            .iter()
            .map(|[a, b]| {
                let (i, j) = ((*a).min(*b) as usize, (*a).max(*b) as usize);
                let tile = &mut number[i / shape[0] * across + j / shape[1]];
                if *tile == usize::MAX {
                    *tile = origin.len();
                    origin.push([i / shape[0] * shape[0], j / shape[1] * shape[1]]);
                }
                (*tile, i % shape[0] * shape[1] + j % shape[1], a > b)
            })
            .collect();
        Self { origin, row }
    }
}

/// Phasors of every term and antenna at the channel that comes next.
struct Phasors<'a> {
    terms: &'a [Component],
    freq_hz: &'a [f64],
    /// Regular grid: `(value, step)` of each term and antenna.
    state: Option<Vec<[f64; 4]>>,
    antennas: usize,
}

impl<'a> Phasors<'a> {
    fn new(terms: &'a [Component], freq_hz: &'a [f64], antennas: usize) -> Self {
        let n = freq_hz.len();
        let step = if n > 1 { (freq_hz[n - 1] - freq_hz[0]) / (n - 1) as f64 } else { 0.0 };
        let regular = freq_hz
            .iter()
            .enumerate()
            .all(|(k, f)| (f - freq_hz[0] - step * k as f64).abs() < GRID_TOLERANCE_HZ);
        let state = regular.then(|| {
            let mut state = Vec::with_capacity(terms.len() * antennas);
            for term in terms {
                for (path, offset) in term.path_m.iter().zip(&term.offset_m_hz) {
                    let (im, re) = phase(path * freq_hz[0] + offset).sin_cos();
                    let (dim, dre) = phase(path * step).sin_cos();
                    state.push([re, im, dre, dim]);
                }
            }
            state
        });
        Self { terms, freq_hz, state, antennas }
    }

    /// Phasors of one term and antenna for the lanes from `first`, and move on by as many channels.
    #[inline(always)]
    fn next<S: Simd>(
        &mut self,
        term: usize,
        antenna: usize,
        first: usize,
        re: &mut [f64; 16],
        im: &mut [f64; 16],
    ) {
        if let Some(state) = &mut self.state {
            let z = &mut state[term * self.antennas + antenna];
            let (mut dre, mut dim) = (z[2], z[3]);
            re[0] = z[0];
            im[0] = z[1];
            // Lanes by doubling: z[n..2n] = z[..n] d^n.
            let mut n = 1;
            while n < S::LANES {
                for k in 0..n {
                    re[n + k] = re[k] * dre - im[k] * dim;
                    im[n + k] = re[k] * dim + im[k] * dre;
                }
                (dre, dim) = (dre * dre - dim * dim, 2.0 * dre * dim);
                n *= 2;
            }
            (z[0], z[1]) = (z[0] * dre - z[1] * dim, z[0] * dim + z[1] * dre);
            return;
        }
        let term = &self.terms[term];
        for k in 0..S::LANES {
            let freq = self.freq_hz[(first + k).min(self.freq_hz.len() - 1)];
            (im[k], re[k]) = phase(term.path_m[antenna] * freq + term.offset_m_hz[antenna]).sin_cos();
        }
    }
}

/// Phase \[rad\] of a path times a frequency \[m Hz\].
fn phase(path_m_hz: f64) -> f64 {
    let turns = path_m_hz / SPEED_OF_LIGHT_M_S;
    std::f64::consts::TAU * (turns - turns.round())
}

/// Phasors of a block of terms: `[antenna][term][re lanes, im lanes]`, plain and multiplied by the flux.
struct Block {
    plain: Vec<Line>,
    scaled: Vec<Line>,
    terms: usize,
}

/// # Safety
/// The machine has the instructions of `S`.
#[inline(always)]
unsafe fn drive<S: Simd, const I: usize, const J: usize>(
    snapshot: &Snapshot<'_>,
    window: &Window<'_>,
    out: &mut [Complex32],
    control: &Control,
) -> Result<(), Error> {
    let channels = window.freq_hz.len();
    let antennas = snapshot.antenna_m.len();
    let scale: Vec<f64> = snapshot
        .flux_sf_jy
        .chunks(channels)
        .map(|row| row.iter().fold(0.0f64, |a, f| a.max(f64::from(f.abs()))))
        .collect();
    let terms = components(snapshot, window, &scale);
    let shapes = Shapes::new(snapshot, &terms);
    let tiles = Tiles::new(snapshot.pairs, antennas, [I, J]);
    let mut phasors = Phasors::new(&terms, window.freq_hz, antennas);
    let padded = antennas.next_multiple_of(I).max(antennas.next_multiple_of(J));
    let floats = padded * BLOCK * 2 * S::LANES;
    let mut block = Block { plain: lines(floats), scaled: lines(floats), terms: 0 };
    let tile_floats = I * J * 2 * S::LANES;
    let mut sums = lines(tiles.origin.len() * tile_floats);
    for first in (0..channels).step_by(S::LANES) {
        control.check()?;
        sums.fill(Line([0.0; 16]));
        for range in &shapes.blocks {
            unsafe {
                fill::<S>(&mut phasors, range.clone(), first, snapshot.flux_sf_jy, &mut block);
                let gaussian = shapes.of_term[range.start];
                for (t, origin) in tiles.origin.iter().enumerate() {
                    let sum = sums.as_mut_ptr().cast::<f32>().add(t * tile_floats);
                    match gaussian {
                        None => tile_points::<S, I, J>(&block, *origin, sum),
                        Some(g) => {
                            let width = &shapes.widths[g];
                            tile_gaussian::<S, I, J>(&block, *origin, sum, width, &window.freq_hz[first..]);
                        }
                    }
                }
            }
        }
        scatter::<S>(&tiles, &sums, tile_floats, first, channels, out);
    }
    Ok(())
}

/// Gaussian sources: projected antenna positions, and the cut of the terms into blocks of one kind.
struct Shapes {
    /// Per Gaussian: antenna positions along its axes, scaled so that the amplitude is `2^-(f^2 |a_i - a_j|^2)`.
    widths: Vec<Vec<[f64; 2]>>,
    of_term: Vec<Option<usize>>,
    blocks: Vec<std::ops::Range<usize>>,
}

impl Shapes {
    fn new(snapshot: &Snapshot<'_>, terms: &[Component]) -> Self {
        // exp(-pi^2 / (4 ln 2) (width . b f / c)^2) as a power of two.
        let k = std::f64::consts::PI / (2.0 * std::f64::consts::LN_2 * SPEED_OF_LIGHT_M_S);
        let along = |axis: [f64; 3], r: &[f64; 3]| k * dot(axis, *r);
        let widths = snapshot
            .gaussians
            .iter()
            .map(|(_, axes)| {
                snapshot.antenna_m.iter().map(|r| [along(axes[0], r), along(axes[1], r)]).collect()
            })
            .collect();
        let of_source = |source: usize| snapshot.gaussians.iter().position(|g| g.0 == source);
        let of_term: Vec<Option<usize>> = terms.iter().map(|t| of_source(t.source)).collect();
        let mut blocks: Vec<std::ops::Range<usize>> = Vec::new();
        for (t, kind) in of_term.iter().enumerate() {
            match blocks.last_mut() {
                Some(b) if b.len() < BLOCK && of_term[b.start] == *kind => b.end = t + 1,
                _ => blocks.push(t..t + 1),
            }
        }
        Self { widths, of_term, blocks }
    }
}

#[inline(always)]
unsafe fn fill<S: Simd>(
    phasors: &mut Phasors<'_>,
    range: std::ops::Range<usize>,
    first: usize,
    flux_sf: &[f32],
    block: &mut Block,
) {
    let channels = phasors.freq_hz.len();
    let (plain, scaled) = (block.plain.as_mut_ptr().cast::<f32>(), block.scaled.as_mut_ptr().cast::<f32>());
    let (mut re, mut im) = ([0f64; 16], [0f64; 16]);
    block.terms = range.len();
    for (c, t) in range.enumerate() {
        let source = phasors.terms[t].source;
        let weight = phasors.terms[t].weight as f32;
        let mut flux = [0f32; 16];
        for k in 0..S::LANES.min(channels - first) {
            flux[k] = weight * flux_sf[source * channels + first + k];
        }
        for antenna in 0..phasors.antennas {
            phasors.next::<S>(t, antenna, first, &mut re, &mut im);
            let at = (antenna * BLOCK + c) * 2 * S::LANES;
            for k in 0..S::LANES {
                let (r, i) = (re[k] as f32, im[k] as f32);
                // Safety: `at` counts within [padded antennas][BLOCK][2 LANES].
                unsafe {
                    *plain.add(at + k) = r;
                    *plain.add(at + S::LANES + k) = i;
                    *scaled.add(at + k) = r * flux[k];
                    *scaled.add(at + S::LANES + k) = i * flux[k];
                }
            }
        }
    }
}

/// `sum += sum_c scaled_i conj(plain_j)` on one tile.
#[inline(always)]
unsafe fn product<S: Simd, const I: usize, const J: usize>(
    block: &Block,
    origin: [usize; 2],
    re: &mut [[S::V; J]; I],
    im: &mut [[S::V; J]; I],
) {
    let stride = BLOCK * 2 * S::LANES;
    unsafe {
        let scaled = block.scaled.as_ptr().cast::<f32>().add(origin[0] * stride);
        let plain = block.plain.as_ptr().cast::<f32>().add(origin[1] * stride);
        for c in 0..block.terms {
            let at = c * 2 * S::LANES;
            let mut b = [[S::splat(0.0); 2]; J];
            for j in 0..J {
                b[j] = [S::load(plain.add(j * stride + at)), S::load(plain.add(j * stride + at + S::LANES))];
            }
            for i in 0..I {
                let ar = S::load(scaled.add(i * stride + at));
                let ai = S::load(scaled.add(i * stride + at + S::LANES));
                for j in 0..J {
                    re[i][j] = S::fma(ai, b[j][1], S::fma(ar, b[j][0], re[i][j]));
                    im[i][j] = S::fnma(ar, b[j][1], S::fma(ai, b[j][0], im[i][j]));
                }
            }
        }
    }
}

#[inline(always)]
unsafe fn tile_points<S: Simd, const I: usize, const J: usize>(
    block: &Block,
    origin: [usize; 2],
    sum: *mut f32,
) {
    unsafe {
        let mut re = [[S::splat(0.0); J]; I];
        let mut im = re;
        for i in 0..I {
            for j in 0..J {
                let at = sum.add((i * J + j) * 2 * S::LANES);
                re[i][j] = S::load(at);
                im[i][j] = S::load(at.add(S::LANES));
            }
        }
        product::<S, I, J>(block, origin, &mut re, &mut im);
        for i in 0..I {
            for j in 0..J {
                let at = sum.add((i * J + j) * 2 * S::LANES);
                S::store(at, re[i][j]);
                S::store(at.add(S::LANES), im[i][j]);
            }
        }
    }
}

#[inline(always)]
unsafe fn tile_gaussian<S: Simd, const I: usize, const J: usize>(
    block: &Block,
    origin: [usize; 2],
    sum: *mut f32,
    width: &[[f64; 2]],
    freq_hz: &[f64],
) {
    let mut f2 = [0f32; 16];
    let unit = freq_hz[0];
    for k in 0..S::LANES.min(freq_hz.len()) {
        f2[k] = ((freq_hz[k] / unit) * (freq_hz[k] / unit)) as f32;
    }
    unsafe {
        let f2 = S::load(f2.as_ptr());
        let mut re = [[S::splat(0.0); J]; I];
        let mut im = re;
        product::<S, I, J>(block, origin, &mut re, &mut im);
        for i in 0..I {
            for j in 0..J {
                let (a, b) = (origin[0] + i, origin[1] + j);
                if a >= width.len() || b >= width.len() {
                    continue;
                }
                let d = [width[a][0] - width[b][0], width[a][1] - width[b][1]];
                let exponent = (d[0] * d[0] + d[1] * d[1]) * unit * unit;
                let amplitude = S::exp2(S::mul(S::splat(-exponent as f32), f2));
                let at = sum.add((i * J + j) * 2 * S::LANES);
                S::store(at, S::fma(amplitude, re[i][j], S::load(at)));
                let at = at.add(S::LANES);
                S::store(at, S::fma(amplitude, im[i][j], S::load(at)));
            }
        }
    }
}

/// Write a vector of channels of every row.
#[inline(always)]
fn scatter<S: Simd>(
    tiles: &Tiles,
    sums: &[Line],
    tile_floats: usize,
    first: usize,
    channels: usize,
    out: &mut [Complex32],
) {
    let lanes = S::LANES.min(channels - first);
    // Safety: a slice over the same memory as the lines.
    let sums = unsafe { std::slice::from_raw_parts(sums.as_ptr().cast::<f32>(), sums.len() * 16) };
    for (row, (tile, place, conjugate)) in tiles.row.iter().enumerate() {
        let at = tile * tile_floats + place * 2 * S::LANES;
        let (re, im) = (&sums[at..at + lanes], &sums[at + S::LANES..at + S::LANES + lanes]);
        let sign = if *conjugate { -1.0 } else { 1.0 };
        for ((value, re), im) in out[row * channels + first..][..lanes].iter_mut().zip(re).zip(im) {
            *value = Complex32::new(*re, sign * im);
        }
    }
}
