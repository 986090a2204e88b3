//! Stage measure: forced fluxes of catalogue positions on one image, in the band and in its parts.
//!
//! Over the usual size: the options of a stage and what they mean stand together.

use std::path::PathBuf;

use ndarray::Array2;

use crate::constants::TELESCOPE_NAME;
use crate::control::Control;
use crate::coords::RaDec;
use crate::detection::{background, Background, BackgroundParams};
use crate::fits::{read_plane, read_plane_with_cards};
use crate::image::Wcs;
use crate::image::{Plane, RestoringBeam};
use crate::kind::BadArgument;
use crate::photometry::{
    blank_sky, matched_fluxes, measure_shapes, noise_correlation, BlankSky, ForcedParams, Maps, Matched,
    NoiseCorrelation, PixelFit, PixelKernel, Shapes,
};
use crate::source::Measurement;
use crate::Error;

use super::measure_shapes::{self as shapes, SourceShape};
use super::measure_sky::sky_flags;
pub use super::measure_sky::SkyLimits;

/// Where the noise of a fit comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum NoiseSource {
    /// The ring around each source ([`ForcedParams::annulus_px`]).
    Ring,
    /// A map made here: clipped medians on a mesh of boxes of this many beams a side; its background is taken off too.
    Mesh {
        /// Side of a box \[beam major axes\].
        box_beams: f64,
    },
    /// Maps on disk, of the image's shape.
    Maps {
        /// Noise \[Jy/beam\].
        noise: PathBuf,
        /// Background \[Jy/beam\].
        background: Option<PathBuf>,
    },
}

/// Image of a part of the band.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BandImage {
    /// As [`MeasureParams::image`].
    pub image: PathBuf,
    /// As [`MeasureParams::pb`].
    pub pb: Option<PathBuf>,
    /// As [`MeasureParams::residual`].
    pub residual: Option<PathBuf>,
}

/// What to measure.
#[derive(Clone, Debug)]
pub struct MeasureParams {
    /// Image \[Jy/beam\]: flat noise (then give `pb`) or already corrected for the primary beam.
    pub image: PathBuf,
    /// Primary-beam power on the same grid; fluxes, errors and rms are divided by its value at the position.
    pub pb: Option<PathBuf>,
    /// Residual image \[Jy/beam\] on the same grid: what CLEAN left of a source counts by its value at the source, see
    /// [`Maps::left_yx`]. Only of an image that is not corrected for the primary beam.
    pub residual: Option<PathBuf>,
    /// Matched image and psf on the same grid, as `contimg image` writes them: points are read from the first, with their neighbours
    /// told apart by the second, averaging undone already; sources that are resolved stay with the fit.
    pub matched: Option<[PathBuf; 2]>,
    /// Positions, ICRS.
    pub positions: Vec<RaDec>,
    /// Sizes of the sources on the sky (the beam not in them) by index; beyond the end and `None`: points.
    pub sizes: Vec<Option<RestoringBeam>>,
    /// Area over the beam's from which a source counts as resolved.
    pub resolved_area: f64,
    /// Integration \[s\] and channel \[Hz\] of the visibilities, to undo smearing; `None` leaves it.
    pub averaging: Option<[f64; 2]>,
    /// Options of the fit.
    pub forced: ForcedParams,
    /// Noise.
    pub noise: NoiseSource,
    /// Measure the peak in a box even when the image has a beam.
    pub ignore_beam: bool,
    /// Positions below this primary-beam response count as outside.
    pub min_pb: f64,
    /// Blank positions fitted to scale the errors to what noise really does; 0 keeps the plain formula.
    pub blank_fits: usize,
    /// Below this signal-to-noise ratio a source has an upper limit, this many times its error.
    pub limit_sigma: f64,
    /// Fractional error added in quadrature: of the calibration, of the beam \[1\].
    pub fraction_floor: f64,
    /// Limits of the flags that depend on time and place.
    pub sky: SkyLimits,
    /// Images of parts of the band: each source is measured in each.
    pub bands: Vec<BandImage>,
    /// Images of the two polarisations, which must agree.
    pub pols: Option<[PathBuf; 2]>,
}

impl MeasureParams {
    /// Defaults for an image and positions: noise of the ring, plain errors.
    pub fn new(image: PathBuf, positions: Vec<RaDec>) -> Self {
        Self {
            image,
            pb: None,
            residual: None,
            matched: None,
            positions,
            sizes: Vec::new(),
            resolved_area: 1.05,
            averaging: None,
            forced: ForcedParams::default(),
            noise: NoiseSource::Ring,
            ignore_beam: false,
            min_pb: 0.0,
            blank_fits: 0,
            limit_sigma: 5.0,
            fraction_floor: 0.0,
            sky: SkyLimits::default(),
            bands: Vec::new(),
            pols: None,
        }
    }

