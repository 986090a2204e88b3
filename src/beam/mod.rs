//! Primary-beam models: the *power* response of a tile's dishes, 1 at the pointing centre.
//!
//! A visibility of two equal dishes is attenuated by the product of their two voltage patterns, which is the power
//! pattern: multiply fluxes by [`Beam::power`], never by its square. The beam of a drifting tile is the mean of the power
//! over integrations and channels, weighted as the visibilities are ([`AverageBeam`]).

mod airy;
mod average;
mod bessel;
mod error;
mod model;
mod radial;

pub use airy::Airy;
pub use average::{average_power, AverageBeam, Pointings};
pub use bessel::j1;
pub use error::Error;
pub use model::Beam;
pub use radial::Radial;
