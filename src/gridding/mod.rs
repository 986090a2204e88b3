//! Room `gridding`.

mod error;

pub use error::Error;
