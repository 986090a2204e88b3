//! Directions seen from a place: hour angle and declination, azimuth and elevation. Apparent, without refraction.

use std::f64::consts::{PI, TAU};

/// Hour angle and declination of date, topocentric.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct HaDec {
    /// Hour angle, positive to the west \[rad\], in `[-pi, pi)` when made by this crate.
    pub ha_rad: f64,
    /// Declination \[rad\].
    pub dec_rad: f64,
}

impl HaDec {
    /// From radians; the hour angle is wrapped to `[-pi, pi)`.
    pub fn from_rad(ha_rad: f64, dec_rad: f64) -> Self {
        Self { ha_rad: (ha_rad + PI).rem_euclid(TAU) - PI, dec_rad }
    }
}

/// Azimuth and elevation.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct AzEl {
    /// Azimuth from the north through the east \[rad\], in `[0, 2 pi)` when made by this crate.
    pub az_rad: f64,
    /// Elevation \[rad\].
    pub el_rad: f64,
}

impl AzEl {
    /// From radians; the azimuth is wrapped to `[0, 2 pi)`.
    pub fn from_rad(az_rad: f64, el_rad: f64) -> Self {
        Self { az_rad: az_rad.rem_euclid(TAU), el_rad }
    }
}
