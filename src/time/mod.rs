//! Time scales, Earth orientation and sidereal time.
//!
//! A moment is `time_mjd_s`, UTC as Modified Julian Date in seconds, as in a Measurement Set's TIME column.

mod earth_orientation;
mod error;
mod file;
mod scales;
mod table;
#[cfg(test)]
mod tests;

pub use earth_orientation::{Coverage, EarthOrientation, Orientation};
pub use error::Error;
pub use file::{update, user_file};
pub use scales::{jd_from_mjd_s, last_rad, mjd_s_from_jd, split_mjd_s, JdPair, Moment};
pub use table::OrientationTable;
