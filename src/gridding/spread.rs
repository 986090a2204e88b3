//! Visibilities onto the uv planes and back, tile by tile.
//!
//! Tiles are taken in four colours (even and odd rows and columns of tiles): tiles of one colour are so far apart that
//! what they add to the grid never overlaps, so there are no locks, and the sums do not depend on the number of threads.

use std::sync::atomic::{AtomicUsize, Ordering};

use num_complex::Complex;
use rayon::prelude::*;

use crate::control::Control;
use crate::kind::BadArgument;

use super::frame::{Frame, Ray};
use super::real::Real;
use super::runs::{Block, Buckets, Run};
use super::tile::{Batch, Loops, Sample, Shape};
use super::wterm::WTerm;
use super::Error;

/// Samples treated at once, and phases.
const CHUNK: usize = 256;
const LANES: usize = 16;

/// Values of one block, row by row as its tables say, and their weights.
#[derive(Clone, Copy)]
pub(super) struct Values<'a, T> {
    pub vis: &'a [Complex<T>],
    pub weight: Option<&'a [T]>,
}

/// Padded uv planes, plane by plane.
pub(super) struct Planes<T> {
    pub data: Vec<Complex<T>>,
    pub stride: usize,
    pub rows: usize,
    /// The planes of the w term held here.
    pub which: std::ops::Range<usize>,
}

/// The error of a NaN or infinity whose weight is not zero.
pub(super) fn not_finite(row: usize) -> Error {
    let found = format!("NaN or infinity in row {row}");
    BadArgument::new("vis, weight", "finite values where the weight is not zero", found).into()
}

/// What the loops over tiles need to know.
pub(super) struct Context<'a, T> {
    pub frame: &'a Frame,
    pub wterm: &'a WTerm,
    pub blocks: &'a [Block],
    pub buckets: &'a Buckets,
    pub loops: Loops<T>,
    /// Whether any phase has to be taken out of the visibilities.
    pub shifted: bool,
}

/// A pointer that tiles write through, each to places of its own.
struct Shared<T>(*mut T, usize);
// SAFETY: every use writes to places that no other thread touches meanwhile; see the two users below.
unsafe impl<T: Send> Sync for Shared<T> {}

impl<T: Real> Planes<T> {
    pub fn zero(stride: usize, rows: usize, which: std::ops::Range<usize>) -> Self {
        Self { data: T::zeros(stride * rows * which.len()), stride, rows, which }
    }
}

/// Turns the phases of a run's samples by `exp(2 pi i sign turns f)`.
fn turn<T: Real>(samples: &mut [Sample<T>], ray: &Ray, freq: &[f64], sign: f64) {
    #[cfg(target_arch = "x86_64")]
    if super::simd::has_vectors() {
        // SAFETY: the features were just detected.
        return unsafe { turn_vector(samples, ray, freq, sign) };
    }
    turn_body(samples, ray, freq, sign);
}

/// # Safety
/// The machine has AVX2 and FMA.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn turn_vector<T: Real>(samples: &mut [Sample<T>], ray: &Ray, freq: &[f64], sign: f64) {
    turn_body(samples, ray, freq, sign);
}

#[inline(always)]
fn turn_body<T: Real>(samples: &mut [Sample<T>], ray: &Ray, freq: &[f64], sign: f64) {
    let (mut cos, mut sin) = ([T::of(0.0); LANES], [T::of(0.0); LANES]);
    let mut turns = [0.0; LANES];
    for (samples, freq) in samples.chunks_mut(LANES).zip(freq.chunks(LANES)) {
        for (t, f) in turns.iter_mut().zip(freq) {
            *t = sign * ray.turns * f;
        }
        T::phasors(&turns, &mut cos, &mut sin);
        for ((sample, c), s) in samples.iter_mut().zip(&cos).zip(&sin) {
            (sample.re, sample.im) = (sample.re * *c - sample.im * *s, sample.re * *s + sample.im * *c);
        }
    }
}

