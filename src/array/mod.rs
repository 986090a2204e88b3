//! Room `array`.

mod error;

pub use error::Error;
