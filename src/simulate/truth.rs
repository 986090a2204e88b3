//! What went into a simulated group.

use super::{GroupParams, RfiEvent};

/// Truth of one source in one group.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct SourceTruth {
    /// Name.
    pub name: String,
    /// Right ascension, ICRS \[degrees\].
    pub ra_deg: f64,
    /// Declination, ICRS \[degrees\].
    pub dec_deg: f64,
    /// Flux at 1.4 GHz now, light curve included \[Jy\].
    pub flux_1400_jy: f64,
    /// Mean flux over the simulated channels now \[Jy\].
    pub flux_band_jy: f64,
    /// Flux over the quiet flux at 1.4 GHz.
    pub factor: f64,
    /// Mean beam over integrations and channels.
    pub beam: f64,
}

/// Truth of one group. Gains: `V_ms = g1 conj(g2) M`, `V_uvh5 = conj(g1) g2 M`, `g = bandpass gain`.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Truth {
    /// Everything that was asked.
    pub params: GroupParams,
    /// Times of the integrations' centres, UTC \[MJD s\].
    pub time_mjd_s: Vec<f64>,
    /// Channel centres, ascending \[Hz\].
    pub freq_hz: Vec<f64>,
    /// Stations, in the order of the gains' antenna axis.
    pub stations: Vec<u32>,
    /// Where the array pointed in the middle, ICRS \[degrees\].
    pub pointing_ra_deg: f64,
    /// Where the array pointed in the middle, ICRS \[degrees\].
    pub pointing_dec_deg: f64,
    /// Sources.
    pub sources: Vec<SourceTruth>,
    /// Delays of each antenna and receptor \[ns\].
    pub delay_ns: Vec<[f64; 2]>,
    /// Interference.
    pub rfi: Vec<RfiEvent>,
    /// Standard deviation of the noise in each of real and imaginary part of a cross-correlation \[Jy\].
    pub noise_sigma_jy: f64,
    /// Files, once written.
    pub files: Vec<String>,
}
