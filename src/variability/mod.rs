//! Room `variability`.

mod error;

pub use error::Error;
