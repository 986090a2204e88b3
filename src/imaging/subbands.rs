//! Images of parts of the band from the same run, restored with one beam.
//!
//! The model of the whole band is taken out of the visibilities once, so that each part is one gridding of what is left. Only
//! where its own spectrum leaves more than the threshold inside the same mask does a part get a psf and major cycles.

use std::ops::Range;

use ndarray::Array2;

use super::bright::{on_pixels, BrightSource};
use super::clean::{clean, SHY};
use super::clean_report::{CleanParams, Cleaned};
use super::grid::rough;
use super::restore::add_components;
use super::run::{average_beam, band, ImagingParams, Noise};
use super::weigh::Weights;
use super::{correct, primary_beam, restore_points, Error, Grid, GridOptions, View, Visibilities};
use crate::control::Control;
use crate::deconvolution::{mad_rms, minor_cycle, peak_in, MinorParams, MinorStop, Outcome, Sign};
use crate::image::RestoringBeam;

/// Major cycles of one subband: its difference from the whole band's model is small.
const MAJOR: usize = 3;
/// Up to this many times the level to reach, one minor cycle is enough.
const SHALLOW: f32 = 5.0;
/// A rough image is enough where its error is this share of the noise at most.
const ROUGH_ERROR: f64 = 0.05;

/// One subband's image.
#[derive(Clone, Debug)]
pub struct Subband {
    /// Middle of its channels \[Hz\].
    pub freq_hz: f64,
    /// Width \[Hz\].
    pub bandwidth_hz: f64,
    /// Restored image \[Jy/beam\], blank (NaN) when all of it is flagged.
    pub restored_yx: Array2<f32>,
    /// What is left \[Jy/beam\].
    pub residual_yx: Array2<f32>,
    /// Restored image over the subband's primary beam.
    pub pbcor_yx: Array2<f32>,
    /// The subband's primary-beam power.
    pub pb_yx: Array2<f32>,
    /// Noise of its residual.
    pub noise: Noise,
    /// How its own cleaning ended.
    pub outcome: Outcome,
}

/// What the subbands take from the whole band's run.
pub(super) struct Common<'a> {
    pub beam: &'a RestoringBeam,
    pub bright: &'a [BrightSource],
    pub smear_yx: &'a Array2<f32>,
    pub cleaned: &'a Cleaned,
    /// The band's components, restored \[Jy/beam\].
    pub components_yx: &'a Array2<f32>,
    /// And those of its spectral terms from the second on.
    pub more_components_yx: &'a [Array2<f32>],
    /// Where the terms are taken \[Hz\].
    pub reference_hz: f64,
    /// The noise that thresholds count from over the expected one.
    pub noise_scale: f64,
}

/// Images of `params.subbands` equal parts of the channels; bright sources and the band's model are already out of `vis`.
pub(super) fn subbands(
    vis: &Visibilities,
    whole: &Grid,
    common: &Common<'_>,
    params: &ImagingParams,
    control: &Control,
) -> Result<Vec<Subband>, Error> {
    let channels = vis.freq_hz.len();
    let parts = params.subbands.min(channels);
    control.expect(parts as u64);
    let mut out = Vec::with_capacity(parts);
    for k in 0..parts {
        control.check()?;
        let channels = k * channels / parts..(k + 1) * channels / parts;
        let weights = Weights::of_channels(vis, channels.clone());
        let part = Part { vis, channels, weights, whole, common, params, control };
        out.push(part.image()?);
        control.advance(1);
    }
    Ok(out)
}

/// Some of the channels.
struct Part<'a> {
    vis: &'a Visibilities,
    channels: Range<usize>,
    weights: Weights,
    whole: &'a Grid,
    common: &'a Common<'a>,
    params: &'a ImagingParams,
    control: &'a Control,
}

/// What is left of a part, and components of its own.
struct Left {
    residual_yx: Array2<f32>,
    own_yx: Option<Array2<f32>>,
    outcome: Outcome,
}

