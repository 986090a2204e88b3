//! What an image holds without asking a catalogue: background and noise maps, islands, Gaussian fits.

mod background;
mod error;

pub use background::{background, Background, BackgroundParams};
pub use error::Error;
