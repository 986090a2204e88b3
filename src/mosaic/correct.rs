//! A tile against a catalogue: its flux scale and its place, measured and taken out.

use ndarray::s;

use super::{Interpolation, Sampler, Tile};
use crate::coords::{Lmn, RaDec};
use crate::image::RestoringBeam;
use crate::math::robust::median;

/// A source of the catalogue.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    /// Right ascension, ICRS \[deg\].
    pub ra_deg: f64,
    /// Declination \[deg\].
    pub dec_deg: f64,
    /// Flux at the tiles' frequency \[Jy\].
    pub flux_jy: f64,
}

/// What a tile's sources say about it.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Correction {
    /// Sources used.
    pub sources: usize,
    /// Median of measured over catalogued flux.
    pub flux_scale: f64,
    /// Median offset to the east, measured less catalogued \[arcsec\].
    pub east_arcsec: f64,
    /// Median offset to the north \[arcsec\].
    pub north_arcsec: f64,
}

/// Least primary beam, least peak over noise, and least number of sources.
const PB_LEAST: f32 = 0.3;
const SNR_LEAST: f64 = 20.0;
pub(super) const SOURCES_LEAST: usize = 3;

/// Compare a tile with a catalogue: sources where the beam is at least 0.3, 20 sigma or more, without a catalogued
/// neighbour of a tenth of their flux within three beams. `None` with fewer than three.
pub fn measure(tile: &Tile, beam: &RestoringBeam, catalogue: &[Reference]) -> Option<Correction> {
    let pb = Sampler::new(Interpolation::Bilinear);
    let inside: Vec<(RaDec, f64, f64)> = catalogue
        .iter()
        .filter_map(|r| {
            let sky = RaDec::from_deg(r.ra_deg, r.dec_deg);
            let power = pb.at(&tile.pb_yx.view(), tile.wcs.sky_to_pixel(sky)?);
            (power >= PB_LEAST).then_some((sky, r.flux_jy, f64::from(power)))
        })
        .collect();
    let alone = |k: usize| {
        let (sky, flux, _) = inside[k];
        inside.iter().enumerate().all(|(i, other)| {
            i == k || other.1 < 0.1 * flux || other.0.separation_rad(sky) > 3.0 * beam.major_rad
        })
    };
    let (mut scale, mut east, mut north) = (Vec::new(), Vec::new(), Vec::new());
    for (k, (sky, flux, power)) in inside.iter().enumerate() {
        if flux * power < SNR_LEAST * tile.sigma_jy || !alone(k) {
            continue;
        }
        let Some((at, peak)) = peak_near(tile, beam, *sky) else { continue };
        let offset = Lmn::of(tile.wcs.pixel_to_sky(at), *sky);
        // The beam where the source is seen, not where the catalogue and a wrong centre put it.
        scale.push(peak / (flux * f64::from(pb.at(&tile.pb_yx.view(), at))));
        east.push(offset.l.to_degrees() * 3600.0);
        north.push(offset.m.to_degrees() * 3600.0);
    }
    (scale.len() >= SOURCES_LEAST).then(|| Correction {
        sources: scale.len(),
        flux_scale: median(&mut scale),
        east_arcsec: median(&mut east),
        north_arcsec: median(&mut north),
    })
}

/// Place and height of the peak within a beam of a direction: a parabola through logarithms, exact for a Gaussian.
pub(super) fn peak_near(tile: &Tile, beam: &RestoringBeam, sky: RaDec) -> Option<([f64; 2], f64)> {
    let (ny, nx) = tile.image_yx.dim();
    let cell = tile.wcs.increment_rad[1].abs();
    let at = tile.wcs.sky_to_pixel(sky)?;
    let reach = (0.75 * beam.major_rad / cell).ceil() as i64;
    let step = ((0.3 * beam.minor_rad / cell).round() as i64).max(1);
    let (cx, cy) = (at[0].round() as i64, at[1].round() as i64);
    let edge = reach + step + 1;
    if cx < edge || cy < edge || cx + edge >= nx as i64 || cy + edge >= ny as i64 {
        return None;
    }
    let value = |x: i64, y: i64| f64::from(tile.image_yx[[y as usize, x as usize]]);
    let mut best = (cx, cy);
    for y in cy - reach..=cy + reach {
        for x in cx - reach..=cx + reach {
            if value(x, y) > value(best.0, best.1) {
                best = (x, y);
            }
        }
    }
    let (x, y) = best;
    if (x - cx).abs() == reach || (y - cy).abs() == reach {
        return None;
    }
    // Quadratic a + b.d + d.C.d of the logarithm through nine points.
    let log = |i: i64, j: i64| value(x + i * step, y + j * step).ln();
    let (mut gx, mut gy, mut xx, mut yy) = (0.0, 0.0, 0.0, 0.0);
    for k in -1..=1 {
        gx += (log(1, k) - log(-1, k)) / 6.0;
        gy += (log(k, 1) - log(k, -1)) / 6.0;
        xx += (log(1, k) - 2.0 * log(0, k) + log(-1, k)) / 3.0;
        yy += (log(k, 1) - 2.0 * log(k, 0) + log(k, -1)) / 3.0;
    }
    let xy = 0.25 * (log(1, 1) - log(1, -1) - log(-1, 1) + log(-1, -1));
    let determinant = xx * yy - xy * xy;
    if !(determinant > 0.0 && xx < 0.0) {
        return None;
    }
    let (dx, dy) = ((xy * gy - yy * gx) / determinant, (xy * gx - xx * gy) / determinant);
    if !(dx.abs() <= 1.5 && dy.abs() <= 1.5) {
        return None;
    }
    let height = (log(0, 0) + 0.5 * (gx * dx + gy * dy)).exp();
    let step = step as f64;
    Some(([x as f64 + dx * step, y as f64 + dy * step], height))
}

