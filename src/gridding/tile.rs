//! The innermost loops: a few hundred samples onto, or from, one tile's private buffer.
//!
//! The buffer holds, for every plane and row, the real parts of a row and then its imaginary parts, so that a kernel row of
//! `LANES` values is one or two vector instructions. The bodies are compiled once plainly and once for AVX2 with FMA; which
//! one runs is decided when a plan is used.

use super::kernel::Kernel;
use super::real::Real;
use super::simd::{has_vectors, lanes, lanes_mut, Vec8, LANES};

/// A sample in a tile.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sample<T> {
    pub re: T,
    pub im: T,
    /// Kernel arguments, `2 t - 1`.
    pub su: T,
    pub sv: T,
    /// Offset of the first row and column in a plane of the buffer.
    pub at: u32,
    /// First plane and number of planes.
    pub plane: u16,
    pub planes: u16,
}

/// Samples of one run and their weights in the planes.
#[derive(Debug)]
pub(super) struct Batch<T> {
    pub samples: Vec<Sample<T>>,
    /// `planes_each` weights a sample.
    pub weights: Vec<T>,
    pub planes_each: usize,
}

/// Geometry of a tile's buffer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    /// Rows: tile and kernel.
    pub rows: usize,
    /// Columns: tile and kernel lanes.
    pub columns: usize,
    pub planes: usize,
}

impl Shape {
    #[inline(always)]
    pub fn plane(&self) -> usize {
        2 * self.rows * self.columns
    }

    pub fn len(&self) -> usize {
        self.plane() * self.planes
    }
}

/// Kernel values of all taps at `s`, as `N` vectors.
#[inline(always)]
fn evaluate<T: Real, V: Vec8<T>, const N: usize>(powers: &[[[T; LANES]; N]], s: T) -> [V; N] {
    let argument = V::splat(s);
    let mut sum = [V::splat(T::of(0.0)); N];
    for row in powers {
        for n in 0..N {
            sum[n] = sum[n].muladd(argument, V::load(&row[n]));
        }
    }
    sum
}

/// As [`evaluate`], in memory, for one tap at a time.
#[inline(always)]
fn evaluate_taps<T: Real, V: Vec8<T>, const N: usize>(powers: &[[[T; LANES]; N]], s: T) -> [[T; LANES]; N] {
    let mut out = [[T::of(0.0); LANES]; N];
    for (out, value) in out.iter_mut().zip(evaluate::<T, V, N>(powers, s)) {
        value.store(out);
    }
    out
}

#[inline(always)]
fn spread_body<T: Real, V: Vec8<T>, const W: usize, const N: usize>(
    batch: &Batch<T>,
    powers: &[[[T; LANES]; N]],
    shape: Shape,
    buffer: &mut [T],
) {
    let step = 2 * shape.columns;
    let zero = T::of(0.0);
    for (sample, weights) in batch.samples.iter().zip(batch.weights.chunks_exact(batch.planes_each)) {
        if sample.re == zero && sample.im == zero {
            continue;
        }
        let ku = evaluate::<T, V, N>(powers, sample.su);
        let kv = evaluate_taps::<T, V, N>(powers, sample.sv);
        for plane in 0..sample.planes as usize {
            let weight = weights[plane];
            let (re, im) = (sample.re * weight, sample.im * weight);
            let start = (sample.plane as usize + plane) * shape.plane() + sample.at as usize;
            let patch = &mut buffer[start..start + (W - 1) * step + shape.columns + N * LANES];
            for j in 0..W {
                let k = kv[j / LANES][j % LANES];
                let (a, b) = (V::splat(re * k), V::splat(im * k));
                for n in 0..N {
                    let real = lanes_mut(patch, j * step + n * LANES);
                    a.muladd(ku[n], V::load(real)).store(real);
                    let imaginary = lanes_mut(patch, j * step + shape.columns + n * LANES);
                    b.muladd(ku[n], V::load(imaginary)).store(imaginary);
                }
            }
        }
    }
}

#[inline(always)]
fn gather_body<T: Real, V: Vec8<T>, const W: usize, const N: usize>(
    batch: &mut Batch<T>,
    powers: &[[[T; LANES]; N]],
    shape: Shape,
    buffer: &[T],
) {
    let step = 2 * shape.columns;
    let zero = V::splat(T::of(0.0));
    for (sample, weights) in batch.samples.iter_mut().zip(batch.weights.chunks_exact(batch.planes_each)) {
        let ku = evaluate::<T, V, N>(powers, sample.su);
        let kv = evaluate_taps::<T, V, N>(powers, sample.sv);
        let (mut re, mut im) = ([zero; N], [zero; N]);
        for plane in 0..sample.planes as usize {
            let weight = weights[plane];
            let start = (sample.plane as usize + plane) * shape.plane() + sample.at as usize;
            let patch = &buffer[start..start + (W - 1) * step + shape.columns + N * LANES];
            for j in 0..W {
                let k = V::splat(kv[j / LANES][j % LANES] * weight);
                for n in 0..N {
                    re[n] = k.muladd(V::load(lanes(patch, j * step + n * LANES)), re[n]);
                    im[n] = k.muladd(V::load(lanes(patch, j * step + shape.columns + n * LANES)), im[n]);
                }
            }
        }
        (sample.re, sample.im) = (dot::<T, V, N>(re, ku), dot::<T, V, N>(im, ku));
    }
}

