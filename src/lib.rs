//! Continuum imaging and light curves for the DSA-110 array.
//!
//! One crate, one direction: a room (top-level module) may use rooms of earlier rows only, and rooms of
//! one row do not know each other. The order below is that of the rows; `tests/rust/layering.rs` reads
//! this file's rooms and refuses a `use crate::` path that points the wrong way.

// Row 0
pub mod constants;
pub mod control;
pub mod heap;
pub mod kind;
// Row 1
pub mod math;
// Row 2
pub mod time;
// Row 3
pub mod coords;
// Row 4
pub mod array;
pub mod image;
pub mod source;
// Row 5
pub mod gains;
pub mod vis;
// Row 6
pub mod casatable;
pub mod db;
pub mod fits;
pub mod uvh5;
// Row 7
pub mod beamfile;
pub mod caltable;
pub mod ms;
// Row 8
pub mod association;
pub mod beam;
pub mod calibration;
pub mod deconvolution;
pub mod detection;
pub mod flagging;
pub mod gridding;
pub mod photometry;
pub mod variability;
// Row 9
pub mod ese;
pub mod mosaic;
pub mod predict;
// Row 10
pub mod imaging;
pub mod simulate;
// Row 11
pub mod error;
// Row 12
pub mod tasks;
// Row 13
#[cfg(feature = "python")]
mod python;

pub use error::Error;
pub use kind::ErrorKind;
