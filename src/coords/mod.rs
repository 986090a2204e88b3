//! Directions and baselines: a type per frame, conversions as methods.

mod error;
mod lmn;
mod radec;

pub use error::Error;
pub use lmn::Lmn;
pub use radec::RaDec;
