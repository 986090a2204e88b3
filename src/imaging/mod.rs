//! Room `imaging`.

mod error;

pub use error::Error;
