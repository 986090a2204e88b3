//! Room `time`.

mod error;

pub use error::Error;
