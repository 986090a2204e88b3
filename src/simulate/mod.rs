//! Room `simulate`.

mod error;

pub use error::Error;
