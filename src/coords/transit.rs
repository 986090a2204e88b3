//! When a right ascension crosses the meridian.

use std::f64::consts::{PI, TAU};

use super::{ApparentFrame, Error, Observatory, RaDec};
use crate::constants::SECONDS_PER_DAY;
use crate::kind::BadArgument;
use crate::time::{last_rad, EarthOrientation};

/// Sidereal days in a day.
const SIDEREAL_RATE: f64 = 1.002_737_909_350_795;
/// One sidereal day \[s\].
const SIDEREAL_DAY_S: f64 = SECONDS_PER_DAY / SIDEREAL_RATE;
/// Each turn leaves less than a thousandth of the error of the one before.
const TURNS: usize = 4;

/// What crosses the meridian.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Crossing {
    /// A right ascension of date \[rad\]: LST equals it.
    SiderealTime(f64),
    /// A direction in ICRS: its apparent hour angle is 0.
    Direction(RaDec),
}

impl Crossing {
    /// Hour angle \[rad\] in `[-pi, pi)`.
    fn hour_angle(
        &self,
        time_mjd_s: f64,
        site: &Observatory,
        earth: &EarthOrientation,
    ) -> Result<f64, Error> {
        match self {
            Self::SiderealTime(ra_rad) => {
                let lst = last_rad(time_mjd_s, site.longitude_rad, earth)?;
                Ok((lst - ra_rad + PI).rem_euclid(TAU) - PI)
            }
            Self::Direction(icrs) => {
                Ok(ApparentFrame::new(time_mjd_s, site, earth)?.icrs_to_hadec(*icrs).ha_rad)
            }
        }
    }

    /// The upper transit nearest to `time_mjd_s`, UTC \[MJD s\], to some microseconds.
    ///
    /// # Errors
    /// A time or direction that cannot be.
    pub fn nearest(
        &self,
        time_mjd_s: f64,
        site: &Observatory,
        earth: &EarthOrientation,
    ) -> Result<f64, Error> {
        let finite = match self {
            Self::SiderealTime(ra_rad) => ra_rad.is_finite(),
            Self::Direction(icrs) => icrs.ra_rad.is_finite() && icrs.dec_rad.is_finite(),
        };
        if !finite {
            return Err(BadArgument::new("direction", "finite coordinates", format!("{self:?}")).into());
        }
        let mut time = time_mjd_s;
        for _ in 0..TURNS {
            time -= self.hour_angle(time, site, earth)? / TAU * SIDEREAL_DAY_S;
        }
        Ok(time)
    }

    /// The next `count` transits at or after `start_mjd_s`, in order.
    ///
    /// # Errors
    /// As [`Crossing::nearest`].
    pub fn next(
        &self,
        start_mjd_s: f64,
        count: usize,
        site: &Observatory,
        earth: &EarthOrientation,
    ) -> Result<Vec<f64>, Error> {
        self.walk(start_mjd_s, count, site, earth, 1.0)
    }

    /// The last `count` transits at or before `start_mjd_s`, the latest first.
    ///
    /// # Errors
    /// As [`Crossing::nearest`].
    pub fn previous(
        &self,
        start_mjd_s: f64,
        count: usize,
        site: &Observatory,
        earth: &EarthOrientation,
    ) -> Result<Vec<f64>, Error> {
        self.walk(start_mjd_s, count, site, earth, -1.0)
    }

    fn walk(
        &self,
        start: f64,
        count: usize,
        site: &Observatory,
        earth: &EarthOrientation,
        sign: f64,
    ) -> Result<Vec<f64>, Error> {
        let mut first = self.nearest(start, site, earth)?;
        // A transit at the very start counts; a microsecond is below what the clock of a transit can say.
        if sign * (first - start) < -1e-6 {
            first = self.nearest(first + sign * SIDEREAL_DAY_S, site, earth)?;
        }
        (0..count).map(|k| self.nearest(first + sign * k as f64 * SIDEREAL_DAY_S, site, earth)).collect()
    }
}
