//! One minor cycle.

use ndarray::Array2;

use super::candidates::{Candidates, SubMinorParams};
use super::islands::deepen;
use super::peak::{peak_in, Sign};
use super::{Convolver, Error};
use crate::control::Control;
use crate::kind::BadArgument;

/// `(y, x, flux)`.
type Components = Vec<(usize, usize, f32)>;

/// What a minor cycle may do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MinorParams {
    /// Share of the peak that one iteration takes.
    pub gain: f32,
    /// Most iterations.
    pub max_iterations: usize,
    /// Stop once no pixel inside the mask exceeds this \[Jy/beam\].
    pub stop_jy: f32,
    /// Take positive peaks only.
    pub non_negative: bool,
    /// Longest list of candidate pixels.
    pub max_candidates: usize,
    /// Having reached `stop_jy`, clean each island of the mask on its own down to this; 0 for not \[Jy/beam\].
    pub deep_jy: f32,
    /// The caller computes the residual anew: what one list that holds all that the mask allows, and islands, take is not corrected here.
    pub leave_residual: bool,
}

impl Default for MinorParams {
    fn default() -> Self {
        Self {
            gain: 0.1,
            max_iterations: 1_000_000,
            stop_jy: 0.0,
            non_negative: false,
            max_candidates: 1 << 15,
            deep_jy: 0.0,
            leave_residual: false,
        }
    }
}

/// Why a minor cycle ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub enum MinorStop {
    /// The level asked for was reached.
    Reached,
    /// No iterations are left.
    Iterations,
    /// The peak began to grow: the last round was undone. The psf does not describe this image.
    Diverged,
    /// No pixel to clean: the mask is empty or the image blank.
    Empty,
}

/// What a minor cycle did.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct MinorReport {
    /// Iterations done.
    pub iterations: usize,
    /// Brightest pixel inside the mask before \[Jy/beam\].
    pub peak_before_jy: f32,
    /// And after.
    pub peak_after_jy: f32,
    /// Flux put into the model \[Jy\].
    pub flux_jy: f64,
    /// Why it ended.
    pub stop: MinorStop,
}

/// Move flux from `residual_yx` \[Jy/beam\] into `model_yx` \[Jy/pixel\] until `params.stop_jy`.
///
/// `convolver` holds the psf. `mask_yx`: true may hold components; `None` is everywhere.
///
/// # Errors
/// Shapes that differ, a gain outside (0, 1], cancellation (residual and model then agree but are not done).
pub fn minor_cycle(
    residual_yx: &mut Array2<f32>,
    model_yx: &mut Array2<f32>,
    psf_yx: &Array2<f32>,
    mask_yx: Option<&Array2<bool>>,
    params: &MinorParams,
    control: &Control,
) -> Result<MinorReport, Error> {
    check(residual_yx, model_yx, psf_yx, mask_yx, params)?;
    let convolver = Convolver::new(psf_yx)?;
    let sign = if params.non_negative { Sign::Positive } else { Sign::Both };
    let measure = |image: &Array2<f32>| peak_in(image, mask_yx, sign).map(|p| sign.measure(p.value));
    let Some(before) = measure(residual_yx) else {
        let stop = MinorStop::Empty;
        return Ok(MinorReport {
            iterations: 0,
            peak_before_jy: 0.0,
            peak_after_jy: 0.0,
            flux_jy: 0.0,
            stop,
        });
    };
    let mut report = MinorReport {
        iterations: 0,
        peak_before_jy: before,
        peak_after_jy: before,
        flux_jy: 0.0,
        stop: MinorStop::Reached,
    };
    if params.leave_residual {
        if let Some(done) = closed_list(residual_yx, model_yx, psf_yx, mask_yx, params, before, control)? {
            let (mut report, components) = done;
            if params.deep_jy > 0.0 && report.stop == MinorStop::Reached {
                // Islands look at no other pixels.
                match mask_yx {
                    Some(mask_yx) => convolver.subtract_within(residual_yx, &components, mask_yx, control)?,
                    None => convolver.subtract(residual_yx, &components, control)?,
                }
                end_deep(residual_yx, model_yx, psf_yx, mask_yx, params, &mut report);
            }
            return Ok(report);
        }
    }
    let mut lowest = before;
    while report.peak_after_jy > params.stop_jy {
        control.check()?;
        if report.iterations >= params.max_iterations {
            report.stop = MinorStop::Iterations;
            break;
        }
        let round = one_round(residual_yx, &convolver, psf_yx, mask_yx, params, report, sign, control)?;
        let after = measure(residual_yx).unwrap_or(0.0);
        if !after.is_finite() || after > GROWN * lowest.max(params.stop_jy) {
            let undo: Vec<_> = round.components.iter().map(|&(y, x, f)| (y, x, -f)).collect();
            convolver.subtract(residual_yx, &undo, control)?;
            report.stop = MinorStop::Diverged;
            break;
        }
        for &(y, x, flux) in &round.components {
            model_yx[[y, x]] += flux;
            report.flux_jy += f64::from(flux);
        }
        report.iterations += round.iterations;
        report.peak_after_jy = after;
        lowest = lowest.min(after);
        if round.iterations == 0 {
            report.stop = MinorStop::Diverged;
            break;
        }
    }
    if report.stop == MinorStop::Reached {
        end_deep(residual_yx, model_yx, psf_yx, mask_yx, params, &mut report);
    }
    Ok(report)
}

