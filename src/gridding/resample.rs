//! A plain SIN image from one on the slant grid of the plane of w, and the exact transpose.
//!
//! With the plane `w = a u + b v` taken out, few planes of w are needed, but the direction `(l, m)` appears at `l + a z`,
//! `m + b z`, `z = n - 1` (see [`super::Slant`]). An image of baselines of at most `f` cycles a pixel is band-limited, so its
//! values between pixels follow from its pixels: first along `l` at the rows `m'` of the slant grid, where the direction is at
//! `l + a z(l, m')`, then along `m`. The weights of `taps` pixels are the least squares over the band `-f .. f` for each place
//! between two pixels, as one polynomial a tap; what they reach is measured.

use ndarray::{Array2, ArrayView2, Axis};
use rayon::prelude::*;

use crate::math::linear::Cholesky;

use super::kernel::interpolate;
use super::params::{GridParams, WPlane};
use super::real::Real;
use super::simd::{has_vectors, lanes, lanes_mut, Vec8, LANES};
use super::sky::{Sky, Slant};
use super::Error;

/// Most pixels that take part.
const MOST_TAPS: usize = 14;
/// Bands narrower than this need no fewer taps, and their equations are all but singular \[cycles a pixel\].
const LEAST_BAND: f64 = 0.12;
/// Bands wider than this would need too many taps.
const MOST_BAND: f64 = 0.33;
/// Rows of one task.
const STRIP: usize = 128;

/// Weights of the pixels `1 - taps / 2 .. taps / 2` about a place `t` beyond pixel 0: polynomials in `2 t - 1`, highest
/// degree first, `[power][tap]`.
#[derive(Clone, Debug)]
struct Taps {
    count: usize,
    powers: Vec<Vec<f64>>,
}

impl Taps {
    /// The fewest that keep the error, rms over a band of frequencies and at the worst place, below `epsilon`.
    fn new(band: f64, epsilon: f64) -> Option<Self> {
        if band > MOST_BAND {
            return None;
        }
        let band = band.max(LEAST_BAND);
        (4..=MOST_TAPS).step_by(2).find_map(|count| {
            let exact = |t: f64| least_squares(count, band, t);
            if worst(band, &exact)? > 0.9 * epsilon {
                return None;
            }
            (count..count + 6).find_map(|degree| {
                let polynomials: Vec<Vec<f64>> = (0..count)
                    .map(|k| interpolate(degree, |s| exact(0.5 * (s + 1.0)).map_or(f64::NAN, |w| w[k])))
                    .collect();
                let powers = (0..=degree).rev().map(|p| polynomials.iter().map(|c| c[p]).collect()).collect();
                let taps = Self { count, powers };
                (worst(band, &|t| Some(taps.at(t)))? <= epsilon).then_some(taps)
            })
        })
    }

    fn at(&self, t: f64) -> Vec<f64> {
        let s = 2.0 * t - 1.0;
        (0..self.count).map(|k| self.powers.iter().fold(0.0, |sum, row| sum * s + row[k])).collect()
    }

    fn of<T: Real>(&self) -> Vec<T> {
        self.powers.iter().flatten().map(|c| T::of(*c)).collect()
    }
}

fn sinc(x: f64) -> f64 {
    let a = std::f64::consts::PI * x;
    if a.abs() < 1e-9 {
        1.0
    } else {
        a.sin() / a
    }
}

/// Place of a tap from pixel 0.
fn place(count: usize, tap: usize) -> f64 {
    tap as f64 + 1.0 - (count / 2) as f64
}

/// Weights of least mean square error of `exp(2 pi i f t)` over `|f| <= band`.
fn least_squares(count: usize, band: f64, t: f64) -> Option<Vec<f64>> {
    let between = |d: f64| sinc(2.0 * band * d);
    // Far below any accuracy asked for in single precision, and enough to keep the equations from being singular.
    let ridge = |i: usize, j: usize| if i == j { 1e-12 } else { 0.0 };
    let matrix: Vec<f64> = (0..count * count)
        .map(|i| between(place(count, i / count) - place(count, i % count)) + ridge(i / count, i % count))
        .collect();
    let mut weights: Vec<f64> = (0..count).map(|k| between(place(count, k) - t)).collect();
    Cholesky::new(&matrix, count).ok()?.solve(&mut weights);
    Some(weights)
}

