//! Stage `mosaic`: tiles' FITS images in, one mosaic and its weight map out.

use std::collections::BTreeMap;
use std::path::PathBuf;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::constants::SECONDS_PER_DAY;
use crate::control::Control;
use crate::coords::RaDec;
use crate::fits::{iso_utc, read_plane, read_plane_with_cards, Batch, Cards};
use crate::image::{Plane, RestoringBeam, Wcs};
use crate::kind::BadArgument;
use crate::mosaic::{
    apply, coadd, common_beam, common_grid, highest, inspect, measure, same_beam, to_beam, validate,
    CoaddParams, Correction, Interpolation, Judged, Method, Reference, Tile, Verdict,
};
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
    /// Average over the area of a mosaic's pixel; for images per pixel also scale by it.
    pub flux_conserving: bool,
    /// Bring all tiles to the smallest beam that holds theirs before they are added.
    pub common_beam: bool,
    /// Catalogue to compare tiles with; empty is none.
    pub catalog: Vec<Reference>,
    /// Frequency of the catalogue's fluxes \[Hz\], and the spectral index that takes them to the tiles'.
    pub catalog_freq_hz: f64,
    /// See `catalog_freq_hz`.
    pub catalog_index: f64,
    /// Divide each tile by its flux scale against the catalogue.
    pub correct_flux: bool,
    /// Take each tile's offset from the catalogue out of its coordinates.
    pub correct_astrometry: bool,
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
            interpolation: Interpolation::Matched,
            pb_floor: 0.1,
            max_side: 8192,
            flux_conserving: false,
            common_beam: true,
            catalog: Vec::new(),
            catalog_freq_hz: 1.4e9,
            catalog_index: -0.7,
            correct_flux: true,
            correct_astrometry: true,
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
    /// Judgements of the mosaic: noise against the weights, overlap, sources where the tiles have them; empty for a dry run.
    pub checks: Vec<Verdict>,
    /// Whether all that block passed.
    pub passed: bool,
    /// Each tile against the catalogue, where there was one with enough sources.
    pub corrections: Vec<Option<Correction>>,
    /// Restoring beam, major and minor axis \[arcsec\], position angle \[deg\].
    pub beam: Option<[f64; 3]>,
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
    let directory = params.output.parent().filter(|d| !d.as_os_str().is_empty());
    if let Some(missing) = directory.filter(|d| !params.dry_run && !d.is_dir()) {
        return Err(bad("output", "a file in a directory that exists", missing.display().to_string()));
    }
    let read_one = |paths: &TilePaths| {
        control.check()?;
        read(paths)
    };
    let (mut tiles, heads): (Vec<Tile>, Vec<Head>) =
        params.tiles.par_iter().map(read_one).collect::<Result<Vec<_>, Error>>()?.into_iter().unzip();
    let (mut report, wcs) = judge(params, &tiles, &heads)?;
    if params.dry_run {
        return Ok(report);
    }
    let failed = report.verdicts.iter().find(|v| !v.passed && v.blocking);
    if let Some(failed) = failed.filter(|_| !params.ignore_validation) {
        let found =
            format!("{} = {:.4} against {:.4} ({})", failed.name, failed.value, failed.limit, failed.reason);
        return Err(bad("tiles", "tiles that pass validation (or ask to ignore it)", found));
    }
    let beam = prepare(params, &mut tiles, &heads, &report.corrections, control)?;
    let options = CoaddParams {
        method: params.method,
        interpolation: params.interpolation,
        pb_floor: params.pb_floor,
        flux_conserving: params.flux_conserving,
        per_pixel: heads.iter().all(|h| h.plane.unit.to_ascii_uppercase().contains("PIX")),
    };
    let mosaic = coadd(&tiles, &wcs, report.imsize, &options, control)?;
    let best = highest(mosaic.weight_yx.view());
    report.noise_jy = (best > 0.0).then(|| 1.0 / f64::from(best).sqrt());
    report.peak_jy = Some(f64::from(highest(mosaic.image_yx.view())));
    let degrees = |b: &RestoringBeam| [b.major_rad, b.minor_rad, b.pa_rad].map(f64::to_degrees);
    report.beam = beam.as_ref().map(degrees).map(|[a, b, pa]| [a * 3600.0, b * 3600.0, pa]);
    let mean = |f: fn(&Plane) -> f64| heads.iter().map(|h| f(&h.plane)).sum::<f64>() / heads.len() as f64;
    let made =
        Tile { image_yx: mosaic.image_yx, pb_yx: ndarray::Array2::default((0, 0)), wcs, sigma_jy: 1.0 };
    report.checks = inspect(&made, &mosaic.weight_yx, beam.as_ref(), &tiles, params.pb_floor);
    let head = Plane {
        data_yx: ndarray::Array2::default((0, 0)),
        wcs: made.wcs,
        beam,
        unit: heads[0].plane.unit.clone(),
        freq_hz: mean(|p| p.freq_hz),
        bandwidth_hz: mean(|p| p.bandwidth_hz),
        time_mjd_s: mean(|p| p.time_mjd_s),
    };
    let cards = header(params, &heads, &tiles, &report);
    write(params, head, &cards, [&made.image_yx, &mosaic.weight_yx], &mut report)?;
    Ok(report)
}

