//! A block of visibilities of one spectral window.

use ndarray::Array3;
use num_complex::Complex32;

use super::Product;

/// Per-row metadata; every vector has one entry a row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rows {
    /// Bin centre, UTC \[MJD s\].
    pub time_mjd_s: Vec<f64>,
    /// Integration time \[s\].
    pub interval_s: Vec<f64>,
    /// First antenna, index into the antenna table.
    pub antenna1: Vec<u32>,
    /// Second antenna, `antenna1 <= antenna2`.
    pub antenna2: Vec<u32>,
    /// Field, index into the field table.
    pub field: Vec<u32>,
    /// `position(antenna1) - position(antenna2)` in the frame of the field's phase centre \[m\].
    pub uvw_m: Vec<[f64; 3]>,
}

impl Rows {
    /// Number of rows.
    pub fn len(&self) -> usize {
        self.time_mjd_s.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.time_mjd_s.is_empty()
    }
}

/// Channels of one spectral window, ascending in frequency.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Channels {
    /// Spectral window, index into the SPECTRAL_WINDOW table.
    pub spw: usize,
    /// Centres \[Hz\].
    pub freq_hz: Vec<f64>,
    /// Widths, positive \[Hz\].
    pub width_hz: Vec<f64>,
}

/// Visibilities, weights and flags of a set of rows in one spectral window.
#[derive(Clone, Debug)]
pub struct VisBlock {
    /// Row metadata.
    pub rows: Rows,
    /// Channels.
    pub channels: Channels,
    /// Polarisation products, in the order of the last axis.
    pub products: Vec<Product>,
    /// Visibilities \[correlator units or Jy\].
    pub vis_rfp: Array3<Complex32>,
    /// Weights, `1 / sigma^2` of one real component, up to a common factor before calibration.
    pub weight_rfp: Array3<f32>,
    /// True is bad.
    pub flag_rfp: Array3<bool>,
    /// Model visibilities, when asked for.
    pub model_rfp: Option<Array3<Complex32>>,
}
