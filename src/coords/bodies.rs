//! Where the Sun, the Moon and the planets are: to know what shines into a field, to some arcminutes.

use super::{Error, RaDec};
use crate::kind::BadArgument;
use crate::time::{EarthOrientation, Moment};

/// Names in the order of [`bodies`].
pub const BODIES: [&str; 9] =
    ["sun", "moon", "mercury", "venus", "mars", "jupiter", "saturn", "uranus", "neptune"];

/// Geocentric directions of [`BODIES`], ICRS. The Sun is good to arcseconds, the planets to an arcminute or so (Simon et al. 1994),
/// the Moon to the degree that its parallax from a place on the ground makes.
///
/// # Errors
/// A time outside 1972..2100.
pub fn bodies(time_mjd_s: f64, earth: &EarthOrientation) -> Result<[RaDec; 9], Error> {
    let moment = Moment::new(time_mjd_s, earth)?;
    let (tt1, tt2) = moment.tt;
    let (heliocentric, _) = sofars::eph::epv00(tt1, tt2)
        .ok_or_else(|| BadArgument::new("time_mjd_s", "a date of 1900..2100", time_mjd_s))?;
    let here = heliocentric[0];
    let moon = sofars::eph::moon98(tt1, tt2)[0];
    let mut out = [RaDec::default(); 9];
    out[0] = RaDec::from_vector(here.map(|v| -v));
    out[1] = RaDec::from_vector(moon);
    for (slot, number) in [(2, 1), (3, 2), (4, 4), (5, 5), (6, 6), (7, 7), (8, 8)] {
        let (planet, _) = sofars::eph::plan94(tt1, tt2, number)
            .map_err(|_| BadArgument::new("time_mjd_s", "a date of 1000..3000", time_mjd_s))?;
        out[slot] = RaDec::from_vector([0, 1, 2].map(|i| planet[0][i] - here[i]));
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_eclipse_of_april_2024_had_sun_and_moon_together() {
        // 2024-04-08 18:18 UTC, greatest eclipse.
        let time = (60408.0 + 18.3 / 24.0) * 86400.0;
        let at = bodies(time, &EarthOrientation::builtin().unwrap()).unwrap();
        // The centres of a geocentric total eclipse with gamma 0.34 are 0.34 Earth radii of parallax, 20 arcmin, apart.
        assert!(at[0].separation_rad(at[1]).to_degrees() < 0.5);
        // RA of the Sun of date 1 h 11.6 m, less 24.3 years of precession at 46 arcsec a year.
        assert!((at[0].ra_deg() - 17.59).abs() < 0.05, "{}", at[0].ra_deg());
        // Jupiter stood at RA 3 h 10 m, Dec +16.9.
        assert!((at[5].ra_deg() - 46.2).abs() < 1.5 && (at[5].dec_deg() - 16.8).abs() < 0.6);
    }
}
