//! How the flux of a source changes between epochs.

use super::Error;
use crate::ese::PlasmaLens;
use crate::kind::BadArgument;

/// A light curve: the factor on a source's flux at a time and frequency.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Variability {
    /// Achromatic Gaussian dip: `1 - depth exp(-4 ln2 (t - t0)^2 / fwhm^2)`.
    Dip {
        /// Middle, MJD days.
        t0_mjd: f64,
        /// Full width at half depth \[days\].
        fwhm_days: f64,
        /// Fraction of the flux that is lost in the middle, 0..1.
        depth: f64,
    },
    /// Linear rise, exponential decay: `1 + amplitude` at the peak.
    Flare {
        /// Time of the peak, MJD days.
        t0_mjd: f64,
        /// Length of the rise \[days\].
        rise_days: f64,
        /// Decay time \[days\].
        decay_days: f64,
        /// Flux added at the peak, in units of the quiet flux.
        amplitude: f64,
    },
    /// A Gaussian plasma lens that crosses the source: chromatic.
    Lens {
        /// Time on the lens's axis, MJD days.
        t0_mjd: f64,
        /// Time to cross one lens width `a` \[days\].
        crossing_days: f64,
        /// The lens.
        lens: PlasmaLens,
    },
    /// `1 + amplitude sin(2 pi (t - t0) / period)`.
    Periodic {
        /// A time of mean flux on the rise, MJD days.
        t0_mjd: f64,
        /// Period \[days\].
        period_days: f64,
        /// Amplitude in units of the mean flux, 0..1.
        amplitude: f64,
    },
}

impl Variability {
    /// Flux over the quiet flux.
    pub fn factor(&self, mjd: f64, freq_hz: f64) -> f64 {
        match self {
            Self::Dip { t0_mjd, fwhm_days, depth } => {
                let x = (mjd - t0_mjd) / fwhm_days;
                1.0 - depth * (-4.0 * std::f64::consts::LN_2 * x * x).exp()
            }
            Self::Flare { t0_mjd, rise_days, decay_days, amplitude } => {
                let t = mjd - t0_mjd;
                let shape = if t < 0.0 { (1.0 + t / rise_days).max(0.0) } else { (-t / decay_days).exp() };
                1.0 + amplitude * shape
            }
            Self::Lens { t0_mjd, crossing_days, lens } => {
                lens.magnification((mjd - t0_mjd) / crossing_days, freq_hz)
            }
            Self::Periodic { t0_mjd, period_days, amplitude } => {
                1.0 + amplitude * (std::f64::consts::TAU * (mjd - t0_mjd) / period_days).sin()
            }
        }
    }

    /// # Errors
    /// Times that are not positive, depths and amplitudes that make a negative flux.
    pub fn check(&self) -> Result<(), Error> {
        let positive = |what: &str, x: f64| -> Result<(), Error> {
            if x.is_finite() && x > 0.0 {
                return Ok(());
            }
            Err(BadArgument::new(what, "a positive number of days", x).into())
        };
        let within = |what: &str, x: f64, low: f64, high: f64| -> Result<(), Error> {
            if (low..=high).contains(&x) {
                return Ok(());
            }
            Err(BadArgument::new(what, format!("{low}..{high}"), x).into())
        };
        match self {
            Self::Dip { fwhm_days, depth, .. } => {
                positive("fwhm_days", *fwhm_days).and(within("depth", *depth, 0.0, 1.0))
            }
            Self::Flare { rise_days, decay_days, amplitude, .. } => {
                positive("rise_days", *rise_days)?;
                positive("decay_days", *decay_days)?;
                within("amplitude", *amplitude, -1.0, 1e6)
            }
            Self::Lens { crossing_days, lens, .. } => {
                positive("crossing_days", *crossing_days)?;
                Ok(lens.check()?)
            }
            Self::Periodic { period_days, amplitude, .. } => {
                positive("period_days", *period_days).and(within("amplitude", *amplitude, 0.0, 1.0))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_have_their_marks() {
        let dip = Variability::Dip { t0_mjd: 100.0, fwhm_days: 30.0, depth: 0.4 };
        assert!((dip.factor(100.0, 1.4e9) - 0.6).abs() < 1e-12);
        assert!((dip.factor(115.0, 1.4e9) - 0.8).abs() < 1e-12);
        let flare = Variability::Flare { t0_mjd: 50.0, rise_days: 2.0, decay_days: 5.0, amplitude: 3.0 };
        assert_eq!(flare.factor(47.0, 1e9), 1.0);
        assert_eq!(flare.factor(49.0, 1e9), 2.5);
        assert_eq!(flare.factor(50.0, 1e9), 4.0);
        assert!((flare.factor(55.0, 1e9) - (1.0 + 3.0 / std::f64::consts::E)).abs() < 1e-12);
        let lens = PlasmaLens::new(2.0 / 3.0, 1.4e9, 0.0).unwrap();
        let lens = Variability::Lens { t0_mjd: 10.0, crossing_days: 20.0, lens };
        assert!((lens.factor(10.0, 1.4e9) - 0.6).abs() < 1e-9 && lens.factor(10.0, 1.3e9) < 0.6);
        let wave = Variability::Periodic { t0_mjd: 0.0, period_days: 4.0, amplitude: 0.2 };
        assert!((wave.factor(1.0, 1e9) - 1.2).abs() < 1e-12 && wave.check().is_ok());
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        assert!(Variability::Dip { t0_mjd: 0.0, fwhm_days: 0.0, depth: 0.4 }.check().is_err());
        assert!(Variability::Dip { t0_mjd: 0.0, fwhm_days: 1.0, depth: 1.4 }.check().is_err());
        assert!(Variability::Flare { t0_mjd: 0.0, rise_days: 1.0, decay_days: f64::NAN, amplitude: 1.0 }
            .check()
            .is_err());
        let text = r#"{"kind": "dip", "t0_mjd": 1.0, "fwhm_days": 30, "depth": 0.4, "width": 3}"#;
        assert!(serde_json::from_str::<Variability>(text).unwrap_err().to_string().contains("width"));
    }
}
