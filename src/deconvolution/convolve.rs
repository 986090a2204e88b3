//! Components times psf, subtracted from a whole image.

use std::sync::{Arc, OnceLock};

use ndarray::parallel::prelude::*;
use ndarray::{s, Array2, Axis};
use num_complex::Complex32;
use rustfft::{Fft, FftPlanner};

use super::Error;
use crate::control::Control;
use crate::kind::BadArgument;

/// Up to this many components are subtracted one by one; an FFT of the padded image costs as much as about 60.
const FEW: usize = 48;

/// Up to this many products of components and pixels are summed one by one; a transform costs as much as some more.
const CHEAPER: usize = 500_000_000;

/// A psf ready to be convolved with components: shifts beyond its edge count as zero.
pub struct Convolver<'a> {
    psf_yx: &'a Array2<f32>,
    size: [usize; 2],
    kernel: OnceLock<Array2<Complex32>>,
}

impl<'a> Convolver<'a> {
    /// For images of the psf's own shape; the peak is at `(nx/2, ny/2)`.
    ///
    /// # Errors
    /// An empty psf.
    pub fn new(psf_yx: &'a Array2<f32>) -> Result<Self, Error> {
        let (ny, nx) = psf_yx.dim();
        if nx == 0 || ny == 0 || psf_yx.as_slice().is_none() {
            return Err(
                BadArgument::new("psf", "a plane in C order with pixels", format!("{nx} x {ny}")).into()
            );
        }
        // Shifts reach half an image on either side, so half an image of zeros keeps wrapped ones apart.
        let size = [good_size(ny + ny.div_ceil(2)), good_size(nx + nx.div_ceil(2))];
        Ok(Self { psf_yx, size, kernel: OnceLock::new() })
    }

    /// `image -= sum of flux * psf about (y, x)` over `components` of `(y, x, flux)`.
    ///
    /// # Errors
    /// Shapes that differ, or cancellation.
    pub fn subtract(
        &self,
        image_yx: &mut Array2<f32>,
        components: &[(usize, usize, f32)],
        control: &Control,
    ) -> Result<(), Error> {
        if image_yx.dim() != self.psf_yx.dim() {
            let expected = format!("the psf's shape {:?}", self.psf_yx.dim());
            return Err(BadArgument::new("image", expected, format!("{:?}", image_yx.dim())).into());
        }
        control.check()?;
        if components.len() <= FEW {
            self.subtract_each(image_yx, components);
            return Ok(());
        }
        self.subtract_fft(image_yx, components, control)
    }

    /// [`Self::subtract`] where the mask is set; elsewhere the image may stay as it was.
    ///
    /// # Errors
    /// As [`Self::subtract`].
    pub fn subtract_within(
        &self,
        image_yx: &mut Array2<f32>,
        components: &[(usize, usize, f32)],
        mask_yx: &Array2<bool>,
        control: &Control,
    ) -> Result<(), Error> {
        let masked = mask_yx.iter().filter(|m| **m).count();
        if masked.saturating_mul(components.len()) > CHEAPER || image_yx.dim() != mask_yx.dim() {
            return self.subtract(image_yx, components, control);
        }
        control.check()?;
        let (ny, nx) = self.psf_yx.dim();
        let rows = image_yx.axis_iter_mut(Axis(0)).into_par_iter().zip(mask_yx.axis_iter(Axis(0)));
        rows.enumerate().for_each(|(y, (mut row, mask))| {
            let columns: Vec<usize> = (0..nx).filter(|x| mask[*x]).collect();
            if columns.is_empty() {
                return;
            }
            for &(cy, cx, flux) in components {
                let Some(psf) =
                    (y + ny / 2).checked_sub(cy).filter(|py| *py < ny).map(|py| self.psf_yx.row(py))
                else {
                    continue;
                };
                for &x in &columns {
                    if let Some(p) = (x + nx / 2).checked_sub(cx).and_then(|px| psf.get(px)) {
                        row[x] -= flux * p;
                    }
                }
            }
        });
        Ok(())
    }

    fn subtract_each(&self, image_yx: &mut Array2<f32>, components: &[(usize, usize, f32)]) {
        let (ny, nx) = self.psf_yx.dim();
        image_yx.axis_iter_mut(Axis(0)).into_par_iter().enumerate().for_each(|(y, mut row)| {
            for &(cy, cx, flux) in components {
                let py = y as i64 - cy as i64 + (ny / 2) as i64;
                if !(0..ny as i64).contains(&py) {
                    continue;
                }
                // Image columns x with 0 <= x - cx + nx/2 < nx.
                let shift = cx as i64 - (nx / 2) as i64;
                let (from, to) = (shift.max(0) as usize, (nx as i64 + shift).min(nx as i64) as usize);
                let first = (from as i64 - shift) as usize;
                let psf = self.psf_yx.slice(s![py as usize, first..first + (to - from)]);
                row.slice_mut(s![from..to]).scaled_add(-flux, &psf);
            }
        });
    }

