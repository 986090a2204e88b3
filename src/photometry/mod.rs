//! Fluxes at known positions, their errors, and their normalisation to a common scale. No blind finding here.

mod adaptive;
mod annulus;
mod blank;
mod blend;
mod correlation;
mod ensemble;
mod error;
mod forced;
mod gain_epoch;
mod gain_field;
#[cfg(test)]
mod gain_tests;
mod inject;
mod kernel;
mod leftover;
mod matched;
mod scale;
mod shape;
#[cfg(test)]
mod tests;
mod window;

pub use adaptive::{adaptive_bins, BinnedDetection};
pub use blank::{blank_sky, BlankSky};
pub use correlation::{noise_correlation, NoiseCorrelation};
pub use ensemble::{baseline, correction, leave_one_out, normalise, Baseline, Correction, EnsembleParams};
pub use error::Error;
pub use forced::{measure, measure_shapes, ForcedParams, Maps, PixelFit};
pub use gain_field::{gain_field, Campaign, EpochGain, GainField, GainFieldParams};
pub use inject::inject;
pub use kernel::PixelKernel;
pub use matched::{matched_fluxes, Matched};
pub use scale::{flux_scale, fractional_floor, Floor, FluxScale, ScaleParams};
pub use shape::{widened, Shapes, Smearing};
