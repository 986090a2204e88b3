//! Room `deconvolution`.

mod error;

pub use error::Error;
