//! Where bright sources may be: peaks of residual images that are no artefacts.

use ndarray::Array2;
use rayon::prelude::*;

use super::bright::{BrightSource, Hunt, OUTSIDE_LEAST};
use super::outliers::Coarse;
use crate::coords::RaDec;
use crate::image::Wcs;

/// A source nearer to a known one than this many beams is left to CLEAN.
const APART_BEAMS: f64 = 0.6;
/// Below this beam power intrinsic fluxes make no sense.
pub(super) const LEAST_POWER: f64 = 1e-4;
/// What counts in the coarse field, where sidelobes of faint sources in the image still are, and the depth of its psf's holes.
const OUTSIDE_SIGMA: f64 = 12.0;
const OUTSIDE_HOLE: f64 = 0.5;
/// A peak outside the image this much above the sidelobes of the highest inside is a source.
const ABOVE_SIDELOBES: f64 = 1.5;
/// A peak this much higher than the holes are deep is a source.
const ABOVE_HOLES: f64 = 1.5;

impl Hunt<'_> {
    /// Which pixels of the coarse field the image does not show.
    pub(super) fn around(&self, field: &Coarse) -> Array2<bool> {
        let wcs = field.grid.wcs();
        let o = field.grid.options();
        let mut out = Array2::from_elem((o.ny, o.nx), false);
        ndarray::Zip::indexed(&mut out).par_for_each(|(y, x), out| {
            let sky = wcs.pixel_to_sky([x as f64, y as f64]);
            *out = sky.ra_rad.is_finite() && !self.inside(sky);
        });
        out
    }

    /// Peaks of the coarse field that the image does not show, from [`Self::around`].
    pub(super) fn outside(
        &self,
        field: &Coarse,
        (image, highest): (&Array2<f32>, f32),
        known: &[BrightSource],
    ) -> Vec<BrightSource> {
        let noise = f64::from(crate::deconvolution::mad_rms(image.iter())).max(self.sigma_jy);
        // Sidelobes of what is still to be cleaned in the image are no sources.
        let limit = (OUTSIDE_SIGMA * noise)
            .max(OUTSIDE_LEAST * self.sigma_jy)
            .max(ABOVE_SIDELOBES * field.sidelobe * f64::from(highest));
        let depth = hole(image, OUTSIDE_HOLE, OUTSIDE_SIGMA * noise);
        self.peaks(&field.grid.wcs(), image, limit, depth, known, self.params.most)
    }

    /// Whether CLEAN may find a source here.
    pub(super) fn inside(&self, position: RaDec) -> bool {
        let options = self.grid.options();
        let pixel = self.grid.wcs().sky_to_pixel(position);
        pixel.is_some_and(|[x, y]| clear_of_rim(x, options.nx) && clear_of_rim(y, options.ny))
    }

    /// The same of an offset from the centre in the image's projection \[rad, up and right\].
    pub(super) fn within(&self, right: f64, up: f64) -> bool {
        let o = self.grid.options();
        let pixel = |offset: f64, n: usize| offset / o.cell_rad + (n / 2) as f64;
        clear_of_rim(pixel(right, o.nx), o.nx) && clear_of_rim(pixel(up, o.ny), o.ny)
    }

    /// Local maxima above a share of the highest and above the holes, away from known sources; `most` with these.
    pub(super) fn peaks(
        &self,
        wcs: &Wcs,
        image: &Array2<f32>,
        limit: f64,
        depth: f64,
        known: &[BrightSource],
        most: usize,
    ) -> Vec<BrightSource> {
        let (ny, nx) = image.dim();
        let rim = |n: usize| (n / 50).max(2);
        let inner = || (rim(ny)..ny - rim(ny)).flat_map(|y| (rim(nx)..nx - rim(nx)).map(move |x| (y, x)));
        let highest = inner().fold(0f32, |best, at| best.max(image[at]));
        let share = (1.5 * self.facts.far_sidelobe).clamp(0.25, 0.8);
        let floor = (limit.max(ABOVE_HOLES * depth) as f32).max(share * highest);
        let mut found: Vec<(f32, usize, usize)> = inner()
            .filter(|&(y, x)| image[[y, x]] > floor && is_top(image, y, x))
            .map(|(y, x)| (image[[y, x]], y, x))
            .collect();
        found.sort_by(|a, b| b.0.total_cmp(&a.0));
        let mut out: Vec<BrightSource> = Vec::new();
        let room = most.saturating_sub(known.len());
        let apart = |a: RaDec, b: RaDec| a.separation_rad(b) > APART_BEAMS * self.beam.major_rad;
        for (value, y, x) in found {
            if out.len() == room {
                break;
            }
            let place = wcs.pixel_to_sky(top(image, y, x));
            // Near-in sidelobes of a brighter new one are not sources of the same round.
            let near = |s: &BrightSource| {
                place.separation_rad(s.position) < 3.0 * self.beam.major_rad
                    && f64::from(value) < 1.2 * f64::from(self.facts.max_sidelobe) * s.apparent_jy
            };
            if out.iter().any(near) {
                continue;
            }
            if known.iter().chain(&out).all(|s| apart(place, s.position)) {
                out.extend(self.candidate(place, f64::from(value)));
            }
        }
        out
    }

    pub(super) fn candidate(&self, position: RaDec, apparent_jy: f64) -> Option<BrightSource> {
        let freq_hz = self.weights.mean_freq_hz;
        let power = self.power(position, freq_hz);
        let flux_jy = apparent_jy / power.max(LEAST_POWER);
        (power > LEAST_POWER).then_some(BrightSource {
            position,
            flux_jy,
            alpha: 0.0,
            freq_hz,
            apparent_jy,
            unsmeared_jy: apparent_jy,
        })
    }
}

