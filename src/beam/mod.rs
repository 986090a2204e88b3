//! Room `beam`.

mod error;

pub use error::Error;
