//! The beams we know, behind one type.

use super::{Airy, Error, Radial};
use crate::constants::{TELESCOPE_NAME, TELESCOPE_NAME_CASA};
use crate::coords::RaDec;

/// A primary beam: circular, unpolarised, 1 at the pointing centre.
#[derive(Clone, Debug, PartialEq)]
pub enum Beam {
    /// No attenuation at all.
    Unit,
    /// Uniform circular dish.
    Airy(Airy),
    /// A user's table.
    Radial(Radial),
}

const KNOWN: [&str; 3] = [TELESCOPE_NAME, TELESCOPE_NAME_CASA, "DSA-110"];

impl Beam {
    /// The built-in beam of a telescope, by the name in its data.
    ///
    /// # Errors
    /// [`Error::UnknownTelescope`]: an unknown telescope is never given a guessed beam.
    pub fn for_telescope(name: &str) -> Result<Self, Error> {
        if KNOWN.iter().any(|known| known.eq_ignore_ascii_case(name.trim())) {
            return Ok(Self::Airy(Airy::dsa110()));
        }
        Err(Error::UnknownTelescope { found: name.to_owned(), known: KNOWN.join(", ") })
    }

    /// Power at `sin^2` of the angle from the pointing, in front of the dish; Airy to 1e-8 absolute.
    pub fn power(&self, sin2_theta: f64, freq_hz: f64) -> f64 {
        match self {
            Self::Unit => 1.0,
            Self::Airy(airy) => airy.power(sin2_theta, freq_hz),
            Self::Radial(radial) => radial.power(sin2_theta, freq_hz),
        }
    }

    /// Power towards the unit vector `direction` of a dish that points at the unit vector `pointing`, at each frequency:
    /// multiplies `values`.
    pub fn attenuate(&self, direction: [f64; 3], pointing: [f64; 3], freq_hz: &[f64], values: &mut [f64]) {
        match sin2_in_front(direction, pointing) {
            _ if *self == Self::Unit => {}
            Some(sin2) => values.iter_mut().zip(freq_hz).for_each(|(v, f)| *v *= self.power(sin2, *f)),
            None => values.fill(0.0),
        }
    }

    /// Power towards `direction` of a dish that points at `pointing`; zero behind the dish.
    pub fn power_towards(&self, direction: RaDec, pointing: RaDec, freq_hz: f64) -> f64 {
        let mut power = [1.0];
        self.attenuate(direction.unit(), pointing.unit(), &[freq_hz], &mut power);
        power[0]
    }
}

/// `sin^2` of the angle between two unit vectors; `None` when it is 90 degrees or more.
pub(super) fn sin2_in_front(a: [f64; 3], b: [f64; 3]) -> Option<f64> {
    let cos = a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
    (cos > 0.0).then(|| (1.0 - cos * cos).max(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_telescopes_and_no_guesses() {
        assert_eq!(Beam::for_telescope("DSA_110").unwrap(), Beam::for_telescope("OVRO_MMA").unwrap());
        let error = Beam::for_telescope("EVLA").unwrap_err().to_string();
        assert!(error.contains("EVLA") && error.contains("DSA_110"), "{error}");
    }

    #[test]
    fn same_offset_same_power_anywhere_on_the_sky() {
        let beam = Beam::for_telescope("DSA_110").unwrap();
        let at = |ra: f64, dec: f64, ra2: f64, dec2: f64| {
            beam.power_towards(RaDec::from_deg(ra, dec), RaDec::from_deg(ra2, dec2), 1.4e9)
        };
        let north = at(10.0, 1.0, 10.0, 0.0);
        assert!((at(0.5, 0.0, 359.5, 0.0) - north).abs() < 1e-7);
        assert!((at(180.0, 89.5, 0.0, 89.5) - north).abs() < 1e-7);
        assert_eq!(at(180.0, 0.0, 0.0, 0.0), 0.0);
    }
}
