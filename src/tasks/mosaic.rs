//! Stage `mosaic`: tiles' FITS images in, one mosaic and its weight map out.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::control::Control;
use crate::coords::RaDec;
use crate::fits::{read_plane, read_plane_with_cards, Batch, Cards};
use crate::image::{Plane, RestoringBeam};
use crate::kind::BadArgument;
use crate::mosaic::{coadd, common_grid, validate, Interpolation, Method, Tile, Verdict};
use crate::Error;

/// One tile on disk.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TilePaths {
    /// Restored image with flat noise.
    pub image: PathBuf,
    /// Primary beam on the same pixels.
    pub pb: PathBuf,
    /// Noise \[Jy/beam\]; none takes the header's (`RMSMEAS`), else the robust rms of the image.
    #[serde(default)]
    pub sigma_jy: Option<f64>,
}

/// What to add and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MosaicParams {
    /// Tiles.
    pub tiles: Vec<TilePaths>,
    /// Mosaic to write; the weight map is `NAME-weight.fits` beside it.
    pub output: PathBuf,
    /// Weights.
    pub method: Method,
    /// Reading between pixels.
    pub interpolation: Interpolation,
    /// Tiles count where their beam is at least this.
    pub pb_floor: f32,
    /// Longest side \[pixels\]; a larger mosaic gets coarser pixels.
    pub max_side: usize,
    /// Write although a verdict failed.
    pub ignore_validation: bool,
    /// Judge only.
    pub dry_run: bool,
}

impl Default for MosaicParams {
    fn default() -> Self {
        Self {
            tiles: Vec::new(),
            output: PathBuf::new(),
            method: Method::PbWeighted,
            interpolation: Interpolation::Lanczos,
            pb_floor: 0.1,
            max_side: 8192,
            ignore_validation: false,
            dry_run: false,
        }
    }
}

/// What was made.
#[derive(Clone, Debug, Serialize)]
pub struct MosaicReport {
    /// `mosaic` and `weight`, when written.
    pub products: BTreeMap<&'static str, PathBuf>,
    /// Judgements of the tiles.
    pub verdicts: Vec<Verdict>,
    /// Whether all passed.
    pub passed: bool,
    /// Tiles.
    pub n_tiles: usize,
    /// Pixels `[x, y]`.
    pub imsize: [usize; 2],
    /// Pixel \[arcsec\].
    pub cell_arcsec: f64,
    /// Centre, ICRS `[ra, dec]` \[degrees\].
    pub centre_deg: [f64; 2],
    /// Least noise by the weights \[Jy/beam\]; none for a dry run.
    pub noise_jy: Option<f64>,
    /// Brightest pixel \[Jy/beam\]; none for a dry run.
    pub peak_jy: Option<f64>,
}

/// Judge tiles and add them.
///
/// # Errors
/// Files that cannot be read or do not belong together, verdicts that failed (unless ignored), a full disk.
pub fn run(params: &MosaicParams, control: &Control) -> Result<MosaicReport, Error> {
    let bad = |what: &str, expected: &str, found: String| {
        Error::from(crate::mosaic::Error::from(BadArgument::new(what, expected, found)))
    };
    if params.tiles.is_empty() {
        return Err(bad("tiles", "at least one", "none".into()));
    }
    if !params.dry_run && params.output.file_name().is_none() {
        return Err(bad("output", "a file name", params.output.display().to_string()));
    }
    let mut tiles = Vec::with_capacity(params.tiles.len());
    let mut planes = Vec::with_capacity(params.tiles.len());
    for paths in &params.tiles {
        control.check()?;
        let (tile, head) = read(paths)?;
        tiles.push(tile);
        planes.push(head);
    }
    let beams: Vec<_> = planes.iter().map(|p| p.beam).collect();
    let verdicts = validate(&tiles, &beams);
    let passed = verdicts.iter().all(|v| v.passed);
    let cell = tiles.iter().map(|t| t.wcs.increment_rad[1].abs()).fold(f64::INFINITY, f64::min);
    let footprints: Vec<Vec<RaDec>> = tiles.iter().map(|t| footprint(t, params.pb_floor)).collect();
    let (wcs, size) = common_grid(&footprints, cell, params.max_side)?;
    let mut report = MosaicReport {
        products: BTreeMap::new(),
        verdicts,
        passed,
        n_tiles: tiles.len(),
        imsize: size,
        cell_arcsec: wcs.increment_rad[1].to_degrees() * 3600.0,
        centre_deg: [wcs.centre.ra_deg(), wcs.centre.dec_deg()],
        noise_jy: None,
        peak_jy: None,
    };
    if params.dry_run {
        return Ok(report);
    }
    if let Some(failed) = report.verdicts.iter().find(|v| !v.passed).filter(|_| !params.ignore_validation) {
        let found =
            format!("{} = {:.4} against {:.4} ({})", failed.name, failed.value, failed.limit, failed.reason);
        return Err(bad("tiles", "tiles that pass validation (or ask to ignore it)", found));
    }
    let mosaic = coadd(&tiles, &wcs, size, params.method, params.interpolation, params.pb_floor, control)?;
    let best = mosaic.weight_yx.iter().copied().fold(0.0, f32::max);
    report.noise_jy = (best > 0.0).then(|| 1.0 / f64::from(best).sqrt());
    report.peak_jy = Some(f64::from(mosaic.image_yx.iter().copied().fold(f32::NEG_INFINITY, f32::max)));
    let mean = |f: fn(&Plane) -> f64| planes.iter().map(f).sum::<f64>() / planes.len() as f64;
    let head = Plane {
        data_yx: mosaic.image_yx,
        wcs,
        beam: mean_beam(&beams),
        unit: "JY/BEAM".into(),
        freq_hz: mean(|p| p.freq_hz),
        bandwidth_hz: mean(|p| p.bandwidth_hz),
        time_mjd_s: mean(|p| p.time_mjd_s),
    };
    write(params, head, mosaic.weight_yx, &mut report)?;
    Ok(report)
}

