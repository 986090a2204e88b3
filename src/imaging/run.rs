//! One image from gathered visibilities, start to end.

use std::cell::RefCell;

use ndarray::{Array2, ArrayView2};
use num_complex::Complex32;

use super::bright::{on_pixels, BrightParams, BrightSource, Hunt};
use super::clean_report::{CleanParams, CleanReport, Cleaned};
use super::deconvolve::{deconvolve, Deconvolved};
use super::dirty;
use super::matched::matched;
use super::response::Response;
use super::scatter::{scatter, Scatter};
use super::smear::Smearing;
use super::spectrum::{Spectral, SpectralImages};
use super::subbands::{subbands, Common, Subband};
use super::surroundings::field_radius;
use super::timing::{Stopwatch, Timing};
use super::weigh::{thermal_rms, Weights};
use super::{
    components, correct, fit_beam, primary_beam, restore_points, Error, Grid, GridOptions, Partial,
    Visibilities,
};
use crate::beam::{AverageBeam, Beam, Pointings};
use crate::constants::SEFD_JY;
use crate::control::Control;
use crate::coords::RaDec;
use crate::deconvolution::{mad_rms, Outcome};
use crate::gridding::weighting::{Taper, WeightGrid, WeightParams, Weighting};
use crate::image::{RestoringBeam, Wcs};

/// What is asked of an image.
#[derive(Clone, Debug)]
pub struct ImagingParams {
    /// Centre of the image, where the visibilities were gathered, ICRS.
    pub centre: RaDec,
    /// Grid and accuracy.
    pub grid: GridOptions,
    /// Weighting scheme.
    pub weighting: Weighting,
    /// Tapers, multiplied.
    pub tapers: Vec<Taper>,
    /// Sources taken out before cleaning.
    pub bright: BrightParams,
    /// A model to begin from \[Jy/pixel\].
    pub start_yx: Option<Array2<f32>>,
    /// Depth and care of cleaning.
    pub clean: CleanParams,
    /// Spectral terms and scales of components.
    pub joint: JointParams,
    /// Beam of the dishes.
    pub beam: Beam,
    /// Where the dishes pointed during each integration of the visibilities, ICRS.
    pub pointings: Vec<RaDec>,
    /// Images are corrected for the beam where it is at least this.
    pub pb_limit: f32,
    /// Number of subband images; 0 for none.
    pub subbands: usize,
    /// System equivalent flux density of one antenna \[Jy\].
    pub sefd_jy: f64,
    /// What will be looked at.
    pub outputs: Outputs,
}

/// Images besides the dirty one that somebody will look at; those that nobody wants, and no other needs, are left empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outputs {
    /// The psf.
    pub psf: bool,
    /// The restored image.
    pub restored: bool,
    /// The primary beam, and what is corrected for it.
    pub primary_beam: bool,
    /// The image that fluxes of points are read from.
    pub matched: bool,
}

impl Default for Outputs {
    fn default() -> Self {
        Self { psf: true, restored: true, primary_beam: true, matched: true }
    }
}

/// What components may be besides points of one flux.
#[derive(Clone, Debug, PartialEq)]
pub struct JointParams {
    /// Terms of the polynomial in frequency, 1 to 3.
    pub nterms: usize,
    /// Components of several widths.
    pub multiscale: bool,
    /// Widths of the components in beams, 0 being points; none takes 0, 1, 2, 4 and 8 as far as the image is wide enough.
    pub scales_beams: Vec<f64>,
    /// Larger scales' values are multiplied by it once a doubling.
    pub scale_bias: f32,
}

impl Default for JointParams {
    fn default() -> Self {
        Self { nterms: 1, multiscale: false, scales_beams: Vec::new(), scale_bias: 0.95 }
    }
}

impl JointParams {
    fn check(&self, channels: usize) -> Result<(), Error> {
        use crate::kind::BadArgument;
        if !(1..=crate::deconvolution::MAX_TERMS).contains(&self.nterms) {
            return Err(BadArgument::new("nterms", "1, 2 or 3", self.nterms).into());
        }
        if self.nterms > channels {
            let expected = format!("at least {} channels for {} terms", self.nterms, self.nterms);
            return Err(BadArgument::new("nterms", expected, channels).into());
        }
        Ok(())
    }
}

/// Noise of the image \[Jy/beam\].
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Noise {
    /// Predicted from the weights used.
    pub expected_jy: f64,
    /// The same with natural weights.
    pub natural_jy: f64,
    /// Robust rms of the residual.
    pub measured_jy: f64,
    /// What the thresholds counted from: the expected noise, unless the visibilities scatter by another.
    pub used_jy: f64,
}

