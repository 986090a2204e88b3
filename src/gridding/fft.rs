//! From padded uv planes to image rows and back: two passes of row transforms around a blocked transpose, which skip the
//! rows that hold nothing and the pixels that nobody asked for.

use std::sync::Arc;

use num_complex::Complex;
use rayon::prelude::*;
use rustfft::{Fft, FftPlanner};

use crate::control::Control;

use super::real::Real;
use super::Error;

/// Width of a transpose block: 16 complex numbers are two or four cache lines.
const BLOCK: usize = 16;

/// Plans of one padded size, one direction (`exp(-)` for images, `exp(+)` for visibilities).
pub(super) struct Transform<T: Real> {
    pub nu: usize,
    pub nv: usize,
    along_u: Arc<dyn Fft<T>>,
    along_v: Arc<dyn Fft<T>>,
}

/// The part of a uv plane that is held: row `i`, column `j` is at `v = i - low_v`, `u = j - low_u` (modulo the padded sizes).
#[derive(Clone, Copy, Debug)]
pub(super) struct Band {
    pub rows: usize,
    pub low_v: usize,
    pub low_u: usize,
    /// Half of a Hermitian plane, `v` from zero upward; else the whole periodic plane.
    pub half: bool,
}

impl<T: Real> Transform<T> {
    pub fn new(nu: usize, nv: usize, to_image: bool) -> Self {
        let mut planner = FftPlanner::new();
        let mut make = |n| if to_image { planner.plan_fft_forward(n) } else { planner.plan_fft_inverse(n) };
        Self { nu, nv, along_u: make(nu), along_v: make(nv) }
    }

