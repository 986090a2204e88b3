//! Element types of columns.

use num_complex::{Complex32, Complex64};

/// casacore's data type codes that tables use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum DataType {
    /// Boolean.
    Bool = 0,
    /// Unsigned 8-bit integer.
    UChar = 2,
    /// 16-bit integer.
    Short = 3,
    /// 32-bit integer.
    Int = 5,
    /// Unsigned 32-bit integer.
    UInt = 6,
    /// 32-bit float.
    Float = 7,
    /// 64-bit float.
    Double = 8,
    /// Two 32-bit floats.
    Complex = 9,
    /// Two 64-bit floats.
    DComplex = 10,
    /// Text.
    String = 11,
    /// 64-bit integer.
    Int64 = 29,
}

impl DataType {
    /// From casacore's code.
    pub fn from_code(code: i32) -> Option<Self> {
        [
            Self::Bool,
            Self::UChar,
            Self::Short,
            Self::Int,
            Self::UInt,
            Self::Float,
            Self::Double,
            Self::Complex,
            Self::DComplex,
            Self::String,
            Self::Int64,
        ]
        .into_iter()
        .find(|t| *t as i32 == code)
    }
}

mod sealed {
    pub trait Sealed {}
}

/// A Rust type that columns can hold.
pub trait Element: sealed::Sealed + Copy + Send + Sync + 'static {
    /// Its casacore type.
    const TYPE: DataType;
    /// Zero, for buffers.
    const ZERO: Self;
}

macro_rules! element {
    ($($rust:ty => $code:ident, $zero:expr;)*) => {$(
        impl sealed::Sealed for $rust {}
        impl Element for $rust {
            const TYPE: DataType = DataType::$code;
            const ZERO: Self = $zero;
        }
    )*};
}

element! {
    bool => Bool, false;
    u8 => UChar, 0;
    i16 => Short, 0;
    i32 => Int, 0;
    u32 => UInt, 0;
    i64 => Int64, 0;
    f32 => Float, 0.0;
    f64 => Double, 0.0;
    Complex32 => Complex, Complex32 { re: 0.0, im: 0.0 };
    Complex64 => DComplex, Complex64 { re: 0.0, im: 0.0 };
}