    /// The same on another image, and nothing beyond it.
    fn on(&self, image: &std::path::Path) -> Self {
        let (pb, residual, matched, bands, pols) = (None, None, None, Vec::new(), None);
        Self { image: image.to_owned(), pb, residual, matched, bands, pols, ..self.clone() }
    }
}

/// One part of the band.
#[derive(Clone, Debug)]
pub struct BandReport {
    /// Its image.
    pub path: PathBuf,
    /// Reference frequency \[Hz\].
    pub freq_hz: f64,
    /// Bandwidth \[Hz\].
    pub bandwidth_hz: f64,
    /// Beam.
    pub beam: Option<RestoringBeam>,
    /// Median noise \[Jy/beam\].
    pub noise_jy: f64,
    /// Flux density of each source \[Jy\].
    pub flux_jy: Vec<f64>,
    /// Its error \[Jy\].
    pub flux_err_jy: Vec<f64>,
}

/// What was measured.
#[derive(Clone, Debug)]
pub struct MeasureReport {
    /// One a position, in order; fluxes corrected for the primary beam when it was given.
    pub measurements: Vec<Measurement>,
    /// Primary-beam response at each position; NaN without `pb` or outside.
    pub pb: Vec<f64>,
    /// Offsets from the image's reference position, east and north \[rad\]; NaN on the far side of the sky.
    pub offset_rad: Vec<[f64; 2]>,
    /// The image's beam.
    pub beam: Option<RestoringBeam>,
    /// Mid time, UTC \[MJD s\].
    pub time_mjd_s: f64,
    /// Reference frequency \[Hz\].
    pub freq_hz: f64,
    /// Bandwidth \[Hz\].
    pub bandwidth_hz: f64,
    /// Median noise over the image before primary-beam correction \[Jy/beam\]; NaN unless the noise is a map.
    pub noise_jy: f64,
    /// Scatter of blank fits, when asked for and enough were blank.
    pub blank_sky: Option<BlankSky>,
    /// Correlation of the noise, when blank fits were asked for.
    pub correlation: Option<NoiseCorrelation>,
    /// Size of the image `(y, x)`.
    pub shape_yx: (usize, usize),
    /// Parts of the band.
    pub bands: Vec<BandReport>,
}

/// Measure every position on the image.
///
/// # Errors
/// Files that cannot be read or are no images; planes whose grids differ; options that make no sense; cancelled.
pub fn run(params: &MeasureParams, control: &Control) -> Result<MeasureReport, Error> {
    let mut report = one_image(params, control)?;
    for part in &params.bands {
        let (pb, residual) = (part.pb.clone(), part.residual.clone());
        let band = one_image(&MeasureParams { pb, residual, ..params.on(&part.image) }, control)?;
        let column = |get: fn(&Measurement) -> f64| band.measurements.iter().map(get).collect();
        report.bands.push(BandReport {
            path: part.image.clone(),
            freq_hz: band.freq_hz,
            bandwidth_hz: band.bandwidth_hz,
            beam: band.beam,
            noise_jy: band.noise_jy,
            flux_jy: column(|m| m.flux_jy),
            flux_err_jy: column(|m| m.flux_err_jy),
        });
    }
    if let Some([first, second]) = &params.pols {
        let (x, y) = (one_image(&params.on(first), control)?, one_image(&params.on(second), control)?);
        for (m, (x, y)) in report.measurements.iter_mut().zip(x.measurements.iter().zip(&y.measurements)) {
            // Five sigma, and a tenth of the flux: leakage and beam squint make a few percent.
            let difference = (x.flux_jy - y.flux_jy).abs();
            let limit = (5.0 * x.fit_err_jy.hypot(y.fit_err_jy)).max(0.05 * (x.flux_jy + y.flux_jy).abs());
            if difference > limit {
                m.flags |= Measurement::POLS_DIFFER;
            }
        }
    }
    Ok(report)
}

fn one_image(params: &MeasureParams, control: &Control) -> Result<MeasureReport, Error> {
    let (plane, cards) = read_plane_with_cards(&params.image)?;
    let pb = params.pb.as_ref().map(|p| read_plane(p)).transpose()?;
    let left = params.residual.as_ref().map(|p| read_plane(p)).transpose()?;
    let points = match &params.matched {
        Some([image, psf]) => Some([read_plane(image)?, read_plane(psf)?]),
        None => None,
    };
    measured(&plane, Beside { pb, left, points }, cards.text("TELESCOP").unwrap_or_default(), params, control)
}

