//! The major cycle (Cotton & Schwab; Schwab 1984, doi:10.1086/113605): minor cycles on the residual image, each followed
//! by the residual recomputed from the visibilities.

use ndarray::Array2;

use super::clean_report::{Care, CleanParams, CleanReport, Cleaned, Cycle, Planes};
use super::timing::Stopwatch;
use super::Error;
use crate::control::Control;
use crate::deconvolution::{
    grow_mask, joint_minor_cycle, mad_rms, minor_cycle, peak_in, JointPsf, LocalRms, MaskParams, MinorParams,
    MinorStop, Outcome, PsfFacts, ScalePlane, Seen, Sign, Watch,
};
use crate::kind::{BadArgument, ErrorKind, Kind};

/// The point spread function, and what joint minor cycles need of it.
pub struct Psf<'a> {
    /// Unit peak.
    pub image_yx: &'a Array2<f32>,
    /// Moments of frequency on scales; `None` cleans points of one term.
    pub joint: Option<&'a JointPsf>,
}

/// The deep end must not raise the highest peak, nor the noise, by more than this.
const DEEP_PEAK: f32 = 1.5;
const DEEP_RMS: f32 = 1.01;
/// With wide components a minor cycle leaves at least this share of the peak, sidelobes allowing.
const LEAST_SHARE_WIDE: f32 = 0.2;
/// The error of a rough residual over what the minor cycle before it left.
const ROUGH_SHARE: f32 = 0.1;
/// A run that goes on from a model may begin its deep end so many times before the level is reached, and so near to it: what is far above
/// still has sidelobes in the islands of others, which would be cleaned for sources.
const DEEP_ENDS: usize = 2;
const NEARLY: f32 = 2.0;
/// The last minor cycle stops at this share of the target.
pub(super) const SHY: f32 = 0.95;

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
    let psf = Psf { image_yx: psf_yx, joint: None };
    let residuals_of = |models: &[Array2<f32>], _| Ok(vec![residual_of(&models[0])?]);
    clean_jointly(vec![dirty_yx], &psf, start_yx.map(|m| vec![m]), params, residuals_of, control)
}

/// The same for spectral terms and scales: images by term; `residuals_of` gives those of models by term, as exactly as it can
/// from the last minor cycle on.
///
/// # Errors
/// As [`clean`].
pub fn clean_jointly(
    dirty_yx: Planes,
    psf: &Psf<'_>,
    start_yx: Option<Planes>,
    params: &CleanParams,
    mut residuals_of: impl FnMut(&[Array2<f32>], Care) -> Result<Planes, Error>,
    control: &Control,
) -> Result<Cleaned, Error> {
    let terms = psf.joint.map_or(1, JointPsf::terms);
    if dirty_yx.len() != terms || start_yx.as_ref().is_some_and(|s| s.len() != terms) {
        return Err(BadArgument::new("dirty", format!("{terms} planes"), dirty_yx.len()).into());
    }
    check(&dirty_yx[0], params)?;
    let facts = PsfFacts::of(psf.image_yx)?;
    let mut state = State::new(dirty_yx, start_yx, psf.joint.map_or(1, JointPsf::scales), &facts, params);
    let mut outcome = Outcome::Iterations;
    while state.cycles.len() < params.max_major && state.iterations < params.niter {
        match cycle(&mut state, psf, &facts, params, &mut residuals_of, control) {
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
    let rough = state.care_taken == Care::Rough && outcome != Outcome::Interrupted;
    let mut cleaned = state.finish(if params.niter == 0 { Outcome::Dirty } else { outcome });
    if rough {
        let models: Planes =
            std::iter::once(&cleaned.model_yx).chain(&cleaned.more_models_yx).cloned().collect();
        let mut residuals = residuals_of(&models, Care::Plain)?;
        cleaned.residual_yx = residuals.remove(0);
        cleaned.more_residuals_yx = residuals;
    }
    Ok(cleaned)
}

/// One major cycle; why the run ends, if it does.
fn cycle(
    state: &mut State,
    psf: &Psf<'_>,
    facts: &PsfFacts,
    params: &CleanParams,
    residuals_of: &mut impl FnMut(&[Array2<f32>], Care) -> Result<Planes, Error>,
    control: &Control,
) -> Result<Option<Outcome>, Error> {
    control.check()?;
    let found = state.prepare(psf, params, control)?;
    let Some((peak, Target { stop, deep })) = found else { return Ok(Some(Outcome::Threshold)) };
    if !(peak > stop) {
        if deep > 0.0 && !state.deep {
            state.finish_deep(psf, Target { stop, deep }, params, residuals_of, control)?;
        }
        return Ok(Some(Outcome::Threshold));
    }
    let before = state.model.clone();
    // A little below the target, so that the next residual need not be cleaned for its last per cent.
    // Wide components hold flux that only the next residual tells from that of their neighbours.
    let wide = psf.joint.is_some_and(|j| j.scales() > 1);
    let share = (1.0 - params.mgain).max(if wide { LEAST_SHARE_WIDE } else { 0.0 });
    let safe = facts.depth(peak, params.cycle_factor, share);
    let last = safe <= SHY * stop;
    if state.goes_on && last && deep > 0.0 && peak < NEARLY * stop && state.deep_ends < DEEP_ENDS {
        // One minor cycle does both, and one exact residual shows it.
        state.deep_ends += 1;
        let used = state.iterations;
        if state.finish_deep(psf, Target { stop, deep }, params, residuals_of, control)? {
            state.judge(peak, SHY * stop, state.iterations - used);
            let left = peak_in(&state.residual[0], state.masks.first(), state.sign);
            let done = left.is_none_or(|p| sized(state.sign, p.value) <= stop);
            return Ok(done.then_some(Outcome::Threshold));
        }
    }
    // The deep end computes its residual exactly; before it what little is wrong is not cleaned.
    state.exactly |= last && deep == 0.0;
    let depth = if last { SHY * stop } else { safe };
    let mut watch = Stopwatch::new();
    state.deep = false;
    let minor = state.minor(psf, depth, 0.0, params, control)?;
    watch.lap("minor");
    if minor == 0 {
        return Ok(Some(Outcome::Stalled));
    }
    // What a rough residual is wrong by is far below what the next minor cycle takes.
    let rough = !last && params.rough_epsilon * state.brightest < ROUGH_SHARE * depth;
    state.care_taken = match (state.exactly, rough) {
        (true, _) => Care::Exact,
        (_, true) => Care::Rough,
        _ => Care::Plain,
    };
    state.residual = residuals_of(&state.model, state.care_taken)?;
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
            state.residual = residuals_of(&state.model, state.care_taken)?;
        }
        Seen::Diverged => return Ok(Some(Outcome::Diverged)),
    }
    Ok(None)
}

