//! Room `detection`.

mod error;

pub use error::Error;
