//! Room `ese`.

mod error;
mod lens;

pub use error::Error;
pub use lens::PlasmaLens;