fn check(dirty_yx: &Array2<f32>, params: &CleanParams) -> Result<(), Error> {
    for mask in params.mask_yx.iter().chain(params.grown_yx.iter().flatten()) {
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
        ("deep_sigma", params.deep_sigma, params.deep_sigma >= 0.0),
    ] {
        if !good || !value.is_finite() {
            return Err(BadArgument::new(name, "a positive number (gain and mgain at most 1)", value).into());
        }
    }
    Ok(())
}

/// Where cleaning stops \[Jy/beam\].
#[derive(Clone, Copy)]
struct Target {
    /// It is done when the brightest residual is below.
    stop: f32,
    /// Where the last minor cycle goes.
    deep: f32,
}

struct State {
    model: Planes,
    residual: Planes,
    /// One a scale: what stands out of a wide view only need not be cleaned with points, which would take noise.
    masks: Vec<Array2<bool>>,
    allowed: Array2<bool>,
    /// Model and residual of the best cycle; at first what was given.
    best: (Planes, Planes),
    watch: Watch,
    lobe_px: f64,
    sidelobe: f32,
    sign: Sign,
    /// Noise of each scale over that of the image.
    quiet: Vec<f32>,
    /// Multiplies the depth of minor cycles after an overshoot.
    care: f32,
    /// Residuals are to be as exact as they can be.
    exactly: bool,
    /// And those of the present model are.
    care_taken: Care,
    /// Islands of the present model are as deep as asked.
    deep: bool,
    /// The model to begin from was cleaned before.
    goes_on: bool,
    /// Deep ends that were tried before the level was reached.
    deep_ends: usize,
    /// Highest peak of the first residual, or of the model to begin from.
    brightest: f32,
    iterations: usize,
    cycles: Vec<Cycle>,
}