/// Largest error over places, rms over the band.
fn worst(band: f64, weights: &dyn Fn(f64) -> Option<Vec<f64>>) -> Option<f64> {
    const PLACES: usize = 17;
    const FREQUENCIES: usize = 40;
    let mut worst = 0.0f64;
    for p in 0..PLACES {
        let t = p as f64 / (PLACES - 1) as f64;
        let w = weights(t)?;
        let (count, mut sum) = (w.len(), 0.0);
        for k in 0..FREQUENCIES {
            let turn = std::f64::consts::TAU * band * (k as f64 + 0.5) / FREQUENCIES as f64;
            let (mut re, mut im) = (-1.0, 0.0);
            for (tap, w) in w.iter().enumerate() {
                let (sin, cos) = (turn * (place(count, tap) - t)).sin_cos();
                re += w * cos;
                im += w * sin;
            }
            sum += re * re + im * im;
        }
        worst = worst.max((sum / FREQUENCIES as f64).sqrt());
    }
    worst.is_finite().then_some(worst)
}

/// How the image asked for follows from one on the slant grid.
#[derive(Debug)]
pub(super) struct Resampling {
    /// What was asked for.
    pub asked: GridParams,
    /// The image on the slant grid, a little larger.
    pub inner: GridParams,
    taps: Taps,
    slant: Slant,
    /// `l` of the image asked for, `m'` of the slant grid; and the image asked for.
    skies: [Sky; 2],
    /// Pixel of the slant grid under pixel 0 where nothing is shifted.
    base: [usize; 2],
}

/// Where the pixels of a row lie between those of another: the first tap's, relative to the pixel's own number along the row
/// or absolute across rows, and `2 t - 1`.
struct Row<T> {
    first: Vec<usize>,
    s: Vec<T>,
}

impl Resampling {
    /// For baselines up to `reach` \[wavelengths\] in `u` and `v`; `None` where the image is too coarse for them, or too small.
    ///
    /// # Errors
    /// Images that reach below the horizon.
    pub fn new(
        params: &GridParams,
        slant: Slant,
        reach: (f64, f64),
        epsilon: f64,
    ) -> Result<Option<Self>, Error> {
        // The slant stretches waves by the slope of the shift, per cents at most.
        let band = 1.05 * (reach.0 * params.cell_x_rad).max(reach.1 * params.cell_y_rad);
        let Some(taps) = Taps::new(band, epsilon).filter(|_| params.nx.min(params.ny) >= 8 * LANES) else {
            return Ok(None);
        };
        let plain = GridParams { do_w: true, ..params.clone() };
        let second = Sky::new(&plain, Slant::default())?;
        let mut inner = GridParams { w_plane: WPlane::Given(slant), divide_by_n: false, ..params.clone() };
        let (ny, base_y) = room(params.ny, slant.b / params.cell_y_rad, second.z_range, taps.count);
        inner.ny = ny;
        inner.center_m += params.cell_y_rad * ((ny / 2) as f64 - (params.ny / 2) as f64 - base_y as f64);
        let mixed = GridParams { nx: params.nx, center_l: params.center_l, ..inner.clone() };
        let first = Sky::new(&GridParams { do_w: true, ..mixed }, Slant { a: 0.0, b: slant.b })?;
        let (nx, base_x) = room(params.nx, slant.a / params.cell_x_rad, first.z_range, taps.count);
        inner.nx = nx;
        inner.center_l += params.cell_x_rad * ((nx / 2) as f64 - (params.nx / 2) as f64 - base_x as f64);
        let (asked, skies, base) = (params.clone(), [first, second], [base_x, base_y]);
        Ok(Some(Self { asked, inner, taps, slant, skies, base }))
    }

    /// Rows of the slant grid under row `x`, for every column of the slant grid.
    fn across<T: Real>(&self, x: usize) -> Row<T> {
        let mut shift = vec![0.0; self.inner.ny];
        self.skies[0].z_row(x, (0.0, self.slant.a / self.asked.cell_x_rad), &mut shift);
        self.row(&shift, x + self.base[0])
    }

