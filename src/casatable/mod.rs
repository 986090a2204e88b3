//! Room `casatable`.

mod error;

pub use error::Error;
