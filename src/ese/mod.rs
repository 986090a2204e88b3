//! Room `ese`.

mod error;

pub use error::Error;