fn clear_of_rim(p: f64, n: usize) -> bool {
    let rim = (n / 50).max(2) as f64;
    p >= rim && p < n as f64 - rim
}

/// Depth of the deepest hole when sources do not explain it: it is deeper than `psf_hole` of the highest peak, and than `least`.
/// Zero otherwise.
pub(super) fn hole(image: &Array2<f32>, psf_hole: f64, least: f64) -> f64 {
    let (low, high) = image.iter().fold((0f32, 0f32), |(a, b), v| (a.min(*v), b.max(*v)));
    let (depth, highest) = (-f64::from(low), f64::from(high));
    if depth > least && depth > 1.2 * psf_hole * highest {
        depth
    } else {
        0.0
    }
}

/// Sum of squares.
pub(super) fn energy(image: &Array2<f32>) -> f64 {
    let pixels = image.as_slice_memory_order().unwrap_or(&[]);
    pixels.par_chunks(1 << 16).map(|p| p.iter().map(|v| f64::from(v * v)).sum::<f64>()).sum()
}

fn is_top(image: &Array2<f32>, y: usize, x: usize) -> bool {
    let v = image[[y, x]];
    (y - 1..=y + 1).all(|q| (x - 1..=x + 1).all(|p| image[[q, p]] <= v))
}

/// Top of the paraboloid through a pixel and its neighbours, `[x, y]`.
fn top(image: &Array2<f32>, y: usize, x: usize) -> [f64; 2] {
    let at = |dy: usize, dx: usize| f64::from(image[[y + dy - 1, x + dx - 1]]);
    let step = |low: f64, here: f64, high: f64| {
        let bend = low + high - 2.0 * here;
        if bend < 0.0 {
            (0.5 * (low - high) / bend).clamp(-0.5, 0.5)
        } else {
            0.0
        }
    };
    [x as f64 + step(at(1, 0), at(1, 1), at(1, 2)), y as f64 + step(at(0, 1), at(1, 1), at(2, 1))]
}
