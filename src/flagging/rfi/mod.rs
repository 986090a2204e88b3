//! Radio-frequency interference, baseline by baseline.
//!
//! SumThreshold (Offringa et al. 2010, MNRAS 405, 155, doi:10.1111/j.1365-2966.2010.16471.x) on amplitudes less a smooth
//! background, then the scale-invariant rank operator (Offringa et al. 2012, A&A 539, A95,
//! doi:10.1051/0004-6361/201118497). A DSA-110 file has 24 times only, so most of the work is along frequency.

mod background;
mod flag;
mod sir;
mod sum_threshold;

pub use flag::flag;
pub use sir::rank;

/// Parameters of the RFI step.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct RfiParams {
    /// Threshold of a single sample in robust sigma of the amplitudes.
    pub threshold: f32,
    /// Longest run in frequency \[channels\].
    pub longest_freq: usize,
    /// Longest run in time \[samples\].
    pub longest_time: usize,
    /// Rounds of background and threshold; each halves the threshold down to `threshold`.
    pub rounds: usize,
    /// Fraction by which flagged runs grow (the operator's eta), frequency.
    pub grow_freq: f32,
    /// The same in time.
    pub grow_time: f32,
}

impl Default for RfiParams {
    fn default() -> Self {
        Self { threshold: 6.0, longest_freq: 32, longest_time: 16, rounds: 3, grow_freq: 0.2, grow_time: 0.2 }
    }
}

/// Amplitudes and flags of one baseline and product, time-major.
pub(super) struct Plane {
    pub nt: usize,
    pub nf: usize,
    pub amp: Vec<f32>,
    pub mask: Vec<bool>,
}
