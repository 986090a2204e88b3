//! Directions and baselines: a type per frame, conversions as methods.
//!
//! [`RaDec`] is ICRS; [`ApparentFrame`] is the sky over an [`Observatory`] at one instant and knows the way to hour angle,
//! azimuth and the uvw axes in ITRF ([`UvwBasis`]). uvw of this crate is `position(antenna1) - position(antenna2)`.

mod apparent;
mod batch;
mod bodies;
mod error;
mod horizontal;
mod lmn;
mod observatory;
mod radec;
#[cfg(test)]
mod tests;
mod transit;
mod uvw;
mod vector;

pub use apparent::ApparentFrame;
pub use batch::{directions, Conversion, Frames};
pub use bodies::{bodies, BODIES};
pub use error::Error;
pub use horizontal::{AzEl, HaDec};
pub use lmn::Lmn;
pub use observatory::Observatory;
pub use radec::RaDec;
pub use transit::Crossing;
pub use uvw::UvwBasis;
