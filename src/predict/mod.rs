//! Room `predict`.

mod error;

pub use error::Error;
