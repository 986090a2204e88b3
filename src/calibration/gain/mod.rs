//! Term G: one complex gain an antenna, receptor, interval and spectral window.

use super::{bandpass, SolveParams};
use crate::gains::GainTable;

/// Normalise when asked: the rms amplitude over antennas, receptors and intervals of each window becomes 1.
pub(super) fn finish(table: &mut GainTable, params: &SolveParams) {
    if params.solnorm {
        for window in &mut table.windows {
            bandpass::normalise_gains(window);
        }
    }
}
