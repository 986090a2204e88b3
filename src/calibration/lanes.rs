//! The sums of consecutive rows of one baseline with wide instructions, four samples at a time in registers.
//!
//! The common case: all products are parallel hands and lie as they are wanted, no uv range. Products are formed in double
//! precision. What it cannot do (other machines, sums that are not finite) is left to [`super::accumulate`].

use num_complex::Complex32;

use super::accumulate::{RowSamples, CELL};

/// Samples taken together.
pub(super) const LANES: usize = 4;

/// One row: its samples and, where tables are applied first, the gains of its two antennas by (channel, hand).
pub(super) struct Row<'a> {
    pub samples: RowSamples<'a>,
    pub gains: Option<(&'a [Complex32], &'a [Complex32])>,
}

/// Sums of a run of rows, used again from run to run.
#[derive(Default)]
pub(super) struct Lanes {
    /// Numerator (re, im), denominator, power and count of every sample; with `whole` of every lane.
    pub sums: Vec<f64>,
    /// Samples used of each row.
    pub used: Vec<u32>,
}

impl Lanes {
    /// Whether rows of `n` samples of `hands` products can be taken.
    pub fn fit(n: usize, hands: usize) -> bool {
        n % LANES == 0 && hands > 0 && LANES % hands == 0 && machine_has_them()
    }

