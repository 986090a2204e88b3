//! UTC, TAI, TT, UT1 as pairs of Julian Dates, and local apparent sidereal time.

use std::f64::consts::TAU;

use super::{EarthOrientation, Error, Orientation};
use crate::constants::{JD_OF_MJD_0, SECONDS_PER_DAY};
use crate::kind::BadArgument;

/// TT - TAI \[s\] (IAU 1991).
const TT_MINUS_TAI_S: f64 = 32.184;
/// First and last date accepted, MJD: leap seconds begin in 1972, and the Earth's rotation is not known past 2100.
const SUPPORTED_MJD: std::ops::Range<f64> = 41_317.0..88_069.0;

/// A Julian Date in two parts, whole and rest, that keeps the digits of a microsecond.
pub type JdPair = (f64, f64);

/// `time_mjd_s` as a Julian Date of two parts: midnight, and the fraction of the day.
pub fn split_mjd_s(time_mjd_s: f64) -> JdPair {
    let day = (time_mjd_s / SECONDS_PER_DAY).floor();
    (JD_OF_MJD_0 + day, (time_mjd_s - day * SECONDS_PER_DAY) / SECONDS_PER_DAY)
}

/// Julian Date of `time_mjd_s`; one f64 holds it to about 40 microseconds.
pub fn jd_from_mjd_s(time_mjd_s: f64) -> f64 {
    let (day, fraction) = split_mjd_s(time_mjd_s);
    day + fraction
}

/// `time_mjd_s` of a Julian Date (UTC), as in a UVH5 `time_array`.
pub fn mjd_s_from_jd(jd: f64) -> f64 {
    // Both differences are exact: JD_OF_MJD_0 has one binary digit after the point.
    (jd - JD_OF_MJD_0) * SECONDS_PER_DAY
}

/// One moment in the scales that positions need.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moment {
    /// UTC \[MJD s\].
    pub time_mjd_s: f64,
    /// TT (and, to 2 ms, TDB).
    pub tt: JdPair,
    /// UT1.
    pub ut1: JdPair,
    /// UT1 - UTC and polar motion.
    pub orientation: Orientation,
}

impl Moment {
    /// # Errors
    /// A time that is not finite or lies outside 1972..2100.
    pub fn new(time_mjd_s: f64, earth: &EarthOrientation) -> Result<Self, Error> {
        if !SUPPORTED_MJD.contains(&(time_mjd_s / SECONDS_PER_DAY)) {
            return Err(BadArgument::new(
                "time_mjd_s",
                "a UTC time of 1972..2100 in MJD seconds",
                time_mjd_s,
            )
            .into());
        }
        let orientation = earth.at(time_mjd_s);
        let (day, fraction) = split_mjd_s(time_mjd_s);
        let tt_s = orientation.tai_minus_utc_s + TT_MINUS_TAI_S;
        Ok(Self {
            time_mjd_s,
            tt: (day, fraction + tt_s / SECONDS_PER_DAY),
            ut1: (day, fraction + orientation.dut1_s / SECONDS_PER_DAY),
            orientation,
        })
    }
}

/// Local apparent sidereal time \[rad\] in `[0, 2 pi)` at an east longitude (IAU 2006/2000A; SOFA `gst06a` and `sp00`).
///
/// # Errors
/// As [`Moment::new`].
pub fn last_rad(time_mjd_s: f64, longitude_rad: f64, earth: &EarthOrientation) -> Result<f64, Error> {
    let moment = Moment::new(time_mjd_s, earth)?;
    let greenwich = sofars::erst::gst06a(moment.ut1.0, moment.ut1.1, moment.tt.0, moment.tt.1);
    let tio = sofars::pnp::sp00(moment.tt.0, moment.tt.1);
    Ok((greenwich + tio + longitude_rad).rem_euclid(TAU))
}
