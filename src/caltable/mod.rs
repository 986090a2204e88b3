//! Room `caltable`.

mod error;

pub use error::Error;
