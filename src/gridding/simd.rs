//! Eight lanes: plain arrays everywhere, AVX2 registers where the machine has them.
//!
//! The AVX2 types must only be used inside functions compiled for `avx2,fma`; the loops that take them as a parameter are all
//! inlined into such functions, which run only after [`has_vectors`] said so.

/// Lanes of a vector.
pub(super) const LANES: usize = 8;

/// Eight numbers.
pub trait Vec8<T>: Copy {
    /// The same number in every lane.
    fn splat(value: T) -> Self;
    /// From memory.
    fn load(from: &[T; LANES]) -> Self;
    /// To memory.
    fn store(self, to: &mut [T; LANES]);
    /// `self * a + b`.
    fn muladd(self, a: Self, b: Self) -> Self;
    /// `self * a`.
    fn times(self, a: Self) -> Self;
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

/// Eight lanes of `from` at `at`.
#[inline(always)]
pub(super) fn lanes<T>(from: &[T], at: usize) -> &[T; LANES] {
    match from[at..at + LANES].try_into() {
        Ok(lanes) => lanes,
        Err(_) => unreachable!("the slice has eight elements"),
    }
}

/// Eight lanes of `to` at `at`.
#[inline(always)]
pub(super) fn lanes_mut<T>(to: &mut [T], at: usize) -> &mut [T; LANES] {
    match (&mut to[at..at + LANES]).try_into() {
        Ok(lanes) => lanes,
        Err(_) => unreachable!("the slice has eight elements"),
    }
}

/// The portable form.
#[derive(Clone, Copy, Debug)]
pub struct Plain<T>([T; LANES]);

macro_rules! plain {
    ($type:ty) => {
        impl Vec8<$type> for Plain<$type> {
            #[inline(always)]
            fn splat(value: $type) -> Self {
                Self([value; LANES])
            }

            #[inline(always)]
            fn load(from: &[$type; LANES]) -> Self {
                Self(*from)
            }

            #[inline(always)]
            fn store(self, to: &mut [$type; LANES]) {
                *to = self.0;
            }

            #[inline(always)]
            fn muladd(self, a: Self, b: Self) -> Self {
                let mut out = b;
                for i in 0..LANES {
                    out.0[i] += self.0[i] * a.0[i];
                }
                out
            }

            #[inline(always)]
            fn times(self, a: Self) -> Self {
                let mut out = self;
                for i in 0..LANES {
                    out.0[i] *= a.0[i];
                }
                out
            }
        }
    };
}

plain!(f32);
plain!(f64);

#[cfg(target_arch = "x86_64")]
mod avx {
    use std::arch::x86_64::{
        __m256, __m256d, _mm256_fmadd_pd, _mm256_fmadd_ps, _mm256_loadu_pd, _mm256_loadu_ps, _mm256_mul_pd,
        _mm256_mul_ps, _mm256_set1_pd, _mm256_set1_ps, _mm256_storeu_pd, _mm256_storeu_ps,
    };

    use super::{Vec8, LANES};

    /// One register of single precision.
    #[derive(Clone, Copy, Debug)]
    pub struct Single(__m256);

    /// Two registers of double precision.
    #[derive(Clone, Copy, Debug)]
    pub struct Double(__m256d, __m256d);

    // SAFETY of all blocks below: the callers are inlined into functions compiled for AVX2 and FMA, which run only on machines
    // that have them (see the module's head); loads and stores are unaligned and inside arrays of eight.
    impl Vec8<f32> for Single {
        #[inline(always)]
        fn splat(value: f32) -> Self {
            Self(unsafe { _mm256_set1_ps(value) })
        }

        #[inline(always)]
        fn load(from: &[f32; LANES]) -> Self {
            Self(unsafe { _mm256_loadu_ps(from.as_ptr()) })
        }

        #[inline(always)]
        fn store(self, to: &mut [f32; LANES]) {
            unsafe { _mm256_storeu_ps(to.as_mut_ptr(), self.0) }
        }

        #[inline(always)]
        fn muladd(self, a: Self, b: Self) -> Self {
            Self(unsafe { _mm256_fmadd_ps(self.0, a.0, b.0) })
        }

        #[inline(always)]
        fn times(self, a: Self) -> Self {
            Self(unsafe { _mm256_mul_ps(self.0, a.0) })
        }
    }

    impl Vec8<f64> for Double {
        #[inline(always)]
        fn splat(value: f64) -> Self {
            let half = unsafe { _mm256_set1_pd(value) };
            Self(half, half)
        }

        #[inline(always)]
        fn load(from: &[f64; LANES]) -> Self {
            unsafe { Self(_mm256_loadu_pd(from.as_ptr()), _mm256_loadu_pd(from.as_ptr().add(4))) }
        }

        #[inline(always)]
        fn store(self, to: &mut [f64; LANES]) {
            unsafe {
                _mm256_storeu_pd(to.as_mut_ptr(), self.0);
                _mm256_storeu_pd(to.as_mut_ptr().add(4), self.1);
            }
        }

        #[inline(always)]
        fn muladd(self, a: Self, b: Self) -> Self {
            unsafe { Self(_mm256_fmadd_pd(self.0, a.0, b.0), _mm256_fmadd_pd(self.1, a.1, b.1)) }
        }

        #[inline(always)]
        fn times(self, a: Self) -> Self {
            unsafe { Self(_mm256_mul_pd(self.0, a.0), _mm256_mul_pd(self.1, a.1)) }
        }
    }
}

#[cfg(target_arch = "x86_64")]
pub use avx::{Double as FastDouble, Single as FastSingle};
#[cfg(not(target_arch = "x86_64"))]
pub type FastSingle = Plain<f32>;
#[cfg(not(target_arch = "x86_64"))]
pub type FastDouble = Plain<f64>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_compute_the_same() {
        if !has_vectors() {
            return;
        }
        let (a, b): ([f64; 8], [f64; 8]) =
            (std::array::from_fn(|i| i as f64), std::array::from_fn(|i| 0.5 - i as f64));
        let (mut fast, mut plain) = ([0.0; 8], [0.0; 8]);
        FastDouble::load(&a).muladd(FastDouble::splat(3.0), FastDouble::load(&b)).store(&mut fast);
        Plain::load(&a).muladd(Plain::splat(3.0), Plain::load(&b)).store(&mut plain);
        assert_eq!(fast, plain);
    }
}
