//! Term G: one complex gain an antenna, receptor, interval and spectral window.

use super::{bandpass, SolveParams};
use crate::gains::GainTable;

/// Normalise when asked: the mean amplitude over intervals becomes 1, window by window, antenna by antenna.
pub(super) fn finish(table: &mut GainTable, params: &SolveParams) {
    if params.solnorm {
        for window in &mut table.windows {
            bandpass::normalise(window);
        }
    }
}