    fn subtract_fft(
        &self,
        image_yx: &mut Array2<f32>,
        components: &[(usize, usize, f32)],
        control: &Control,
    ) -> Result<(), Error> {
        let (ny, nx) = self.psf_yx.dim();
        let kernel = self.kernel.get_or_init(|| {
            let mut plane = Array2::zeros(self.size);
            for ((y, x), v) in self.psf_yx.indexed_iter() {
                let wrap = |p: usize, n: usize, size: usize| (p + size - n / 2) % size;
                plane[[wrap(y, ny, self.size[0]), wrap(x, nx, self.size[1])]] = Complex32::new(*v, 0.0);
            }
            forward(plane)
        });
        control.check()?;
        let mut plane = Array2::zeros(self.size);
        for &(y, x, flux) in components {
            plane[[y, x]] += Complex32::new(flux, 0.0);
        }
        let mut product = forward(plane);
        control.check()?;
        product.axis_iter_mut(Axis(0)).into_par_iter().zip(kernel.axis_iter(Axis(0))).for_each(
            |(mut p, k)| {
                p.zip_mut_with(&k, |a, b| *a *= b);
            },
        );
        let result = backward(product);
        control.check()?;
        let scale = 1.0 / (self.size[0] * self.size[1]) as f32;
        image_yx.axis_iter_mut(Axis(0)).into_par_iter().enumerate().for_each(|(y, mut row)| {
            for (v, r) in row.iter_mut().zip(result.row(y)) {
                *v -= r.re * scale;
            }
        });
        Ok(())
    }
}

/// Transform of a plane, left transposed.
pub(super) fn forward(plane: Array2<Complex32>) -> Array2<Complex32> {
    let (ny, nx) = plane.dim();
    let mut planner = FftPlanner::new();
    let mut plane = plane;
    rows(&mut plane, &planner.plan_fft_forward(nx));
    let mut turned = transposed(&plane);
    rows(&mut turned, &planner.plan_fft_forward(ny));
    turned
}

/// Inverse of [`forward`] times the number of pixels.
pub(super) fn backward(turned: Array2<Complex32>) -> Array2<Complex32> {
    let (nx, ny) = turned.dim();
    let mut planner = FftPlanner::new();
    let mut turned = turned;
    rows(&mut turned, &planner.plan_fft_inverse(ny));
    let mut plane = transposed(&turned);
    rows(&mut plane, &planner.plan_fft_inverse(nx));
    plane
}

fn rows(plane: &mut Array2<Complex32>, fft: &Arc<dyn Fft<f32>>) {
    plane.axis_iter_mut(Axis(0)).into_par_iter().for_each_init(
        || vec![Complex32::default(); fft.get_inplace_scratch_len()],
        |scratch, mut row| {
            if let Some(slice) = row.as_slice_mut() {
                fft.process_with_scratch(slice, scratch);
            }
        },
    );
}

/// Blocked, so that both sides stay in cache.
fn transposed(plane: &Array2<Complex32>) -> Array2<Complex32> {
    const BLOCK: usize = 32;
    let (ny, nx) = plane.dim();
    let mut out = Array2::zeros((nx, ny));
    out.axis_chunks_iter_mut(Axis(0), BLOCK).into_par_iter().enumerate().for_each(|(block, mut strip)| {
        let x0 = block * BLOCK;
        for y0 in (0..ny).step_by(BLOCK) {
            let y1 = (y0 + BLOCK).min(ny);
            let x1 = x0 + strip.nrows();
            strip.slice_mut(s![.., y0..y1]).assign(&plane.slice(s![y0..y1, x0..x1]).t());
        }
    });
    out
}

/// The next length that has no prime factor beyond 5 and is even.
pub(super) fn good_size(at_least: usize) -> usize {
    let smooth = |mut n: usize| {
        for p in [2, 3, 5] {
            while n.is_multiple_of(p) {
                n /= p;
            }
        }
        n == 1
    };
    (at_least.max(2)..).find(|n| n.is_multiple_of(2) && smooth(*n)).unwrap_or(at_least)
}