impl Part<'_> {
    fn image(&self) -> Result<Subband, Error> {
        let Self { vis, weights, common, params, control, .. } = self;
        let own = self.channels.clone();
        let (freq_hz, bandwidth_hz) = band(&vis.freq_hz[own.clone()], &vis.width_hz[own]);
        if weights.sum <= 0.0 {
            return Ok(blank(freq_hz, bandwidth_hz, common.cleaned.model_yx.dim()));
        }
        let expected_jy = weights.thermal_rms(params.sefd_jy);
        let used_jy = common.noise_scale * expected_jy;
        let Left { residual_yx, own_yx, outcome } = self.left(used_jy as f32)?;
        let measured_jy = f64::from(mad_rms(residual_yx.iter()));
        let wcs = self.whole.wcs();
        let mut restored_yx = residual_yx.clone();
        restored_yx += common.components_yx;
        for (term, power) in common.more_components_yx.iter().zip(1..) {
            restored_yx.scaled_add((freq_hz / common.reference_hz - 1.0).powi(power) as f32, term);
        }
        if let Some(own) = own_yx {
            add_components(&mut restored_yx, &own, common.beam, wcs.increment_rad, control)?;
        }
        let view =
            View { beam: &params.beam, pointings: &params.pointings, centre: params.centre, accuracy: 1e-6 };
        let points: Vec<_> = on_pixels(common.bright, &wcs)
            .into_iter()
            .zip(common.bright.iter().filter(|s| wcs.sky_to_pixel(s.position).is_some()))
            .map(|((xy, peak), s)| (xy, peak * s.ratio_in(view, weights)))
            .collect();
        restore_points(&mut restored_yx, &points, common.beam, wcs.increment_rad);
        let average = average_beam(weights, params)?;
        let pb_yx = primary_beam(&average, &wcs, [params.grid.ny, params.grid.nx], control)?;
        let pbcor_yx = correct(&restored_yx, &pb_yx, common.smear_yx, params.pb_limit);
        let noise = Noise { expected_jy, natural_jy: expected_jy, measured_jy, used_jy };
        Ok(Subband { freq_hz, bandwidth_hz, restored_yx, residual_yx, pbcor_yx, pb_yx, noise, outcome })
    }

    fn grid(&self, epsilon: f64) -> Result<Grid, Error> {
        let options = GridOptions { slant: Some(self.whole.slant()), epsilon, ..self.params.grid };
        Grid::new(self.vis, self.channels.clone(), self.params.centre, options)
    }

    /// Image of what is left, cleaned when there is anything to clean.
    fn left(&self, noise_jy: f32) -> Result<Left, Error> {
        let Self { vis, common, params, control, .. } = self;
        let epsilon = params.grid.epsilon;
        let image = |epsilon: f64| -> Result<(Grid, Array2<f32>), Error> {
            let grid = self.grid(epsilon)?;
            let samples = grid.pack_samples(vis, self.channels.clone(), control)?;
            let dirty_yx = grid.dirty_of(&samples, self.weights.sum, control)?;
            Ok((grid, dirty_yx))
        };
        let first = if common.cleaned.report.iterations > 0 { rough(epsilon) } else { epsilon };
        let (mut grid, mut dirty_yx) = image(first)?;
        let brightest = dirty_yx.iter().fold(0f32, |most, v| most.max(v.abs()));
        if first > epsilon && first * f64::from(brightest) > ROUGH_ERROR * f64::from(noise_jy) {
            (grid, dirty_yx) = image(epsilon)?;
        }
        let left = |residual_yx, outcome| Ok(Left { residual_yx, own_yx: None, outcome });
        let cleaned = common.cleaned;
        if cleaned.report.iterations == 0 {
            return left(dirty_yx, Outcome::Dirty);
        }
        // What was cleaned too deep in the whole band is no reason to go on in a part of it.
        let noise = mad_rms(dirty_yx.iter()).max(noise_jy);
        let target = params.clean.threshold_jy.max(params.clean.nsigma * noise);
        let peak = peak_in(&dirty_yx, Some(&cleaned.mask_yx), Sign::Both).map_or(0.0, |p| p.value.abs());
        if peak <= target {
            return left(dirty_yx, Outcome::Threshold);
        }
        if peak <= SHALLOW * target {
            if let Some(done) = self.shallow(&grid, &dirty_yx, SHY * target)? {
                return Ok(done);
            }
        }
        self.deeper(&grid, dirty_yx, noise)
    }

    /// One minor cycle, whose residual is the psf's: what is cleaned is some sigma, and the psf is wrong by less than a hundredth of it. None
    /// when that does not reach the level.
    fn shallow(&self, grid: &Grid, dirty_yx: &Array2<f32>, stop_jy: f32) -> Result<Option<Left>, Error> {
        let (cleaned, clean, control) = (self.common.cleaned, &self.params.clean, self.control);
        let unit = grid.unit_samples(self.vis, self.channels.clone(), control)?;
        let psf_yx = grid.dirty_of(&unit, self.weights.sum, control)?;
        let (mut residual_yx, mut own_yx) = (dirty_yx.clone(), Array2::zeros(dirty_yx.dim()));
        let params =
            MinorParams { gain: clean.gain, max_iterations: clean.niter, stop_jy, ..MinorParams::default() };
        let mask = Some(&cleaned.mask_yx);
        let report = minor_cycle(&mut residual_yx, &mut own_yx, &psf_yx, mask, &params, control)?;
        log::debug!(
            "subband: {:.5} to {:.5} Jy/beam in {} iterations",
            report.peak_before_jy,
            report.peak_after_jy,
            report.iterations
        );
        let reached = report.stop == MinorStop::Reached;
        Ok(reached.then_some(Left { residual_yx, own_yx: Some(own_yx), outcome: Outcome::Threshold }))
    }

    /// Major cycles.
    fn deeper(&self, grid: &Grid, dirty_yx: Array2<f32>, noise: f32) -> Result<Left, Error> {
        let Self { vis, common, params, control, weights, .. } = self;
        let compact = grid.pack_channels(vis, self.channels.clone(), control)?;
        let psf_yx = grid.dirty_of(compact.unit_samples(), weights.sum, control)?;
        let clean_params = CleanParams {
            mask_yx: Some(common.cleaned.mask_yx.clone()),
            auto_mask: None,
            grown_yx: None,
            max_major: MAJOR,
            thermal_jy: Some(noise),
            // What a part has of its own is its spectrum's: a few per cent of sources that the band's model is already as deep in.
            deep_sigma: 0.0,
            // What a part has less than the band is negative.
            non_negative: false,
            ..params.clean.clone()
        };
        let residual_of = |model: &Array2<f32>| grid.residual(&compact, weights.sum, model, control);
        let part = clean(dirty_yx, &psf_yx, None, &clean_params, residual_of, control)?;
        let outcome = part.report.outcome;
        Ok(Left { residual_yx: part.residual_yx, own_yx: Some(part.model_yx), outcome })
    }
}

/// A subband whose data are all flagged.
fn blank(freq_hz: f64, bandwidth_hz: f64, shape: (usize, usize)) -> Subband {
    let blank = Array2::from_elem(shape, f32::NAN);
    let nan = f64::NAN;
    let noise = Noise { expected_jy: nan, natural_jy: nan, measured_jy: nan, used_jy: nan };
    Subband {
        freq_hz,
        bandwidth_hz,
        restored_yx: blank.clone(),
        residual_yx: blank.clone(),
        pbcor_yx: blank.clone(),
        pb_yx: blank,
        noise,
        outcome: Outcome::Dirty,
    }
}
