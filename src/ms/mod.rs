//! Room `ms`.

mod error;

pub use error::Error;
