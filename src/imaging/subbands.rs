//! Images of parts of the band from the same run, restored with one beam.
//!
//! Each part starts from the model of the whole band and cleans what its own spectrum adds or takes inside the same mask, so
//! a subband costs its own share of the visibilities and few major cycles.

use ndarray::{s, Array2};

use super::bright::{on_pixels, BrightSource};
use super::clean::{clean, CleanParams, Cleaned};
use super::run::{average_beam, band, ImagingParams, Noise};
use super::weigh::{thermal_rms, Weights};
use super::{correct, primary_beam, restore, restore_points, Error, Grid, GridOptions, View, Visibilities};
use crate::control::Control;
use crate::deconvolution::{mad_rms, Outcome};
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
    /// Where the model's spectral terms are taken \[Hz\].
    pub reference_hz: f64,
}

/// Images of `params.subbands` equal parts of the channels; bright sources are already out of `vis`.
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
    let Common { beam, bright, smear_yx, cleaned, reference_hz } = common;
    let weights = Weights::of(vis);
    let (freq_hz, bandwidth_hz) = band(&vis.freq_hz, &vis.width_hz);
    if weights.sum <= 0.0 {
        let blank = Array2::from_elem(cleaned.model_yx.dim(), f32::NAN);
        let noise = Noise { expected_jy: f64::NAN, natural_jy: f64::NAN, measured_jy: f64::NAN };
        let outcome = Outcome::Dirty;
        return Ok(Subband {
            freq_hz,
            bandwidth_hz,
            restored_yx: blank.clone(),
            pbcor_yx: blank.clone(),
            pb_yx: blank,
            noise,
            outcome,
        });
    }
    let options = GridOptions { slant: Some(whole.slant()), ..params.grid };
    let grid = Grid::new(vis, 0..vis.freq_hz.len(), params.centre, options)?;
    let compact = grid.pack(vis, control)?;
    let psf_yx = grid.dirty_of(compact.unit_samples(), weights.sum, control)?;
    let residual_of = |model: &Array2<f32>| grid.residual(&compact, weights.sum, model, control);
    let model_yx = cleaned.model_at(freq_hz, *reference_hz);
    let start = residual_of(&model_yx)?;
    let clean_params = CleanParams {
        mask_yx: Some(cleaned.mask_yx.clone()),
        auto_mask: None,
        grown_yx: None,
        max_major: MAJOR,
        niter: if cleaned.report.iterations == 0 { 0 } else { params.clean.niter },
        ..params.clean.clone()
    };
    let part = clean(start, &psf_yx, Some(model_yx), &clean_params, residual_of, control)?;
    let wcs = grid.wcs();
    let mut restored_yx = restore(&part.residual_yx, &part.model_yx, beam, wcs.increment_rad, control)?;
    let view =
        View { beam: &params.beam, pointings: &params.pointings, centre: params.centre, accuracy: 1e-6 };
    let points: Vec<_> = on_pixels(bright, &wcs)
        .into_iter()
        .zip(bright.iter().filter(|s| wcs.sky_to_pixel(s.position).is_some()))
        .map(|((xy, peak), s)| (xy, peak * s.ratio_in(view, &weights)))
        .collect();
    restore_points(&mut restored_yx, &points, beam, wcs.increment_rad);
    let average = average_beam(vis, &weights, params)?;
    let pb_yx = primary_beam(&average, &wcs, [params.grid.ny, params.grid.nx], control)?;
    let pbcor_yx = correct(&restored_yx, &pb_yx, smear_yx, params.pb_limit);
    let expected_jy = thermal_rms(&vis.weight_rf, vis, params.sefd_jy);
    let measured_jy = f64::from(mad_rms(part.residual_yx.iter()));
    let noise = Noise { expected_jy, natural_jy: expected_jy, measured_jy };
    Ok(Subband { freq_hz, bandwidth_hz, restored_yx, pbcor_yx, pb_yx, noise, outcome: part.report.outcome })
}
