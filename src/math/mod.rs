//! Numbers alone: robust statistics and small linear algebra. Nothing here knows an antenna or a pixel.

mod error;
pub mod linear;
pub mod robust;
pub mod special;
pub mod sums;
pub mod turn;

pub use error::Error;
