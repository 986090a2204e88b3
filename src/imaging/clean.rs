//! The major cycle (Cotton & Schwab; Schwab 1984, doi:10.1086/113605): minor cycles on the residual image, each followed
//! by the residual recomputed from the visibilities.

use ndarray::Array2;

use super::timing::Stopwatch;
use super::Error;
use crate::control::Control;
use crate::deconvolution::{
    grow_mask, mad_rms, minor_cycle, peak_in, LocalRms, MaskParams, MinorParams, MinorStop, Outcome,
    PsfFacts, Seen, Sign, Watch,
};
use crate::kind::{BadArgument, ErrorKind, Kind};

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
    /// A minor cycle stops at this factor times the highest sidelobe of the peak it started from.
    pub cycle_factor: f32,
    /// Seeds of the growing mask stand this many times above the noise of their place; `None` cleans everywhere.
    pub auto_mask: Option<f32>,
    /// Where components may lie (true), shape of the image.
    pub mask_yx: Option<Array2<bool>>,
    /// Already inside the growing mask.
    pub grown_yx: Option<Array2<bool>>,
    /// No negative components.
    pub non_negative: bool,
    /// Expected noise: where the residual's is higher, `nsigma` counts from this, but from no less than half the residual's.
    pub thermal_jy: Option<f32>,
}