impl<T: Real> Context<'_, T> {
    fn shape(&self, planes: usize) -> Shape {
        let frame = self.frame;
        Shape { rows: frame.tile + frame.support, columns: frame.tile + self.loops.width(), planes }
    }

    /// Occupied tiles by colour, heaviest first.
    fn colours(&self) -> [Vec<usize>; 4] {
        let mut colours: [Vec<usize>; 4] = Default::default();
        for (i, (tile, _)) in self.buckets.tiles.iter().enumerate() {
            let (row, column) = (tile / self.frame.tiles_u, tile % self.frame.tiles_u);
            colours[row % 2 * 2 + column % 2].push(i);
        }
        let weight = |i: &usize| {
            let runs = &self.buckets.runs[self.buckets.tiles[*i].1.clone()];
            std::cmp::Reverse(runs.iter().map(|run| run.count as usize).sum::<usize>())
        };
        for colour in &mut colours {
            colour.sort_by_cached_key(weight);
        }
        colours
    }

    /// Place the samples `first..` of a run in the batch.
    fn place(
        &self,
        run: &Run,
        first: usize,
        origin: (usize, usize),
        shape: Shape,
        which: &std::ops::Range<usize>,
        batch: &mut Batch<T>,
    ) {
        #[cfg(target_arch = "x86_64")]
        if self.loops.vector() {
            // SAFETY: `vector` is true only after the features were detected.
            return unsafe { self.place_vector(run, first, origin, shape, which, batch) };
        }
        self.place_body(run, first, origin, shape, which, batch);
    }

    /// # Safety
    /// The machine has AVX2 and FMA.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma")]
    unsafe fn place_vector(
        &self,
        run: &Run,
        first: usize,
        origin: (usize, usize),
        shape: Shape,
        which: &std::ops::Range<usize>,
        batch: &mut Batch<T>,
    ) {
        self.place_body(run, first, origin, shape, which, batch);
    }

    #[inline(always)]
    fn place_body(
        &self,
        run: &Run,
        first: usize,
        origin: (usize, usize),
        shape: Shape,
        which: &std::ops::Range<usize>,
        batch: &mut Batch<T>,
    ) {
        let block = &self.blocks[run.block as usize];
        let ray = self.frame.ray(block.uvw_m[run.row as usize]);
        let (table, _) = block.row(run.row as usize);
        let start = run.start as usize + first;
        let count = CHUNK.min(run.count as usize - first);
        batch.samples.clear();
        for (i, &f) in table[start..start + count].iter().enumerate() {
            let spot = self.frame.locate(&ray, f);
            let weights = &mut batch.weights[i * batch.planes_each..(i + 1) * batch.planes_each];
            let (plane, planes) = self.wterm.weights(spot.w, which, weights);
            let at = (spot.row - origin.0) * 2 * shape.columns + spot.column - origin.1;
            batch.samples.push(Sample {
                re: T::of(0.0),
                im: T::of(0.0),
                su: T::of(2.0 * spot.tu - 1.0),
                sv: T::of(2.0 * spot.tv - 1.0),
                at: at as u32,
                plane,
                planes,
            });
        }
    }

    fn conjugated(&self, run: &Run) -> bool {
        let block = &self.blocks[run.block as usize];
        let (table, _) = block.row(run.row as usize);
        // Runs are cut where the conjugation changes.
        self.frame.locate(&self.frame.ray(block.uvw_m[run.row as usize]), table[run.start as usize]).conjugate
    }

    /// Weighted values of the batch; a weight of zero hides whatever the visibility is. Returns whether all were finite.
    fn fetch(&self, run: &Run, first: usize, values: &[Values<'_, T>], batch: &mut Batch<T>) -> bool {
        let block = &self.blocks[run.block as usize];
        let row = run.row as usize;
        let (table, offset) = block.row(row);
        let start = run.start as usize + first;
        let count = batch.samples.len();
        let values = &values[run.block as usize];
        let vis = &values.vis[offset + start..offset + start + count];
        let zero = T::of(0.0);
        let mut check = zero;
        match values.weight {
            Some(weight) => {
                let weight = &weight[offset + start..offset + start + count];
                for ((sample, v), &w) in batch.samples.iter_mut().zip(vis).zip(weight) {
                    (sample.re, sample.im) = if w == zero { (zero, zero) } else { (v.re * w, v.im * w) };
                    check += (sample.re + sample.im) * zero;
                }
            }
            None => {
                for (sample, v) in batch.samples.iter_mut().zip(vis) {
                    (sample.re, sample.im) = (v.re, v.im);
                    check += (sample.re + sample.im) * zero;
                }
            }
        }
        if self.shifted {
            let ray = self.frame.ray(block.uvw_m[row]);
            turn(&mut batch.samples, &ray, &table[start..start + count], -1.0);
        }
        check == zero
    }

    /// Sum all visibilities onto the planes.
    pub fn spread(
        &self,
        values: &[Values<'_, T>],
        planes: &mut Planes<T>,
        control: &Control,
    ) -> Result<(), Error> {
        let shape = self.shape(planes.which.len());
        let bad = AtomicUsize::new(usize::MAX);
        let (stride, rows, which) = (planes.stride, planes.rows, planes.which.clone());
        let shared = Shared(planes.data.as_mut_ptr(), planes.data.len());
        for colour in self.colours() {
            let make = || (vec![T::of(0.0); shape.len()], self.batch(which.len()));
            colour.par_iter().with_max_len(1).try_for_each_init(make, |(buffer, batch), &index| {
                let (tile, range) = &self.buckets.tiles[index];
                let origin = self.origin(*tile);
                buffer.fill(T::of(0.0));
                for (i, run) in self.buckets.runs[range.clone()].iter().enumerate() {
                    if i % 64 == 0 {
                        control.check()?;
                    }
                    let conjugate = self.conjugated(run);
                    for first in (0..run.count as usize).step_by(CHUNK) {
                        self.place(run, first, origin, shape, &which, batch);
                        if !self.fetch(run, first, values, batch) {
                            bad.fetch_min(run.row as usize, Ordering::Relaxed);
                        }
                        if conjugate {
                            batch.samples.iter_mut().for_each(|s| s.im = -s.im);
                        }
                        self.loops.spread(batch, shape, buffer);
                    }
                }
                let _ = &shared;
                for plane in 0..which.len() {
                    let source = &buffer[plane * shape.plane()..(plane + 1) * shape.plane()];
                    let order = if self.wterm.real() { (which.start + plane) % 4 } else { 0 };
                    for r in 0..shape.rows.min(rows - origin.0) {
                        let start = (plane * rows + origin.0 + r) * stride + origin.1;
                        assert!(start + shape.columns <= shared.1);
                        // SAFETY: in bounds by the assertion; tiles of one colour are two tiles apart and a tile's patch is at
                        // most two tiles wide and high, so no other thread of this colour writes here.
                        let target =
                            unsafe { std::slice::from_raw_parts_mut(shared.0.add(start), shape.columns) };
                        let (re, im) =
                            source[2 * r * shape.columns..][..2 * shape.columns].split_at(shape.columns);
                        add_rotated(target, re, im, order);
                    }
                }
                Ok::<(), Error>(())
            })?;
        }
        match bad.into_inner() {
            usize::MAX => Ok(()),
            row => Err(not_finite(row)),
        }
    }

    fn batch(&self, planes: usize) -> Batch<T> {
        let planes_each = self.wterm.planes_each().min(planes).max(1);
        Batch {
            samples: Vec::with_capacity(CHUNK),
            weights: vec![T::of(0.0); CHUNK * planes_each],
            planes_each,
        }
    }

    /// First row and column of a tile.
    fn origin(&self, tile: usize) -> (usize, usize) {
        let frame = self.frame;
        (tile / frame.tiles_u * frame.tile, tile % frame.tiles_u * frame.tile)
    }

    /// Read all visibilities from the planes, adding to `out` (one slice a block).
    pub fn gather(
        &self,
        planes: &Planes<T>,
        out: &mut [&mut [Complex<T>]],
        control: &Control,
    ) -> Result<(), Error> {
        let shape = self.shape(planes.which.len());
        let which = planes.which.clone();
        let shared: Vec<Shared<Complex<T>>> =
            out.iter_mut().map(|o| Shared(o.as_mut_ptr(), o.len())).collect();
        let make = || (vec![T::of(0.0); shape.len()], self.batch(which.len()));
        let order: Vec<usize> = self.colours().concat();
        order.par_iter().with_max_len(1).try_for_each_init(make, |(buffer, batch), &index| {
            let (tile, range) = &self.buckets.tiles[index];
            let origin = self.origin(*tile);
            self.load(planes, origin, shape, buffer);
            for (i, run) in self.buckets.runs[range.clone()].iter().enumerate() {
                if i % 64 == 0 {
                    control.check()?;
                }
                let block = &self.blocks[run.block as usize];
                let (table, offset) = block.row(run.row as usize);
                let conjugate = self.conjugated(run);
                for first in (0..run.count as usize).step_by(CHUNK) {
                    self.place(run, first, origin, shape, &which, batch);
                    self.loops.gather(batch, shape, buffer);
                    if conjugate {
                        batch.samples.iter_mut().for_each(|s| s.im = -s.im);
                    }
                    let start = run.start as usize + first;
                    if self.shifted {
                        let ray = self.frame.ray(block.uvw_m[run.row as usize]);
                        turn(&mut batch.samples, &ray, &table[start..], 1.0);
                    }
                    let target = &shared[run.block as usize];
                    assert!(offset + start + batch.samples.len() <= target.1);
                    // SAFETY: in bounds by the assertion; every sample belongs to exactly one run.
                    let target = unsafe {
                        std::slice::from_raw_parts_mut(target.0.add(offset + start), batch.samples.len())
                    };
                    for (t, s) in target.iter_mut().zip(&batch.samples) {
                        *t += Complex::new(s.re, s.im);
                    }
                }
            }
            Ok(())
        })
    }

    /// Copy a tile's patch of every plane into the buffer.
    fn load(&self, planes: &Planes<T>, origin: (usize, usize), shape: Shape, buffer: &mut [T]) {
        for plane in 0..shape.planes {
            let target = &mut buffer[plane * shape.plane()..(plane + 1) * shape.plane()];
            let order = if self.wterm.real() { (planes.which.start + plane) % 4 } else { 0 };
            for r in 0..shape.rows {
                let (re, im) =
                    target[2 * r * shape.columns..][..2 * shape.columns].split_at_mut(shape.columns);
                if origin.0 + r >= planes.rows {
                    re.fill(T::of(0.0));
                    im.fill(T::of(0.0));
                    continue;
                }
                let start = (plane * planes.rows + origin.0 + r) * planes.stride + origin.1;
                let source = &planes.data[start..start + shape.columns];
                for ((re, im), s) in re.iter_mut().zip(im).zip(source) {
                    // exp(i pi order / 2), the conjugate of what spreading applies.
                    (*re, *im) = match order {
                        0 => (s.re, s.im),
                        1 => (-s.im, s.re),
                        2 => (-s.re, -s.im),
                        _ => (s.im, -s.re),
                    };
                }
            }
        }
    }
}

/// Add `(re + i im) exp(-i pi order / 2)`.
fn add_rotated<T: Real>(target: &mut [Complex<T>], re: &[T], im: &[T], order: usize) {
    for ((t, &re), &im) in target.iter_mut().zip(re).zip(im) {
        *t += match order {
            0 => Complex::new(re, im),
            1 => Complex::new(im, -re),
            2 => Complex::new(-re, -im),
            _ => Complex::new(-im, re),
        };
    }
}

/// Fold what kernels left outside a plane's proper rows and columns back into it. `rows` are all rows held.
pub(super) fn fold<T: Real>(frame: &Frame, plane: &mut [Complex<T>], stride: usize) {
    let (nu, nv, halo, span) = (frame.nu, frame.nv, frame.halo, frame.along_u);
    if span.periodic {
        plane.par_chunks_mut(stride).for_each(|row| {
            for c in (0..halo).chain(nu + halo..stride) {
                let to = if c < halo { c + nu } else { c - nu };
                let value = row[c];
                // On a tiny grid the far halo can reach beyond one period.
                row[halo + (to - halo) % nu] += value;
            }
        });
    }
    if !frame.along_v.periodic {
        return;
    }
    let rows = plane.len() / stride;
    let top = frame.proper_rows() + halo;
    for r in (0..halo.min(rows)).chain(top..rows.max(top)) {
        let (source, conjugate) = (r, frame.half);
        let v = (r + nv - halo) % nv;
        let to = halo + if conjugate { (nv - v) % nv } else { v };
        if to == source || to >= rows {
            continue;
        }
        for u in 0..span.cells {
            let value = plane[source * stride + halo + u];
            let target = if conjugate { span.mirror(u) } else { u };
            plane[to * stride + halo + target] += if conjugate { value.conj() } else { value };
        }
    }
}

/// The adjoint of [`fold`]: fill the halo from the plane's proper part.
pub(super) fn unfold<T: Real>(frame: &Frame, plane: &mut [Complex<T>], stride: usize) {
    let (nu, nv, halo, span) = (frame.nu, frame.nv, frame.halo, frame.along_u);
    let rows = if frame.along_v.periodic { plane.len() / stride } else { 0 };
    let top = frame.proper_rows() + halo;
    for r in (0..halo.min(rows)).chain(top..rows.max(top)) {
        let v = (r + nv - halo) % nv;
        let from = halo + if frame.half { (nv - v) % nv } else { v };
        if from >= rows || from == r {
            continue;
        }
        for u in 0..span.cells {
            let source = if frame.half { span.mirror(u) } else { u };
            let value = plane[from * stride + halo + source];
            plane[r * stride + halo + u] = if frame.half { value.conj() } else { value };
        }
    }
    if span.periodic {
        plane.par_chunks_mut(stride).for_each(|row| {
            for c in (0..halo).chain(nu + halo..stride) {
                let from = if c < halo { c + nu } else { c - nu };
                row[c] = row[halo + (from - halo) % nu];
            }
        });
    }
}
