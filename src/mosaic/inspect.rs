//! What must be true of a mosaic once it is made (facts 5 of the original system), as verdicts.

use super::correct::{peak_near, peaks};
use super::grid::{Grid, PixelMap};
use super::{Tile, Verdict};
use crate::coords::Lmn;
use crate::image::RestoringBeam;
use crate::math::robust::{median, median_mad};

/// Scatter of the mosaic over what its weights promise.
const NOISE_RATIO: f64 = 1.5;
/// Least share of the mosaic that two tiles or more cover.
const OVERLAP: f64 = 0.1;
/// Largest shift of sources between a tile and the mosaic \[arcsec\].
const SHIFT_ARCSEC: f64 = 0.1;
/// Sources bright enough to see such a shift \[sigma\], and how many are needed.
const SNR_LEAST: f64 = 300.0;
const SOURCES_LEAST: usize = 3;
/// The mosaic is looked at on every so many pixels.
const STEP: usize = 8;

/// Judge a mosaic (`image_yx`, `wcs`; its other fields are not read) with its weights against the tiles it was made of.
pub fn inspect(
    mosaic: &Tile,
    weight_yx: &ndarray::Array2<f32>,
    beam: Option<&RestoringBeam>,
    tiles: &[Tile],
    pb_floor: f32,
) -> Vec<Verdict> {
    let mut out = vec![noise(mosaic, weight_yx)];
    if tiles.len() > 1 {
        out.push(overlap(mosaic, weight_yx, tiles, pb_floor));
    }
    out.extend(beam.and_then(|beam| shift(mosaic, beam, tiles)));
    out
}

fn verdict(name: &str, passed: bool, value: f64, limit: f64, reason: String) -> Verdict {
    Verdict { name: name.to_owned(), passed, blocking: false, value, limit, reason, tile: None }
}

/// Robust scatter of image times the root of its weight: 1 when the tiles' noises are right.
fn noise(mosaic: &Tile, weight_yx: &ndarray::Array2<f32>) -> Verdict {
    let scaled: Vec<f64> = mosaic
        .image_yx
        .iter()
        .zip(weight_yx)
        .step_by(STEP + 1)
        .filter(|(value, weight)| value.is_finite() && **weight > 0.0)
        .map(|(value, weight)| f64::from(*value) * f64::from(*weight).sqrt())
        .collect();
    let value = median_mad(&scaled).sigma;
    verdict(
        "noise_ratio",
        value <= NOISE_RATIO,
        value,
        NOISE_RATIO,
        "measured noise over that of the weights".into(),
    )
}

/// Share of the mosaic on two tiles or more, by every 16th pixel.
fn overlap(mosaic: &Tile, weight_yx: &ndarray::Array2<f32>, tiles: &[Tile], pb_floor: f32) -> Verdict {
    let (ny, nx) = weight_yx.dim();
    let grid = Grid::new(&mosaic.wcs, [nx, ny]);
    let mut times = std::collections::HashMap::new();
    for tile in tiles {
        let (rows, columns) = tile.pb_yx.dim();
        let inside = |v: f64, n: usize| v > -0.5 && v < n as f64 - 0.5;
        for ([x, y], at) in PixelMap::onto(&grid, &tile.wcs, [columns, rows]).coarse() {
            let seen = weight_yx.get([y, x]).is_some_and(|w| *w > 0.0)
                && inside(at[0], columns)
                && inside(at[1], rows)
                && tile.pb_yx[[at[1].round() as usize, at[0].round() as usize]] >= pb_floor;
            if seen {
                *times.entry([x, y]).or_insert(0usize) += 1;
            }
        }
    }
    let twice = times.values().filter(|n| **n > 1).count();
    let value = twice as f64 / times.len().max(1) as f64;
    verdict("overlap", value >= OVERLAP, value, OVERLAP, "share of the mosaic on two tiles or more".into())
}

/// Sources of the tiles found again on the mosaic: the median distance. None without enough bright ones.
fn shift(mosaic: &Tile, beam: &RestoringBeam, tiles: &[Tile]) -> Option<Verdict> {
    let mut shifts = Vec::new();
    for tile in tiles {
        // Where another tile dominates, its noise moves the peak, not the mosaic.
        for [x, y] in peaks(tile, (SNR_LEAST * tile.sigma_jy) as f32, 0.5) {
            let near = tile.wcs.pixel_to_sky([x as f64, y as f64]);
            let (Some((here, _)), Some((there, _))) =
                (peak_near(tile, beam, near), peak_near(mosaic, beam, near))
            else {
                continue;
            };
            let away = Lmn::of(mosaic.wcs.pixel_to_sky(there), tile.wcs.pixel_to_sky(here));
            shifts.push(away.l.hypot(away.m).to_degrees() * 3600.0);
        }
    }
    let count = shifts.len();
    let value = median(&mut shifts);
    let reason = format!("arcsec between {count} sources on their tile and on the mosaic");
    (count >= SOURCES_LEAST).then(|| verdict("wcs", value <= SHIFT_ARCSEC, value, SHIFT_ARCSEC, reason))
}
