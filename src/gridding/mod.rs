//! Gridding: visibilities to images and back at a set accuracy, and weighting.
//!
//! `M = sum S exp(+2 pi i (u l + v m + w (n - 1)))`, lengths in wavelengths; the dirty image is its adjoint. Images are
//! `image_xy`: first axis `l`, second `m`, pixel `(nx / 2, ny / 2)` at the image's centre.
//!
//! The plan ([`Plan`]) compresses runs of channels, spreads the samples over a padded uv grid with a kernel of a few cells,
//! and treats `w` by moments or by planes, whichever is cheapest for the accuracy asked.

mod choose;
mod compress;
mod direct;
mod error;
mod fft;
mod frame;
mod image;
mod interpolate;
mod kernel;
mod kernel_table;
mod oneshot;
mod packed;
mod params;
mod plan;
mod prolate;
mod real;
mod resample;
mod runs;
mod simd;
mod sky;
mod spread;
mod tile;
pub mod weighting;
mod wterm;

#[cfg(test)]
mod tests;

pub use direct::{direct_dirty, direct_vis};
pub use error::Error;
pub use oneshot::{dirty2vis, masked, on_threads, vis2dirty};
pub use packed::{Packed, PackedRow};
pub use params::{GridParams, WPlane};
pub use plan::{Baselines, Plan, PlanSummary};
pub use real::Real;
pub use sky::Slant;