impl State {
    fn new(
        dirty: Planes,
        start: Option<Planes>,
        scales: usize,
        facts: &PsfFacts,
        params: &CleanParams,
    ) -> Self {
        let shape = dirty[0].dim();
        let allowed = params.mask_yx.clone().unwrap_or_else(|| inner(shape));
        let grows = params.auto_mask.is_some();
        let empty = || vec![Array2::from_elem(shape, false); scales];
        let masks = if grows { params.grown_yx.clone().unwrap_or_else(empty) } else { vec![allowed.clone()] };
        let sign = if params.non_negative { Sign::Positive } else { Sign::Both };
        let (peak, rms) = measure(&dirty[0], &allowed);
        let goes_on = start.is_some() && params.grown_yx.is_some();
        let model = start.unwrap_or_else(|| vec![Array2::zeros(shape); dirty.len()]);
        let best = (model.clone(), dirty.clone());
        let brightest = model[0].iter().fold(peak, |most, f| most.max(f.abs()));
        Self {
            model,
            residual: dirty,
            masks,
            allowed,
            best,
            watch: Watch::new(peak, rms),
            lobe_px: facts.main_lobe_px,
            sidelobe: facts.far_sidelobe,
            sign,
            quiet: Vec::new(),
            care: 1.0,
            exactly: false,
            care_taken: Care::Plain,
            deep: false,
            goes_on,
            deep_ends: 0,
            brightest,
            iterations: 0,
            cycles: Vec::new(),
        }
    }