/// What a tile's header says: its plane without the pixels, its calibration tables and the cards that are kept.
struct Head {
    plane: Plane,
    calibration: String,
    cards: Cards,
}

/// Verdicts, corrections and the grid.
fn judge(params: &MosaicParams, tiles: &[Tile], heads: &[Head]) -> Result<(MosaicReport, Wcs), Error> {
    let against_catalog = |tile: &Tile, head: &Head| {
        let ratio = head.plane.freq_hz / params.catalog_freq_hz;
        let factor = if ratio > 0.0 { ratio.powf(params.catalog_index) } else { 1.0 };
        let scaled = |r: &Reference| Reference { flux_jy: r.flux_jy * factor, ..*r };
        let catalog: Vec<_> = params.catalog.iter().map(scaled).collect();
        head.plane.beam.as_ref().and_then(|beam| measure(tile, beam, &catalog))
    };
    let corrections: Vec<_> = tiles.iter().zip(heads).map(|(t, h)| against_catalog(t, h)).collect();
    let judged: Vec<Judged<'_>> = tiles
        .iter()
        .zip(heads)
        .zip(&corrections)
        .map(|((tile, head), correction)| Judged {
            tile,
            beam: head.plane.beam,
            freq_hz: head.plane.freq_hz,
            correction: *correction,
            flux_scale: correction.filter(|_| params.correct_flux).map_or(1.0, |c| c.flux_scale),
            calibration: &head.calibration,
        })
        .collect();
    let mut verdicts = validate(&judged);
    for verdict in &mut verdicts {
        let name = verdict.tile.and_then(|k| params.tiles[k].image.file_name());
        if let Some(name) = name {
            verdict.reason.push_str(&format!(" ({})", name.to_string_lossy()));
        }
    }
    let cell = tiles.iter().map(|t| t.wcs.increment_rad[1].abs()).fold(f64::INFINITY, f64::min);
    let footprints: Vec<Vec<RaDec>> = tiles.iter().map(|t| footprint(t, params.pb_floor)).collect();
    let (wcs, size) = common_grid(&footprints, cell, params.max_side)?;
    let report = MosaicReport {
        products: BTreeMap::new(),
        passed: verdicts.iter().all(|v| v.passed || !v.blocking),
        verdicts,
        checks: Vec::new(),
        corrections,
        beam: None,
        n_tiles: tiles.len(),
        imsize: size,
        cell_arcsec: wcs.increment_rad[1].to_degrees() * 3600.0,
        centre_deg: [wcs.centre.ra_deg(), wcs.centre.dec_deg()],
        noise_jy: None,
        peak_jy: None,
    };
    Ok((report, wcs))
}

/// Corrections taken out and all tiles brought to one beam, which is returned.
fn prepare(
    params: &MosaicParams,
    tiles: &mut [Tile],
    heads: &[Head],
    corrections: &[Option<Correction>],
    control: &Control,
) -> Result<Option<RestoringBeam>, Error> {
    for (tile, correction) in tiles.iter_mut().zip(corrections) {
        if let Some(mut wanted) = *correction {
            if !params.correct_flux {
                wanted.flux_scale = 1.0;
            }
            if !params.correct_astrometry {
                (wanted.east_arcsec, wanted.north_arcsec) = (0.0, 0.0);
            }
            apply(tile, &wanted);
        }
    }
    let beams: Vec<_> = heads.iter().map(|h| h.plane.beam).collect();
    let known: Option<Vec<RestoringBeam>> = beams.iter().copied().collect();
    let common = known.filter(|_| params.common_beam).and_then(|known| Some((common_beam(&known)?, known)));
    let Some((common, known)) = common else { return Ok(mean_beam(&beams)) };
    for (tile, own) in tiles.iter_mut().zip(&known).filter(|(_, own)| !same_beam(own, &common)) {
        let (image, noise) = to_beam(&tile.image_yx, tile.wcs.increment_rad, (own, &common), control)?;
        tile.image_yx = image;
        tile.sigma_jy *= noise;
    }
    Ok(Some(common))
}

