//! Room `mosaic`.

mod error;

pub use error::Error;