    /// Columns of the slant grid under row `x`, less the columns' own numbers.
    fn along<T: Real>(&self, x: usize) -> Row<T> {
        let mut shift = vec![0.0; self.asked.ny];
        self.skies[1].z_row(x, (0.0, self.slant.b / self.asked.cell_y_rad), &mut shift);
        self.row(&shift, self.base[1])
    }

    fn row<T: Real>(&self, shift: &[f64], base: usize) -> Row<T> {
        let half = self.taps.count / 2 - 1;
        // Above zero, so that a cast is a floor: shifts are bounded by the room that was made for them.
        let (first, s) = shift
            .iter()
            .map(|d| {
                let at = base as f64 + d;
                let pixel = at as usize;
                (pixel - half, T::of(2.0 * (at - pixel as f64) - 1.0))
            })
            .unzip();
        Row { first, s }
    }

    /// `1 / n` along the row `x` of the image asked for, where that is asked for.
    fn inverse_n<T: Real>(&self, x: usize) -> Option<Vec<T>> {
        let sky = &self.skies[1];
        self.asked.divide_by_n.then(|| (0..self.asked.ny).map(|y| T::of(sky.per_n(x, y))).collect())
    }

    /// The image asked for, from that on the slant grid.
    pub fn image<T: Real>(&self, inner: &Array2<T>) -> Array2<T> {
        let mut out = Array2::from_elem((self.asked.nx, self.asked.ny), T::of(0.0));
        let taps = self.taps.of::<T>();
        let source = inner.as_slice().unwrap_or(&[]);
        let pass = |row: &Row<T>, source: &[T], stride: usize, out: &mut [T]| {
            gather(&taps, self.taps.count, row, (source, stride), out);
        };
        out.axis_iter_mut(Axis(0)).into_par_iter().enumerate().for_each_init(
            || vec![T::of(0.0); self.inner.ny],
            |middle, (x, mut out)| {
                pass(&self.across(x), source, self.inner.ny, middle);
                // Rows of an Array2 made here are contiguous.
                if let Some(out) = out.as_slice_mut() {
                    pass(&self.along(x), middle, 1, out);
                }
                if let Some(factor) = self.inverse_n::<T>(x) {
                    out.iter_mut().zip(factor).for_each(|(v, f)| *v *= f);
                }
            },
        );
        out
    }

    /// The transpose of [`Self::image`]: the image on the slant grid whose visibilities are those of `image_xy`.
    pub fn spread<T: Real>(&self, image_xy: ArrayView2<'_, T>) -> Array2<T> {
        let (nx, ny) = (self.inner.nx, self.inner.ny);
        let taps = self.taps.of::<T>();
        let parts: Vec<(usize, Vec<T>)> = (0..self.asked.nx)
            .step_by(STRIP)
            .collect::<Vec<_>>()
            .into_par_iter()
            .map(|x0| self.strip(x0..(x0 + STRIP).min(self.asked.nx), image_xy, &taps))
            .collect();
        let mut out = Array2::from_elem((nx, ny), T::of(0.0));
        out.axis_iter_mut(Axis(0)).into_par_iter().enumerate().for_each(|(row, mut out)| {
            // In the order of strips, whatever the threads.
            for (first, part) in &parts {
                if row >= *first && (row - first + 1) * ny <= part.len() {
                    let own = &part[(row - first) * ny..(row - first + 1) * ny];
                    out.iter_mut().zip(own).for_each(|(o, v)| *o += *v);
                }
            }
        });
        out
    }

    /// What rows `range` of an image add to the slant grid, from a row of it on.
    fn strip<T: Real>(
        &self,
        range: std::ops::Range<usize>,
        image_xy: ArrayView2<'_, T>,
        taps: &[T],
    ) -> (usize, Vec<T>) {
        let (ny, count) = (self.inner.ny, self.taps.count);
        let mut rows: Vec<Row<T>> = range.clone().map(|x| self.across(x)).collect();
        let all = rows.iter().flat_map(|r| &r.first).copied();
        let (low, high) = all.fold((usize::MAX, 0), |(a, b), f| (a.min(f), b.max(f)));
        let mut out = vec![T::of(0.0); (high + count - low) * ny];
        let mut middle = vec![T::of(0.0); ny];
        for (x, across) in range.zip(&mut rows) {
            across.first.iter_mut().for_each(|f| *f -= low);
            let mut pixels = image_xy.row(x).to_vec();
            if let Some(factor) = self.inverse_n::<T>(x) {
                pixels.iter_mut().zip(factor).for_each(|(v, f)| *v *= f);
            }
            middle.fill(T::of(0.0));
            scatter(taps, count, &self.along(x), (&mut middle, 1), &pixels);
            scatter(taps, count, across, (&mut out, ny), &middle);
        }
        (low, out)
    }
}