/// Take a correction out of a tile: fluxes and noise divided by the scale, the centre moved back by the offset.
pub fn apply(tile: &mut Tile, correction: &Correction) {
    let factor = 1.0 / correction.flux_scale;
    tile.image_yx.par_mapv_inplace(|v| v * factor as f32);
    tile.sigma_jy *= factor;
    let cosine = |arcsec: f64| -(arcsec / 3600.0).to_radians();
    tile.wcs.centre = Lmn::from_lm(cosine(correction.east_arcsec), cosine(correction.north_arcsec))
        .direction(tile.wcs.centre);
}

/// The highest value that is a number; minus infinity when there is none. Eight at a time.
pub fn highest<D: ndarray::Dimension>(values: ndarray::ArrayView<'_, f32, D>) -> f32 {
    let higher = |a: f32, b: f32| if b > a { b } else { a };
    let Some(slice) = values.as_slice() else {
        return values.iter().copied().fold(f32::NEG_INFINITY, higher);
    };
    let (eights, rest) = slice.as_chunks::<8>();
    let mut best = [f32::NEG_INFINITY; 8];
    for eight in eights {
        best.iter_mut().zip(eight).for_each(|(a, b)| *a = higher(*a, *b));
    }
    best.iter().chain(rest).copied().fold(f32::NEG_INFINITY, higher)
}

/// Pixels of `limit` and more where the beam is at least `pb_least` and no neighbour within two pixels is brighter.
pub(super) fn peaks(tile: &Tile, limit: f32, pb_least: f32) -> impl Iterator<Item = [usize; 2]> + '_ {
    let (ny, nx) = tile.image_yx.dim();
    let bright = move |y: &usize| highest(tile.image_yx.row(*y)) >= limit;
    let rows = (2..ny.saturating_sub(2)).filter(bright);
    let inside = rows.flat_map(move |y| (2..nx.saturating_sub(2)).map(move |x| [x, y]));
    inside.filter(move |[x, y]| {
        let value = tile.image_yx[[*y, *x]];
        value >= limit
            && tile.pb_yx[[*y, *x]] >= pb_least
            && !tile.image_yx.slice(s![y - 2..=y + 2, x - 2..=x + 2]).iter().any(|v| *v > value)
    })
}

/// Fluxes of the same peaks on two tiles: the median ratio of `image / pb`, and how many peaks were compared. Peaks are local
/// maxima of the first of 20 sigma and more where both beams are at least 0.3.
pub fn seam(first: &Tile, second: &Tile) -> (f64, usize) {
    let (beam, sampler) = (Sampler::new(Interpolation::Bilinear), Sampler::new(Interpolation::Matched));
    let mut ratios = Vec::new();
    for [x, y] in peaks(first, (SNR_LEAST * first.sigma_jy) as f32, PB_LEAST) {
        let value = first.image_yx[[y, x]];
        let Some(at) = second.wcs.sky_to_pixel(first.wcs.pixel_to_sky([x as f64, y as f64])) else {
            continue;
        };
        let power = beam.at(&second.pb_yx.view(), at);
        let other = sampler.at(&second.image_yx.view(), at);
        if power >= PB_LEAST && f64::from(other) >= SNR_LEAST * second.sigma_jy {
            ratios.push(f64::from(other / power) / f64::from(value / first.pb_yx[[y, x]]));
        }
    }
    let count = ratios.len();
    (median(&mut ratios), count)
}