/// Planes on an image's grid, as the parameters of these names say.
#[derive(Default)]
pub(super) struct Beside {
    pub pb: Option<Plane>,
    pub left: Option<Plane>,
    /// Matched image and psf.
    pub points: Option<[Plane; 2]>,
}

/// As [`run`], on planes of this array in memory, with those that belong to them; paths among the parameters are not looked at.
pub(super) fn on_planes(
    plane: &Plane,
    others: Beside,
    params: &MeasureParams,
    control: &Control,
) -> Result<MeasureReport, Error> {
    measured(plane, others, TELESCOPE_NAME, params, control)
}

fn measured(
    plane: &Plane,
    Beside { pb, left, points }: Beside,
    telescope: &str,
    params: &MeasureParams,
    control: &Control,
) -> Result<MeasureReport, Error> {
    let pb = pb.map(|p| same_grid("pb", p, plane)).transpose()?;
    let left = left.map(|p| same_grid("residual", p, plane)).transpose()?;
    let kernel = match plane.beam {
        Some(beam) if !params.ignore_beam => Some(PixelKernel::new(beam, &plane.wcs)?),
        _ => None,
    };
    let noise = noise_maps(&params.noise, plane, kernel.as_ref(), control)?;
    let maps = Maps {
        image_yx: plane.data_yx.view(),
        noise_yx: noise.as_ref().map(|n| n.rms_yx.view()),
        background_yx: noise.as_ref().filter(|n| !n.level_yx.is_empty()).map(|n| n.level_yx.view()),
        left_yx: left.as_ref().map(|l| l.data_yx.view()),
    };
    let outside = [f64::NAN; 2];
    let pixel_xy: Vec<[f64; 2]> =
        params.positions.iter().map(|p| plane.wcs.sky_to_pixel(*p).unwrap_or(outside)).collect();
    let mut forced = params.forced;
    let (blank, correlation) = scatter(maps, kernel.as_ref(), &pixel_xy, params, control)?;
    let correlated = correlation.map_or(forced.error_factor, |c| c.error_factor);
    forced.error_factor = blank.map_or(correlated, |b| b.error_factor);
    let mut shape = shapes::of_sources(plane, kernel.is_some(), &pixel_xy, params)?;
    let own: Vec<Option<PixelKernel>> = shape.iter().map(|s| s.kernel).collect();
    let all = kernel.as_ref().map(|beam| Shapes { beam, own: &own });
    let mut fits = measure_shapes(maps, all, &pixel_xy, &forced, control)?;
    if let (Some(points), Some(beam)) = (points, plane.beam.filter(|_| all.is_some())) {
        let [image, psf] = points;
        let (image, psf) = (same_grid("matched", image, plane)?, same_grid("psf", psf, plane)?);
        let reach_px = beam.matched_reach_px(plane.wcs.increment_rad[1].abs());
        let matched = Matched { image_yx: image.data_yx.view(), psf_yx: psf.data_yx.view(), reach_px };
        let found = matched_fluxes(matched, maps.background_yx, &pixel_xy, control)?;
        for ((fit, shape), flux_jy) in fits.iter_mut().zip(&mut shape).zip(found) {
            let Some(flux_jy) = flux_jy.filter(|_| !shape.resolved && fit.flux_jy.is_finite()) else {
                continue;
            };
            fit.flux_jy = flux_jy;
            *shape = SourceShape::POINT;
        }
    }
    let pb_at: Vec<f64> =
        pixel_xy.iter().map(|xy| pb.as_ref().map_or(f64::NAN, |p| bilinear(&p.data_yx, *xy))).collect();
    let mut measurements: Vec<Measurement> = (0..fits.len())
        .map(|i| {
            let response = if pb.is_some() { pb_at[i] } else { 1.0 };
            corrected(&fits[i], (params.positions[i], pixel_xy[i]), &shape[i], response, params)
        })
        .collect();
    sky_flags(&mut measurements, plane, telescope, &params.sky)?;
    Ok(MeasureReport {
        measurements,
        pb: pb_at,
        offset_rad: pixel_xy.iter().map(|xy| offset(&plane.wcs, *xy)).collect(),
        beam: plane.beam,
        time_mjd_s: plane.time_mjd_s,
        freq_hz: plane.freq_hz,
        bandwidth_hz: plane.bandwidth_hz,
        noise_jy: noise.as_ref().map_or(f64::NAN, |n| middle(&n.rms_yx)),
        blank_sky: blank,
        correlation,
        shape_yx: plane.data_yx.dim(),
        bands: Vec::new(),
    })
}

