//! What the stage `image` tells.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

use crate::deconvolution::Outcome;
use crate::imaging::{BrightSource, Cycle, Noise, Timing};

/// A restoring beam for people.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct BeamReport {
    /// Major axis, FWHM \[arcsec\].
    pub major_arcsec: f64,
    /// Minor axis, FWHM \[arcsec\].
    pub minor_arcsec: f64,
    /// Position angle, north through east \[degrees\].
    pub pa_deg: f64,
}

/// One subband image.
#[derive(Clone, Debug, Serialize)]
pub struct SubbandReport {
    /// Number, ascending in frequency.
    pub number: usize,
    /// Mid frequency \[Hz\].
    pub freq_hz: f64,
    /// Width \[Hz\].
    pub bandwidth_hz: f64,
    /// Restored image.
    pub restored: Option<PathBuf>,
    /// The same, corrected for the beam.
    pub pbcor: Option<PathBuf>,
    /// Primary beam of the subband.
    pub pb: Option<PathBuf>,
    /// What CLEAN left in the subband.
    pub residual: Option<PathBuf>,
    /// Noise.
    pub noise: Noise,
    /// How its own cleaning ended.
    pub outcome: Outcome,
}

/// A spectral term from the second on.
#[derive(Clone, Debug, Serialize)]
pub struct TermReport {
    /// Power of `f / reference - 1`.
    pub number: usize,
    /// Components.
    pub model: Option<PathBuf>,
    /// Restored image.
    pub restored: Option<PathBuf>,
}

/// The image of one integration.
#[derive(Clone, Debug, Serialize)]
pub struct SnapshotReport {
    /// Number, in time.
    pub number: usize,
    /// Mid time, UTC \[MJD\].
    pub mjd: f64,
    /// Restored image.
    pub restored: PathBuf,
    /// The same, corrected for the beam.
    pub pbcor: PathBuf,
    /// Noise.
    pub noise: Noise,
    /// How cleaning ended.
    pub outcome: Outcome,
}

/// What was made.
#[derive(Clone, Debug, Serialize)]
pub struct ImageReport {
    /// `dirty`, `psf`, `model`, `residual`, `restored`, `pb`, `pbcor` and where they are.
    pub products: BTreeMap<&'static str, PathBuf>,
    /// Images of integrations.
    pub snapshots: Vec<SnapshotReport>,
    /// Subband images.
    pub subbands: Vec<SubbandReport>,
    /// Spectral terms from the second on; the first is the image.
    pub terms: Vec<TermReport>,
    /// Column imaged.
    pub datacolumn: &'static str,
    /// Centre, ICRS `[ra, dec]` \[degrees\].
    pub centre_deg: [f64; 2],
    /// Pixels `[x, y]`.
    pub imsize: [usize; 2],
    /// Pixel \[arcsec\].
    pub cell_arcsec: f64,
    /// Restoring beam.
    pub beam: BeamReport,
    /// Mid frequency \[Hz\].
    pub freq_hz: f64,
    /// Bandwidth \[Hz\].
    pub bandwidth_hz: f64,
    /// Mid time, UTC \[MJD\].
    pub mjd: f64,
    /// Robust rms of the residual \[Jy/beam\].
    pub rms_jy: f64,
    /// Thermal noise expected from the weights \[Jy/beam\].
    pub expected_rms_jy: f64,
    /// Noise that thresholds counted from \[Jy/beam\]: the expected one, unless the visibilities scatter by another.
    pub noise_used_jy: f64,
    /// Brightest pixel of the restored image \[Jy/beam\].
    pub peak_jy: f64,
    /// Brightest pixel over noise.
    pub dynamic_range: f64,
    /// Highest psf sidelobe is not kept; how cleaning ended.
    pub outcome: Outcome,
    /// Each major cycle.
    pub cycles: Vec<Cycle>,
    /// Major cycles.
    pub n_major: usize,
    /// Minor iterations.
    pub iterations: usize,
    /// Flux of the model \[Jy\].
    pub model_flux_jy: f64,
    /// Accuracy asked.
    pub epsilon: f64,
    /// Accuracy found against direct sums of the model; none without a model.
    pub epsilon_reached: Option<f64>,
    /// Sources fitted and subtracted exactly.
    pub bright: Vec<BrightSource>,
    /// Fainter sources beyond the image, subtracted with the beam of each integration.
    pub surroundings: Vec<BrightSource>,
    /// Visibilities used.
    pub visibilities: usize,
    /// Wall and CPU time of the parts.
    pub timings: Vec<Timing>,
}