#[inline(always)]
fn dot<T: Real, V: Vec8<T>, const N: usize>(a: [V; N], b: [V; N]) -> T {
    let mut sum = a[0].times(b[0]);
    for n in 1..N {
        sum = a[n].muladd(b[n], sum);
    }
    let mut x = [T::of(0.0); LANES];
    sum.store(&mut x);
    ((x[0] + x[4]) + (x[2] + x[6])) + ((x[1] + x[5]) + (x[3] + x[7]))
}

/// The kernel's polynomials in the precision and width of the loops.
#[derive(Debug)]
pub(super) enum Lanes<T> {
    Narrow(Vec<[[T; LANES]; 1]>),
    Wide(Vec<[[T; LANES]; 2]>),
}

/// The loops of one kernel, for this machine.
#[derive(Debug)]
pub(super) struct Loops<T> {
    support: usize,
    lanes: Lanes<T>,
    vector: bool,
}

macro_rules! variants {
    ($plain:ident, $vector:ident, $body:ident, $batch:ty, $buffer:ty) => {
        fn $plain<T: Real, const W: usize, const N: usize>(
            batch: $batch,
            powers: &[[[T; LANES]; N]],
            shape: Shape,
            buffer: $buffer,
        ) {
            $body::<T, T::Plain, W, N>(batch, powers, shape, buffer);
        }

        /// # Safety
        /// The machine has AVX2 and FMA.
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx2,fma")]
        unsafe fn $vector<T: Real, const W: usize, const N: usize>(
            batch: $batch,
            powers: &[[[T; LANES]; N]],
            shape: Shape,
            buffer: $buffer,
        ) {
            $body::<T, T::Fast, W, N>(batch, powers, shape, buffer);
        }
    };
}

variants!(spread_plain, spread_vector, spread_body, &Batch<T>, &mut [T]);
variants!(gather_plain, gather_vector, gather_body, &mut Batch<T>, &[T]);

macro_rules! with_support {
    ($self:ident, $plain:ident, $vector:ident, $batch:ident, $shape:ident, $buffer:ident; $($narrow:literal)*; $($wide:literal)*) => {
        match (&$self.lanes, $self.support) {
            $((Lanes::Narrow(powers), $narrow) => call!($self, $plain, $vector, $narrow, 1, ($batch, powers, $shape, $buffer)),)*
            $((Lanes::Wide(powers), $wide) => call!($self, $plain, $vector, $wide, 2, ($batch, powers, $shape, $buffer)),)*
            _ => unreachable!("kernels have 2 to 16 cells"),
        }
    };
}

macro_rules! call {
    ($self:ident, $plain:ident, $vector:ident, $w:literal, $p:literal, ($($arguments:expr),*)) => {{
        #[cfg(target_arch = "x86_64")]
        if $self.vector {
            // SAFETY: `vector` is set only after the features were detected.
            return unsafe { $vector::<T, $w, $p>($($arguments),*) };
        }
        $plain::<T, $w, $p>($($arguments),*)
    }};
}

impl<T: Real> Loops<T> {
    pub fn new(kernel: &Kernel) -> Self {
        let lanes =
            if kernel.support <= 8 { Lanes::Narrow(kernel.lanes()) } else { Lanes::Wide(kernel.lanes()) };
        Self { support: kernel.support, lanes, vector: has_vectors() }
    }

    /// The plain loops, for comparison.
    #[cfg(test)]
    pub fn portable(kernel: &Kernel) -> Self {
        Self { vector: false, ..Self::new(kernel) }
    }

    /// Whether the loops are those for AVX2 and FMA.
    pub fn vector(&self) -> bool {
        self.vector
    }

    /// Columns that a kernel row occupies.
    pub fn width(&self) -> usize {
        match self.lanes {
            Lanes::Narrow(_) => 8,
            Lanes::Wide(_) => 16,
        }
    }

    /// Add the samples of `batch` to `buffer`.
    pub fn spread(&self, batch: &Batch<T>, shape: Shape, buffer: &mut [T]) {
        with_support!(self, spread_plain, spread_vector, batch, shape, buffer; 2 3 4 5 6 7 8; 9 10 11 12 13 14 15 16)
    }

    /// Read the samples of `batch` from `buffer`.
    pub fn gather(&self, batch: &mut Batch<T>, shape: Shape, buffer: &[T]) {
        with_support!(self, gather_plain, gather_vector, batch, shape, buffer; 2 3 4 5 6 7 8; 9 10 11 12 13 14 15 16)
    }
}
