//! Tiles onto one grid: reprojection, weights, coaddition, and what must be true of tiles before they are added.

mod beam;
mod coadd;
mod correct;
mod error;
mod grid;
mod inspect;
mod interpolate;
#[cfg(test)]
mod tests;
mod validate;

pub use beam::{common_beam, same as same_beam, to_beam};
pub use coadd::{coadd, CoaddParams, Method, Mosaic, Tile};
pub use correct::{apply, highest, measure, seam, Correction, Reference};
pub use error::Error;
pub use grid::{common_grid, Grid, PixelMap};
pub use inspect::inspect;
pub use interpolate::{Interpolation, Sampler};
pub use validate::{validate, Judged, Verdict};
