//! Bright sources and CLEAN, one after the other and once more.

use ndarray::Array2;

use super::bright::{BrightSource, Hunt};
use super::clean::{clean, CleanParams, Cleaned};
use super::grid::Compact;
use super::run::Run;
use super::smear::Smearing;
use super::{Error, Grid, View, Visibilities};
use crate::deconvolution::{Outcome, PsfFacts};
use crate::image::{RestoringBeam, Wcs};
use crate::kind::BadArgument;

/// Fits of the bright sources on what CLEAN left, each followed by more cleaning.
const REFINEMENTS: usize = 1;

impl<'a> Hunt<'a> {
    pub(super) fn new(
        run: &'a Run<'_>,
        grid: &'a Grid,
        beam: RestoringBeam,
        smearing: &'a Smearing,
        psf_yx: &Array2<f32>,
    ) -> Result<Self, Error> {
        let p = run.params;
        let view = View { beam: &p.beam, pointings: &p.pointings, centre: p.centre, accuracy: 1e-6 };
        let facts = PsfFacts::of(psf_yx)?;
        Ok(Self {
            grid,
            weights: &run.weights,
            view,
            beam,
            facts,
            psf_hole: -f64::from(psf_yx.iter().fold(0f32, |a, v| a.min(*v))),
            smearing,
            sigma_jy: run.expected_jy,
            params: &p.bright,
        })
    }
}

/// Bright sources out, CLEAN, bright sources again on what is left.
pub(super) fn deconvolve(
    run: &Run<'_>,
    hunt: &Hunt<'_>,
    vis: &mut Visibilities,
    compact: &mut Compact,
    dirty_yx: &Array2<f32>,
    psf_yx: &Array2<f32>,
    mut lap: impl FnMut(&str),
) -> Result<(Vec<BrightSource>, Cleaned), Error> {
    let (p, control) = (run.params, run.control);
    let mut residual_yx = dirty_yx.clone();
    let mut bright = Vec::new();
    if p.clean.niter > 0 {
        bright = hunt.run(vis, compact, &mut residual_yx, control)?;
    }
    lap("bright");
    let mut start = start_of(run)?;
    if let Some(model) = &mut start {
        // An earlier run's model has bright sources on pixels; they are out already.
        clear_about(model, &bright, &hunt.grid.wcs(), hunt.beam.major_rad);
        residual_yx = hunt.grid.residual(compact, run.weights.sum, model, control)?;
    }
    let clean_params = CleanParams { thermal_jy: Some(run.expected_jy as f32), ..p.clean.clone() };
    let mut cleaned = once(run, hunt, compact, residual_yx, psf_yx, start, &clean_params)?;
    for _ in 0..REFINEMENTS {
        let used = cleaned.report.iterations;
        let ended = matches!(cleaned.report.outcome, Outcome::Diverged | Outcome::Interrupted);
        if bright.is_empty() || used >= p.clean.niter || ended {
            break;
        }
        let mut model = cleaned.model_yx.clone();
        clear_about(&mut model, &bright, &hunt.grid.wcs(), hunt.beam.major_rad);
        let left = hunt.grid.less(compact, &model, control)?;
        if !hunt.refine(vis, compact, &left, &mut bright, p.subbands > 0, control)? {
            break;
        }
        let residual = hunt.grid.residual(compact, run.weights.sum, &model, control)?;
        let grown_yx = p.clean.auto_mask.is_some().then(|| cleaned.mask_yx.clone());
        let again = CleanParams { niter: p.clean.niter - used, grown_yx, ..clean_params.clone() };
        let mut next = once(run, hunt, compact, residual, psf_yx, Some(model), &again)?;
        let mut cycles = cleaned.report.cycles;
        cycles.append(&mut next.report.cycles);
        next.report.cycles = cycles;
        next.report.iterations += used;
        cleaned = next;
    }
    lap("clean");
    Ok((bright, cleaned))
}

fn once(
    run: &Run<'_>,
    hunt: &Hunt<'_>,
    compact: &Compact,
    residual_yx: Array2<f32>,
    psf_yx: &Array2<f32>,
    start: Option<Array2<f32>>,
    params: &CleanParams,
) -> Result<Cleaned, Error> {
    let control = run.control;
    let residual_of = |model: &Array2<f32>| {
        control.advance(1);
        hunt.grid.residual(compact, run.weights.sum, model, control)
    };
    clean(residual_yx, psf_yx, start, params, residual_of, control)
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
