//! The common grid, and where its pixels lie on a tile.

use super::Error;
use crate::coords::RaDec;
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

/// Where pixels of one grid lie on another: exact every 16 pixels, linear in between. For grids of arcseconds
/// a few degrees apart that is right to a thousandth of a pixel.
pub struct PixelMap {
    points: Vec<[f64; 2]>,
    columns: usize,
}

impl PixelMap {
    /// From `to`'s pixels (shape `[x, y]`) to `from`'s.
    pub fn new(to: &Wcs, size: [usize; 2], from: &Wcs) -> Self {
        let (columns, rows) = (size[0].div_ceil(STEP) + 1, size[1].div_ceil(STEP) + 1);
        let at = |i: usize| {
            let sky = to.pixel_to_sky([(i % columns * STEP) as f64, (i / columns * STEP) as f64]);
            let finite = sky.ra_rad.is_finite() && sky.dec_rad.is_finite();
            finite.then(|| from.sky_to_pixel(sky)).flatten().unwrap_or([f64::NAN; 2])
        };
        Self { points: (0..columns * rows).map(at).collect(), columns }
    }

    /// Pixel of `from` under pixel `(x, y)` of `to`; NaN beyond the horizon.
    pub fn at(&self, x: usize, y: usize) -> [f64; 2] {
        let i = y / STEP * self.columns + x / STEP;
        let (f, g) = ((x % STEP) as f64 / STEP as f64, (y % STEP) as f64 / STEP as f64);
        let p = &self.points;
        std::array::from_fn(|k| {
            let near = p[i][k] * (1.0 - f) + p[i + 1][k] * f;
            let far = p[i + self.columns][k] * (1.0 - f) + p[i + self.columns + 1][k] * f;
            near * (1.0 - g) + far * g
        })
    }
}