    /// Rows (from `row(i)`) to image: `sink(x, image row)` for every `x` of `nx`, rows of `ny` complex pixels
    /// for a whole plane; for a half plane the imaginary parts are zero and the image is twice the real part of the sum.
    pub fn to_image<'a, Out: Send>(
        &self,
        band: Band,
        (nx, ny): (usize, usize),
        row: impl Fn(usize) -> &'a [Complex<T>] + Sync,
        control: &Control,
        (blocks, out): (&mut Vec<Complex<T>>, &mut [Out]),
        sink: impl Fn(usize, &[Complex<T>], &mut [Out]) + Sync,
    ) -> Result<(), Error> {
        self.rows_to_columns(band, nx, &row, control, blocks)?;
        let width = out.len() / nx;
        let zero = Complex::new(T::of(0.0), T::of(0.0));
        let make = || {
            let scratch = vec![zero; self.along_v.get_inplace_scratch_len()];
            (vec![zero; self.nv], scratch, vec![zero; 2 * ny])
        };
        out.par_chunks_mut(2 * width).enumerate().try_for_each_init(
            make,
            |(line, scratch, pixels), (pair, out)| {
                control.check()?;
                let x = 2 * pair;
                let column = |x: usize, k: usize| blocks[k / BLOCK * nx * BLOCK + x * BLOCK + k % BLOCK];
                let (first, second) = out.split_at_mut(width);
                if band.half {
                    line.fill(zero);
                    for k in 0..band.rows {
                        let (a, b) = (column(x, k), column(x + 1, k));
                        if k == 0 || 2 * k == self.nv {
                            line[k] = Complex::new(a.re + a.re, b.re + b.re);
                        } else {
                            line[k] = Complex::new(a.re - b.im, a.im + b.re);
                            line[self.nv - k] = Complex::new(a.re + b.im, b.re - a.im);
                        }
                    }
                    self.along_v.process_with_scratch(line, scratch);
                    for y in 0..ny {
                        let p = line[wrapped(y, ny, self.nv)];
                        pixels[y] = Complex::new(p.re, T::of(0.0));
                        pixels[ny + y] = Complex::new(p.im, T::of(0.0));
                    }
                    sink(x, &pixels[..ny], first);
                    sink(x + 1, &pixels[ny..], second);
                } else {
                    for (x, out) in [(x, first), (x + 1, second)] {
                        line.fill(zero);
                        for k in 0..band.rows {
                            line[self.row_of(band, k)] = column(x, k);
                        }
                        self.along_v.process_with_scratch(line, scratch);
                        for y in 0..ny {
                            pixels[y] = line[wrapped(y, ny, self.nv)];
                        }
                        sink(x, &pixels[..ny], out);
                    }
                }
                Ok(())
            },
        )
    }

    /// First pass: transform rows along `u`, keep `nx` pixels, store them as blocks `[row block][x][row in block]`.
    fn rows_to_columns<'a>(
        &self,
        band: Band,
        nx: usize,
        row: &(impl Fn(usize) -> &'a [Complex<T>] + Sync),
        control: &Control,
        blocks: &mut Vec<Complex<T>>,
    ) -> Result<(), Error> {
        let (zero, rows) = (Complex::new(T::of(0.0), T::of(0.0)), band.rows);
        blocks.resize(rows.div_ceil(BLOCK) * nx * BLOCK, zero);
        let make = || {
            let scratch = vec![zero; self.along_u.get_inplace_scratch_len()];
            (vec![zero; self.nu * BLOCK], scratch)
        };
        blocks.par_chunks_mut(nx * BLOCK).enumerate().try_for_each_init(
            make,
            |(lines, scratch), (block, out)| {
                control.check()?;
                let count = BLOCK.min(rows - block * BLOCK);
                for i in 0..count {
                    let line = &mut lines[i * self.nu..(i + 1) * self.nu];
                    let cells = row(block * BLOCK + i);
                    let (negative, positive) = cells.split_at(band.low_u);
                    line[..positive.len()].copy_from_slice(positive);
                    line[positive.len()..self.nu - negative.len()].fill(zero);
                    line[self.nu - negative.len()..].copy_from_slice(negative);
                    self.along_u.process_with_scratch(line, scratch);
                }
                for x in 0..nx {
                    let from = wrapped(x, nx, self.nu);
                    for i in 0..count {
                        out[x * BLOCK + i] = lines[i * self.nu + from];
                    }
                }
                Ok::<(), Error>(())
            },
        )
    }

    /// Where row `k` of a whole plane lies on a padded line.
    #[inline(always)]
    fn row_of(&self, band: Band, k: usize) -> usize {
        if k >= band.low_v {
            k - band.low_v
        } else {
            k + self.nv - band.low_v
        }
    }

    /// The adjoint of [`Self::to_image`]: `source(x, image row)` fills rows of `ny` pixels (real for a half plane), and every row `i`
    /// of the uv plane, `cells` of it, is left in `out[i * stride + offset..]`.
    pub fn image_to_rows(
        &self,
        band: Band,
        (nx, ny): (usize, usize),
        source: impl Fn(usize, &mut [Complex<T>]) + Sync,
        control: &Control,
        (columns, out): (&mut Vec<Complex<T>>, &mut [Complex<T>]),
        (stride, offset, cells): (usize, usize, usize),
    ) -> Result<(), Error> {
        self.image_to_columns(band, (nx, ny), &source, control, columns)?;
        let zero = Complex::new(T::of(0.0), T::of(0.0));
        let make = || (vec![zero; self.nu], vec![zero; self.along_u.get_inplace_scratch_len()]);
        let rows = out.par_chunks_mut(stride).take(band.rows).enumerate();
        rows.try_for_each_init(make, |(line, scratch), (k, out)| {
            control.check()?;
            line.fill(zero);
            for (block, part) in columns.chunks(band.rows * BLOCK).enumerate() {
                for i in 0..BLOCK.min(nx - block * BLOCK) {
                    line[wrapped(block * BLOCK + i, nx, self.nu)] = part[k * BLOCK + i];
                }
            }
            self.along_u.process_with_scratch(line, scratch);
            let (negative, positive) = out[offset..offset + cells].split_at_mut(band.low_u);
            positive.copy_from_slice(&line[..positive.len()]);
            negative.copy_from_slice(&line[self.nu - band.low_u..]);
            Ok(())
        })
    }

    /// First pass of the adjoint: transform image rows along `v`, stored as blocks `[x block][row][x in block]`.
    fn image_to_columns(
        &self,
        band: Band,
        (nx, ny): (usize, usize),
        source: &(impl Fn(usize, &mut [Complex<T>]) + Sync),
        control: &Control,
        columns: &mut Vec<Complex<T>>,
    ) -> Result<(), Error> {
        let zero = Complex::new(T::of(0.0), T::of(0.0));
        let half = T::of(0.5);
        columns.resize(nx.div_ceil(BLOCK) * band.rows * BLOCK, zero);
        let make = || {
            let scratch = vec![zero; self.along_v.get_inplace_scratch_len()];
            (vec![zero; self.nv], scratch, vec![zero; 2 * ny])
        };
        columns.par_chunks_mut(band.rows * BLOCK).enumerate().try_for_each_init(
            make,
            |(line, scratch, pixels), (block, out)| {
                control.check()?;
                for i in (0..BLOCK.min(nx - block * BLOCK)).step_by(2) {
                    let x = block * BLOCK + i;
                    source(x, &mut pixels[..ny]);
                    source(x + 1, &mut pixels[ny..]);
                    if band.half {
                        line.fill(zero);
                        for y in 0..ny {
                            line[wrapped(y, ny, self.nv)] = Complex::new(pixels[y].re, pixels[ny + y].re);
                        }
                        self.along_v.process_with_scratch(line, scratch);
                        for k in 0..band.rows {
                            let (p, q) = (line[k], line[(self.nv - k) % self.nv]);
                            out[k * BLOCK + i] = Complex::new((p.re + q.re) * half, (p.im - q.im) * half);
                            out[k * BLOCK + i + 1] = Complex::new((p.im + q.im) * half, (q.re - p.re) * half);
                        }
                    } else {
                        for j in 0..2 {
                            line.fill(zero);
                            for y in 0..ny {
                                line[wrapped(y, ny, self.nv)] = pixels[j * ny + y];
                            }
                            self.along_v.process_with_scratch(line, scratch);
                            for k in 0..band.rows {
                                out[k * BLOCK + i + j] = line[self.row_of(band, k)];
                            }
                        }
                    }
                }
                Ok::<(), Error>(())
            },
        )
    }
}

