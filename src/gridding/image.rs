//! From gridded planes to the image and back: batches of planes, their screens, the kernel's correction.

use ndarray::{Array2, ArrayView2};
use num_complex::Complex;
use rayon::prelude::*;

use crate::control::Control;

use super::choose::{fixed_bytes, plane_bytes};
use super::fft::{Band, Transform};
use super::plan::Plan;
use super::real::Real;
use super::runs::Block;
use super::simd::has_vectors;
use super::spread::{fold, unfold, Context, Planes, Values};
use super::tile::Loops;
use super::wterm::{cis, WTerm};
use super::Error;

impl Plan {
    pub(super) fn image_of<T: Real>(
        &self,
        values: &[Values<'_, T>],
        control: &Control,
    ) -> Result<Array2<T>, Error> {
        let (nx, ny) = (self.params.nx, self.params.ny);
        let mut image = Array2::from_elem((nx, ny), T::of(0.0));
        if self.buckets.runs.is_empty() {
            return Ok(image);
        }
        let context = self.context::<T>();
        let transform = Transform::new(self.frame.nu, self.frame.nv, true);
        let (stride, rows) = (self.frame.stride(context.loops.width()), self.rows());
        let mut transpose = Vec::new();
        for which in self.batches::<T>() {
            let mut planes = Planes::zero(stride, rows, which.clone());
            context.spread(values, &mut planes, control)?;
            for p in which.clone() {
                let size = stride * rows;
                let plane = &mut planes.data[(p - which.start) * size..][..size];
                fold(&self.frame, plane, stride);
                let (halo, cells) = (self.frame.halo, self.frame.along_u.cells);
                let row = |i: usize| &plane[(halo + i) * stride + halo..][..cells];
                // Rows of an Array2 made here are contiguous.
                let out = image.as_slice_mut().unwrap_or(&mut []);
                let into = (&mut transpose, out);
                transform.to_image(self.band(), (nx, ny), row, control, into, |x, pixels, out| {
                    self.add_screened(p, x, pixels, out);
                })?;
            }
        }
        self.correct(&mut image);
        Ok(image)
    }

    pub(super) fn visibilities_of<T: Real>(
        &self,
        image: ArrayView2<'_, T>,
        control: &Control,
    ) -> Result<Vec<Vec<Complex<T>>>, Error> {
        let mut out: Vec<Vec<Complex<T>>> = self.blocks.iter().map(|b| T::zeros(b.samples())).collect();
        if self.buckets.runs.is_empty() {
            return Ok(out);
        }
        let mut image = image.to_owned();
        self.correct(&mut image);
        if self.wterm.real() {
            // `correct` halves for the Hermitian sum of the way to the image, which the way back does not have.
            image.par_mapv_inplace(|v| v + v);
        }
        let context = self.context::<T>();
        let transform = Transform::new(self.frame.nu, self.frame.nv, false);
        let (stride, rows) = (self.frame.stride(context.loops.width()), self.rows());
        let mut transpose = Vec::new();
        for which in self.batches::<T>() {
            let mut planes = Planes::zero(stride, rows, which.clone());
            for p in which.clone() {
                let size = stride * rows;
                let plane = &mut planes.data[(p - which.start) * size..][..size];
                let source = |x: usize, pixels: &mut [Complex<T>]| {
                    let row = image.row(x);
                    for (pixel, &value) in pixels.iter_mut().zip(row) {
                        *pixel = Complex::new(value, T::of(0.0));
                    }
                    self.screen(p, x, pixels);
                };
                let proper = &mut plane[self.frame.halo * stride..];
                let shape = (self.params.nx, self.params.ny);
                transform.image_to_rows(
                    self.band(),
                    shape,
                    source,
                    control,
                    (&mut transpose, proper),
                    (stride, self.frame.halo, self.frame.along_u.cells),
                )?;
                unfold(&self.frame, plane, stride);
            }
            let mut slices: Vec<&mut [Complex<T>]> = out.iter_mut().map(Vec::as_mut_slice).collect();
            context.gather(&planes, &mut slices, control)?;
        }
        Ok(out)
    }

    fn context<T: Real>(&self) -> Context<'_, T> {
        Context {
            frame: &self.frame,
            wterm: &self.wterm,
            blocks: &self.blocks,
            buckets: &self.buckets,
            loops: Loops::new(&self.kernel),
            shifted: self.shifted,
        }
    }

