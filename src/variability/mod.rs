//! Statistics of light curves, one a file: formula, source, preconditions, a typed reason where one has no value.
//!
//! No thresholds of any survey live here. Fluxes and errors may be in any one unit; times are in days.

mod amplitude;
mod asymmetry;
mod chi2;
mod error;
mod eta;
mod fractional;
mod gaussian_process;
mod modulation;
mod moments;
mod neumann;
mod pairs;
mod process;
mod structure;
mod summary;
#[cfg(test)]
mod tests;
mod timescale;

pub use amplitude::{amplitude, sigma_deviation};
pub use asymmetry::{asymmetry, excursion, Excursion};
pub use chi2::{chi2_nu, significance};
pub use error::{Error, Undefined};
pub use eta::{eta, weighted_mean, WeightedMean};
pub use fractional::fractional;
pub use gaussian_process::{gaussian_process, GaussianProcess};
pub use modulation::modulation_index;
pub use neumann::von_neumann;
pub use pairs::{m, m_max, vs, vs_max, PairExtreme, VS_OF_M};
pub use process::{Memory, Process, Whitener};
pub use structure::{structure_function, LagBin};
pub use summary::{summarise, summarise_many, Depth, Ragged, Summary};
pub use timescale::timescale;