/// All pixels that can matter fit one list: the whole minor cycle happens on it (Clark 1980, A&A 89, 377, with the exact
/// psf), and no convolution is needed. `None` when they do not fit.
fn closed_list(
    residual_yx: &Array2<f32>,
    model_yx: &mut Array2<f32>,
    psf_yx: &Array2<f32>,
    mask_yx: Option<&Array2<bool>>,
    params: &MinorParams,
    before: f32,
    control: &Control,
) -> Result<Option<(MinorReport, Components)>, Error> {
    let sign = if params.non_negative { Sign::Positive } else { Sign::Both };
    // Pixels that sidelobes may lift above the stop belong to the list as well.
    let (mut list, used) =
        Candidates::above(residual_yx, mask_yx, Sign::Both, 0.5 * params.stop_jy, params.max_candidates);
    if used > 0.5 * params.stop_jy {
        return Ok(None);
    }
    let mut report = MinorReport {
        iterations: 0,
        peak_before_jy: before,
        peak_after_jy: before,
        flux_jy: 0.0,
        stop: MinorStop::Reached,
    };
    let mut lowest = before;
    while report.peak_after_jy > params.stop_jy && !list.is_empty() {
        control.check()?;
        let piece = (params.max_iterations - report.iterations).min(512);
        if piece == 0 {
            report.stop = MinorStop::Iterations;
            break;
        }
        let sub = SubMinorParams { gain: params.gain, stop: params.stop_jy, max_iterations: piece, sign };
        let good = list.component.clone();
        let done = list.clean(psf_yx, &sub);
        if !done.peak.is_finite() || done.peak > GROWN * lowest.max(params.stop_jy) {
            report.stop = MinorStop::Diverged;
            list.component = good;
            break;
        }
        report.iterations += done.iterations;
        report.peak_after_jy = done.peak;
        lowest = lowest.min(done.peak);
        if done.iterations == 0 {
            break;
        }
    }
    let components = list.components();
    for &(y, x, flux) in &components {
        model_yx[[y, x]] += flux;
        report.flux_jy += f64::from(flux);
    }
    Ok(Some((report, components)))
}

/// After the stop was reached and `residual_yx` says so: the islands of the mask, as deep as asked. The residual is left to the caller.
fn end_deep(
    residual_yx: &Array2<f32>,
    model_yx: &mut Array2<f32>,
    psf_yx: &Array2<f32>,
    mask_yx: Option<&Array2<bool>>,
    params: &MinorParams,
    report: &mut MinorReport,
) {
    let Some(mask_yx) = mask_yx.filter(|_| params.deep_jy > 0.0) else { return };
    let sign = if params.non_negative { Sign::Positive } else { Sign::Both };
    let (iterations, more) = deepen(residual_yx, psf_yx, mask_yx, params.gain, params.deep_jy, sign);
    report.iterations += iterations;
    for (y, x, flux) in more {
        model_yx[[y, x]] += flux;
        report.flux_jy += f64::from(flux);
    }
}

/// A peak that has grown by this factor shows a psf that does not describe the image.
const GROWN: f32 = 1.5;

struct Round {
    iterations: usize,
    components: Components,
}

/// One list, cleaned and subtracted from the whole image.
#[allow(clippy::too_many_arguments)] // private: the loop above, in two pieces
fn one_round(
    residual_yx: &mut Array2<f32>,
    convolver: &Convolver<'_>,
    psf_yx: &Array2<f32>,
    mask_yx: Option<&Array2<bool>>,
    params: &MinorParams,
    so_far: MinorReport,
    sign: Sign,
    control: &Control,
) -> Result<Round, Error> {
    // Pixels outside the list are not seen to grow; a fifth of the peak keeps the rounds few and the growth small.
    let limit = params.stop_jy.max(0.2 * so_far.peak_after_jy);
    let (mut list, used) = Candidates::above(residual_yx, mask_yx, sign, limit, params.max_candidates);
    let mut left = params.max_iterations - so_far.iterations;
    let mut iterations = 0;
    let mut lowest = so_far.peak_after_jy;
    while !list.is_empty() && left > 0 {
        control.check()?;
        // Pieces short enough that a cancel is seen within 100 ms.
        let piece = left.min(512);
        let sub = SubMinorParams { gain: params.gain, stop: used, max_iterations: piece, sign };
        let good = list.component.clone();
        let done = list.clean(psf_yx, &sub);
        // What grows on the list alone would be infinite before the whole image is looked at, and could not be put back.
        if !done.peak.is_finite() || done.peak > GROWN * lowest {
            list.component = good;
            break;
        }
        lowest = lowest.min(done.peak);
        iterations += done.iterations;
        left -= done.iterations;
        if done.iterations < piece || done.peak <= used {
            break;
        }
    }
    let components = list.components();
    convolver.subtract(residual_yx, &components, control)?;
    Ok(Round { iterations, components })
}

fn check(
    residual_yx: &Array2<f32>,
    model_yx: &Array2<f32>,
    psf_yx: &Array2<f32>,
    mask_yx: Option<&Array2<bool>>,
    params: &MinorParams,
) -> Result<(), Error> {
    let shape = residual_yx.dim();
    let others =
        [("model", model_yx.dim()), ("psf", psf_yx.dim()), ("mask", mask_yx.map_or(shape, Array2::dim))];
    for (what, found) in others {
        if found != shape {
            let expected = format!("the residual's shape {shape:?} (y, x)");
            return Err(BadArgument::new(what, expected, format!("{found:?}")).into());
        }
    }
    if !(params.gain > 0.0 && params.gain <= 1.0) {
        return Err(BadArgument::new("gain", "a number in (0, 1]", params.gain).into());
    }
    if params.max_candidates == 0 {
        return Err(BadArgument::new("max_candidates", "at least 1", 0).into());
    }
    Ok(())
}
