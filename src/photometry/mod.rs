//! Fluxes at known positions, their errors, and their normalisation to a common scale. No blind finding here.

mod annulus;
mod blank;
mod blend;
mod ensemble;
mod error;
mod forced;
mod inject;
mod kernel;
#[cfg(test)]
mod tests;
mod window;

pub use blank::{blank_sky, BlankSky};
pub use ensemble::{baseline, correction, leave_one_out, normalise, Baseline, Correction, EnsembleParams};
pub use error::Error;
pub use forced::{measure, ForcedParams, Maps, PixelFit};
pub use inject::inject;
pub use kernel::PixelKernel;