    /// Rows of the grid that tiles in use reach; all of a periodic plane.
    fn rows(&self) -> usize {
        let all = self.frame.rows();
        if self.wterm.real() {
            all.min(self.buckets.tile_rows(&self.frame) * self.frame.tile + self.frame.support)
        } else {
            all
        }
    }

    fn band(&self) -> Band {
        let half = self.wterm.real();
        let rows = self.frame.proper_rows().min(self.rows() - self.frame.halo);
        Band { rows, half, low_u: self.frame.along_u.low, low_v: self.frame.along_v.low }
    }

    /// Planes that the memory allows at once.
    fn batches<T: Real>(&self) -> Vec<std::ops::Range<usize>> {
        let total = self.wterm.planes();
        let bytes = std::mem::size_of::<Complex<T>>();
        let (plane, transpose) = plane_bytes(self.params.nx, &self.frame, bytes);
        let packed = self.compression.is_some().then(|| self.blocks.iter().map(Block::samples).sum());
        let fixed = transpose + fixed_bytes(&self.params, packed, bytes);
        let room = self.params.max_memory_bytes.unwrap_or(4 << 30).saturating_sub(fixed);
        let at_once = (room / plane).clamp(1, total.max(1)).min(64);
        (0..total).step_by(at_once).map(|first| first..(first + at_once).min(total)).collect()
    }

    /// Arguments of the screens along an image row: `(n - 1 - middle) / half`.
    #[inline(always)]
    fn arguments<F: Real>(&self, x: usize) -> Vec<F> {
        let (half, middle) = self.sky.z_half_and_middle();
        let inverse = if half > 0.0 { 1.0 / half } else { 0.0 };
        let mut s = vec![F::of(0.0); self.params.ny];
        self.sky.z_row(x, (middle, inverse), &mut s);
        s
    }

    /// Whether screens of moments may be computed in single precision: their phases' rounding is far below epsilon.
    fn rough(&self) -> bool {
        let (low, high) = self.sky.z_range;
        let phase = std::f64::consts::TAU * self.w_max * low.abs().max(high.abs());
        // Near the horizon, n is the root of a small difference: its rounding grows by 1 / n.
        2e-7 * phase < 0.1 * self.params.epsilon * (1.0 + low)
    }

    /// Add a plane's row `x`, times the plane's screen, to the image.
    fn add_screened<T: Real>(&self, plane: usize, x: usize, pixels: &[Complex<T>], out: &mut [T]) {
        #[cfg(target_arch = "x86_64")]
        if has_vectors() {
            // SAFETY: the features were detected just now.
            return unsafe { self.add_screened_vector(plane, x, pixels, out) };
        }
        self.add_screened_body(plane, x, pixels, out);
    }

    /// # Safety
    /// The machine has AVX2 and FMA.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma")]
    unsafe fn add_screened_vector<T: Real>(
        &self,
        plane: usize,
        x: usize,
        pixels: &[Complex<T>],
        out: &mut [T],
    ) {
        self.add_screened_body(plane, x, pixels, out);
    }

    #[inline(always)]
    fn add_screened_body<T: Real>(&self, plane: usize, x: usize, pixels: &[Complex<T>], out: &mut [T]) {
        match &self.wterm {
            WTerm::Flat => out.iter_mut().zip(pixels).for_each(|(o, p)| *o += p.re),
            WTerm::Moments { .. } => {
                if self.rough() {
                    let factor = self.moment_row::<T>(plane, x);
                    out.iter_mut().zip(pixels).zip(factor).for_each(|((o, p), f)| *o += p.re * f);
                } else {
                    let factor = self.moment_row::<f64>(plane, x);
                    out.iter_mut().zip(pixels).zip(factor).for_each(|((o, p), f)| *o += p.re * T::of(f));
                }
            }
            WTerm::Stack { .. } => {
                for ((o, p), t) in out.iter_mut().zip(pixels).zip(self.stack_turns(plane, x)) {
                    let (cos, sin) = cis(t);
                    // Real part of p exp(-2 pi i t).
                    *o += p.re * T::of(cos) + p.im * T::of(sin);
                }
            }
        }
    }

