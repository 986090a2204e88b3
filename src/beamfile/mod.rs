//! Files of a user's primary beam: electric fields or a table in HDF5, an image or a cube of power in FITS.
//!
//! Whatever is read becomes one [`BeamTable`]: power against frequency and angle from the axis of the dish, averaged round the
//! axis, 1 there. How far the beam is from round is kept beside it and shown to the user.

mod efields;
mod error;
mod pattern;
mod table;
#[cfg(test)]
mod tests;

pub use error::Error;
pub use table::{read, BeamTable};
