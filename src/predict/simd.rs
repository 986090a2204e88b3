//! Vectors of single-precision lanes (one lane a channel), behind one trait so that the kernel is written once.

/// A vector of [`Simd::LANES`] single-precision numbers.
///
/// # Safety
/// Implementations that use instructions beyond the baseline may only be called where those are present; the kernel's
/// entry points check that. Pointers must be valid for `LANES` values.
pub(super) trait Simd: Copy {
    const LANES: usize;
    type V: Copy;
    unsafe fn splat(x: f32) -> Self::V;
    unsafe fn load(p: *const f32) -> Self::V;
    unsafe fn store(p: *mut f32, v: Self::V);
    unsafe fn mul(a: Self::V, b: Self::V) -> Self::V;
    /// `a * b + c`.
    unsafe fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// `c - a * b`.
    unsafe fn fnma(a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// `2^x` for `x <= 0`, relative error 2e-7; flushes to about 1e-37 below -124.
    unsafe fn exp2(x: Self::V) -> Self::V;
}

/// Taylor coefficients of `2^x` on [-1/2, 1/2], degree 6: truncation 1e-7.
const EXP2: [f32; 7] = [
    1.0,
    std::f32::consts::LN_2,
    0.240_226_51,
    0.055_504_11,
    0.009_618_129,
    0.001_333_355_8,
    0.000_154_035_3,
];
const EXP2_FLOOR: f32 = -124.0;

/// Plain arrays, for every machine.
#[derive(Clone, Copy)]
pub(super) struct Portable;

impl Simd for Portable {
    const LANES: usize = 8;
    type V = [f32; 8];

    #[inline(always)]
    unsafe fn splat(x: f32) -> Self::V {
        [x; 8]
    }
    #[inline(always)]
    unsafe fn load(p: *const f32) -> Self::V {
        unsafe { p.cast::<[f32; 8]>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn store(p: *mut f32, v: Self::V) {
        unsafe { p.cast::<[f32; 8]>().write_unaligned(v) }
    }
    #[inline(always)]
    unsafe fn mul(a: Self::V, b: Self::V) -> Self::V {
        std::array::from_fn(|i| a[i] * b[i])
    }
    #[inline(always)]
    unsafe fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        std::array::from_fn(|i| c[i] + a[i] * b[i])
    }
    #[inline(always)]
    unsafe fn fnma(a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        std::array::from_fn(|i| c[i] - a[i] * b[i])
    }
    #[inline(always)]
    unsafe fn exp2(x: Self::V) -> Self::V {
        x.map(|x| x.max(EXP2_FLOOR).exp2())
    }
}

#[cfg(target_arch = "x86_64")]
pub(super) use x86::{Avx2, Avx512};

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::{Simd, EXP2, EXP2_FLOOR};

    /// AVX2 with FMA.
    #[derive(Clone, Copy)]
    pub struct Avx2;

    impl Simd for Avx2 {
        const LANES: usize = 8;
        type V = __m256;

        #[inline(always)]
        unsafe fn splat(x: f32) -> Self::V {
            unsafe { _mm256_set1_ps(x) }
        }
        #[inline(always)]
        unsafe fn load(p: *const f32) -> Self::V {
            unsafe { _mm256_loadu_ps(p) }
        }
        #[inline(always)]
        unsafe fn store(p: *mut f32, v: Self::V) {
            unsafe { _mm256_storeu_ps(p, v) }
        }
        #[inline(always)]
        unsafe fn mul(a: Self::V, b: Self::V) -> Self::V {
            unsafe { _mm256_mul_ps(a, b) }
        }
        #[inline(always)]
        unsafe fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V {
            unsafe { _mm256_fmadd_ps(a, b, c) }
        }
        #[inline(always)]
        unsafe fn fnma(a: Self::V, b: Self::V, c: Self::V) -> Self::V {
            unsafe { _mm256_fnmadd_ps(a, b, c) }
        }
        #[inline(always)]
        unsafe fn exp2(x: Self::V) -> Self::V {
            unsafe {
                let x = _mm256_max_ps(x, _mm256_set1_ps(EXP2_FLOOR));
                let whole = _mm256_round_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(x);
                let t = _mm256_sub_ps(x, whole);
                let mut sum = _mm256_set1_ps(EXP2[6]);
                for k in (0..6).rev() {
                    sum = _mm256_fmadd_ps(sum, t, _mm256_set1_ps(EXP2[k]));
                }
                let exponent = _mm256_slli_epi32::<23>(_mm256_cvtps_epi32(whole));
                _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(sum), exponent))
            }
        }
    }

    /// AVX-512 foundation.
    #[derive(Clone, Copy)]
    pub struct Avx512;

    impl Simd for Avx512 {
        const LANES: usize = 16;
        type V = __m512;

        #[inline(always)]
        unsafe fn splat(x: f32) -> Self::V {
            unsafe { _mm512_set1_ps(x) }
        }
        #[inline(always)]
        unsafe fn load(p: *const f32) -> Self::V {
            unsafe { _mm512_loadu_ps(p) }
        }
        #[inline(always)]
        unsafe fn store(p: *mut f32, v: Self::V) {
            unsafe { _mm512_storeu_ps(p, v) }
        }
        #[inline(always)]
        unsafe fn mul(a: Self::V, b: Self::V) -> Self::V {
            unsafe { _mm512_mul_ps(a, b) }
        }
        #[inline(always)]
        unsafe fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V {
            unsafe { _mm512_fmadd_ps(a, b, c) }
        }
        #[inline(always)]
        unsafe fn fnma(a: Self::V, b: Self::V, c: Self::V) -> Self::V {
            unsafe { _mm512_fnmadd_ps(a, b, c) }
        }
        #[inline(always)]
        unsafe fn exp2(x: Self::V) -> Self::V {
            unsafe {
                let x = _mm512_max_ps(x, _mm512_set1_ps(EXP2_FLOOR));
                let whole = _mm512_roundscale_ps::<0>(x);
                let t = _mm512_sub_ps(x, whole);
                let mut sum = _mm512_set1_ps(EXP2[6]);
                for k in (0..6).rev() {
                    sum = _mm512_fmadd_ps(sum, t, _mm512_set1_ps(EXP2[k]));
                }
                _mm512_scalef_ps(sum, whole)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    unsafe fn check_exp2<S: Simd>() {
        for i in 0..2000 {
            let x = -0.01 * i as f32;
            let mut out = [0f32; 16];
            unsafe { S::store(out.as_mut_ptr(), S::exp2(S::splat(x))) };
            let want = f64::from(x).exp2();
            // Stated: 2e-7 relative.
            assert!((f64::from(out[0]) / want - 1.0).abs() < 2e-7, "{x}: {} {want}", out[0]);
        }
    }

    #[test]
    fn exp2_keeps_its_accuracy() {
        unsafe { check_exp2::<Portable>() };
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                unsafe { check_exp2::<Avx2>() };
            }
            if is_x86_feature_detected!("avx512f") {
                unsafe { check_exp2::<Avx512>() };
            }
        }
    }
}
