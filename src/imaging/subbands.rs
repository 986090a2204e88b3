//! Images of parts of the band from the same run, restored with one beam.
//!
//! The model of the whole band is taken out of the visibilities once, so that each part is one gridding of what is left. Only
//! where its own spectrum leaves more than the threshold inside the same mask does a part get a psf and major cycles.

use ndarray::{s, Array2};

use super::bright::{on_pixels, BrightSource};
use super::clean::{clean, CleanParams, Cleaned};
use super::run::{average_beam, band, ImagingParams, Noise};
use super::weigh::Weights;
use super::{
    components, correct, primary_beam, restore_points, Error, Grid, GridOptions, View, Visibilities,
};
use crate::control::Control;
use crate::deconvolution::{mad_rms, peak_in, Outcome, Sign};
use crate::image::RestoringBeam;

/// Major cycles of one subband: its difference from the whole band's model is small.
const MAJOR: usize = 3;

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
        let range = k * channels / parts..(k + 1) * channels / parts;
        let part = Visibilities {
            uvw_m: vis.uvw_m.clone(),
            freq_hz: vis.freq_hz[range.clone()].to_vec(),
            width_hz: vis.width_hz[range.clone()].to_vec(),
            vis_rf: vis.vis_rf.slice(s![.., range.clone()]).to_owned(),
            weight_rf: vis.weight_rf.slice(s![.., range]).to_owned(),
            times: vis.times.clone(),
            time_of_row: vis.time_of_row.clone(),
            pairs: Vec::new(),
            antenna_itrf_m: Vec::new(),
            frames: Vec::new(),
        };
        out.push(one(&part, whole, common, params, control)?);
        control.advance(1);
    }
    Ok(out)
}

fn one(
    vis: &Visibilities,
    whole: &Grid,
    common: &Common<'_>,
    params: &ImagingParams,
    control: &Control,
) -> Result<Subband, Error> {
    let weights = Weights::of(vis);
    let (freq_hz, bandwidth_hz) = band(&vis.freq_hz, &vis.width_hz);
    if weights.sum <= 0.0 {
        return Ok(blank(freq_hz, bandwidth_hz, common.cleaned.model_yx.dim()));
    }
    let options = GridOptions { slant: Some(whole.slant()), ..params.grid };
    let grid = Grid::new(vis, 0..vis.freq_hz.len(), params.centre, options)?;
    let wcs = grid.wcs();
    let expected_jy = weights.thermal_rms(params.sefd_jy);
    let used_jy = common.noise_scale * expected_jy;
    let (left, outcome) = residual(vis, &grid, &weights, common, used_jy, params, control)?;
    let measured_jy = f64::from(mad_rms(left.residual_yx.iter()));
    let residual_yx = left.residual_yx;
    let mut restored_yx = &residual_yx + common.components_yx;
    for (term, power) in common.more_components_yx.iter().zip(1..) {
        restored_yx.scaled_add((freq_hz / common.reference_hz - 1.0).powi(power) as f32, term);
    }
    if let Some(own) = left.own_yx {
        restored_yx += &components(&own, common.beam, wcs.increment_rad, control)?;
    }
    let view =
        View { beam: &params.beam, pointings: &params.pointings, centre: params.centre, accuracy: 1e-6 };
    let points: Vec<_> = on_pixels(common.bright, &wcs)
        .into_iter()
        .zip(common.bright.iter().filter(|s| wcs.sky_to_pixel(s.position).is_some()))
        .map(|((xy, peak), s)| (xy, peak * s.ratio_in(view, &weights)))
        .collect();
    restore_points(&mut restored_yx, &points, common.beam, wcs.increment_rad);
    let average = average_beam(vis, &weights, params)?;
    let pb_yx = primary_beam(&average, &wcs, [params.grid.ny, params.grid.nx], control)?;
    let pbcor_yx = correct(&restored_yx, &pb_yx, common.smear_yx, params.pb_limit);
    let noise = Noise { expected_jy, natural_jy: expected_jy, measured_jy, used_jy };
    Ok(Subband { freq_hz, bandwidth_hz, restored_yx, residual_yx, pbcor_yx, pb_yx, noise, outcome })
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

/// What is left of a part, and components of its own.
struct Left {
    residual_yx: Array2<f32>,
    own_yx: Option<Array2<f32>>,
}

/// Image of what is left, cleaned when there is anything to clean.
fn residual(
    vis: &Visibilities,
    grid: &Grid,
    weights: &Weights,
    common: &Common<'_>,
    noise_jy: f64,
    params: &ImagingParams,
    control: &Control,
) -> Result<(Left, Outcome), Error> {
    let cleaned = common.cleaned;
    let dirty_yx = grid.dirty(vis.vis_rf.view(), vis.weight_rf.view(), weights.sum, control)?;
    if cleaned.report.iterations == 0 {
        return Ok((Left { residual_yx: dirty_yx, own_yx: None }, Outcome::Dirty));
    }
    // What was cleaned too deep in the whole band is no reason to go on in a part of it.
    let noise = mad_rms(dirty_yx.iter()).max(noise_jy as f32);
    let target = params.clean.threshold_jy.max(params.clean.nsigma * noise);
    let peak = peak_in(&dirty_yx, Some(&cleaned.mask_yx), Sign::Both).map_or(0.0, |p| p.value.abs());
    if peak <= target {
        return Ok((Left { residual_yx: dirty_yx, own_yx: None }, Outcome::Threshold));
    }
    let compact = grid.pack(vis, control)?;
    let psf_yx = grid.dirty_of(compact.unit_samples(), weights.sum, control)?;
    let clean_params = CleanParams {
        mask_yx: Some(cleaned.mask_yx.clone()),
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
    Ok((Left { residual_yx: part.residual_yx, own_yx: Some(part.model_yx) }, part.report.outcome))
}
