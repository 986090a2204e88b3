//! Flags of a measurement that the time and the place give: low over the horizon, Sun, Moon or a planet near.

use crate::coords::{bodies, ApparentFrame, Observatory};
use crate::image::Plane;
use crate::source::Measurement;
use crate::time::EarthOrientation;
use crate::Error;

/// Limits of the flags.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SkyLimits {
    /// Elevation of the image's centre below which all its measurements are flagged \[degrees\].
    pub min_elevation_deg: f64,
    /// Distances within which Sun, Moon and planets are near \[degrees\].
    pub near_deg: [f64; 3],
}

impl Default for SkyLimits {
    fn default() -> Self {
        Self { min_elevation_deg: 20.0, near_deg: [10.0, 1.5, 0.05] }
    }
}

/// Set the flags of an image of this array with a date; another telescope's place is not known, and an image without a date has no sky.
pub(super) fn sky_flags(
    measurements: &mut [Measurement],
    plane: &Plane,
    telescope: &str,
    limits: &SkyLimits,
) -> Result<(), Error> {
    let time = plane.time_mjd_s;
    let dated = (41_317.0 * 86_400.0..88_069.0 * 86_400.0).contains(&time);
    if !dated || measurements.is_empty() {
        return Ok(());
    }
    let earth = EarthOrientation::current()?;
    let telescope = telescope.to_ascii_uppercase();
    if telescope.contains("DSA") || telescope.contains("OVRO") {
        let frame = ApparentFrame::new(time, &Observatory::dsa110(), &earth)?;
        let elevation = frame.icrs_to_azel(plane.wcs.centre).el_rad.to_degrees();
        if elevation < limits.min_elevation_deg {
            measurements.iter_mut().for_each(|m| m.flags |= Measurement::LOW_ELEVATION);
        }
    }
    let at = bodies(time, &earth)?;
    for (i, body) in at.iter().enumerate() {
        let near = limits.near_deg[i.min(2)].to_radians();
        for m in measurements.iter_mut().filter(|m| m.position.separation_rad(*body) < near) {
            m.flags |= Measurement::BODY_NEAR;
        }
    }
    Ok(())
}