fn write(
    params: &MosaicParams,
    head: Plane,
    weight_yx: ndarray::Array2<f32>,
    report: &mut MosaicReport,
) -> Result<(), Error> {
    let mut cards = Cards::new();
    cards.push("NTILES", report.n_tiles as i64, "tiles added").push(
        "PBFLOOR",
        f64::from(params.pb_floor),
        "",
    );
    for paths in &params.tiles {
        cards.history(&format!("tile {}", paths.image.display()));
    }
    let mut name = params.output.file_stem().unwrap_or_default().to_owned();
    name.push("-weight.fits");
    let weight_path = params.output.with_file_name(name);
    let weight = Plane { data_yx: weight_yx, unit: "1/JY^2".into(), beam: None, ..head.clone() };
    let mut batch = Batch::new();
    batch.stage(&params.output, &head, &cards)?;
    batch.stage(&weight_path, &weight, &cards)?;
    batch.commit()?;
    report.products.insert("mosaic", params.output.clone());
    report.products.insert("weight", weight_path);
    Ok(())
}

fn read(paths: &TilePaths) -> Result<(Tile, Plane), Error> {
    let (mut plane, cards) = read_plane_with_cards(&paths.image)?;
    let pb = read_plane(&paths.pb)?;
    if pb.data_yx.dim() != plane.data_yx.dim() {
        let expected = format!("{:?} pixels (y, x) as in {}", plane.data_yx.dim(), paths.image.display());
        let found = format!("{:?} in {}", pb.data_yx.dim(), paths.pb.display());
        return Err(crate::mosaic::Error::from(BadArgument::new("pb", expected, found)).into());
    }
    let image_yx = std::mem::take(&mut plane.data_yx);
    let measured = || f64::from(crate::deconvolution::mad_rms(image_yx.iter()));
    let sigma_jy = paths.sigma_jy.or_else(|| cards.number("RMSMEAS")).unwrap_or_else(measured);
    Ok((Tile { image_yx, pb_yx: pb.data_yx, wcs: plane.wcs, sigma_jy }, plane))
}

/// Directions of pixels where the beam is above the floor, every 16th and those of the rim.
fn footprint(tile: &Tile, pb_floor: f32) -> Vec<RaDec> {
    const STEP: usize = 16;
    let (ny, nx) = tile.pb_yx.dim();
    let places = |n: usize| (0..n).step_by(STEP).chain([n - 1]);
    places(ny)
        .flat_map(|y| places(nx).map(move |x| (y, x)))
        .filter(|(y, x)| tile.pb_yx[[*y, *x]] >= pb_floor)
        .map(|(y, x)| tile.wcs.pixel_to_sky([x as f64, y as f64]))
        .collect()
}

/// Mean axes, and the position angle of the summed ellipses.
fn mean_beam(beams: &[Option<RestoringBeam>]) -> Option<RestoringBeam> {
    let known: Vec<_> = beams.iter().flatten().collect();
    if known.is_empty() {
        return None;
    }
    let n = known.len() as f64;
    let (s, c) =
        known.iter().fold((0.0, 0.0), |(s, c), b| (s + (2.0 * b.pa_rad).sin(), c + (2.0 * b.pa_rad).cos()));
    Some(RestoringBeam {
        major_rad: known.iter().map(|b| b.major_rad).sum::<f64>() / n,
        minor_rad: known.iter().map(|b| b.minor_rad).sum::<f64>() / n,
        pa_rad: 0.5 * s.atan2(c),
    })
}
