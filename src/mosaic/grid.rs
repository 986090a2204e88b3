//! The common grid, and where its pixels lie on a tile.

use ndarray::parallel::prelude::*;

use super::Error;
use crate::coords::{Lmn, RaDec};
use crate::image::Wcs;
use crate::kind::BadArgument;

/// Pixels between the points of a [`PixelMap`].
const STEP: usize = 16;

/// A plain SIN grid about the middle of `footprints` that holds all of them, with `cell_rad` pixels; coarser when a side
/// would exceed `max_side`. Each footprint is directions on the rim of a tile. Directions are averaged as vectors, so
/// right ascension may cross 0 h and declination come near the pole.
///
/// # Errors
/// No directions, or some beyond the horizon of the middle.
pub fn common_grid(
    footprints: &[Vec<RaDec>],
    cell_rad: f64,
    max_side: usize,
) -> Result<(Wcs, [usize; 2]), Error> {
    let all = || footprints.iter().flatten();
    let sum = all().fold([0.0; 3], |s, p| {
        let u = p.unit();
        [s[0] + u[0], s[1] + u[1], s[2] + u[2]]
    });
    let length = sum.iter().map(|v| v * v).sum::<f64>().sqrt();
    if !(length > 0.0 && cell_rad > 0.0) {
        return Err(BadArgument::new(
            "tiles",
            "tiles on one side of the sky",
            format!("{} footprints", footprints.len()),
        )
        .into());
    }
    let centre = RaDec::from_vector(sum);
    let unit = Wcs::centred(centre, 0, 0, 1.0);
    let (mut low, mut high) = ([f64::INFINITY; 2], [f64::NEG_INFINITY; 2]);
    for p in all() {
        let at = unit.sky_to_pixel(*p).ok_or_else(|| {
            BadArgument::new(
                "tiles",
                "tiles within 90 degrees of their middle",
                format!("{:.3} {:.3}", p.ra_deg(), p.dec_deg()),
            )
        })?;
        for k in 0..2 {
            low[k] = low[k].min(at[k]);
            high[k] = high[k].max(at[k]);
        }
    }
    let widest = (high[0] - low[0]).max(high[1] - low[1]);
    let cell = cell_rad.max(widest / (max_side.max(4) - 2) as f64);
    let side = |k: usize| {
        let n = ((high[k] - low[k]) / cell).ceil() as usize + 2;
        n + n % 2
    };
    let size = [side(0), side(1)];
    let mut wcs = Wcs::centred(centre, size[0], size[1], cell);
    // `unit` counts pixels of one radian, x against right ascension.
    wcs.reference_pixel = [1.0 - low[0] / cell, 1.0 - low[1] / cell];
    Ok((wcs, size))
}

/// The points of a grid, every 16 pixels from 16 before its first to beyond its last: their directions as unit vectors.
pub struct Grid {
    directions: Vec<[f64; 3]>,
    columns: usize,
    size: [usize; 2],
    cell_rad: f64,
}

impl Grid {
    /// Of `size` pixels `[x, y]`.
    pub fn new(wcs: &Wcs, size: [usize; 2]) -> Self {
        let columns = size[0].div_ceil(STEP) + 2;
        let rows = size[1].div_ceil(STEP) + 2;
        let at = |i: usize| {
            let pixel = [(i % columns) as f64 - 1.0, (i / columns) as f64 - 1.0].map(|k| k * STEP as f64);
            // Beyond the horizon the direction is NaN, and so is everything that follows from it.
            wcs.pixel_to_sky(pixel).unit()
        };
        Self {
            directions: (0..columns * rows).into_par_iter().map(at).collect(),
            columns,
            size,
            cell_rad: wcs.increment_rad[1].abs(),
        }
    }
}

/// Where pixels of one grid lie on a tile: exact every 16 pixels, linear in between. For grids of arcseconds
/// a few degrees apart that is right to a thousandth of a pixel.
pub struct PixelMap {
    points: Vec<[f64; 2]>,
    columns: usize,
    /// Columns of the grid that can lie on the tile, for every 16 rows.
    reach: Vec<(usize, usize)>,
}

