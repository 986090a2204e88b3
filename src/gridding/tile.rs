//! The innermost loops: a few hundred samples onto, or from, one tile's private buffer.
//!
//! The buffer holds, for every plane and row, the real parts of a row and then its imaginary parts, so that a kernel row of
//! `LANES` values is one or two vector instructions. The bodies are compiled once plainly and once for AVX2 with FMA; which
//! one runs is decided when a plan is used.

use super::kernel::Kernel;
use super::real::Real;

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
    pub fn plane(&self) -> usize {
        2 * self.rows * self.columns
    }

    pub fn len(&self) -> usize {
        self.plane() * self.planes
    }
}

#[inline(always)]
fn evaluate<T: Real, const P: usize, const FUSED: bool>(lanes: &[[T; P]], s: T) -> [T; P] {
    let mut sum = lanes[0];
    for row in &lanes[1..] {
        for (value, &c) in sum.iter_mut().zip(row) {
            *value = value.muladd::<FUSED>(s, c);
        }
    }
    sum
}

#[inline(always)]
fn row_mut<T, const P: usize>(data: &mut [T], at: usize) -> &mut [T; P] {
    // The slice has P elements by construction, so the conversion cannot fail.
    match (&mut data[at..at + P]).try_into() {
        Ok(row) => row,
        Err(_) => unreachable!(),
    }
}

#[inline(always)]
fn row<T, const P: usize>(data: &[T], at: usize) -> &[T; P] {
    match data[at..at + P].try_into() {
        Ok(row) => row,
        Err(_) => unreachable!(),
    }
}

#[inline(always)]
fn spread_body<T: Real, const W: usize, const P: usize, const FUSED: bool>(
    batch: &Batch<T>,
    lanes: &[[T; P]],
    shape: Shape,
    buffer: &mut [T],
) {
    let step = 2 * shape.columns;
    for (sample, weights) in batch.samples.iter().zip(batch.weights.chunks_exact(batch.planes_each)) {
        let ku = evaluate::<T, P, FUSED>(lanes, sample.su);
        let kv = evaluate::<T, P, FUSED>(lanes, sample.sv);
        for plane in 0..sample.planes as usize {
            let weight = weights[plane];
            let (re, im) = (sample.re * weight, sample.im * weight);
            let start = (sample.plane as usize + plane) * shape.plane() + sample.at as usize;
            let patch = &mut buffer[start..start + (W - 1) * step + shape.columns + P];
            for j in 0..W {
                let (a, b) = (re * kv[j], im * kv[j]);
                let real = row_mut::<T, P>(patch, j * step);
                for i in 0..P {
                    real[i] = a.muladd::<FUSED>(ku[i], real[i]);
                }
                let imaginary = row_mut::<T, P>(patch, j * step + shape.columns);
                for i in 0..P {
                    imaginary[i] = b.muladd::<FUSED>(ku[i], imaginary[i]);
                }
            }
        }
    }
}

#[inline(always)]
fn gather_body<T: Real, const W: usize, const P: usize, const FUSED: bool>(
    batch: &mut Batch<T>,
    lanes: &[[T; P]],
    shape: Shape,
    buffer: &[T],
) {
    let step = 2 * shape.columns;
    for (sample, weights) in batch.samples.iter_mut().zip(batch.weights.chunks_exact(batch.planes_each)) {
        let ku = evaluate::<T, P, FUSED>(lanes, sample.su);
        let kv = evaluate::<T, P, FUSED>(lanes, sample.sv);
        let (mut sum_re, mut sum_im) = ([T::of(0.0); P], [T::of(0.0); P]);
        for plane in 0..sample.planes as usize {
            let weight = weights[plane];
            let start = (sample.plane as usize + plane) * shape.plane() + sample.at as usize;
            let patch = &buffer[start..start + (W - 1) * step + shape.columns + P];
            for j in 0..W {
                let k = kv[j] * weight;
                let real = row::<T, P>(patch, j * step);
                for i in 0..P {
                    sum_re[i] = k.muladd::<FUSED>(real[i], sum_re[i]);
                }
                let imaginary = row::<T, P>(patch, j * step + shape.columns);
                for i in 0..P {
                    sum_im[i] = k.muladd::<FUSED>(imaginary[i], sum_im[i]);
                }
            }
        }
        let (mut re, mut im) = (T::of(0.0), T::of(0.0));
        for i in 0..P {
            re += sum_re[i] * ku[i];
            im += sum_im[i] * ku[i];
        }
        (sample.re, sample.im) = (re, im);
    }
}

/// The kernel's polynomials in the precision and width of the loops.
#[derive(Debug)]
pub(super) enum Lanes<T> {
    Narrow(Vec<[T; 8]>),
    Wide(Vec<[T; 16]>),
}

/// Whether this machine has AVX2 and FMA.
pub(super) fn has_vectors() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        false
    }
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
        fn $plain<T: Real, const W: usize, const P: usize>(
            batch: $batch,
            lanes: &[[T; P]],
            shape: Shape,
            buffer: $buffer,
        ) {
            $body::<T, W, P, false>(batch, lanes, shape, buffer);
        }

        /// # Safety
        /// The machine has AVX2 and FMA.
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx2,fma")]
        unsafe fn $vector<T: Real, const W: usize, const P: usize>(
            batch: $batch,
            lanes: &[[T; P]],
            shape: Shape,
            buffer: $buffer,
        ) {
            $body::<T, W, P, true>(batch, lanes, shape, buffer);
        }
    };
}

variants!(spread_plain, spread_vector, spread_body, &Batch<T>, &mut [T]);
variants!(gather_plain, gather_vector, gather_body, &mut Batch<T>, &[T]);

macro_rules! with_support {
    ($self:ident, $plain:ident, $vector:ident, $batch:ident, $shape:ident, $buffer:ident; $($narrow:literal)*; $($wide:literal)*) => {
        match (&$self.lanes, $self.support) {
            $((Lanes::Narrow(lanes), $narrow) => call!($self, $plain, $vector, $narrow, 8, ($batch, lanes, $shape, $buffer)),)*
            $((Lanes::Wide(lanes), $wide) => call!($self, $plain, $vector, $wide, 16, ($batch, lanes, $shape, $buffer)),)*
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
