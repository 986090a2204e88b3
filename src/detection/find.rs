//! Blind finding: background, islands, Gaussian fits, errors.

use ndarray::Array2;
use rayon::prelude::*;

use super::background::{background, Background, BackgroundParams};
use super::condon::{condon_errors, CondonErrors};
use super::gaussian::{fit, Component, Pixels};
use super::islands::{islands, Island};
use super::Error;
use crate::control::Control;
use crate::coords::RaDec;
use crate::image::{Plane, RestoringBeam, Wcs};
use crate::kind::BadArgument;

/// Most components fitted to one island; further peaks are left to the residual.
const MAX_COMPONENTS: usize = 8;

/// Options of [`find`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FindParams {
    /// A source must reach this somewhere \[sigma\].
    pub seed_sigma: f64,
    /// Its island goes down to this \[sigma\].
    pub island_sigma: f64,
    /// Side of the boxes of the noise map \[beam major axes\].
    pub mesh_beams: f64,
}

impl Default for FindParams {
    fn default() -> Self {
        Self { seed_sigma: 5.0, island_sigma: 3.0, mesh_beams: 20.0 }
    }
}

/// One found component.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Found {
    /// Position, ICRS.
    pub position: RaDec,
    /// Pixel, zero based `[x, y]`.
    pub pixel_xy: [f64; 2],
    /// Peak \[Jy/beam\].
    pub peak_jy: f64,
    /// Integrated flux density \[Jy\].
    pub integrated_jy: f64,
    /// Fitted shape.
    pub shape: RestoringBeam,
    /// Shape with the beam taken off, where it is wider than the beam in both axes.
    pub deconvolved: Option<RestoringBeam>,
    /// Errors.
    pub errors: CondonErrors,
    /// Noise at the peak \[Jy/beam\].
    pub rms_jy: f64,
    /// Background at the peak \[Jy/beam\].
    pub level_jy: f64,
    /// Number of the island.
    pub island: usize,
    /// Components of that island.
    pub components: usize,
    /// The shape was held at the beam's: a free one did not settle.
    pub fixed_shape: bool,
}

/// Find sources: clipped background and noise on a mesh, islands of pixels above `island_sigma` that reach `seed_sigma`, one Gaussian a
/// peak fitted together to the island and its rim, errors of Condon (1997). Sorted by peak, brightest first.
///
/// # Errors
/// An image without a beam; limits that are not `0 < island <= seed`; a blank image; cancelled.
pub fn find(
    plane: &Plane,
    params: &FindParams,
    control: &Control,
) -> Result<(Vec<Found>, Background), Error> {
    let Some(beam) = plane.beam else {
        return Err(BadArgument::new("image", "a beam (BMAJ, BMIN, BPA)", "none").into());
    };
    if !(params.island_sigma > 0.0 && params.seed_sigma >= params.island_sigma && params.mesh_beams > 0.0) {
        let found = format!("{params:?}");
        return Err(BadArgument::new("find", "0 < island_sigma <= seed_sigma, mesh_beams > 0", found).into());
    }
    let cell = plane.wcs.increment_rad.map(f64::abs);
    let major_px = beam.major_rad / cell[0].min(cell[1]);
    let side = (params.mesh_beams * major_px).round().clamp(32.0, 4096.0) as usize;
    let mesh = BackgroundParams { box_px: side, step_px: (side / 2).max(1), ..BackgroundParams::default() };
    let maps = background(plane.data_yx.view(), &mesh, control)?;
    let snr_yx = signal_to_noise(plane, &maps);
    let (label_yx, islands) =
        islands(snr_yx.view(), params.island_sigma as f32, params.seed_sigma as f32, control)?;
    let start = start_shape(beam, &plane.wcs);
    let scene = Scene { plane, maps: &maps, label_yx: &label_yx, beam, start, major_px };
    let found: Result<Vec<Vec<Found>>, Error> = islands
        .par_iter()
        .enumerate()
        .map(|(number, island)| {
            control.check()?;
            Ok(scene.fit_island(number, island))
        })
        .collect();
    let mut found = found?.concat();
    found.sort_by(|a, b| b.peak_jy.total_cmp(&a.peak_jy));
    Ok((found, maps))
}

