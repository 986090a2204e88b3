//! Divergence and stall over major cycles.

/// How a CLEAN ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// No cleaning was asked for.
    Dirty,
    /// The threshold was reached.
    Threshold,
    /// The iterations or major cycles were used up.
    Iterations,
    /// Further major cycles no longer lower the residual.
    Stalled,
    /// The residual grew; the best cycle's model was kept.
    Diverged,
    /// Cancelled in a major cycle; the best cycle's model was kept.
    Interrupted,
}

/// Compares the residual of each major cycle with the best so far.
#[derive(Clone, Copy, Debug)]
pub struct Watch {
    best_peak: f32,
    best_rms: f32,
    idle: usize,
}

/// Verdict of [`Watch::see`] on one major cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// The best so far: keep its model.
    Best,
    /// Not better, not worse.
    Idle,
    /// Nothing gained for several cycles.
    Stalled,
    /// Worse than the best.
    Diverged,
}

/// A peak this much above the best, or an rms this much, is divergence.
const WORSE_PEAK: f32 = 1.5;
const WORSE_RMS: f32 = 1.2;
/// Cycles in a row with gains below `LITTLE` in both measures end the run.
const PATIENCE: usize = 3;
const LITTLE: f32 = 0.98;
/// A model this little above the best in either measure still replaces it: it holds more of the sky.
const LOOSE_PEAK: f32 = 1.02;
const LOOSE_RMS: f32 = 1.005;

impl Watch {
    /// From the dirty image's peak inside the mask and robust rms.
    pub fn new(peak: f32, rms: f32) -> Self {
        Self { best_peak: peak, best_rms: rms, idle: 0 }
    }

    /// Judge the residual after a major cycle.
    pub fn see(&mut self, peak: f32, rms: f32) -> Seen {
        let worse = peak > WORSE_PEAK * self.best_peak || rms > WORSE_RMS * self.best_rms;
        if worse || !peak.is_finite() || !rms.is_finite() {
            return Seen::Diverged;
        }
        let gained = peak < LITTLE * self.best_peak || rms < LITTLE * self.best_rms;
        let better = peak <= LOOSE_PEAK * self.best_peak && rms <= LOOSE_RMS * self.best_rms;
        self.best_peak = self.best_peak.min(peak);
        self.best_rms = self.best_rms.min(rms);
        self.idle = if gained { 0 } else { self.idle + 1 };
        match (better, self.idle >= PATIENCE) {
            (_, true) => Seen::Stalled,
            (true, false) => Seen::Best,
            (false, false) => Seen::Idle,
        }
    }
}
