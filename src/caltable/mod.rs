//! CASA calibration tables (K, B and G Jones) on disk, to and from [`crate::gains::GainTable`].
//!
//! A table is a directory: a MAIN table with one row an interval, antenna and spectral window, and subtables OBSERVATION,
//! ANTENNA, FIELD, SPECTRAL_WINDOW and HISTORY. CASA's `applycal`, `gaincal`, `plotms` and `browsetable` read ours, and
//! we read CASA's, whatever the order of windows and channels.

mod error;
mod read;
mod subtables;
mod write;

pub use error::Error;
pub use read::{check, read};
pub use write::write;

#[cfg(test)]
mod tests;
