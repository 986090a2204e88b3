//! Radio-frequency interference, baseline by baseline and over stacks of baselines.
//!
//! Amplitudes are put into units of their noise (less the bandpass and the strongest source: [`whiten`]), and rectangles of
//! 1, 2, 4, ... times by 1, 2, 4, ... channels are summed over the products: SumThreshold (Offringa et al. 2010, MNRAS 405,
//! 155, doi:10.1111/j.1365-2966.2010.16471.x) in both axes, with limits from the distribution of such sums ([`limits`]). What
//! is too faint on one baseline is found in stacks of baselines of like length and then looked for on each ([`stack`]). The
//! scale-invariant rank operator (Offringa et al. 2012, A&A 539, A95, doi:10.1051/0004-6361/201118497) closes gaps and
//! proposes rims, which stay only if they stand out by themselves ([`confirm`]). A DSA-110 file has 24 times only, so most of
//! the work is along frequency.

mod confirm;
mod flag;
mod limits;
mod response;
mod scan;
mod sir;
mod stack;
mod whiten;

pub use flag::flag;
pub use sir::rank;

/// Parameters of the RFI step.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct RfiParams {
    /// Fraction of pure noise that the search of one baseline may flag (an upper bound).
    pub false_alarm: f64,
    /// Longest rectangle in frequency \[channels\].
    pub longest_freq: usize,
    /// Longest rectangle in time \[samples\].
    pub longest_time: usize,
    /// Fraction by which flagged runs may grow (the rank operator's eta).
    pub grow: f32,
    /// Baselines of a stack; 0 looks at single baselines only.
    pub stack: usize,
}

impl Default for RfiParams {
    fn default() -> Self {
        Self { false_alarm: 2e-4, longest_freq: 32, longest_time: 32, grow: 0.2, stack: 64 }
    }
}

/// One baseline in units of noise, time-major: sums over products and how many products each sum holds.
#[derive(Default)]
struct Plane {
    nt: usize,
    nf: usize,
    /// Sum over the good products of (amplitude - mean) / sigma of noise.
    sum: Vec<f32>,
    /// Number of good products.
    count: Vec<f32>,
}
