//! Sky model times primary beam to visibilities, by the exact sum over sources.
//!
//! `V_ij = sum_s S_s(f) A(s, t, f) exp(+2 pi i f (r_i - r_j) . (s - s_0) / c)` with the apparent directions of sources and phase
//! centre at each row's time, which is `exp(+2 pi i (u l + v m + w (n - 1)))` in wavelengths; phases in f64.
//! The sum factors into antennas, so a source costs four multiply-adds a visibility. The correlator's averaging over its
//! integrations and channels is a Gauss-Legendre quadrature whose nodes factor as well.

mod components;
mod direct;
mod error;
mod kernel;
mod quadrature;
mod rows;
mod simd;
mod sky;
mod snapshot;
#[cfg(test)]
mod tests;

pub use direct::direct_sum;
pub use error::Error;
pub use rows::{fill_model, predict_rows, Pointing, PredictParams};
pub use sky::{SkyBand, SkyNow};
pub use snapshot::{predict_snapshot, Snapshot, Window};
