//! Room `uvh5`.

mod error;

pub use error::Error;