/// The images and what was learned on the way.
#[derive(Clone, Debug)]
pub struct Images {
    /// World coordinates.
    pub wcs: Wcs,
    /// Fitted restoring beam.
    pub beam: RestoringBeam,
    /// Mid frequency of the channels \[Hz\].
    pub freq_hz: f64,
    /// From the lower edge to the upper \[Hz\].
    pub bandwidth_hz: f64,
    /// Mean frequency by weight \[Hz\].
    pub effective_freq_hz: f64,
    /// Dirty image \[Jy/beam\].
    pub dirty_yx: Array2<f32>,
    /// Point spread function, unit peak.
    pub psf_yx: Array2<f32>,
    /// Components \[Jy/pixel\].
    pub model_yx: Array2<f32>,
    /// Residual \[Jy/beam\].
    pub residual_yx: Array2<f32>,
    /// Restored image \[Jy/beam\].
    pub restored_yx: Array2<f32>,
    /// Residual, and components seen with the psf, over averaging \[Jy/beam\]; empty for dirty images and several spectral terms.
    pub matched_yx: Array2<f32>,
    /// Primary-beam power.
    pub pb_yx: Array2<f32>,
    /// What the correlator's averaging leaves of a point's peak.
    pub smear_yx: Array2<f32>,
    /// Restored image over primary beam and averaging; NaN below the limit.
    pub pbcor_yx: Array2<f32>,
    /// Sources fitted and subtracted exactly; their peaks are in `restored_yx`, and in `model_yx` on the nearest pixel.
    pub bright: Vec<BrightSource>,
    /// Sources beyond the image that were taken out of the visibilities, fainter than `bright`.
    pub surroundings: Vec<BrightSource>,
    /// Spectral terms, when there are more than one.
    pub spectral: Option<SpectralImages>,
    /// Subband images, ascending in frequency.
    pub subbands: Vec<Subband>,
    /// Noise.
    pub noise: Noise,
    /// How cleaning went.
    pub clean: CleanReport,
    /// Largest error of the model's visibilities against direct sums, relative to the model's flux; none without a model.
    pub epsilon_reached: Option<f64>,
    /// Visibilities of positive weight.
    pub visibilities: usize,
    /// Time of each part.
    pub timings: Vec<Timing>,
}

impl Images {
    /// Brightest pixel of the restored image, or of the dirty one where there is no other \[Jy/beam\].
    pub fn peak_jy(&self) -> f32 {
        let image = if self.restored_yx.is_empty() { &self.dirty_yx } else { &self.restored_yx };
        image.iter().copied().fold(f32::NEG_INFINITY, f32::max)
    }
}

