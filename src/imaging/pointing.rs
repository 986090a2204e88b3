//! Where a drift-scan array pointed during each integration.

use super::{Error, TimeBin};
use crate::coords::{ApparentFrame, Observatory, RaDec};
use crate::time::EarthOrientation;

/// ICRS directions of the meridian (hour angle 0) at the times of `bins`, at the declination of date of each bin's field
/// centre; a centre shared by all bins gives one declination, taken at the middle of the times.
///
/// # Errors
/// Times outside what the apparent frame can do.
pub fn drift_pointings(
    bins: &[TimeBin],
    site: &Observatory,
    earth: &EarthOrientation,
) -> Result<Vec<RaDec>, Error> {
    let Some(first) = bins.first() else { return Ok(Vec::new()) };
    let shared = bins.iter().all(|b| b.field_centre == first.field_centre);
    let (low, high) = bins
        .iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), t| (a.min(t.time_mjd_s), b.max(t.time_mjd_s)));
    let dec = |time: f64, centre: RaDec| -> Result<f64, Error> {
        Ok(ApparentFrame::new(time, site, earth)?.icrs_to_hadec(centre).dec_rad)
    };
    let middle = if shared { Some(dec(0.5 * (low + high), first.field_centre)?) } else { None };
    bins.iter()
        .map(|bin| {
            let frame = ApparentFrame::new(bin.time_mjd_s, site, earth)?;
            let dec_rad = middle.unwrap_or_else(|| frame.icrs_to_hadec(bin.field_centre).dec_rad);
            Ok(frame.meridian_icrs(dec_rad))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_on_the_meridian_are_their_own_pointings_and_a_shared_one_drifts() {
        let earth = EarthOrientation::builtin().unwrap();
        let site = Observatory::dsa110();
        let time = |i: i32| 61_065.934 * 86_400.0 + f64::from(i) * 12.884_901_888;
        let dec = 54.5f64.to_radians();
        let bin = |i: i32, field_centre| TimeBin { time_mjd_s: time(i), interval_s: 12.9, field_centre };
        let meridian = |i| ApparentFrame::new(time(i), &site, &earth).unwrap().meridian_icrs(dec);
        let own: Vec<_> = (0..24).map(|i| bin(i, meridian(i))).collect();
        let shared: Vec<_> = (0..24).map(|i| bin(i, meridian(12))).collect();
        let (a, b) =
            (drift_pointings(&own, &site, &earth).unwrap(), drift_pointings(&shared, &site, &earth).unwrap());
        for i in 0..24 {
            // Half an integration of drift off the meridian moves the declination of a shared centre by less than an arcsec.
            assert!(a[i].separation_rad(own[i].field_centre) < 1e-9);
            assert!(a[i].separation_rad(b[i]) < 5e-6, "{}", a[i].separation_rad(b[i]));
        }
        assert!(drift_pointings(&[], &site, &earth).unwrap().is_empty());
    }
}