    /// Grow the mask; the peak inside and the levels to stop at. `None` when nothing may be cleaned.
    fn prepare(
        &mut self,
        psf: &Psf<'_>,
        params: &CleanParams,
        control: &Control,
    ) -> Result<Option<(f32, Target)>, Error> {
        let noise = LocalRms::of(&self.residual[0], (24.0 * self.lobe_px).max(48.0) as usize)
            .at_least(params.thermal_jy.unwrap_or(0.0));
        // Never below the known noise: a residual that was cleaned too deep would call for more and more.
        let thermal = params.thermal_jy.map_or(noise.overall, |t| t.max(0.5 * noise.overall));
        let asked = params.thermal_jy.map_or(0.0, |t| params.nthermal * t);
        let stop = params.threshold_jy.max(asked).max(params.nsigma * thermal);
        let masked = params.auto_mask.is_some() || params.mask_yx.is_some();
        let deep = if masked { params.deep_sigma * thermal } else { 0.0 };
        let target = Target { stop, deep: if deep < SHY * stop { deep } else { 0.0 } };
        let seeds = |sidelobe: f32, width_px: f64| MaskParams {
            seed_sigma: params.auto_mask.unwrap_or(f32::INFINITY),
            // Sidelobes of what is in the mask are not seeds while their source is not clean.
            sidelobe_fraction: (1.2 * sidelobe).min(if width_px > 0.0 { 0.95 } else { 0.5 }),
            radius_px: (0.5 * self.lobe_px).max(1.5),
            positive_only: !params.negative_seeds,
        };
        let grows = params.auto_mask.is_some();
        let (masks, allowed, sign) = (&mut self.masks, Some(&self.allowed), self.sign);
        if grows {
            grow_mask(&mut masks[0], &self.residual[0], allowed, &noise, &seeds(self.sidelobe, 0.0));
        }
        let Some(joint) = psf.joint.filter(|j| j.scales() > 1) else {
            let peak = peak_in(&self.residual[0], masks.first(), sign);
            return Ok(peak.map(|p| (sized(sign, p.value), target)));
        };
        let mut peak: Option<f32> = None;
        let mut ratios = Vec::new();
        let look = |plane: &ScalePlane<'_>| {
            let box_px = (24.0 * self.lobe_px).max(8.0 * plane.width_px).max(48.0);
            let own = LocalRms::of(plane.image_yx, box_px as usize);
            let number = ratios.len();
            // Weights that are not natural leave wide scales less noise than they say; never more than the image's.
            let quiet = joint.quiet().get(number).copied().unwrap_or(if noise.overall > 0.0 {
                (own.overall / noise.overall).clamp(0.05, 1.0)
            } else {
                1.0
            });
            let own = own.at_least(quiet * params.thermal_jy.unwrap_or(0.0));
            let place = number.min(masks.len() - 1);
            ratios.push(quiet);
            if grows && plane.width_px > 0.0 {
                grow_mask(
                    &mut masks[place],
                    plane.image_yx,
                    allowed,
                    &own,
                    &seeds(plane.max_sidelobe, plane.width_px),
                );
            }
            let here =
                peak_in(plane.image_yx, Some(&masks[place]), sign).map(|p| sized(sign, p.value) / quiet);
            peak = peak.into_iter().chain(here).reduce(f32::max);
        };
        joint.survey(&self.residual[0], look, control)?;
        self.quiet = ratios;
        Ok(peak.map(|p| (p, target)))
    }

    fn minor(
        &mut self,
        psf: &Psf<'_>,
        depth: f32,
        deep: f32,
        p: &CleanParams,
        control: &Control,
    ) -> Result<usize, Error> {
        let params = MinorParams {
            gain: p.gain,
            max_iterations: p.niter - self.iterations,
            stop_jy: depth * self.care,
            non_negative: p.non_negative,
            // A beam may be three hundred pixels, and a field a thousand sources.
            max_candidates: 1 << 18,
            deep_jy: deep * self.care,
            leave_residual: true,
        };
        let (residual, model, masks) = (&mut self.residual, &mut self.model, &self.masks);
        let report = match psf.joint {
            Some(joint) => {
                // Wide components go as deep as islands of points do: few pixels, and much flux in a little of their residual.
                let share = if deep > 0.0 { (deep / depth).min(1.0) } else { 1.0 };
                let quiet: Vec<f32> =
                    self.quiet.iter().enumerate().map(|(k, q)| if k == 0 { *q } else { share * q }).collect();
                joint_minor_cycle(residual, model, joint, masks, &quiet, &params, control)?
            }
            None => {
                minor_cycle(&mut residual[0], &mut model[0], psf.image_yx, masks.first(), &params, control)?
            }
        };
        if report.stop == MinorStop::Diverged {
            log::debug!(
                "minor cycle stopped early: the peak began to grow at {} Jy/beam",
                report.peak_after_jy
            );
        }
        self.iterations += report.iterations;
        Ok(report.iterations)
    }

    /// The end: what is above the target, then islands of the mask, and wide components, down to the noise. Taken back if the residual is not
    /// better for it; whether it was kept.
    fn finish_deep(
        &mut self,
        psf: &Psf<'_>,
        target: Target,
        params: &CleanParams,
        residuals_of: &mut impl FnMut(&[Array2<f32>], Care) -> Result<Planes, Error>,
        control: &Control,
    ) -> Result<bool, Error> {
        let before = (self.model.clone(), self.residual.clone());
        let care_before = self.care_taken;
        let (peak, rms) = measure(&self.residual[0], &self.allowed);
        if self.iterations >= params.niter
            || self.minor(psf, SHY * target.stop, target.deep, params, control)? == 0
        {
            self.residual = before.1;
            return Ok(false);
        }
        self.residual = residuals_of(&self.model, Care::Exact)?;
        self.care_taken = Care::Exact;
        let (after, noise) = measure(&self.residual[0], &self.allowed);
        let better =
            |peak: f32, rms: f32| after <= DEEP_PEAK * peak.max(target.stop) && noise <= DEEP_RMS * rms;
        if better(peak, rms) {
            self.deep = true;
            return Ok(true);
        }
        // What the drift of the beam makes of components is in the new residual alone: compare with the old one to the same care.
        let (model, residual) = before;
        let residual = match care_before {
            Care::Exact => residual,
            _ => residuals_of(&model, Care::Exact)?,
        };
        let (peak, rms) = measure(&residual[0], &self.allowed);
        if !better(peak, rms) {
            log::debug!("the deep end was taken back: peak {peak:.5} to {after:.5}, noise {rms:.5} to {noise:.5} Jy/beam");
            (self.model, self.residual) = (model, residual);
            return Ok(false);
        }
        self.deep = true;
        Ok(true)
    }

    /// Compare with the best cycle so far. The peak is that of all pixels that may ever be cleaned, because the mask's
    /// own grows as the mask does.
    fn judge(&mut self, peak: f32, depth: f32, iterations: usize) -> Seen {
        let (after, rms) = measure(&self.residual[0], &self.allowed);
        let flux = self.model[0].iter().map(|f| f64::from(*f)).sum();
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
        let (mut models, mut residuals) = if worse { self.best } else { (self.model, self.residual) };
        let report = CleanReport { outcome, iterations: self.iterations, cycles: self.cycles };
        let (model_yx, residual_yx) = (models.remove(0), residuals.remove(0));
        let (more_models_yx, more_residuals_yx) = (models, residuals);
        let masks_yx = self.masks;
        let mut mask_yx = masks_yx[0].clone();
        masks_yx[1..].iter().for_each(|more| mask_yx.zip_mut_with(more, |a, b| *a |= *b));
        Cleaned { model_yx, residual_yx, mask_yx, masks_yx, report, more_models_yx, more_residuals_yx }
    }
}

/// What counts of a peak: its value where only positive ones do, else its magnitude.
fn sized(sign: Sign, value: f32) -> f32 {
    if sign == Sign::Positive {
        value
    } else {
        value.abs()
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
