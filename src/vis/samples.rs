//! Samples of some rows, in buffers that are used again.

use num_complex::Complex32;

/// Arrays of (row, channel, product) in C order; the rows are those that were asked for, one after the other.
#[derive(Clone, Debug, Default)]
pub struct Samples {
    /// Visibilities.
    pub vis: Vec<Complex32>,
    /// Model visibilities; empty when there are none.
    pub model: Vec<Complex32>,
    /// Weights of the visibilities.
    pub weight: Vec<f32>,
    /// True is bad.
    pub flag: Vec<bool>,
}