/// Where pixel `i` of `n`, counted from the image's centre, lies on a line of `padded`.
#[inline(always)]
fn wrapped(i: usize, n: usize, padded: usize) -> usize {
    if i >= n / 2 {
        i - n / 2
    } else {
        padded + i - n / 2
    }
}

/// The smallest even size from `least` on with no prime factor above 11 that is cheap to transform.
pub(super) fn good_size(least: usize) -> usize {
    let smooth = |mut n: usize| {
        let mut cost = 0.0f64;
        for (prime, price) in [(2, 1.0), (3, 1.7), (5, 2.9), (7, 4.2), (11, 7.0)] {
            while n.is_multiple_of(prime) {
                n /= prime;
                cost += price;
            }
        }
        (n == 1).then_some(cost)
    };
    let least = least + least % 2;
    let limit = least + least / 12 + 32;
    let price = |n: usize| smooth(n).map(|cost| (n as f64) * (cost + 4.0));
    (least..=limit)
        .step_by(2)
        .filter_map(|n| Some((n, price(n)?)))
        .min_by(|a, b| a.1.total_cmp(&b.1))
        .map_or_else(|| least.next_power_of_two(), |(n, _)| n)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_sizes_are_even_smooth_and_near() {
        for least in [2, 31, 97, 1000, 4097, 5120, 9999] {
            let n = good_size(least);
            assert!(n >= least && n.is_multiple_of(2) && n <= least + least / 12 + 34, "{least} {n}");
        }
        assert_eq!(good_size(8192), 8192);
    }
}