/// What the headers of the mosaic say beyond its plane: when and by what it was observed, how it was added, of what.
fn header(params: &MosaicParams, heads: &[Head], tiles: &[Tile], report: &MosaicReport) -> Cards {
    let mut cards = Cards::new();
    for (keyword, comment) in [
        ("TELESCOP", ""),
        ("WEIGHTIN", "weighting of the tiles"),
        ("PBMODEL", "primary beam"),
        ("CALTABS", ""),
    ] {
        let mut texts: Vec<&str> = heads.iter().filter_map(|h| h.cards.text(keyword)).collect();
        texts.sort_unstable();
        texts.dedup();
        if !texts.is_empty() {
            cards.push(keyword, texts.join(";"), comment);
        }
    }
    // A tile that does not say when it begins counts with its middle.
    let ends = |keyword: &'static str| {
        let of =
            move |h: &Head| h.cards.number(keyword).map_or(h.plane.time_mjd_s, |day| day * SECONDS_PER_DAY);
        heads.iter().map(of).filter(|t| t.is_finite())
    };
    let (begin, end) =
        (ends("MJD-BEG").fold(f64::INFINITY, f64::min), ends("MJD-END").fold(f64::NEG_INFINITY, f64::max));
    if begin <= end {
        cards.push("DATE-BEG", iso_utc(begin), "UTC, start").push("DATE-END", iso_utc(end), "UTC, end");
        cards.push("MJD-BEG", begin / SECONDS_PER_DAY, "[d] UTC").push(
            "MJD-END",
            end / SECONDS_PER_DAY,
            "[d] UTC",
        );
    }
    cards.push("PBCOR", true, "corrected for the primary beam");
    cards.push("NTILES", report.n_tiles as i64, "tiles added");
    cards.push("COADD", word(&params.method), "weights of the tiles in the mosaic");
    cards.push("INTERPOL", word(&params.interpolation), "reading between pixels");
    cards.push("PBFLOOR", f64::from(params.pb_floor), "tiles count where their beam is at least this");
    if let Some(noise_jy) = report.noise_jy {
        cards.push("RMSLEAST", noise_jy, "[Jy/beam] least noise by the weights");
    }
    let mut hash = Sha256::new();
    hash.update(env!("CARGO_PKG_VERSION"));
    hash.update(serde_json::to_string(params).unwrap_or_default());
    for head in heads {
        hash.update(head.cards.text("PROVHASH").unwrap_or_default());
    }
    let digest: String = hash.finalize().iter().map(|b| format!("{b:02x}")).collect();
    cards.push("PROVHASH", digest, "SHA-256 of version, parameters, tiles");
    cards.history(concat!("dsa110_contimg ", env!("CARGO_PKG_VERSION"), " mosaic"));
    for ((paths, tile), correction) in params.tiles.iter().zip(tiles).zip(&report.corrections) {
        cards.history(&format!("tile {}", paths.image.display()));
        cards.history(&format!("  noise used {:.4e} Jy/beam", tile.sigma_jy));
        if let Some(c) = correction {
            let (scale, place) = (params.correct_flux, params.correct_astrometry);
            cards.history(&format!("  flux scale {:.4}{}", c.flux_scale, taken(scale)));
            let offset = format!("{:+.2} {:+.2} arcsec", c.east_arcsec, c.north_arcsec);
            cards.history(&format!("  offset east, north {offset}{}", taken(place)));
        }
    }
    cards
}

/// A choice as the parameters spell it.
fn word(choice: &impl Serialize) -> String {
    serde_json::to_value(choice).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}

fn taken(out: bool) -> &'static str {
    if out {
        " taken out"
    } else {
        " left"
    }
}

fn write(
    params: &MosaicParams,
    head: Plane,
    cards: &Cards,
    [image_yx, weight_yx]: [&ndarray::Array2<f32>; 2],
    report: &mut MosaicReport,
) -> Result<(), Error> {
    let mut name = params.output.file_stem().unwrap_or_default().to_owned();
    name.push("-weight.fits");
    let weight_path = params.output.with_file_name(name);
    let weight = Plane { unit: "1/JY^2".into(), beam: None, ..head.clone() };
    let mut batch = Batch::new();
    batch.stage_pixels(&params.output, &head, image_yx.view(), cards)?;
    batch.stage_pixels(&weight_path, &weight, weight_yx.view(), cards)?;
    batch.commit()?;
    report.products.insert("mosaic", params.output.clone());
    report.products.insert("weight", weight_path);
    Ok(())
}

fn read(paths: &TilePaths) -> Result<(Tile, Head), Error> {
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
    let calibration = cards.text("CALTABS").unwrap_or_default().to_owned();
    Ok((Tile { image_yx, pb_yx: pb.data_yx, wcs: plane.wcs, sigma_jy }, Head { plane, calibration, cards }))
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
