//! Room `db`.

mod error;

pub use error::Error;
