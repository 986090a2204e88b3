//! Tiles onto one grid: reprojection, weights, coaddition, and what must be true of tiles before they are added.

mod coadd;
mod error;
mod grid;
mod interpolate;
#[cfg(test)]
mod tests;
mod validate;

pub use coadd::{coadd, Method, Mosaic, Tile};
pub use error::Error;
pub use grid::{common_grid, PixelMap};
pub use interpolate::Interpolation;
pub use validate::{validate, Verdict};