    /// Sum over rows of `n` samples each, sample by sample or, with `whole`, lane by lane (sample `k` in lane `k % 4`). `false` when a sum
    /// is no finite number: then some sample was none.
    pub fn add(&mut self, rows: &[Row<'_>], n: usize, whole: bool) -> bool {
        let fits = rows.iter().all(|r| {
            let s = &r.samples;
            let gains = r.gains.is_none_or(|(a, b)| a.len() == n && b.len() == n);
            gains && [s.vis.len(), s.model.len(), s.weight.len(), s.flag.len()] == [n; 4]
        });
        if !fits || n % LANES != 0 || !machine_has_them() {
            return false;
        }
        self.used.clear();
        self.used.resize(rows.len(), 0);
        self.sums.clear();
        self.sums.resize(CELL * if whole { LANES } else { n }, 0.0);
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the machine has the instructions, and all slices hold `n` samples, a multiple of the lanes.
        unsafe {
            avx2::add(rows, n, whole, self);
        }
        self.sums.iter().sum::<f64>().is_finite()
    }
}

fn machine_has_them() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma")
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        false
    }
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::*;

    use super::{Lanes, Row, CELL, LANES};

    /// Complex numbers as pairs of doubles, two samples a register: products of which the sums of pairs are wanted.
    struct Registers {
        /// `w (Re V Re M, Im V Im M)`.
        real: [__m256d; 2],
        /// `w (Re V Im M, Im V Re M)`.
        imag: [__m256d; 2],
        /// `w (Re M^2, Im M^2)`.
        den: [__m256d; 2],
        /// `w (Re V^2, Im V^2)`.
        power: [__m256d; 2],
        /// Times all four samples were used, and each one otherwise.
        all: u32,
        each: [u32; LANES],
    }

    #[inline]
    #[target_feature(enable = "avx2,fma")]
    unsafe fn zero() -> Registers {
        let zero = [_mm256_setzero_pd(); 2];
        Registers { real: zero, imag: zero, den: zero, power: zero, all: 0, each: [0; LANES] }
    }

    /// # Safety
    /// AVX2 and FMA; all slices of all rows hold `n` values, a multiple of the lanes.
    #[target_feature(enable = "avx2,fma")]
    pub unsafe fn add(rows: &[Row<'_>], n: usize, whole: bool, out: &mut Lanes) {
        let mut registers = zero();
        for at in (0..n).step_by(LANES) {
            for (row, used) in rows.iter().zip(&mut out.used) {
                *used += four(row, at, &mut registers);
            }
            if !whole {
                hand_over(&registers, &mut out.sums[at * CELL..(at + LANES) * CELL]);
                registers = zero();
            }
        }
        if whole {
            hand_over(&registers, &mut out.sums);
        }
    }

    /// Add four samples; how many were used.
    #[inline]
    #[target_feature(enable = "avx2,fma")]
    unsafe fn four(row: &Row<'_>, at: usize, r: &mut Registers) -> u32 {
        let s = &row.samples;
        let mut vis = _mm256_loadu_ps(s.vis.as_ptr().add(at).cast());
        let mut model = _mm256_loadu_ps(s.model.as_ptr().add(at).cast());
        let mut weight = _mm_loadu_ps(s.weight.as_ptr().add(at));
        if let Some((a, b)) = row.gains {
            model = corrupted(model, a.as_ptr().add(at).cast(), b.as_ptr().add(at).cast());
        }
        let flags = s.flag.as_ptr().add(at).cast::<u32>().read_unaligned();
        let weighty = _mm_movemask_ps(_mm_cmp_ps(weight, _mm_setzero_ps(), _CMP_GT_OQ)) as u32;
        let zeros = _mm256_movemask_ps(_mm256_cmp_ps(model, _mm256_setzero_ps(), _CMP_EQ_OQ)) as u32;
        // A model of zero in both parts.
        let without = zeros & (zeros >> 1) & 0x55;
        let mut used = LANES as u32;
        if flags == 0 && weighty == 0xf && without == 0 {
            r.all += 1;
        } else {
            let (mut pairs, mut singles) = ([0_u32; 2 * LANES], [0_u32; LANES]);
            used = 0;
            for k in 0..LANES {
                let bad = (flags >> (8 * k)) & 0xff != 0
                    || (weighty >> k) & 1 == 0
                    || (without >> (2 * k)) & 1 == 1;
                if !bad {
                    (pairs[2 * k], pairs[2 * k + 1], singles[k]) = (u32::MAX, u32::MAX, u32::MAX);
                    r.each[k] += 1;
                    used += 1;
                }
            }
            let keep = _mm256_loadu_ps(pairs.as_ptr().cast());
            vis = _mm256_and_ps(vis, keep);
            model = _mm256_and_ps(model, keep);
            weight = _mm_and_ps(weight, _mm_loadu_ps(singles.as_ptr().cast()));
        }
        let weight = _mm256_cvtps_pd(weight);
        let low = _mm256_permute4x64_pd(weight, 0b01_01_00_00);
        let high = _mm256_permute4x64_pd(weight, 0b11_11_10_10);
        two(_mm256_castps256_ps128(vis), _mm256_castps256_ps128(model), low, r, 0);
        two(_mm256_extractf128_ps(vis, 1), _mm256_extractf128_ps(model, 1), high, r, 1);
        used
    }

    #[inline]
    #[target_feature(enable = "avx2,fma")]
    unsafe fn two(vis: __m128, model: __m128, weight: __m256d, r: &mut Registers, k: usize) {
        let (vis, model) = (_mm256_cvtps_pd(vis), _mm256_cvtps_pd(model));
        let (heavy_vis, heavy_model) = (_mm256_mul_pd(weight, vis), _mm256_mul_pd(weight, model));
        r.real[k] = _mm256_fmadd_pd(heavy_vis, model, r.real[k]);
        r.imag[k] = _mm256_fmadd_pd(heavy_vis, _mm256_permute_pd(model, 0b0101), r.imag[k]);
        r.den[k] = _mm256_fmadd_pd(heavy_model, model, r.den[k]);
        r.power[k] = _mm256_fmadd_pd(heavy_vis, vis, r.power[k]);
    }

    /// `a conj(b) model` of four complex numbers.
    #[inline]
    #[target_feature(enable = "avx2,fma")]
    unsafe fn corrupted(model: __m256, a: *const f32, b: *const f32) -> __m256 {
        let (a, b) = (_mm256_loadu_ps(a), _mm256_loadu_ps(b));
        let swapped = _mm256_mul_ps(_mm256_permute_ps(a, 0b10_11_00_01), _mm256_movehdup_ps(b));
        let gain = _mm256_fmsubadd_ps(a, _mm256_moveldup_ps(b), swapped);
        let swapped = _mm256_mul_ps(_mm256_permute_ps(gain, 0b10_11_00_01), _mm256_movehdup_ps(model));
        _mm256_fmaddsub_ps(gain, _mm256_moveldup_ps(model), swapped)
    }

    /// Add to the cells of four samples.
    #[target_feature(enable = "avx2,fma")]
    unsafe fn hand_over(r: &Registers, cells: &mut [f64]) {
        let (mut real, mut imag, mut den, mut power) = ([0.0; 8], [0.0; 8], [0.0; 8], [0.0; 8]);
        for k in 0..2 {
            _mm256_storeu_pd(real.as_mut_ptr().add(4 * k), r.real[k]);
            _mm256_storeu_pd(imag.as_mut_ptr().add(4 * k), r.imag[k]);
            _mm256_storeu_pd(den.as_mut_ptr().add(4 * k), r.den[k]);
            _mm256_storeu_pd(power.as_mut_ptr().add(4 * k), r.power[k]);
        }
        for (k, cell) in cells.chunks_exact_mut(CELL).enumerate() {
            cell[0] += real[2 * k] + real[2 * k + 1];
            cell[1] += imag[2 * k + 1] - imag[2 * k];
            cell[2] += den[2 * k] + den[2 * k + 1];
            cell[3] += power[2 * k] + power[2 * k + 1];
            cell[4] += f64::from(r.all + r.each[k]);
        }
    }
}
