//! Parameters of a solve, in CASA's vocabulary.

use super::{Robust, Solint};
use crate::calibration::bandpass::Smoothing;
use crate::gains::{RefAntMode, Term};

/// What of a gain is solved (CASA's `calmode`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Amplitude and phase.
    #[default]
    AmpPhase,
    /// Phase; amplitudes are held at 1.
    Phase,
    /// Amplitude; the phase is solved for and then dropped.
    Amp,
}

impl Mode {
    /// CASA's `calmode`: `ap`, `p` or `a`.
    pub fn parse(text: &str) -> Option<Self> {
        match text.trim() {
            "ap" | "pa" => Some(Self::AmpPhase),
            "p" => Some(Self::Phase),
            "a" => Some(Self::Amp),
            _ => None,
        }
    }
}

/// Boundaries that a solution interval may cross.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Combine {
    /// Scans.
    pub scan: bool,
    /// Fields.
    pub field: bool,
    /// Spectral windows.
    pub spw: bool,
}

impl Combine {
    /// A comma list of `scan`, `field`, `spw` and `obs` (one observation is the rule, so `obs` changes nothing).
    pub fn parse(text: &str) -> Option<Self> {
        let mut combine = Self::default();
        for word in text.split(',').map(str::trim).filter(|w| !w.is_empty()) {
            match word {
                "scan" => combine.scan = true,
                "field" => combine.field = true,
                "spw" => combine.spw = true,
                "obs" => {}
                _ => return None,
            }
        }
        Some(combine)
    }
}

/// Parameters of one solve.
#[derive(Clone, Debug)]
pub struct SolveParams {
    /// Which term.
    pub term: Term,
    /// What of it.
    pub mode: Mode,
    /// Length of a solution interval.
    pub solint: Solint,
    /// Boundaries it may cross.
    pub combine: Combine,
    /// Least number of baselines to working antennas.
    pub minblperant: usize,
    /// Least signal-to-noise ratio; 0 keeps everything.
    pub minsnr: f64,
    /// Reference antennas, best first; empty takes the antenna with most data.
    pub refant: Vec<usize>,
    /// What to do where the reference is missing.
    pub refant_mode: RefAntMode,
    /// Divide amplitudes by their mean, window by window, antenna by antenna.
    pub solnorm: bool,
    /// Fill gaps of up to this many flagged channels (B).
    pub fillgaps: usize,
    /// Smoothing along frequency (B).
    pub smoothing: Smoothing,
    /// Down-weighting of outlying baselines.
    pub robust: Robust,
    /// Relative change of the gains at which a solve has converged.
    pub tolerance: f64,
    /// Change at the last iteration below which the solution is still accepted.
    pub acceptable: f64,
    /// Most iterations.
    pub max_iterations: usize,
}

impl SolveParams {
    /// Defaults of a term: infinite interval, 4 baselines, SNR 3, no smoothing.
    pub fn new(term: Term) -> Self {
        Self {
            term,
            mode: Mode::AmpPhase,
            solint: Solint::Infinite,
            combine: Combine::default(),
            minblperant: 4,
            minsnr: 3.0,
            refant: Vec::new(),
            refant_mode: RefAntMode::Flex,
            solnorm: false,
            fillgaps: 0,
            smoothing: Smoothing::None,
            robust: Robust::Off,
            tolerance: 1e-7,
            acceptable: 1e-3,
            max_iterations: 200,
        }
    }
}