/// Pixels of the slant grid along an axis, and the one under pixel 0: room for shifts `slope * z` and for the taps, and one pixel
/// more on each side, since lanes that differ are treated together.
fn room(pixels: usize, slope: f64, z_range: (f64, f64), taps: usize) -> (usize, usize) {
    let (a, b) = (slope * z_range.0, slope * z_range.1);
    let (low, high) = (a.min(b), a.max(b));
    let edge = taps / 2 + 3;
    let base = (edge as f64 - low).ceil() as usize;
    let all = pixels + base + high.ceil().max(0.0) as usize + edge;
    (all.next_multiple_of(2), base)
}

/// The weights of eight places.
#[inline(always)]
fn weights<T: Real, V: Vec8<T>>(taps: &[T], count: usize, s: V) -> [V; MOST_TAPS] {
    let mut w = [V::splat(T::of(0.0)); MOST_TAPS];
    for row in taps.chunks_exact(count) {
        for (w, c) in w.iter_mut().zip(row) {
            *w = w.muladd(s, V::splat(*c));
        }
    }
    w
}

/// The lanes of a block that share a first tap with lane `lane`, when it is the first that does.
#[inline(always)]
fn group(first: &[usize; LANES], lane: usize) -> Option<[bool; LANES]> {
    let same = first.map(|f| f == first[lane]);
    (!same[..lane].contains(&true)).then_some(same)
}

/// `out[j] = sum_k w_k(s_j) source[(first_j + k) * stride + j]`.
#[inline(always)]
fn gather_body<T: Real, V: Vec8<T>>(
    taps: &[T],
    count: usize,
    row: &Row<T>,
    (source, stride): (&[T], usize),
    out: &mut [T],
) {
    let n = out.len();
    for block in 0..n.div_ceil(LANES) {
        // The last block overlaps the one before it and computes the same again.
        let j = (block * LANES).min(n - LANES);
        let w = weights::<T, V>(taps, count, V::load(lanes(&row.s, j)));
        let first = lanes(&row.first, j);
        for lane in 0..LANES {
            let Some(same) = group(first, lane) else { continue };
            let mut sum = V::splat(T::of(0.0));
            for (k, w) in w.iter().enumerate().take(count) {
                sum = w.muladd(V::load(lanes(source, (first[lane] + k) * stride + j)), sum);
            }
            if same == [true; LANES] {
                sum.store(lanes_mut(out, j));
                break;
            }
            let mut values = [T::of(0.0); LANES];
            sum.store(&mut values);
            for (i, value) in values.into_iter().enumerate().filter(|(i, _)| same[*i]) {
                out[j + i] = value;
            }
        }
    }
}

/// `out[(first_j + k) * stride + j] += w_k(s_j) source[j]`.
#[inline(always)]
fn scatter_body<T: Real, V: Vec8<T>>(
    taps: &[T],
    count: usize,
    row: &Row<T>,
    (out, stride): (&mut [T], usize),
    source: &[T],
) {
    let n = source.len();
    for block in 0..n.div_ceil(LANES) {
        let j = (block * LANES).min(n - LANES);
        // Lanes of the last block that the one before it has added already.
        let done = block * LANES - j;
        let w = weights::<T, V>(taps, count, V::load(lanes(&row.s, j)));
        let first = lanes(&row.first, j);
        for lane in 0..LANES {
            let Some(same) = group(first, lane) else { continue };
            let mut values = *lanes(source, j);
            for (i, value) in values.iter_mut().enumerate() {
                if i < done || !same[i] {
                    *value = T::of(0.0);
                }
            }
            let values = V::load(&values);
            for (k, w) in w.iter().enumerate().take(count) {
                let place = lanes_mut(out, (first[lane] + k) * stride + j);
                w.muladd(values, V::load(place)).store(place);
            }
            if same == [true; LANES] {
                break;
            }
        }
    }
}