/// Make the image: weights, psf, dirty image, bright sources, CLEAN, restored image, primary beam.
///
/// # Errors
/// From every part. Cancelled in a major cycle it is [`Error::Interrupted`], with the model so far.
pub fn image(mut vis: Visibilities, params: &ImagingParams, control: &Control) -> Result<Images, Error> {
    params.joint.check(vis.freq_hz.len())?;
    let watch = Stopwatch::new();
    // Steps shown to the caller: weights, psf, dirty, bright, major cycles, restore, beam.
    control.expect(7 + params.clean.max_major.min(10) as u64);
    let natural_jy = thermal_rms(&vis.weight_rf, &vis, params.sefd_jy);
    weigh(&mut vis, params, control)?;
    let weights = Weights::of(&vis);
    let expected_jy = weights.thermal_rms(params.sefd_jy);
    if weights.count == 0 || weights.sum <= 0.0 {
        return Err(Error::NoData { found: "none of positive weight after weighting and uv range".into() });
    }
    let plain = dirty::is_enough(params);
    let known_jy = known_noise(&vis, expected_jy);
    let sigma_jy = known_jy.unwrap_or(expected_jy);
    let laps = RefCell::new(watch);
    let done = |part: &str| {
        laps.borrow_mut().lap(part);
        control.advance(1);
    };
    let (freq_hz, bandwidth_hz) = band(&vis.freq_hz, &vis.width_hz);
    let run = Run { params, control, weights, expected_jy, sigma_jy, known_jy, reference_hz: freq_hz };
    done("weights");
    let options = GridOptions { field_rad: field_radius(&run).unwrap_or(0.0), ..params.grid };
    let grid = Grid::new(&vis, 0..vis.freq_hz.len(), params.centre, options)?;
    let wcs = grid.wcs();
    log::debug!("grid: {:?}", grid.summary());
    laps.borrow_mut().lap("plan");
    let smearing = Smearing::of(&vis, &params.pointings);
    let lap = |part: &str| laps.borrow_mut().lap(part);
    let response = if plain { None } else { Response::new(&run, &vis, wcs) };
    let Made { dirty_yx, psf_yx, beam, found } = if plain {
        make_dirty(&run, &grid, &vis, lap)?
    } else {
        make_clean(&run, &grid, &mut vis, &smearing, response.as_ref(), lap)?
    };
    control.advance(2);
    let Deconvolved { mut bright, mut surroundings, cleaned, joint, model_samples } = found;
    if cleaned.report.outcome == Outcome::Interrupted {
        let cycles = cleaned.report.cycles.len();
        let (model_yx, freq_hz) = (cleaned.model_yx, [freq_hz, bandwidth_hz]);
        return Err(Error::Interrupted(Box::new(Partial { model_yx, wcs, beam, freq_hz, cycles })));
    }
    let epsilon_reached =
        if plain { None } else { take_model(&mut vis, &grid, &cleaned, model_samples, &run)? };
    // On the rim they are in the image, and their wings are.
    let many_bright = bright.len();
    bright.append(&mut surroundings);
    let components_yx = if plain {
        // Pages of zeros cost nothing until they are read.
        Array2::zeros(cleaned.model_yx.dim())
    } else {
        components(&cleaned.model_yx, &beam, wcs.increment_rad, control)?
    };
    let mut restored_yx = match plain {
        true if params.outputs.restored || params.outputs.primary_beam => cleaned.residual_yx.clone(),
        true => Array2::default((0, 0)),
        false => &cleaned.residual_yx + &components_yx,
    };
    let spectral = joint.as_ref().filter(|j| j.terms() > 1).map(|joint| Spectral {
        vis: &vis,
        weights: &run.weights,
        params,
        wcs: &wcs,
        beam: &beam,
        bright: &bright,
        joint,
        reference_hz: freq_hz,
    });
    let points = spectral.as_ref().map_or_else(|| on_pixels(&bright, &wcs), |s| s.points(0));
    restore_points(&mut restored_yx, &points, &beam, wcs.increment_rad);
    done("restore");
    let shape = [params.grid.ny, params.grid.nx];
    let as_points = params.outputs.matched && !plain && spectral.is_none();
    let [pb_yx, smear_yx, pbcor_yx] =
        if params.outputs.primary_beam || params.subbands > 0 || spectral.is_some() || as_points {
            // With spectral terms the image is that at the reference frequency.
            let average = match &spectral {
                Some(s) => beam_at(s.reference_hz, &run.weights, params)?,
                None => average_beam(&run.weights, params)?,
            };
            let pb_yx = primary_beam(&average, &wcs, shape, control)?;
            let smear_yx = smearing.map(&wcs, shape, control)?;
            let pbcor_yx = if restored_yx.is_empty() {
                Array2::default((0, 0))
            } else {
                correct(&restored_yx, &pb_yx, &smear_yx, params.pb_limit)
            };
            [pb_yx, smear_yx, pbcor_yx]
        } else {
            std::array::from_fn(|_| Array2::default((0, 0)))
        };
    let matched_yx = if as_points {
        let reach_px = beam.matched_reach_px(params.grid.cell_rad);
        let (left_yx, model_yx) = (&cleaned.residual_yx, &cleaned.model_yx);
        matched(left_yx, model_yx, &points, [&psf_yx, &smear_yx], reach_px, control)?
    } else {
        Array2::default((0, 0))
    };
    let spectral = spectral.map(|s| s.images(&cleaned, &restored_yx, &pb_yx, control)).transpose()?;
    done("primary beam");
    let slope = response.as_ref().filter(|_| params.subbands > 0).and_then(|r| r.slope_of(&cleaned.model_yx));
    // Where spectral terms count from, or the slope that the beam gives.
    let reference_hz = slope.as_ref().map_or(freq_hz, |(_, at)| *at);
    let more_components_yx = if params.subbands > 0 {
        let terms = cleaned.more_models_yx.iter().chain(slope.as_ref().map(|(slope_yx, _)| slope_yx));
        terms.map(|m| components(m, &beam, wcs.increment_rad, control)).collect::<Result<Vec<_>, _>>()?
    } else {
        Vec::new()
    };
    let common = Common {
        beam: &beam,
        bright: &bright,
        smear_yx: &smear_yx,
        cleaned: &cleaned,
        components_yx: &components_yx,
        more_components_yx: &more_components_yx,
        reference_hz,
        noise_scale: run.sigma_jy / run.expected_jy,
    };
    let subbands = subbands(&vis, &grid, &common, params, control)?;
    laps.borrow_mut().lap("subbands");
    let measured_jy = f64::from(mad_rms(cleaned.residual_yx.iter()));
    let mut model_yx = cleaned.model_yx;
    for ([x, y], flux) in points.into_iter().filter(|([x, y], _)| *x > -0.5 && *y > -0.5) {
        if let Some(pixel) = model_yx.get_mut([y.round() as usize, x.round() as usize]) {
            *pixel += flux as f32;
        }
    }
    Ok(Images {
        wcs,
        beam,
        freq_hz,
        bandwidth_hz,
        effective_freq_hz: run.weights.mean_freq_hz,
        dirty_yx,
        psf_yx,
        model_yx,
        residual_yx: cleaned.residual_yx,
        restored_yx,
        matched_yx,
        pb_yx,
        smear_yx,
        pbcor_yx,
        surroundings: bright.split_off(many_bright),
        bright,
        spectral,
        subbands,
        noise: Noise { expected_jy, natural_jy, measured_jy, used_jy: run.sigma_jy },
        clean: cleaned.report,
        epsilon_reached,
        visibilities: run.weights.count,
        timings: laps.into_inner().parts,
    })
}