impl Default for CleanParams {
    fn default() -> Self {
        Self {
            niter: 100_000,
            max_major: 30,
            gain: 0.1,
            mgain: 0.92,
            threshold_jy: 0.0,
            nthermal: 0.0,
            nsigma: 3.0,
            cycle_factor: 1.0,
            auto_mask: Some(5.0),
            mask_yx: None,
            grown_yx: None,
            non_negative: false,
            thermal_jy: None,
        }
    }
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

/// What CLEAN leaves.
#[derive(Clone, Debug)]
pub struct Cleaned {
    /// Components \[Jy/pixel\].
    pub model_yx: Array2<f32>,
    /// What is left \[Jy/beam\].
    pub residual_yx: Array2<f32>,
    /// Where cleaning was allowed in the end.
    pub mask_yx: Array2<bool>,
    /// How it went.
    pub report: CleanReport,
}

/// The last minor cycle stops at this share of the target.
const SHY: f32 = 0.95;

/// Clean `dirty_yx` with `psf_yx`; `residual_of` gives the residual image of a model, from the visibilities.
/// `start_yx` is a model to begin from, whose residual `dirty_yx` already is.
///
/// # Errors
/// Shapes and parameters that make no sense, a psf without a unit peak, what `residual_of` reports. A cancelled run is no
/// error: its outcome says so, and the best cycle's model is in it.
pub fn clean(
    dirty_yx: Array2<f32>,
    psf_yx: &Array2<f32>,
    start_yx: Option<Array2<f32>>,
    params: &CleanParams,
    mut residual_of: impl FnMut(&Array2<f32>) -> Result<Array2<f32>, Error>,
    control: &Control,
) -> Result<Cleaned, Error> {
    check(&dirty_yx, params)?;
    let facts = PsfFacts::of(psf_yx)?;
    let mut state = State::new(dirty_yx, start_yx, &facts, params);
    let mut outcome = Outcome::Iterations;
    while state.cycles.len() < params.max_major && state.iterations < params.niter {
        match cycle(&mut state, psf_yx, &facts, params, &mut residual_of, control) {
            Ok(None) => {}
            Ok(Some(end)) => {
                outcome = end;
                break;
            }
            Err(error) if error.kind() == ErrorKind::Cancelled => {
                outcome = Outcome::Interrupted;
                break;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(state.finish(if params.niter == 0 { Outcome::Dirty } else { outcome }))
}

/// One major cycle; why the run ends, if it does.
fn cycle(
    state: &mut State,
    psf_yx: &Array2<f32>,
    facts: &PsfFacts,
    params: &CleanParams,
    residual_of: &mut impl FnMut(&Array2<f32>) -> Result<Array2<f32>, Error>,
    control: &Control,
) -> Result<Option<Outcome>, Error> {
    control.check()?;
    let Some((peak, target)) = state.prepare(params).filter(|(peak, target)| peak > target) else {
        return Ok(Some(Outcome::Threshold));
    };
    let before = state.model.clone();
    // A little below the target, so that the next residual need not be cleaned for its last per cent.
    let depth = (SHY * target).max(facts.depth(peak, params.cycle_factor, 1.0 - params.mgain));
    let mut watch = Stopwatch::new();
    let minor = state.minor(psf_yx, depth, params, control)?;
    watch.lap("minor");
    if minor == 0 {
        return Ok(Some(Outcome::Stalled));
    }
    state.residual = residual_of(&state.model)?;
    watch.lap("residual");
    log::debug!(
        "major cycle {}: {peak:.5} to {depth:.5} Jy/beam in {minor} iterations; {:.2} and {:.2} CPU s",
        state.cycles.len(),
        watch.parts[0].cpu_s,
        watch.parts[1].cpu_s
    );
    match state.judge(peak, depth, minor) {
        Seen::Best | Seen::Idle => {}
        Seen::Stalled if state.idle_in_mask() => return Ok(Some(Outcome::Stalled)),
        Seen::Stalled => {}
        Seen::Diverged if state.caution() => {
            log::debug!("major cycle {} overshot: retrying less deep", state.cycles.len());
            state.model = before;
            state.residual = residual_of(&state.model)?;
        }
        Seen::Diverged => return Ok(Some(Outcome::Diverged)),
    }
    Ok(None)
}

fn check(dirty_yx: &Array2<f32>, params: &CleanParams) -> Result<(), Error> {
    for mask in params.mask_yx.iter().chain(&params.grown_yx) {
        if mask.dim() != dirty_yx.dim() {
            let expected = format!("the image's shape {:?} (y, x)", dirty_yx.dim());
            return Err(BadArgument::new("mask", expected, format!("{:?}", mask.dim())).into());
        }
    }
    let unit = |v: f32| v > 0.0 && v <= 1.0;
    for (name, value, good) in [
        ("gain", params.gain, unit(params.gain)),
        ("mgain", params.mgain, unit(params.mgain)),
        ("cycle_factor", params.cycle_factor, params.cycle_factor > 0.0),
        ("threshold_jy", params.threshold_jy, params.threshold_jy >= 0.0),
        ("nthermal", params.nthermal, params.nthermal >= 0.0),
        ("nsigma", params.nsigma, params.nsigma >= 0.0),
    ] {
        if !good || !value.is_finite() {
            return Err(BadArgument::new(name, "a positive number (gain and mgain at most 1)", value).into());
        }
    }
    Ok(())
}

struct State {
    model: Array2<f32>,
    residual: Array2<f32>,
    mask: Array2<bool>,
    allowed: Array2<bool>,
    /// Model and residual of the best cycle; at first what was given.
    best: (Array2<f32>, Array2<f32>),
    watch: Watch,
    lobe_px: f64,
    sidelobe: f32,
    sign: Sign,
    /// Multiplies the depth of minor cycles after an overshoot.
    care: f32,
    iterations: usize,
    cycles: Vec<Cycle>,
}

impl State {
    fn new(dirty: Array2<f32>, start: Option<Array2<f32>>, facts: &PsfFacts, params: &CleanParams) -> Self {
        let shape = dirty.dim();
        let allowed = params.mask_yx.clone().unwrap_or_else(|| inner(shape));
        let grows = params.auto_mask.is_some();
        let empty = || Array2::from_elem(shape, false);
        let mask = if grows { params.grown_yx.clone().unwrap_or_else(empty) } else { allowed.clone() };
        let sign = if params.non_negative { Sign::Positive } else { Sign::Both };
        let (peak, rms) = measure(&dirty, &allowed);
        let model = start.unwrap_or_else(|| Array2::zeros(shape));
        let best = (model.clone(), dirty.clone());
        Self {
            model,
            residual: dirty,
            mask,
            allowed,
            best,
            watch: Watch::new(peak, rms),
            lobe_px: facts.main_lobe_px,
            sidelobe: facts.far_sidelobe,
            sign,
            care: 1.0,
            iterations: 0,
            cycles: Vec::new(),
        }
    }

    /// Grow the mask; the peak inside and the level to stop at. `None` when nothing may be cleaned.
    fn prepare(&mut self, params: &CleanParams) -> Option<(f32, f32)> {
        let noise = LocalRms::of(&self.residual, (24.0 * self.lobe_px).max(48.0) as usize);
        let thermal =
            params.thermal_jy.map_or(noise.overall, |t| t.clamp(0.5 * noise.overall, noise.overall));
        let asked = params.thermal_jy.map_or(0.0, |t| params.nthermal * t);
        let target = params.threshold_jy.max(asked).max(params.nsigma * thermal);
        if let Some(seed_sigma) = params.auto_mask {
            let mask_params = MaskParams {
                seed_sigma,
                // Sidelobes of what is in the mask are not seeds while their source is not clean.
                sidelobe_fraction: (1.2 * self.sidelobe).min(0.5),
                radius_px: (0.5 * self.lobe_px).max(1.5),
                positive_only: true,
            };
            grow_mask(&mut self.mask, &self.residual, Some(&self.allowed), &noise, &mask_params);
        }
        peak_in(&self.residual, Some(&self.mask), self.sign).map(|p| (self.sign_of(p.value), target))
    }

    fn sign_of(&self, value: f32) -> f32 {
        if self.sign == Sign::Positive {
            value
        } else {
            value.abs()
        }
    }

    fn minor(
        &mut self,
        psf: &Array2<f32>,
        depth: f32,
        p: &CleanParams,
        control: &Control,
    ) -> Result<usize, Error> {
        let params = MinorParams {
            gain: p.gain,
            max_iterations: p.niter - self.iterations,
            stop_jy: depth * self.care,
            non_negative: p.non_negative,
            max_candidates: 1 << 16,
            leave_residual: true,
        };
        let report =
            minor_cycle(&mut self.residual, &mut self.model, psf, Some(&self.mask), &params, control)?;
        if report.stop == MinorStop::Diverged {
            log::debug!(
                "minor cycle stopped early: the peak began to grow at {} Jy/beam",
                report.peak_after_jy
            );
        }
        self.iterations += report.iterations;
        Ok(report.iterations)
    }

    /// Compare with the best cycle so far. The peak is that of all pixels that may ever be cleaned, because the mask's
    /// own grows as the mask does.
    fn judge(&mut self, peak: f32, depth: f32, iterations: usize) -> Seen {
        let (after, rms) = measure(&self.residual, &self.allowed);
        let flux = self.model.iter().map(|f| f64::from(*f)).sum();
        self.cycles.push(Cycle {
            iterations,
            peak_jy: peak,
            depth_jy: depth,
            rms_jy: rms,
            model_flux_jy: flux,
        });
        let seen = self.watch.see(after, rms);
        if seen == Seen::Best {
            self.best = (self.model.clone(), self.residual.clone());
        }
        seen
    }

    /// Whether the last three cycles began with peaks inside the mask that were hardly lower than before.
    fn idle_in_mask(&self) -> bool {
        let peaks: Vec<f32> = self.cycles.iter().map(|c| c.peak_jy).collect();
        let Some((last, earlier)) = peaks.len().checked_sub(3).map(|n| (&peaks[n..], &peaks[..n])) else {
            return false;
        };
        let lowest = earlier.iter().copied().fold(f32::INFINITY, f32::min);
        last.iter().all(|p| *p > 0.98 * lowest)
    }

    /// After an overshoot: whether a shallower minor cycle may be tried.
    fn caution(&mut self) -> bool {
        self.care *= 2.0;
        self.care <= 4.0
    }

    fn finish(self, outcome: Outcome) -> Cleaned {
        let worse = matches!(outcome, Outcome::Diverged | Outcome::Stalled | Outcome::Interrupted);
        let (model_yx, residual_yx) = if worse { self.best } else { (self.model, self.residual) };
        let report = CleanReport { outcome, iterations: self.iterations, cycles: self.cycles };
        Cleaned { model_yx, residual_yx, mask_yx: self.mask, report }
    }
}

/// Brightest magnitude of the pixels that may be cleaned, and robust noise of all.
fn measure(residual: &Array2<f32>, allowed: &Array2<bool>) -> (f32, f32) {
    let peak = peak_in(residual, Some(allowed), Sign::Both).map_or(0.0, |p| p.value.abs());
    (peak, mad_rms(residual.iter()))
}

/// All but a rim of 2 %, where aliases of what lies outside come back.
fn inner((ny, nx): (usize, usize)) -> Array2<bool> {
    let rim = |n: usize| (n / 50).max(1);
    let (ry, rx) = (rim(ny), rim(nx));
    Array2::from_shape_fn((ny, nx), |(y, x)| (ry..ny - ry).contains(&y) && (rx..nx - rx).contains(&x))
}
