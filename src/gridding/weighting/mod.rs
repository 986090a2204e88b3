//! Imaging weights: natural, uniform, super-uniform and Briggs' on the image's own uv cells, tapers, and a uv range.
//!
//! Weights are gathered block by block ([`WeightGrid::add`]), then turned into factors ([`WeightGrid::finish`]) which every block's
//! weights are multiplied by ([`ImagingWeights::apply`]).

mod density;
mod taper;
mod track;

pub use density::{ImagingWeights, WeightGrid, WeightParams, Weighting};
pub use taper::Taper;
