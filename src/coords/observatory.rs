//! A place on the Earth: geodetic (WGS84) and geocentric (ITRF) coordinates, and the local horizon.

use super::vector::{apply, apply_transposed, sub, Vector};
use super::{AzEl, Error, HaDec};
use crate::constants::{SITE_HEIGHT_M, SITE_LATITUDE_DEG, SITE_LONGITUDE_DEG};
use crate::kind::BadArgument;

/// SOFA's number of the ellipsoid WGS84.
const WGS84: i32 = 1;

/// A place on the Earth.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Observatory {
    /// East longitude \[rad\].
    pub longitude_rad: f64,
    /// Geodetic latitude \[rad\].
    pub latitude_rad: f64,
    /// Height above the WGS84 ellipsoid \[m\].
    pub height_m: f64,
}

impl Observatory {
    /// From degrees east, degrees north, metres.
    pub fn from_deg(longitude_deg: f64, latitude_deg: f64, height_m: f64) -> Self {
        Self { longitude_rad: longitude_deg.to_radians(), latitude_rad: latitude_deg.to_radians(), height_m }
    }

    /// The DSA-110's site as its UVH5 headers carry it.
    pub fn dsa110() -> Self {
        Self::from_deg(SITE_LONGITUDE_DEG, SITE_LATITUDE_DEG, SITE_HEIGHT_M)
    }

    /// From geocentric coordinates \[m\].
    ///
    /// # Errors
    /// Coordinates that are not finite.
    pub fn from_itrf(itrf_m: [f64; 3]) -> Result<Self, Error> {
        let bad = || BadArgument::new("itrf_m", "three finite coordinates", format!("{itrf_m:?}"));
        if itrf_m.iter().any(|x| !x.is_finite()) {
            return Err(bad().into());
        }
        let (longitude_rad, latitude_rad, height_m) =
            sofars::coords::gc2gd(WGS84, itrf_m).map_err(|_| bad())?;
        Ok(Self { longitude_rad, latitude_rad, height_m })
    }

    /// Geocentric coordinates \[m\].
    ///
    /// # Errors
    /// A latitude or height that cannot be.
    pub fn itrf_m(&self) -> Result<[f64; 3], Error> {
        sofars::coords::gd2gc(WGS84, self.longitude_rad, self.latitude_rad, self.height_m)
            .map_err(|_| BadArgument::new("observatory", "a place on the Earth", format!("{self:?}")).into())
    }

    /// Unit vectors east, north, up in ITRF axes.
    pub fn enu_basis(&self) -> [[f64; 3]; 3] {
        let (sin_lon, cos_lon) = self.longitude_rad.sin_cos();
        let (sin_lat, cos_lat) = self.latitude_rad.sin_cos();
        [
            [-sin_lon, cos_lon, 0.0],
            [-sin_lat * cos_lon, -sin_lat * sin_lon, cos_lat],
            [cos_lat * cos_lon, cos_lat * sin_lon, sin_lat],
        ]
    }

    /// East, north, up \[m\] of an ITRF position about this place.
    ///
    /// # Errors
    /// As [`Observatory::itrf_m`].
    pub fn enu_m(&self, itrf_m: [f64; 3]) -> Result<[f64; 3], Error> {
        Ok(apply(&self.enu_basis(), sub(itrf_m, self.itrf_m()?)))
    }

    /// ITRF direction of an hour angle and declination at this longitude.
    pub(super) fn direction_of_hadec(&self, hadec: HaDec) -> Vector {
        let (sin_h, cos_h) = (self.longitude_rad - hadec.ha_rad).sin_cos();
        let (sin_d, cos_d) = hadec.dec_rad.sin_cos();
        [cos_d * cos_h, cos_d * sin_h, sin_d]
    }

    /// Hour angle and declination of an ITRF direction.
    pub(super) fn hadec_of_direction(&self, d: Vector) -> HaDec {
        HaDec::from_rad(self.longitude_rad - d[1].atan2(d[0]), d[2].atan2(d[0].hypot(d[1])))
    }

    /// Azimuth and elevation of an hour angle and declination.
    pub fn azel_of_hadec(&self, hadec: HaDec) -> AzEl {
        let [e, n, u] = apply(&self.enu_basis(), self.direction_of_hadec(hadec));
        AzEl::from_rad(e.atan2(n), u.atan2(e.hypot(n)))
    }

    /// Hour angle and declination of an azimuth and elevation.
    pub fn hadec_of_azel(&self, azel: AzEl) -> HaDec {
        let (sin_a, cos_a) = azel.az_rad.sin_cos();
        let (sin_e, cos_e) = azel.el_rad.sin_cos();
        self.hadec_of_direction(apply_transposed(&self.enu_basis(), [cos_e * sin_a, cos_e * cos_a, sin_e]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn geodetic_there_and_back() {
        let site = Observatory::dsa110();
        let back = Observatory::from_itrf(site.itrf_m().unwrap()).unwrap();
        assert!((back.longitude_rad - site.longitude_rad).abs() < 1e-14);
        assert!((back.latitude_rad - site.latitude_rad).abs() < 1e-14);
        assert!((back.height_m - site.height_m).abs() < 1e-8);
        assert!(Observatory::from_itrf([f64::NAN, 0.0, 0.0]).is_err());
    }

    #[test]
    fn the_meridian_is_north_or_south_and_the_zenith_is_up() {
        let site = Observatory::dsa110();
        let south = site.azel_of_hadec(HaDec::from_rad(0.0, 0.0));
        assert!((south.az_rad - std::f64::consts::PI).abs() < 1e-14);
        assert!((south.el_rad - (std::f64::consts::FRAC_PI_2 - site.latitude_rad)).abs() < 1e-14);
        // An hour angle grows to the west.
        let west = site.azel_of_hadec(HaDec::from_rad(0.3, 0.0));
        assert!(west.az_rad > std::f64::consts::PI);
        for (ha, dec) in [(0.5, 1.5), (-3.0, -0.4), (0.0, 0.65)] {
            let there = HaDec::from_rad(ha, dec);
            let back = site.hadec_of_azel(site.azel_of_hadec(there));
            assert!((back.ha_rad - ha).abs() * dec.cos() < 1e-14 && (back.dec_rad - dec).abs() < 1e-14);
        }
    }
}
