//! What to simulate.

use super::{Error, GainParams, RfiParams, Variability};
use crate::beam::{Airy, Beam};
use crate::constants::{CHANNELS_PER_SUBBAND, INTEGRATIONS_PER_FILE, INTEGRATION_S, SUBBANDS};
use crate::coords::RaDec;
use crate::kind::BadArgument;
use crate::source::{GaussianShape, SkySource, Spectrum};

/// Frequency of the catalogue fluxes \[Hz\].
pub(super) const CATALOGUE_HZ: f64 = 1.4e9;

/// One source: XX = YY = I.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SimSource {
    /// Name.
    pub name: String,
    /// Right ascension, ICRS \[degrees\].
    pub ra_deg: f64,
    /// Declination, ICRS \[degrees\].
    pub dec_deg: f64,
    /// Flux at 1.4 GHz \[Jy\].
    pub flux_jy: f64,
    /// Spectral index, S ~ f^alpha.
    pub alpha: f64,
    /// Major axis, full width at half maximum \[arcsec\]; 0 is a point.
    pub major_arcsec: f64,
    /// Minor axis \[arcsec\].
    pub minor_arcsec: f64,
    /// Position angle, north through east \[degrees\].
    pub pa_deg: f64,
    /// Light curve; `None` is constant.
    pub variability: Option<Variability>,
}

impl SimSource {
    /// As a source of a sky model, without its light curve.
    pub fn to_source(&self) -> SkySource {
        let arcsec = std::f64::consts::PI / 648_000.0;
        let resolved = self.major_arcsec > 0.0 || self.minor_arcsec > 0.0;
        SkySource {
            name: self.name.clone(),
            position: RaDec::from_deg(self.ra_deg, self.dec_deg),
            spectrum: Spectrum::power_law(self.flux_jy, CATALOGUE_HZ, self.alpha),
            shape: resolved.then(|| GaussianShape {
                major_rad: self.major_arcsec * arcsec,
                minor_rad: self.minor_arcsec * arcsec,
                pa_rad: self.pa_deg.to_radians(),
            }),
        }
    }
}

/// The beams that a simulation offers.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BeamChoice {
    /// Airy pattern of a 4.65 m dish.
    #[default]
    Airy,
    /// No attenuation.
    None,
}

impl BeamChoice {
    /// The model.
    pub fn beam(self) -> Beam {
        match self {
            Self::Airy => Beam::Airy(Airy::dsa110()),
            Self::None => Beam::Unit,
        }
    }
}

/// One observation of one or more subbands.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GroupParams {
    /// Beginning of the first integration, UTC \[MJD s\].
    pub start_mjd_s: f64,
    /// Declination of the pointing, of date \[degrees\].
    pub dec_deg: f64,
    /// Stations in the data; `None` is the active array.
    pub stations: Option<Vec<u32>>,
    /// Integrations.
    pub integrations: usize,
    /// Length of an integration \[s\].
    pub interval_s: f64,
    /// Subbands of the correlator, 0 = highest frequency.
    pub subbands: Vec<usize>,
    /// Channels a subband: divides 48, wider channels when fewer.
    pub channels: usize,
    /// The sky.
    pub sources: Vec<SimSource>,
    /// Primary beam.
    pub beam: BeamChoice,
    /// Average over integrations and channels as the correlator does; `false` samples their centres.
    pub smear: bool,
    /// Largest error of these averages, as a fraction of the summed apparent flux.
    pub accuracy: f64,
    /// Antenna gains; `None` is unity.
    pub gains: Option<GainParams>,
    /// System equivalent flux density \[Jy\]; 0 is no noise.
    pub sefd_jy: f64,
    /// Interference.
    pub rfi: RfiParams,
    /// Stations whose data are zeros.
    pub dead: Vec<u32>,
    /// Correlator units of 1 Jy.
    pub units_per_jy: f64,
    /// Seed of everything random.
    pub seed: u64,
    /// Number of the epoch (day): noise, interference and daily gains differ between epochs.
    pub epoch: u64,
    /// File names differ by up to so many seconds.
    pub name_jitter_s: u32,
}

impl Default for GroupParams {
    fn default() -> Self {
        Self {
            start_mjd_s: 61_065.0 * 86_400.0 + 80_765.0,
            dec_deg: 16.15,
            stations: None,
            integrations: INTEGRATIONS_PER_FILE,
            interval_s: INTEGRATION_S,
            subbands: (0..SUBBANDS).collect(),
            channels: CHANNELS_PER_SUBBAND,
            sources: Vec::new(),
            beam: BeamChoice::Airy,
            smear: true,
            accuracy: 1e-5,
            gains: None,
            sefd_jy: 0.0,
            rfi: RfiParams::default(),
            dead: Vec::new(),
            units_per_jy: 1.0,
            seed: 0,
            epoch: 0,
            name_jitter_s: 0,
        }
    }
}

/// Most integrations of a group: a day of them.
const MOST_INTEGRATIONS: usize = 6720;

impl GroupParams {
    /// # Errors
    /// The first value that makes no sense, by name.
    pub fn check(&self) -> Result<(), Error> {
        let bad = |what: &str, expected: &str, found: String| -> Result<(), Error> {
            Err(BadArgument::new(what, expected, found).into())
        };
        if !(-90.0..=90.0).contains(&self.dec_deg) {
            return bad("dec_deg", "-90..90", self.dec_deg.to_string());
        }
        if !(1..=MOST_INTEGRATIONS).contains(&self.integrations) {
            return bad("integrations", "1..6720", self.integrations.to_string());
        }
        if !(self.interval_s > 0.0 && self.interval_s <= 3600.0) {
            return bad("interval_s", "a length of time up to an hour", self.interval_s.to_string());
        }
        let mut seen = self.subbands.clone();
        seen.sort_unstable();
        seen.dedup();
        if seen.is_empty() || seen.len() != self.subbands.len() || seen.last().is_some_and(|s| *s >= SUBBANDS)
        {
            return bad("subbands", "different numbers in 0..15", format!("{:?}", self.subbands));
        }
        if self.channels == 0 || !CHANNELS_PER_SUBBAND.is_multiple_of(self.channels) {
            return bad("channels", "a divisor of 48", self.channels.to_string());
        }
        if !(self.accuracy > 0.0 && self.accuracy < 1.0) {
            return bad("accuracy", "a fraction between 0 and 1", self.accuracy.to_string());
        }
        for (what, value) in [("sefd_jy", self.sefd_jy), ("units_per_jy", self.units_per_jy)] {
            if !(value.is_finite() && value >= 0.0) {
                return bad(what, "a finite number >= 0", value.to_string());
            }
        }
        if self.units_per_jy == 0.0 {
            return bad("units_per_jy", "a positive number", "0".to_owned());
        }
        for source in &self.sources {
            if let Some(variability) = &source.variability {
                variability.check()?;
            }
        }
        self.gains.as_ref().map_or(Ok(()), GainParams::check)?;
        self.rfi.check()
    }
}