/// What noise really does to a fit: blank fits, and the correlation that stands in where there is no blank sky.
fn scatter(
    maps: Maps<'_>,
    kernel: Option<&PixelKernel>,
    pixel_xy: &[[f64; 2]],
    params: &MeasureParams,
    control: &Control,
) -> Result<(Option<BlankSky>, Option<NoiseCorrelation>), Error> {
    let Some(kernel) = kernel.filter(|_| params.blank_fits > 0) else { return Ok((None, None)) };
    let blank = blank_sky(maps, kernel, pixel_xy, params.blank_fits, &params.forced, control)?;
    Ok((blank, noise_correlation(maps, kernel, 20_000, control)?))
}

fn offset(wcs: &Wcs, xy: [f64; 2]) -> [f64; 2] {
    let lmn = wcs.pixel_to_lmn(xy);
    [lmn.l, lmn.m]
}

fn same_grid(what: &str, map: Plane, image: &Plane) -> Result<Plane, Error> {
    let (expected, found) = (image.data_yx.dim(), map.data_yx.dim());
    let offset = map.wcs.sky_to_pixel(image.wcs.centre).map_or(f64::INFINITY, |p| {
        let reference = image.wcs.reference_pixel;
        (p[0] - reference[0]).hypot(p[1] - reference[1])
    });
    if expected == found && offset < 0.5 {
        return Ok(map);
    }
    let found = format!("{found:?} pixels, centre off by {offset:.2} pixels");
    let bad = BadArgument::new(what, format!("the grid of the image, {expected:?} pixels"), found);
    Err(crate::photometry::Error::from(bad).into())
}

/// Noise and background maps; an empty `level_yx` stands for no background.
fn noise_maps(
    source: &NoiseSource,
    plane: &Plane,
    kernel: Option<&PixelKernel>,
    control: &Control,
) -> Result<Option<Background>, Error> {
    match source {
        NoiseSource::Ring => Ok(None),
        NoiseSource::Mesh { box_beams } => {
            let side = (box_beams * kernel.map_or(6.0, |k| k.major_px)).round().clamp(32.0, 4096.0) as usize;
            let params =
                BackgroundParams { box_px: side, step_px: (side / 2).max(1), ..BackgroundParams::default() };
            Ok(Some(background(plane.data_yx.view(), &params, control)?))
        }
        NoiseSource::Maps { noise, background } => {
            let rms_yx = same_grid("noise map", read_plane(noise)?, plane)?.data_yx;
            let level_yx = match background {
                Some(path) => same_grid("background map", read_plane(path)?, plane)?.data_yx,
                None => Array2::zeros((0, 0)),
            };
            Ok(Some(Background { level_yx, rms_yx }))
        }
    }
}

fn corrected(
    fit: &PixelFit,
    (position, pixel_xy): (RaDec, [f64; 2]),
    shape: &SourceShape,
    response: f64,
    params: &MeasureParams,
) -> Measurement {
    let seen = response > 0.0 && response >= params.min_pb;
    let scale = if seen { 1.0 / response } else { f64::NAN };
    let flux_jy = fit.flux_jy * scale * shape.area_ratio;
    let fit_err_jy = fit.flux_err_jy * scale * shape.area_ratio * shape.error_factor;
    let detected = flux_jy >= params.limit_sigma * fit_err_jy;
    let flags = fit.flags | if shape.resolved { Measurement::RESOLVED } else { 0 };
    Measurement {
        position,
        pixel_xy,
        peak_jy: fit.flux_jy * scale,
        flux_jy,
        flux_err_jy: fit_err_jy.hypot(params.fraction_floor * flux_jy),
        fit_err_jy,
        upper_limit_jy: if detected { f64::NAN } else { params.limit_sigma * fit_err_jy },
        local_rms_jy: fit.local_rms_jy * scale,
        chi2: fit.chi2,
        dof: fit.dof,
        cluster: fit.cluster,
        flags: if seen { flags } else { flags | Measurement::OUTSIDE },
    }
}

