//! Blind finding on one image.

use std::path::PathBuf;

use crate::control::Control;
use crate::detection::{find, FindParams as Limits, Found};
use crate::fits::read_plane;
use crate::Error;

/// Where to look.
#[derive(Clone, Debug)]
pub struct FindParams {
    /// Image with a beam \[Jy/beam\].
    pub image: PathBuf,
    /// Limits.
    pub limits: Limits,
}

/// What was found.
#[derive(Clone, Debug)]
pub struct FindReport {
    /// Components, brightest first.
    pub found: Vec<Found>,
    /// Mid time, UTC \[MJD s\].
    pub time_mjd_s: f64,
    /// Reference frequency \[Hz\].
    pub freq_hz: f64,
}

/// Find sources without a catalogue.
///
/// # Errors
/// A file that is no image or has no beam; limits that make no sense; cancelled.
pub fn run(params: &FindParams, control: &Control) -> Result<FindReport, Error> {
    let plane = read_plane(&params.image)?;
    let (found, _) = find(&plane, &params.limits, control)?;
    Ok(FindReport { found, time_mjd_s: plane.time_mjd_s, freq_hz: plane.freq_hz })
}
