//! Calibration: sums over solution intervals, one solver loop, the terms K, B and G, and their application.
//!
//! The measurement equation of a parallel hand is `V_ij = g_i M_ij conj(g_j)`. Data are first reduced to
//! `num_ij = sum w V conj(M)` and `den_ij = sum w |M|^2` over a solution interval ([`Sums`]); each (interval, channel,
//! receptor) is then solved by alternating least squares ([`stefcal`]), all cores at once ([`solve`]).

mod accumulate;
mod apply;
pub mod bandpass;
pub mod delay;
mod error;
mod excluded;
pub mod gain;
mod intervals;
mod lanes;
mod params;
mod ranges;
mod report;
mod robust;
mod rows;
mod solve;
mod stefcal;
mod sums;

pub use apply::{apply, ApplyOptions, ApplyStats, Inverse};
pub use error::Error;
pub use excluded::Excluded;
pub use intervals::{Intervals, RowKey, Solint};
pub use params::{Combine, Mode, SolveParams};
pub use report::{AntennaReport, SolveReport};
pub use robust::Robust;
pub use solve::{solve, WindowSums};
pub use stefcal::{stefcal, Convergence, Normal};
pub use sums::{Corruption, RowSet, Sums, Wanted};

#[cfg(test)]
mod tests;