/// The images up to CLEAN's, and the beam.
struct Made {
    dirty_yx: Array2<f32>,
    psf_yx: Array2<f32>,
    beam: RestoringBeam,
    found: Deconvolved,
}

fn make_dirty(
    run: &Run<'_>,
    grid: &Grid,
    vis: &Visibilities,
    mut lap: impl FnMut(&str),
) -> Result<Made, Error> {
    let control = run.control;
    let (psf_yx, beam) = if run.params.outputs.psf {
        let psf_yx =
            grid.dirty_of(&grid.unit_samples(vis, 0..vis.freq_hz.len(), control)?, run.weights.sum, control)?;
        let beam = fit_beam(&psf_yx, grid.wcs().increment_rad)?;
        (psf_yx, beam)
    } else {
        (Array2::default((0, 0)), dirty::beam_of_core(run, grid, vis)?)
    };
    lap("psf");
    let samples = grid.pack_samples(vis, 0..vis.freq_hz.len(), control)?;
    lap("compress");
    let dirty_yx = grid.dirty_of(&samples, run.weights.sum, control)?;
    lap("dirty");
    let found = dirty::nothing_cleaned(&dirty_yx);
    Ok(Made { dirty_yx, psf_yx, beam, found })
}

fn make_clean(
    run: &Run<'_>,
    grid: &Grid,
    vis: &mut Visibilities,
    smearing: &Smearing,
    response: Option<&Response<'_>>,
    mut lap: impl FnMut(&str),
) -> Result<Made, Error> {
    let control = run.control;
    let mut compact = grid.pack(vis, control)?;
    lap("compress");
    let psf_yx = grid.dirty_of(compact.unit_samples(), run.weights.sum, control)?;
    let beam = fit_beam(&psf_yx, grid.wcs().increment_rad)?;
    lap("psf");
    let dirty_yx = grid.dirty_of(compact.samples(), run.weights.sum, control)?;
    lap("dirty");
    let rough = grid.rougher()?;
    let hunt = Hunt::new(run, [grid, rough.as_ref().unwrap_or(grid)], beam, smearing, &psf_yx, response)?;
    let found = deconvolve(run, &hunt, vis, &mut compact, &dirty_yx, &psf_yx, lap)?;
    Ok(Made { dirty_yx, psf_yx, beam, found })
}

/// How well the gridder knows the model's visibilities; for subbands they are taken out of all channels.
fn take_model(
    vis: &mut Visibilities,
    grid: &Grid,
    cleaned: &Cleaned,
    model_samples: Option<Vec<Complex32>>,
    run: &Run<'_>,
) -> Result<Option<f64>, Error> {
    let reached = if cleaned.model_yx.iter().all(|f| *f == 0.0) {
        None
    } else {
        let samples = grid.samples_of(&cleaned.model_yx, run.control)?;
        grid.error_of(vis, &cleaned.model_yx, &samples)
    };
    if let Some(samples) = model_samples {
        grid.take_from(vis, &samples, run.control)?;
    }
    Ok(reached)
}

