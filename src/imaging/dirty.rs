//! A dirty image and no more: nothing is kept for major cycles, and of the psf only what the beam needs.

use ndarray::Array2;

use super::clean_report::{CleanReport, Cleaned};
use super::deconvolve::Deconvolved;
use super::run::{ImagingParams, Run};
use super::{fit_beam, Error, Grid, GridOptions, Visibilities};
use crate::deconvolution::Outcome;
use crate::image::RestoringBeam;

/// Pixels along a side of the first psf that is tried for the beam, and the least share of them that are not the beam's.
const CORE: usize = 256;
const BEAMS: f64 = 6.0;

/// Whether nothing is asked for that major cycles would be needed for.
pub(super) fn is_enough(params: &ImagingParams) -> bool {
    params.clean.niter == 0 && params.start_yx.is_none() && params.joint.nterms == 1
}

/// The beam, from the middle of the psf alone. A small image needs few samples and no planes of w, so it costs little beside
/// the whole one; it is made larger where the beam is wide.
pub(super) fn beam_of_core(run: &Run<'_>, grid: &Grid, vis: &Visibilities) -> Result<RestoringBeam, Error> {
    let whole = *grid.options();
    let mut pixels = CORE;
    loop {
        let (nx, ny) = (pixels.min(whole.nx), pixels.min(whole.ny));
        let options = GridOptions { nx, ny, slant: Some(grid.slant()), ..whole };
        let core = Grid::new(vis, 0..vis.freq_hz.len(), run.params.centre, options)?;
        let samples = core.unit_samples(vis, 0..vis.freq_hz.len(), run.control)?;
        let psf_yx = core.dirty_of(&samples, run.weights.sum, run.control)?;
        let increment = grid.wcs().increment_rad;
        let beam = fit_beam(&psf_yx, increment);
        let wide = |b: &RestoringBeam| BEAMS * b.major_rad > whole.cell_rad * nx.min(ny) as f64;
        // A psf that is above the cut all over has no beam yet.
        if (nx, ny) == (whole.nx, whole.ny) || beam.as_ref().is_ok_and(|b| !wide(b)) {
            return beam;
        }
        pixels *= 2;
    }
}

/// What a run without iterations leaves.
pub(super) fn nothing_cleaned(dirty_yx: &Array2<f32>) -> Deconvolved {
    let report = CleanReport { outcome: Outcome::Dirty, iterations: 0, cycles: Vec::new() };
    let cleaned = Cleaned {
        model_yx: Array2::zeros(dirty_yx.dim()),
        residual_yx: dirty_yx.clone(),
        mask_yx: Array2::from_elem(dirty_yx.dim(), false),
        masks_yx: Vec::new(),
        report,
        more_models_yx: Vec::new(),
        more_residuals_yx: Vec::new(),
    };
    Deconvolved { bright: Vec::new(), surroundings: Vec::new(), cleaned, joint: None, model_samples: None }
}
