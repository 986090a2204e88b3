//! The two precisions a grid can have.

use std::fmt::Debug;
use std::iter::Sum;
use std::mem::ManuallyDrop;

use num_complex::Complex;
use rustfft::num_traits::NumAssign;
use rustfft::FftNum;

use super::simd::{FastDouble, FastSingle, Plain, Vec8};
use crate::math::turn::sin_cos_turn;

/// `f32` or `f64`: the type of the grid, of the visibilities' components and of the image.
pub trait Real: FftNum + NumAssign + Default + PartialOrd + Sum + Debug {
    /// Eight numbers in the machine's vector registers.
    type Fast: Vec8<Self>;
    /// Eight numbers anywhere.
    type Plain: Vec8<Self>;
    /// The smallest accuracy that this precision can promise.
    const SMALLEST_EPSILON: f64;
    /// The precision's name in messages.
    const NAME: &'static str;

    /// Round to this precision.
    fn of(value: f64) -> Self;
    /// Widen.
    fn wide(self) -> f64;
    /// Neither NaN nor infinite.
    fn finite(self) -> bool;
    /// Square root.
    fn root(self) -> Self;

    /// Cosines and sines of turns (2 pi), to this precision.
    fn phasors<const N: usize>(turns: &[f64; N], cos: &mut [Self; N], sin: &mut [Self; N]);

    /// Complex zeros, straight from the system's empty pages: `vec!` of a complex zero would write every one of them.
    fn zeros(count: usize) -> Vec<Complex<Self>> {
        let numbers = Self::zero_numbers(2 * count);
        if numbers.capacity() != 2 * count {
            return vec![Complex::default(); count];
        }
        let mut numbers = ManuallyDrop::new(numbers);
        // SAFETY: a complex number is two numbers without padding (`repr(C)`), aligned as they are; length and capacity are those of
        // the same allocation, which is handed over.
        unsafe { Vec::from_raw_parts(numbers.as_mut_ptr().cast::<Complex<Self>>(), count, count) }
    }

    /// Zeros.
    fn zero_numbers(count: usize) -> Vec<Self>;
}

/// Adding and subtracting it rounds to a whole number, at less than 2^51.
const WHOLE: f64 = 6_755_399_441_055_744.0;

#[inline(always)]
fn single_phasors<const N: usize>(turns: &[f64; N], cos: &mut [f32; N], sin: &mut [f32; N]) {
    for k in 0..N {
        (sin[k], cos[k]) = sin_cos_turn((turns[k] - ((turns[k] + WHOLE) - WHOLE)) as f32);
    }
}

#[inline(always)]
fn double_phasors<const N: usize>(turns: &[f64; N], cos: &mut [f64; N], sin: &mut [f64; N]) {
    for k in 0..N {
        (sin[k], cos[k]) = (std::f64::consts::TAU * turns[k].fract()).sin_cos();
    }
}

macro_rules! real {
    ($type:ty, $fast:ty, $name:literal, $smallest:literal, $phasors:ident) => {
        impl Real for $type {
            type Fast = $fast;
            type Plain = Plain<$type>;
            const SMALLEST_EPSILON: f64 = $smallest;
            const NAME: &'static str = $name;

            #[inline(always)]
            fn of(value: f64) -> Self {
                value as $type
            }

            #[inline(always)]
            fn wide(self) -> f64 {
                self as f64
            }

            #[inline(always)]
            fn finite(self) -> bool {
                self.is_finite()
            }

            #[inline(always)]
            fn root(self) -> Self {
                self.sqrt()
            }

            #[inline(always)]
            fn phasors<const N: usize>(turns: &[f64; N], cos: &mut [Self; N], sin: &mut [Self; N]) {
                $phasors(turns, cos, sin);
            }

            fn zero_numbers(count: usize) -> Vec<Self> {
                vec![0.0; count]
            }
        }
    };
}

real!(f32, FastSingle, "single", 1e-5, single_phasors);
real!(f64, FastDouble, "double", 1e-12, double_phasors);
