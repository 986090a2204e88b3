//! What CLEAN is asked for, and what it leaves and says.

use ndarray::Array2;

use crate::deconvolution::Outcome;

/// How deep to clean, and how carefully.
#[derive(Clone, Debug)]
pub struct CleanParams {
    /// Most iterations in all; 0 makes a dirty image.
    pub niter: usize,
    /// Most major cycles.
    pub max_major: usize,
    /// Share of the peak that one iteration takes.
    pub gain: f32,
    /// A minor cycle takes at most this share off the peak (WSClean's `-mgain`).
    pub mgain: f32,
    /// Stop when the brightest residual inside the mask is below \[Jy/beam\].
    pub threshold_jy: f32,
    /// Stop when it is below this many times the thermal noise, if that is known.
    pub nthermal: f32,
    /// Stop when it is below this many times the robust noise.
    pub nsigma: f32,
    /// In the end islands of the mask are cleaned to this many times the noise: what is left of a source is seen with the dirty beam,
    /// whose skirts are not those of the restoring beam, and is missing from its flux. 0 for no such end.
    pub deep_sigma: f32,
    /// A minor cycle stops at this factor times the highest sidelobe of the peak it started from.
    pub cycle_factor: f32,
    /// Seeds of the growing mask stand this many times above the noise of their place; `None` cleans everywhere.
    pub auto_mask: Option<f32>,
    /// Where components may lie (true), shape of the image.
    pub mask_yx: Option<Array2<bool>>,
    /// Already inside the growing masks, one a scale.
    pub grown_yx: Option<Vec<Array2<bool>>>,
    /// No negative components.
    pub non_negative: bool,
    /// What is below zero may seed the mask too (Stokes Q, U and V).
    pub negative_seeds: bool,
    /// Error of rough residuals relative to the brightest peak ([`Care::Rough`]); 0 when all are of one accuracy.
    pub rough_epsilon: f32,
    /// Known noise: `nsigma` counts from this, or from half the residual's noise where that is more; the mask's seeds from this or
    /// from the noise of their place, whichever is more. Without it both follow the residual.
    pub thermal_jy: Option<f32>,
}

impl Default for CleanParams {
    fn default() -> Self {
        Self {
            niter: 1_000_000,
            max_major: 30,
            gain: 0.1,
            mgain: 0.92,
            threshold_jy: 0.0,
            nthermal: 0.0,
            nsigma: 3.0,
            deep_sigma: 1.0,
            cycle_factor: 1.0,
            auto_mask: Some(5.0),
            mask_yx: None,
            grown_yx: None,
            non_negative: false,
            negative_seeds: false,
            rough_epsilon: 0.0,
            thermal_jy: None,
        }
    }
}

/// How well the residual of a model must be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Care {
    /// More is cleaned than its error: another follows.
    Rough,
    /// To the gridder's accuracy.
    Plain,
    /// With all that is known of the beam.
    Exact,
}

/// One major cycle, for the report.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Cycle {
    /// Iterations of its minor cycle.
    pub iterations: usize,
    /// Brightest residual inside the mask before it \[Jy/beam\].
    pub peak_jy: f32,
    /// Level to which the minor cycle was sent \[Jy/beam\].
    pub depth_jy: f32,
    /// Robust noise of the residual after it \[Jy/beam\].
    pub rms_jy: f32,
    /// Flux in the model after it \[Jy\].
    pub model_flux_jy: f64,
}

/// How it went.
#[derive(Clone, Debug, serde::Serialize)]
pub struct CleanReport {
    /// Why it ended.
    pub outcome: Outcome,
    /// Iterations in all.
    pub iterations: usize,
    /// One entry a major cycle.
    pub cycles: Vec<Cycle>,
}

/// Images by spectral term.
pub type Planes = Vec<Array2<f32>>;

/// What CLEAN leaves.
#[derive(Clone, Debug)]
pub struct Cleaned {
    /// Components \[Jy/pixel\].
    pub model_yx: Array2<f32>,
    /// What is left \[Jy/beam\].
    pub residual_yx: Array2<f32>,
    /// Where cleaning was allowed in the end: on any scale.
    pub mask_yx: Array2<bool>,
    /// And on each of them.
    pub masks_yx: Vec<Array2<bool>>,
    /// How it went.
    pub report: CleanReport,
    /// Models of the spectral terms from the second on.
    pub more_models_yx: Planes,
    /// And their residuals.
    pub more_residuals_yx: Planes,
}
