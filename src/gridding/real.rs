//! The two precisions a grid can have.

use std::fmt::Debug;
use std::iter::Sum;

use rustfft::num_traits::NumAssign;
use rustfft::FftNum;

/// `f32` or `f64`: the type of the grid, of the visibilities' components and of the image.
pub trait Real: FftNum + NumAssign + Default + PartialOrd + Sum + Debug {
    /// The smallest accuracy that this precision can promise.
    const SMALLEST_EPSILON: f64;
    /// The precision's name in messages.
    const NAME: &'static str;

    /// Round to this precision.
    fn of(value: f64) -> Self;
    /// Widen.
    fn wide(self) -> f64;
    /// `self * a + b`, fused when `FUSED`; the plain form is for machines without the instruction.
    fn muladd<const FUSED: bool>(self, a: Self, b: Self) -> Self;
    /// Neither NaN nor infinite.
    fn finite(self) -> bool;
}

macro_rules! real {
    ($type:ty, $name:literal, $smallest:literal) => {
        impl Real for $type {
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
            fn muladd<const FUSED: bool>(self, a: Self, b: Self) -> Self {
                if FUSED {
                    self.mul_add(a, b)
                } else {
                    self * a + b
                }
            }

            #[inline(always)]
            fn finite(self) -> bool {
                self.is_finite()
            }
        }
    };
}

real!(f32, "single", 1e-5);
real!(f64, "double", 1e-12);