fn signal_to_noise(plane: &Plane, maps: &Background) -> Array2<f32> {
    let mut snr_yx = plane.data_yx.clone();
    ndarray::Zip::from(&mut snr_yx)
        .and(&maps.level_yx)
        .and(&maps.rms_yx)
        .par_for_each(|v, level, rms| *v = if *rms > 0.0 { (*v - level) / rms } else { f32::NAN });
    snr_yx
}

/// `[a, b, c]` of the beam in pixels.
fn start_shape(beam: RestoringBeam, wcs: &Wcs) -> [f64; 3] {
    let [a, b, c] = beam.exponent();
    let [ix, iy] = wcs.increment_rad;
    [a * ix * ix, b * ix * iy, c * iy * iy]
}

struct Scene<'a> {
    plane: &'a Plane,
    maps: &'a Background,
    label_yx: &'a Array2<u32>,
    beam: RestoringBeam,
    start: [f64; 3],
    major_px: f64,
}

impl Scene<'_> {
    fn fit_island(&self, number: usize, island: &Island) -> Vec<Found> {
        let pixels = self.pixels(number as u32 + 1, island);
        let peaks = self.separate(&island.peaks);
        let [a, b, c] = self.start;
        let start: Vec<Component> = peaks
            .iter()
            .map(|&[x, y]| {
                let value = f64::from(self.plane.data_yx[[y, x]] - self.maps.level_yx[[y, x]]);
                [value, x as f64, y as f64, a, b, c]
            })
            .collect();
        let free = fit(&start, &pixels, 6).filter(|fitted| self.sane(fitted, &start));
        let fixed_shape = free.is_none();
        let fitted = free
            .or_else(|| fit(&start, &pixels, 3).filter(|fitted| self.sane(fitted, &start)))
            .unwrap_or_else(|| start.clone());
        let components = fitted.len();
        fitted
            .iter()
            .filter_map(|p| self.describe(p, number))
            .map(|found| Found { components, fixed_shape, ..found })
            .collect()
    }

    /// Pixels of the island and of a rim of half a beam that belongs to no other.
    fn pixels(&self, label: u32, island: &Island) -> Pixels {
        let (ny, nx) = self.plane.data_yx.dim();
        let rim = (0.5 * self.major_px).ceil() as usize;
        let [x0, x1, y0, y1] = island.bounds;
        let mut pixels = Vec::new();
        for y in y0.saturating_sub(rim)..=(y1 + rim).min(ny - 1) {
            for x in x0.saturating_sub(rim)..=(x1 + rim).min(nx - 1) {
                let owner = self.label_yx[[y, x]];
                let d = f64::from(self.plane.data_yx[[y, x]] - self.maps.level_yx[[y, x]]);
                if (owner == label || owner == 0) && d.is_finite() {
                    pixels.push((x as f64, y as f64, d));
                }
            }
        }
        pixels
    }

    /// Peaks at least 0.7 major axes from a brighter one.
    fn separate(&self, peaks: &[[usize; 2]]) -> Vec<[usize; 2]> {
        let mut kept: Vec<[usize; 2]> = Vec::new();
        for p in peaks {
            let far = |q: &[usize; 2]| {
                (p[0] as f64 - q[0] as f64).hypot(p[1] as f64 - q[1] as f64) >= 0.7 * self.major_px
            };
            if kept.iter().all(far) && kept.len() < MAX_COMPONENTS {
                kept.push(*p);
            }
        }
        kept
    }

    /// Positive, near where they began, neither far narrower than the beam nor far wider than an island.
    fn sane(&self, fitted: &[Component], start: &[Component]) -> bool {
        fitted.iter().zip(start).all(|(p, s)| {
            let near = (p[1] - s[1]).hypot(p[2] - s[2]) < 2.0 * self.major_px;
            let shape = self.shape(p).is_some_and(|shape| {
                shape.minor_rad > 0.6 * self.beam.minor_rad && shape.major_rad < 15.0 * self.beam.major_rad
            });
            near && shape && p[0] > 0.0 && p[0] < 3.0 * s[0]
        })
    }

    fn shape(&self, p: &Component) -> Option<RestoringBeam> {
        let [ix, iy] = self.plane.wcs.increment_rad;
        let (a, b, c) = (p[3] / (ix * ix), p[4] / (ix * iy), p[5] / (iy * iy));
        // The second moments are half the inverse of the exponent's matrix.
        let determinant = 4.0 * a * c - b * b;
        RestoringBeam::from_covariance([2.0 * c / determinant, -b / determinant, 2.0 * a / determinant])
    }

    fn describe(&self, p: &Component, island: usize) -> Option<Found> {
        let shape = self.shape(p)?;
        let (ny, nx) = self.plane.data_yx.dim();
        let (x, y) = (p[1].round().clamp(0.0, nx as f64 - 1.0), p[2].round().clamp(0.0, ny as f64 - 1.0));
        let at = [y as usize, x as usize];
        let (rms_jy, level_jy) = (f64::from(self.maps.rms_yx[at]), f64::from(self.maps.level_yx[at]));
        let own = shape.covariance();
        let beam = self.beam.covariance();
        Some(Found {
            position: self.plane.wcs.pixel_to_sky([p[1], p[2]]),
            pixel_xy: [p[1], p[2]],
            peak_jy: p[0],
            integrated_jy: p[0] * shape.area_sr() / self.beam.area_sr(),
            shape,
            deconvolved: RestoringBeam::from_covariance([0, 1, 2].map(|i| own[i] - beam[i])),
            errors: condon_errors(shape, self.beam, p[0] / rms_jy),
            rms_jy,
            level_jy,
            island,
            components: 1,
            fixed_shape: false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plane(n: usize) -> Plane {
        let cell = 1e-5;
        Plane {
            data_yx: Array2::zeros((n, n)),
            wcs: Wcs::centred(RaDec::from_deg(0.0, 60.0), n, n, cell),
            beam: Some(RestoringBeam { major_rad: 6.0 * cell, minor_rad: 4.0 * cell, pa_rad: 0.5 }),
            unit: "JY/BEAM".into(),
            freq_hz: 1.4e9,
            bandwidth_hz: 1.9e8,
            time_mjd_s: 5e9,
        }
    }

    /// Noise of the beam's own correlation and unit variance.
    fn add_noise(plane: &mut Plane, sigma: f64, seed: u64) {
        use rand::SeedableRng;
        use rand_distr::{Distribution, StandardNormal};
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
        let (ny, nx) = plane.data_yx.dim();
        let white = Array2::from_shape_simple_fn((ny, nx), || -> f64 { StandardNormal.sample(&mut rng) });
        let [a, b, c] = start_shape(plane.beam.unwrap(), &plane.wcs);
        let half = 7isize;
        // Smoothed by the beam: the noise's own correlation is sqrt(2) wider, as in an image restored from white visibilities.
        let kernel: Vec<(isize, isize, f64)> = (-half..=half)
            .flat_map(|y| (-half..=half).map(move |x| (y, x)))
            .map(|(y, x)| {
                let (dx, dy) = (x as f64, y as f64);
                (y, x, (-(a * dx * dx + b * dx * dy + c * dy * dy)).exp())
            })
            .collect();
        let norm = kernel.iter().map(|k| k.2 * k.2).sum::<f64>().sqrt();
        for y in 0..ny {
            for x in 0..nx {
                let sum: f64 = kernel
                    .iter()
                    .map(|(dy, dx, k)| {
                        let yy = (y as isize + dy).rem_euclid(ny as isize) as usize;
                        let xx = (x as isize + dx).rem_euclid(nx as isize) as usize;
                        k * white[[yy, xx]]
                    })
                    .sum();
                plane.data_yx[[y, x]] += (sigma * sum / norm) as f32;
            }
        }
    }

    fn add_source(plane: &mut Plane, xy: [f64; 2], peak: f64, shape: RestoringBeam) {
        let [a, b, c] = start_shape(shape, &plane.wcs);
        for ((y, x), v) in plane.data_yx.indexed_iter_mut() {
            let (dx, dy) = (x as f64 - xy[0], y as f64 - xy[1]);
            *v += (peak * (-(a * dx * dx + b * dx * dy + c * dy * dy)).exp()) as f32;
        }
    }

    #[test]
    fn injected_sources_are_found_with_errors_that_hold_and_an_empty_sky_is_empty() {
        let mut image = plane(420);
        add_noise(&mut image, 1e-3, 7);
        let (none, _) = find(&image, &FindParams::default(), &Control::new()).unwrap();
        // 420^2 / 20 beams at 5 sigma: 3e-3 expected.
        assert!(none.len() <= 1, "{}", none.len());
        let beam = image.beam.unwrap();
        let mut truth = Vec::new();
        for i in 0..49 {
            let xy = [
                40.0 + 57.0 * f64::from(i % 7) + 0.13 * f64::from(i % 5),
                40.0 + 57.0 * f64::from(i / 7) + 0.31,
            ];
            add_source(&mut image, xy, 0.05, beam);
            truth.push(xy);
        }
        let (found, maps) = find(&image, &FindParams::default(), &Control::new()).unwrap();
        assert!((maps.rms_yx[[200, 200]] / 1e-3 - 1.0).abs() < 0.1);
        assert!(found.len() >= 49 && found.len() <= 50, "{}", found.len());
        let (mut pulls, mut offsets) = (Vec::new(), Vec::new());
        for xy in &truth {
            let near =
                found.iter().find(|f| (f.pixel_xy[0] - xy[0]).hypot(f.pixel_xy[1] - xy[1]) < 2.0).unwrap();
            pulls.push((near.peak_jy - 0.05) / (near.errors.peak * near.peak_jy));
            offsets.push((near.pixel_xy[1] - xy[1]) * 1e-5 / near.errors.north_rad);
        }
        for values in [pulls, offsets] {
            let rms = (values.iter().map(|v| v * v).sum::<f64>() / 49.0).sqrt();
            // 49 values: 10 % of sampling; Condon's formula is good to some 20 % more in peaks.
            assert!(rms > 0.65 && rms < 1.45, "{rms}");
        }
    }

    #[test]
    fn a_resolved_source_keeps_its_flux_and_size_and_two_in_one_island_are_told_apart() {
        let mut image = plane(256);
        add_noise(&mut image, 1e-4, 8);
        let beam = image.beam.unwrap();
        let wide = RestoringBeam { major_rad: 1.2e-4, minor_rad: 8e-5, pa_rad: -0.4 };
        add_source(&mut image, [80.2, 100.7], 0.02, wide);
        add_source(&mut image, [180.0, 180.0], 0.03, beam);
        add_source(&mut image, [180.0, 189.0], 0.01, beam);
        let (found, _) = find(&image, &FindParams::default(), &Control::new()).unwrap();
        assert_eq!(found.len(), 3, "{found:?}");
        let big = found.iter().find(|f| f.pixel_xy[0] < 120.0).unwrap();
        let total = 0.02 * wide.area_sr() / beam.area_sr();
        assert!((big.integrated_jy / total - 1.0).abs() < 4.0 * big.errors.integrated, "{big:?}");
        let own = big.deconvolved.unwrap();
        assert!(
            (own.major_rad / (1.2e-4f64.powi(2) - 5.5e-5f64.powi(2)).sqrt() - 1.0).abs() < 0.1,
            "{own:?}"
        );
        let pair: Vec<f64> = found.iter().filter(|f| f.pixel_xy[0] > 150.0).map(|f| f.peak_jy).collect();
        assert!((pair[0] - 0.03).abs() < 1e-3 && (pair[1] - 0.01).abs() < 1e-3, "{pair:?}");
        image.beam = None;
        assert!(find(&image, &FindParams::default(), &Control::new()).is_err());
    }
}
