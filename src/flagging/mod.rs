//! Bad data and RFI: arrays in, mask out. Flags are only added here, never taken away.
//!
//! A run is a list of [`Step`]s on one block; each leaves a line in the report. The order of
//! [`Step::standard`] is the one that DSA-110 data were commissioned with: zeros, autocorrelations, clip, dead antennas,
//! RFI, residual clip, extension.

mod antennas;
mod error;
mod extend;
mod residual;
pub mod rfi;
mod run;
mod samples;
mod selection;
mod step;

pub use error::Error;
pub use run::{run, run_recorded, StepReport};
pub use step::{Channel, Context, Layout, Manual, QuackMode, Step};

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::print_stdout)]
mod scenarios;
#[cfg(test)]
mod tests;