/// What the parts of a run share.
pub(super) struct Run<'a> {
    pub params: &'a ImagingParams,
    pub control: &'a Control,
    pub weights: Weights,
    /// Of the SEFD and the weights, and the noise that thresholds count from \[Jy/beam\].
    pub expected_jy: f64,
    pub sigma_jy: f64,
    /// The same, unless data of hardly any noise tell nothing but that the expected one is too high.
    pub known_jy: Option<f64>,
    /// Where spectral terms are taken, mid band \[Hz\].
    pub reference_hz: f64,
}

/// The expected noise, or that of the visibilities' own scatter where the two do not agree: data that are not in Jy, an SEFD that is
/// another array's. None for data whose noise is less than the expected one, one does not know by how much.
fn known_noise(vis: &Visibilities, expected_jy: f64) -> Option<f64> {
    // A per cent of scatter of the measured one, and what the sky leaves on wide channels.
    const AGREE: std::ops::Range<f64> = 0.87..1.15;
    let unit_jy = thermal_rms(&vis.weight_rf, vis, SEFD_JY);
    let expected = expected_jy / unit_jy;
    match scatter(vis, SEFD_JY) {
        Some(Scatter::Noise(found)) if !AGREE.contains(&(found / expected)) => {
            log::warn!(
                "noise: expected {expected_jy:.3e} Jy/beam of the SEFD and the weights, found {:.3e} of the scatter of visibilities \
                 between channels; thresholds count from the second (is the calibration applied, and sefd_jy right?)",
                found * unit_jy
            );
            Some(found * unit_jy)
        }
        Some(Scatter::AtMost(bound)) if bound < AGREE.start * expected => {
            log::warn!(
                "noise: expected {expected_jy:.3e} Jy/beam of the SEFD and the weights, found less than {:.3e} of the scatter of \
                 visibilities between channels; thresholds count from the residual (data without noise?)",
                bound * unit_jy
            );
            None
        }
        _ if expected_jy.is_finite() && expected_jy > 0.0 => Some(expected_jy),
        _ => None,
    }
}

/// Natural weights become imaging weights.
fn weigh(vis: &mut Visibilities, params: &ImagingParams, control: &Control) -> Result<(), Error> {
    let g = &params.grid;
    let mut weighting = WeightParams::new(g.nx, g.ny, g.cell_rad, g.cell_rad, params.weighting);
    weighting.tapers.clone_from(&params.tapers);
    let uvw: ArrayView2<'_, f64> = ArrayView2::from_shape((vis.uvw_m.len(), 3), vis.uvw_m.as_flattened())
        .map_err(|e| crate::kind::BadArgument::new("uvw", "three numbers a row", e))?;
    let mut density = WeightGrid::new(weighting)?;
    density.add(uvw, &vis.freq_hz, vis.weight_rf.view(), control)?;
    density.finish().apply(uvw, &vis.freq_hz, vis.weight_rf.view_mut(), control)?;
    Ok(())
}

/// Middle and width of the band that channels cover \[Hz\].
pub(super) fn band(freq_hz: &[f64], width_hz: &[f64]) -> (f64, f64) {
    let edges = |sign: f64| freq_hz.iter().zip(width_hz).map(move |(f, w)| f + sign * 0.5 * w);
    let low = edges(-1.0).fold(f64::INFINITY, f64::min);
    let high = edges(1.0).fold(f64::NEG_INFINITY, f64::max);
    (0.5 * (low + high), high - low)
}

/// The beam averaged over integrations and the channels that the weights are of.
pub(super) fn average_beam(weights: &Weights, params: &ImagingParams) -> Result<AverageBeam, Error> {
    let pointings = Pointings {
        directions: &params.pointings,
        weights: &weights.by_time,
        freq_hz: &weights.freq_hz,
        freq_weights: &weights.by_channel,
    };
    Ok(AverageBeam::new(&params.beam, pointings)?)
}

/// The beam averaged over integrations, at one frequency.
pub(super) fn beam_at(freq_hz: f64, weights: &Weights, params: &ImagingParams) -> Result<AverageBeam, Error> {
    let pointings = Pointings {
        directions: &params.pointings,
        weights: &weights.by_time,
        freq_hz: &[freq_hz],
        freq_weights: &[1.0],
    };
    Ok(AverageBeam::new(&params.beam, pointings)?)
}
