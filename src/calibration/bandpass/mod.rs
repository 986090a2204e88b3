//! Term B: one complex gain an antenna, receptor and channel.

mod fill;
mod normalise;
mod polynomial;
mod smooth;

pub use fill::fill_gaps;
pub use normalise::{normalise, normalise_gains};
pub use smooth::{smooth, Smoothing};

use super::SolveParams;
use crate::gains::GainTable;

/// Fill gaps, smooth and normalise, as asked and in this order.
pub(super) fn finish(table: &mut GainTable, params: &SolveParams) {
    for window in &mut table.windows {
        fill_gaps(window, params.fillgaps);
        smooth(window, params.smoothing);
        if params.solnorm {
            normalise(window);
        }
    }
}
