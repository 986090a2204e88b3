//! Room `photometry`.

mod error;

pub use error::Error;
