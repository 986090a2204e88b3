//! Room `flagging`.

mod error;

pub use error::Error;