impl PixelMap {
    /// From a grid's pixels to those of a tile of `shape` pixels `[x, y]`.
    pub fn onto(grid: &Grid, tile: &Wcs, shape: [usize; 2]) -> Self {
        let (east, north, towards) = basis(tile.centre);
        let dot = |a: &[f64; 3], b: &[f64; 3]| a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
        let at = |d: &[f64; 3]| {
            let (l, m, n) = (dot(d, &east), dot(d, &north), dot(d, &towards));
            if !(n > 0.0) {
                return [f64::NAN; 2];
            }
            let n_minus_1 = -(l * l + m * m) / (1.0 + n);
            tile.lmn_to_pixel(Lmn { l, m, n_minus_1 })
        };
        let points: Vec<[f64; 2]> = grid.directions.iter().map(at).collect();
        // As far outside as two points, so that a tile between points is not missed.
        let margin = 2.0 * STEP as f64 * (grid.cell_rad / tile.increment_rad[1].abs()).max(1.0);
        let inside = |p: &[f64; 2]| (0..2).all(|k| p[k] >= -margin && p[k] <= shape[k] as f64 + margin);
        let reach = points
            .chunks(grid.columns)
            .map(|row| {
                let first = row.iter().position(inside).unwrap_or(grid.columns);
                let last = row.iter().rposition(inside).map_or(0, |i| i + 1);
                (first, last)
            })
            .collect::<Vec<_>>();
        let blocks = reach
            .windows(2)
            .map(|pair| {
                let first = pair[0].0.min(pair[1].0).saturating_sub(1) * STEP;
                let last = pair[0].1.max(pair[1].1) * STEP;
                (first.min(grid.size[0]), last.min(grid.size[0]))
            })
            .collect();
        Self { points, columns: grid.columns, reach: blocks }
    }

    /// Columns of row `y` that may lie on the tile.
    pub fn columns(&self, y: usize) -> std::ops::Range<usize> {
        let (first, last) = self.reach[y / STEP + 1];
        first..last.max(first)
    }

    /// The columns of row `y` in pieces on which the tile's pixels are evenly spaced: columns, the first one's pixel, and the step.
    pub fn pieces(
        &self,
        y: usize,
    ) -> impl Iterator<Item = (std::ops::Range<usize>, [f64; 2], [f64; 2])> + '_ {
        let columns = self.columns(y);
        let end = columns.end;
        (columns.start / STEP * STEP..end).step_by(STEP).map(move |piece| {
            let own = piece.max(columns.start)..(piece + STEP).min(end);
            let (a, b) = (self.at(piece as f64, y as f64), self.at((piece + STEP - 1) as f64, y as f64));
            let step: [f64; 2] = std::array::from_fn(|k| (b[k] - a[k]) / (STEP - 1) as f64);
            let first = (own.start - piece) as f64;
            (own, std::array::from_fn(|k| a[k] + first * step[k]), step)
        })
    }

    /// The tile's pixels under every 16th pixel of the grid, `(column, row)` of it and the pixel.
    pub fn coarse(&self) -> impl Iterator<Item = ([usize; 2], [f64; 2])> + '_ {
        let columns = self.columns;
        self.points.iter().enumerate().filter_map(move |(i, p)| {
            let place = [(i % columns).checked_sub(1)? * STEP, (i / columns).checked_sub(1)? * STEP];
            Some((place, *p))
        })
    }

    /// Samples a side that a pixel of row `y` needs to be averaged over its area, and its area in pixels of the tile.
    pub fn fineness(&self, y: usize) -> (usize, f32) {
        let middle = self.columns(y);
        let (x, y) = (0.5 * (middle.start + middle.end) as f64, y as f64);
        let (a, b, c) = (self.at(x, y), self.at(x + 1.0, y), self.at(x, y + 1.0));
        let area = ((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])).abs();
        let samples =
            if area.is_finite() { (area.sqrt() - 1e-3).ceil().clamp(1.0, 16.0) as usize } else { 1 };
        (samples, area as f32)
    }

    /// Pixel of the tile under `(x, y)` of the grid, at most 16 pixels outside of it; NaN beyond the horizon.
    #[inline]
    pub fn at(&self, x: f64, y: f64) -> [f64; 2] {
        let (x, y) = (x / STEP as f64 + 1.0, y / STEP as f64 + 1.0);
        // Half a pixel beyond the last point, where fine samples and slopes are asked for, the last cell is continued.
        let column = (x as usize).min(self.columns - 2);
        let row = (y as usize).min(self.points.len() / self.columns - 2);
        let (f, g) = (x - column as f64, y - row as f64);
        let i = row * self.columns + column;
        let p = &self.points;
        std::array::from_fn(|k| {
            let near = p[i][k] * (1.0 - f) + p[i + 1][k] * f;
            let far = p[i + self.columns][k] * (1.0 - f) + p[i + self.columns + 1][k] * f;
            near * (1.0 - g) + far * g
        })
    }
}

/// Unit vectors to the east, to the north and towards a centre.
fn basis(centre: RaDec) -> ([f64; 3], [f64; 3], [f64; 3]) {
    let ((sa, ca), (sd, cd)) = (centre.ra_rad.sin_cos(), centre.dec_rad.sin_cos());
    ([-sa, ca, 0.0], [-sd * ca, -sd * sa, cd], [cd * ca, cd * sa, sd])
}
