//! Which position belongs to which: matching on the sphere, and a HEALPix index for cones. No SQL here.

mod cone;
mod error;
mod sphere;

pub use cone::{cone_ranges, pixel_of, INDEX_DEPTH};
pub use error::Error;
pub use sphere::{Match, SphereIndex};
