//! Synthetic observations: array, sky, gains, noise and interference, as the correlator would have written them.
//!
//! Everything is in the crate's convention (`vis`); a UVH5 file is `tasks::simulate`'s business. Random numbers come from
//! counter-based streams (one a subband and time), so that results do not depend on the number of threads.

mod error;
mod gains;
mod group;
mod names;
mod params;
mod population;
mod rfi;
mod sky_csv;
#[cfg(test)]
mod tests;
mod truth;
mod variability;

pub use error::Error;
pub use gains::{GainParams, Gains};
pub use group::Group;
pub use names::{group_name, iso_utc};
pub use params::{BeamChoice, GroupParams, SimSource};
pub use population::{random_sky, Population};
pub use rfi::{RfiEvent, RfiKind, RfiParams};
pub use sky_csv::parse_sky_csv;
pub use truth::{SourceTruth, Truth};
pub use variability::Variability;
