//! Room `gains`.

mod error;

pub use error::Error;
