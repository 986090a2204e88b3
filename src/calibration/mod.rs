//! Room `calibration`.

mod error;

pub use error::Error;
