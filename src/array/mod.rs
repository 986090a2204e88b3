//! The array: stations and their positions, baselines, the ranking of reference antennas.
//!
//! An antenna is known by its station number (1..117, its NAME "103" in a Measurement Set); its index in the table is the
//! antenna number of UVH5 and MS (station - 1 in the full table).

mod antenna;
mod baseline;
mod csv;
mod error;
mod reference;

pub use antenna::{Antenna, AntennaTable, Arm};
pub use baseline::{baselines, longest_baseline_m, Autos};
pub use error::Error;
pub use reference::{reference_ranking, AntennaHealth, DEFAULT_REFERENCE, REFERENCE_CHAIN};
