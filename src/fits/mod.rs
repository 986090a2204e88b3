//! Room `fits`.

mod error;

pub use error::Error;
