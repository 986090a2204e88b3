//! Bright sources and CLEAN, one after the other and once more.

use ndarray::Array2;
use num_complex::Complex32;

use super::bright::{BrightSource, Hunt};
use super::clean::{clean_jointly, Psf};
use super::clean_report::{Care, CleanParams, Cleaned, Planes};
use super::grid::Compact;
use super::response::Response;
use super::run::Run;
use super::smear::Smearing;
use super::surroundings::field_radius;
use super::terms::{summed, TaylorTerms};
use super::{Error, Grid, View, Visibilities};
use crate::deconvolution::{mad_rms, JointPsf, Outcome, PsfFacts};
use crate::image::{RestoringBeam, Wcs};
use crate::kind::BadArgument;

/// Looks at what CLEAN left, each followed by more cleaning: the bright sources are fitted once more, and the surroundings searched; a second
/// time only where the first found something there.
const REFINEMENTS: usize = 2;

/// Widths of components when none are named \[beams\].
const SCALES_BEAMS: [f64; 5] = [0.0, 1.0, 2.0, 4.0, 8.0];

impl<'a> Hunt<'a> {
    pub(super) fn new(
        run: &'a Run<'_>,
        [grid, rough]: [&'a Grid; 2],
        beam: RestoringBeam,
        smearing: &'a Smearing,
        psf_yx: &Array2<f32>,
        response: Option<&'a Response<'a>>,
    ) -> Result<Self, Error> {
        let p = run.params;
        let view = View { beam: &p.beam, pointings: &p.pointings, centre: p.centre, accuracy: 1e-6 };
        let facts = PsfFacts::of(psf_yx)?;
        Ok(Self {
            grid,
            rough,
            weights: &run.weights,
            view,
            beam,
            facts,
            psf_hole: -f64::from(psf_yx.iter().fold(0f32, |a, v| a.min(*v))),
            smearing,
            sigma_jy: run.sigma_jy,
            params: &p.bright,
            response,
        })
    }
}

/// What cleaning leaves: bright sources, CLEAN's images, and the psfs of joint minor cycles when there were any.
pub(super) struct Deconvolved {
    pub bright: Vec<BrightSource>,
    /// Sources beyond the image, taken out with the beam of each integration.
    pub surroundings: Vec<BrightSource>,
    pub cleaned: Cleaned,
    pub joint: Option<JointPsf>,
    /// Samples of what is still in the visibilities, when subbands need them: CLEAN's model through the beam of each integration, and of
    /// the sources those that came out of the packed visibilities only.
    pub model_samples: Option<Vec<Complex32>>,
}

/// Bright sources out, CLEAN, bright sources again on what is left. Spectral terms count from `reference_hz`.
pub(super) fn deconvolve(
    run: &Run<'_>,
    hunt: &Hunt<'_>,
    vis: &mut Visibilities,
    compact: &mut Compact,
    dirty_yx: &Array2<f32>,
    psf_yx: &Array2<f32>,
    mut lap: impl FnMut(&str),
) -> Result<Deconvolved, Error> {
    let (p, control) = (run.params, run.control);
    let mut residual_yx = dirty_yx.clone();
    // With the samples of what is out of the packed visibilities but not of the others, which subbands and spectral terms go back to.
    let (mut bright, mut pending) = (Vec::new(), Vec::new());
    if p.clean.niter > 0 {
        (bright, pending) = hunt.run(vis, compact, &mut residual_yx, control)?;
    }
    lap("bright");
    // A scatter between channels above the expected noise may be sky on wide channels; an image's noise holds all there is.
    let seen_jy = f64::from(mad_rms(residual_yx.iter())).max(run.expected_jy);
    let thermal_jy = run.known_jy.map(|known| known.min(seen_jy) as f32);
    let nterms = p.joint.nterms;
    if nterms > 1 && !pending.is_empty() {
        hunt.grid.take_from(vis, &std::mem::take(&mut pending), control)?;
    }
    let mut terms = TaylorTerms::new(
        [hunt.grid, hunt.rough],
        vis,
        nterms,
        run.reference_hz,
        run.weights.sum,
        hunt.response,
        control,
    )?;
    let joint = joint_psf(run, hunt, vis, &terms, psf_yx)?;
    let psf = Psf { image_yx: psf_yx, joint: joint.as_ref() };
    let blank = || vec![Array2::zeros(dirty_yx.dim()); nterms];
    let start = start_of(run)?.map(|mut first| {
        // An earlier run's model has bright sources on pixels; they are out already.
        clear_about(&mut first, &bright, &hunt.grid.wcs(), hunt.beam.major_rad);
        let mut all = blank();
        all[0] = first;
        all
    });
    let residuals = match &start {
        Some(models) => terms.residuals(compact, models, Care::Exact, control)?,
        None if nterms == 1 => vec![residual_yx],
        None => terms.residuals(compact, &blank(), Care::Plain, control)?,
    };
    let rough_epsilon = terms.rough_epsilon() as f32;
    let clean_params = CleanParams { thermal_jy, rough_epsilon, ..p.clean.clone() };
    let mut cleaned = once(run, &terms, compact, residuals, &psf, start, &clean_params)?;
    let mut surroundings = Vec::new();
    for pass in 0..REFINEMENTS {
        let used = cleaned.report.iterations;
        let ended = matches!(cleaned.report.outcome, Outcome::Diverged | Outcome::Interrupted);
        if used >= p.clean.niter || ended || (pass > 0 && surroundings.is_empty()) {
            break;
        }
        let mut models: Planes =
            std::iter::once(&cleaned.model_yx).chain(&cleaned.more_models_yx).cloned().collect();
        for model in &mut models {
            clear_about(model, &bright, &hunt.grid.wcs(), hunt.beam.major_rad);
        }
        let mut left = terms.less(compact, &models, Care::Exact, control)?;
        let mut moved = false;
        if !bright.is_empty() {
            if let Some(samples) = hunt.refine(vis, compact, &left[0], &mut bright) {
                add(&mut pending, samples);
                moved = true;
            }
        }
        if let Some(radius) = field_radius(run) {
            let (found, samples) = hunt.surroundings(vis, compact, left.swap_remove(0), radius, control)?;
            if !found.is_empty() {
                compact.take(hunt.grid, &samples);
                add(&mut pending, samples);
                moved = true;
            }
            surroundings.extend(found);
        }
        if !moved {
            break;
        }
        if nterms > 1 {
            hunt.grid.take_from(vis, &std::mem::take(&mut pending), control)?;
        }
        terms.repack(vis, control)?;
        let residuals = terms.residuals(compact, &models, Care::Exact, control)?;
        let grown_yx = p.clean.auto_mask.is_some().then(|| cleaned.masks_yx.clone());
        let again = CleanParams { niter: p.clean.niter - used, grown_yx, ..clean_params.clone() };
        let mut next = once(run, &terms, compact, residuals, &psf, Some(models), &again)?;
        let mut cycles = cleaned.report.cycles;
        cycles.append(&mut next.report.cycles);
        next.report.cycles = cycles;
        next.report.iterations += used;
        cleaned = next;
    }
    let models: Vec<&Array2<f32>> =
        std::iter::once(&cleaned.model_yx).chain(&cleaned.more_models_yx).collect();
    let any = models.iter().any(|m| m.iter().any(|f| *f != 0.0));
    let model_samples = if p.subbands > 0 && cleaned.report.outcome != Outcome::Interrupted {
        if any {
            let models: Planes = models.into_iter().cloned().collect();
            let by_term = terms.samples(&models, Care::Exact, control)?;
            add(&mut pending, summed(by_term, hunt.grid, vis.uvw_m.len(), run.reference_hz));
        }
        Some(pending).filter(|samples| !samples.is_empty())
    } else {
        None
    };
    lap("clean");
    Ok(Deconvolved { bright, surroundings, cleaned, joint, model_samples })
}

/// Samples join others, of which there may be none yet.
fn add(sum: &mut Vec<Complex32>, more: Vec<Complex32>) {
    if sum.is_empty() {
        *sum = more;
    } else {
        sum.iter_mut().zip(more).for_each(|(s, m)| *s += m);
    }
}

/// Psfs of moments and scales; none for points of one term.
fn joint_psf(
    run: &Run<'_>,
    hunt: &Hunt<'_>,
    vis: &Visibilities,
    terms: &TaylorTerms<'_>,
    psf_yx: &Array2<f32>,
) -> Result<Option<JointPsf>, Error> {
    let asked = &run.params.joint;
    if run.params.clean.niter == 0 || (asked.nterms == 1 && !asked.multiscale) {
        return Ok(None);
    }
    let mut moments = vec![psf_yx.clone()];
    moments.append(&mut terms.psfs(run.control)?);
    let beam_px = (hunt.beam.major_rad * hunt.beam.minor_rad).sqrt() / run.params.grid.cell_rad;
    let widest_px = 0.25 * psf_yx.nrows().min(psf_yx.ncols()) as f64;
    let widths_px: Vec<f64> = match (asked.multiscale, asked.scales_beams.is_empty()) {
        (false, _) => vec![0.0],
        (true, true) => SCALES_BEAMS.iter().map(|s| s * beam_px).filter(|w| *w <= widest_px).collect(),
        (true, false) => asked.scales_beams.iter().map(|s| s * beam_px).collect(),
    };
    let joint = JointPsf::new(&moments, &widths_px, asked.scale_bias)?;
    if joint.scales() == 1 {
        return Ok(Some(joint));
    }
    // Noise of the visibilities is that of equal antennas: its image has the squared weights.
    let square_rf = vis.weight_rf.mapv(|w| w * w);
    let sum: f64 = square_rf.rows().into_iter().map(|row| f64::from(row.sum())).sum();
    let compact = hunt.grid.pack_with(vis, square_rf.view(), run.control)?;
    let covariance_yx = hunt.grid.dirty_of(compact.unit_samples(), sum, run.control)?;
    Ok(Some(joint.with_noise(&covariance_yx)))
}

fn once(
    run: &Run<'_>,
    terms: &TaylorTerms<'_>,
    compact: &Compact,
    residuals_yx: Planes,
    psf: &Psf<'_>,
    start: Option<Planes>,
    params: &CleanParams,
) -> Result<Cleaned, Error> {
    let control = run.control;
    let residuals_of = |models: &[Array2<f32>], care: Care| {
        control.advance(1);
        terms.residuals(compact, models, care, control)
    };
    clean_jointly(residuals_yx, psf, start, params, residuals_of, control)
}

fn start_of(run: &Run<'_>) -> Result<Option<Array2<f32>>, Error> {
    let expected = (run.params.grid.ny, run.params.grid.nx);
    match &run.params.start_yx {
        Some(model) if model.dim() != expected => {
            let text = format!("the image's shape {expected:?} (y, x)");
            Err(BadArgument::new("model to begin from", text, format!("{:?}", model.dim())).into())
        }
        other => Ok(other.clone()),
    }
}

/// No components within a beam of the bright sources: what is left there is theirs first.
fn clear_about(model_yx: &mut Array2<f32>, bright: &[BrightSource], wcs: &Wcs, radius_rad: f64) {
    let (ny, nx) = model_yx.dim();
    let reach = radius_rad / wcs.increment_rad[1].abs();
    for [x, y] in bright.iter().filter_map(|s| wcs.sky_to_pixel(s.position)) {
        let span = |c: f64, n: usize| {
            (c - reach).ceil().clamp(0.0, n as f64) as usize
                ..((c + reach).floor() + 1.0).clamp(0.0, n as f64) as usize
        };
        for py in span(y, ny) {
            for px in span(x, nx) {
                if (px as f64 - x).hypot(py as f64 - y) <= reach {
                    model_yx[[py, px]] = 0.0;
                }
            }
        }
    }
}
