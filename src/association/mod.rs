//! Room `association`.

mod error;

pub use error::Error;
