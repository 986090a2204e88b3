//! An image plane with its world coordinates and beam.

mod beam;
mod error;
mod plane;
mod region;
pub mod sinc;
mod wcs;

pub use beam::RestoringBeam;
pub use error::Error;
pub use plane::Plane;
pub use region::{read_regions, Region};
pub use wcs::Wcs;
