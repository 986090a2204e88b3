//! Room `math`.

mod error;

pub use error::Error;