/// Value between the four nearest pixels; NaN off the map.
fn bilinear(map_yx: &Array2<f32>, xy: [f64; 2]) -> f64 {
    let (ny, nx) = map_yx.dim();
    let inside = xy[0] >= -0.5 && xy[1] >= -0.5 && xy[0] <= nx as f64 - 0.5 && xy[1] <= ny as f64 - 0.5;
    if !inside {
        return f64::NAN;
    }
    let (x, y) = (xy[0].clamp(0.0, nx as f64 - 1.0), xy[1].clamp(0.0, ny as f64 - 1.0));
    let (x0, y0) = (x as usize, y as usize);
    let (x1, y1) = ((x0 + 1).min(nx - 1), (y0 + 1).min(ny - 1));
    let (fx, fy) = (x - x0 as f64, y - y0 as f64);
    let at = |y: usize, x: usize| f64::from(map_yx[[y, x]]);
    let row = |y: usize| at(y, x0) + if fx > 0.0 { fx * (at(y, x1) - at(y, x0)) } else { 0.0 };
    row(y0) + if fy > 0.0 { fy * (row(y1) - row(y0)) } else { 0.0 }
}

/// Median of the finite pixels, from one in sixteen.
fn middle(map_yx: &Array2<f32>) -> f64 {
    let mut values: Vec<f32> = map_yx.iter().step_by(16).copied().filter(|v| v.is_finite()).collect();
    f64::from(crate::math::robust::median_f32(&mut values))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fits::{write_plane, Cards};
    use crate::image::Wcs;
    use crate::photometry::inject;

    fn plane(n: usize, value: f32) -> Plane {
        let cell = 3.0 / 206_264.806;
        Plane {
            data_yx: Array2::from_elem((n, n), value),
            wcs: Wcs::centred(RaDec::from_deg(359.99, 54.0), n, n, cell),
            beam: Some(RestoringBeam { major_rad: 7.0 * cell, minor_rad: 5.0 * cell, pa_rad: 0.6 }),
            unit: "JY/BEAM".into(),
            freq_hz: 1.4e9,
            bandwidth_hz: 1.87e8,
            time_mjd_s: 5.2e9,
        }
    }

    #[test]
    fn fluxes_are_divided_by_the_beam_and_positions_cross_zero() {
        let dir = tempfile::tempdir().unwrap();
        let mut image = plane(200, 0.0);
        let kernel = PixelKernel::new(image.beam.unwrap(), &image.wcs).unwrap();
        let position = RaDec::from_deg(0.02, 54.03);
        let xy = image.wcs.sky_to_pixel(position).unwrap();
        inject(image.data_yx.view_mut(), &kernel, &[(xy, 0.5)], 8.0).unwrap();
        let (path, pb) = (dir.path().join("a.fits"), dir.path().join("pb.fits"));
        write_plane(&path, &image, &Cards::new()).unwrap();
        write_plane(&pb, &plane(200, 0.25), &Cards::new()).unwrap();
        let far = RaDec::from_deg(180.0, -54.0);
        let mut params = MeasureParams::new(path, vec![position, far]);
        params.pb = Some(pb);
        let report = run(&params, &Control::new()).unwrap();
        let m = &report.measurements[0];
        // The header keeps angles to about 1e-9 of a pixel; pixels are single precision.
        assert!((m.flux_jy - 2.0).abs() < 1e-5 && m.flags == 0, "{m:?}");
        assert!((report.pb[0] - 0.25).abs() < 1e-7 && (report.time_mjd_s - 5.2e9).abs() < 0.01);
        assert!(
            report.measurements[1].flux_jy.is_nan()
                && report.measurements[1].flags & Measurement::OUTSIDE != 0
        );
        params.min_pb = 0.3;
        assert!(run(&params, &Control::new()).unwrap().measurements[0].flux_jy.is_nan());
        params.noise = NoiseSource::Mesh { box_beams: 10.0 };
        params.min_pb = 0.0;
        let m = &run(&params, &Control::new()).unwrap().measurements[0];
        assert!(m.flux_err_jy.is_nan() || m.flux_err_jy >= 0.0);
    }

    #[test]
    fn a_map_of_another_grid_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let (path, pb) = (dir.path().join("a.fits"), dir.path().join("pb.fits"));
        write_plane(&path, &plane(64, 0.0), &Cards::new()).unwrap();
        write_plane(&pb, &plane(32, 1.0), &Cards::new()).unwrap();
        let mut params = MeasureParams::new(path, vec![]);
        params.pb = Some(pb);
        let error = run(&params, &Control::new()).unwrap_err().to_string();
        assert!(error.contains("pb") && error.contains("(64, 64)"), "{error}");
        params.image = dir.path().join("none.fits");
        assert!(matches!(run(&params, &Control::new()), Err(Error::Fits(_))));
    }
}