/// # Safety
/// The machine has AVX2 and FMA.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn gather_vector<T: Real>(
    taps: &[T],
    count: usize,
    row: &Row<T>,
    source: (&[T], usize),
    out: &mut [T],
) {
    gather_body::<T, T::Fast>(taps, count, row, source, out);
}

/// # Safety
/// The machine has AVX2 and FMA.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn scatter_vector<T: Real>(
    taps: &[T],
    count: usize,
    row: &Row<T>,
    out: (&mut [T], usize),
    source: &[T],
) {
    scatter_body::<T, T::Fast>(taps, count, row, out, source);
}

fn gather<T: Real>(taps: &[T], count: usize, row: &Row<T>, source: (&[T], usize), out: &mut [T]) {
    #[cfg(target_arch = "x86_64")]
    if has_vectors() {
        // SAFETY: the features were detected just now.
        return unsafe { gather_vector(taps, count, row, source, out) };
    }
    gather_body::<T, T::Plain>(taps, count, row, source, out);
}

fn scatter<T: Real>(taps: &[T], count: usize, row: &Row<T>, out: (&mut [T], usize), source: &[T]) {
    #[cfg(target_arch = "x86_64")]
    if has_vectors() {
        // SAFETY: the features were detected just now.
        return unsafe { scatter_vector(taps, count, row, out, source) };
    }
    scatter_body::<T, T::Plain>(taps, count, row, out, source);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taps_reach_their_accuracy_and_too_coarse_an_image_has_none() {
        for (band, epsilon) in [(0.05, 2e-6), (0.19, 2e-5), (0.19, 2e-6), (0.3, 2e-4)] {
            let taps = Taps::new(band, epsilon).unwrap();
            assert!(worst(band.max(LEAST_BAND), &|t| Some(taps.at(t))).unwrap() <= epsilon);
        }
        assert!(Taps::new(0.19, 2e-5).unwrap().count <= 10);
        assert!(Taps::new(0.4, 1e-2).is_none());
    }

    /// A wave on the slant grid comes out as the wave it is on the plain one; and the way back is the transpose.
    #[test]
    fn waves_keep_their_shape_and_the_transpose_is_exact() {
        let cell = 4e-4;
        let mut params = GridParams::new(150, 202, cell, cell);
        (params.center_l, params.center_m, params.divide_by_n) = (3.0 * cell, 0.004, true);
        let slant = Slant { a: -0.31, b: 0.44 };
        let (u, v) = (0.15 / cell, -0.11 / cell);
        let epsilon = 2e-6;
        let r = Resampling::new(&params, slant, (u, -v), epsilon).unwrap().unwrap();
        let sky = Sky::new(&r.inner, slant).unwrap();
        let wave = |l: f64, m: f64| (std::f64::consts::TAU * (u * l + v * m)).cos();
        let inner = Array2::from_shape_fn((r.inner.nx, r.inner.ny), |(x, y)| wave(sky.l(x), sky.m(y)));
        let image = r.image(&inner);
        let plain = Sky::new(&params, Slant::default()).unwrap();
        for ((x, y), value) in image.indexed_iter() {
            let (l, m) = slant.project(plain.l(x), plain.m(y));
            let expected = wave(l, m) / (1.0 + plain.z(x, y));
            // Rms over waves and positions is epsilon a pass; one wave at one place may be several times that.
            assert!((value - expected).abs() < 6.0 * epsilon, "{x} {y}: {value} {expected}");
        }
        let mut seed = 1u64;
        let mut next = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 11) as f64 / (1u64 << 53) as f64 - 0.5
        };
        let a = Array2::from_shape_simple_fn(inner.dim(), &mut next);
        let b = Array2::from_shape_simple_fn(image.dim(), &mut next);
        let (there, back) = ((&r.image(&a) * &b).sum(), (&r.spread(b.view()) * &a).sum());
        assert!((there - back).abs() < 1e-12 * there.abs().max(1.0), "{there} {back}");
    }
}