    /// Multiply the image row `x` by a plane's screen, on the way to visibilities.
    fn screen<T: Real>(&self, plane: usize, x: usize, pixels: &mut [Complex<T>]) {
        #[cfg(target_arch = "x86_64")]
        if has_vectors() {
            // SAFETY: the features were detected just now.
            return unsafe { self.screen_vector(plane, x, pixels) };
        }
        self.screen_body(plane, x, pixels);
    }

    /// # Safety
    /// The machine has AVX2 and FMA.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma")]
    unsafe fn screen_vector<T: Real>(&self, plane: usize, x: usize, pixels: &mut [Complex<T>]) {
        self.screen_body(plane, x, pixels);
    }

    #[inline(always)]
    fn screen_body<T: Real>(&self, plane: usize, x: usize, pixels: &mut [Complex<T>]) {
        match &self.wterm {
            WTerm::Flat => {}
            WTerm::Moments { .. } => {
                if self.rough() {
                    let factor = self.moment_row::<T>(plane, x);
                    pixels.iter_mut().zip(factor).for_each(|(p, f)| p.re *= f);
                } else {
                    let factor = self.moment_row::<f64>(plane, x);
                    pixels.iter_mut().zip(factor).for_each(|(p, f)| p.re *= T::of(f));
                }
            }
            WTerm::Stack { .. } => {
                for (p, t) in pixels.iter_mut().zip(self.stack_turns(plane, x)) {
                    let (cos, sin) = cis(t);
                    *p = Complex::new(p.re * T::of(cos), p.re * T::of(sin));
                }
            }
        }
    }

    #[inline(always)]
    fn moment_row<F: Real>(&self, plane: usize, x: usize) -> Vec<F> {
        let WTerm::Moments { factors, .. } = &self.wterm else { return Vec::new() };
        let s = self.arguments::<F>(x);
        let mut factor = vec![F::of(0.0); s.len()];
        factors[plane].row(&s, &mut factor);
        if plane % 2 == 1 {
            factor.iter_mut().zip(&s).for_each(|(f, &s)| *f *= s);
        }
        factor
    }

    #[inline(always)]
    fn stack_turns(&self, plane: usize, x: usize) -> Vec<f64> {
        let WTerm::Stack { first, spacing, .. } = &self.wterm else { return Vec::new() };
        let (half, _) = self.sky.z_half_and_middle();
        let w = (first + spacing * plane as f64) * half;
        let mut s = self.arguments::<f64>(x);
        s.iter_mut().for_each(|s| *s *= w);
        s
    }

    /// Divide by the kernels' transforms (and by n), once.
    fn correct<T: Real>(&self, image: &mut Array2<T>) {
        let axis = |n: usize, padded: usize| -> Vec<f64> {
            (0..n).map(|i| self.kernel.correction((i as f64 - (n / 2) as f64) / padded as f64)).collect()
        };
        let along_x = axis(self.params.nx, self.frame.nu);
        let along_y = axis(self.params.ny, self.frame.nv);
        let scale = if self.wterm.real() { 0.5 } else { 1.0 };
        image.axis_iter_mut(ndarray::Axis(0)).into_par_iter().enumerate().for_each(|(x, mut row)| {
            let mut factor: Vec<f64> = along_y.iter().map(|c| c * along_x[x] * scale).collect();
            if let WTerm::Stack { correction, .. } = &self.wterm {
                let s = self.arguments::<f64>(x);
                let mut extra = vec![0.0; s.len()];
                correction.row(&s, &mut extra);
                factor.iter_mut().zip(extra).for_each(|(f, e)| *f *= e);
            }
            if self.params.divide_by_n {
                factor.iter_mut().enumerate().for_each(|(y, f)| *f *= self.sky.per_n(x, y));
            }
            row.iter_mut().zip(factor).for_each(|(v, f)| *v *= T::of(f));
        });
    }
}
