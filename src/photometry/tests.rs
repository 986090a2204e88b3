//! Injected sources come back; an empty sky stays empty.

use ndarray::Array2;
use rand::SeedableRng;
use rand_distr::{Distribution, StandardNormal};

use super::*;
use crate::control::Control;
use crate::coords::RaDec;
use crate::image::{RestoringBeam, Wcs};
use crate::source::Measurement;

fn kernel(major_px: f64, minor_px: f64, pa_deg: f64) -> PixelKernel {
    let wcs = Wcs::centred(RaDec::from_deg(10.0, 30.0), 256, 256, 1e-5);
    let beam =
        RestoringBeam { major_rad: major_px * 1e-5, minor_rad: minor_px * 1e-5, pa_rad: pa_deg.to_radians() };
    PixelKernel::new(beam, &wcs).unwrap()
}

fn noise(n: usize, sigma: f64, seed: u64) -> Array2<f32> {
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
    Array2::from_shape_simple_fn((n, n), || {
        let z: f64 = StandardNormal.sample(&mut rng);
        (z * sigma) as f32
    })
}

fn plain(image: &Array2<f32>) -> Maps<'_> {
    Maps { image_yx: image.view(), noise_yx: None, background_yx: None, left_yx: None }
}

/// Every fourth beam or so, at fractional pixels.
fn lattice(n: usize, step: f64) -> Vec<[f64; 2]> {
    let count = ((n as f64 - 2.0 * step) / step) as usize;
    (0..count * count)
        .map(|i| {
            [
                step + step * (i % count) as f64 + 0.37 * (i % 3) as f64,
                step + step * (i / count) as f64 + 0.21 * (i % 5) as f64,
            ]
        })
        .collect()
}

#[test]
fn noise_free_fluxes_are_exact_at_any_position_angle() {
    for pa in [0.0, 30.0, 90.0, -60.0] {
        let k = kernel(6.3, 4.1, pa);
        let positions = lattice(128, 30.0);
        let sources: Vec<_> =
            positions.iter().enumerate().map(|(i, p)| (*p, 0.1 * (i as f64 + 1.0) - 0.35)).collect();
        let mut image = Array2::zeros((128, 128));
        inject(image.view_mut(), &k, &sources, 20.0).unwrap();
        let fits =
            measure(plain(&image), Some(&k), &positions, &ForcedParams::default(), &Control::new()).unwrap();
        for (fit, (_, flux)) in fits.iter().zip(&sources) {
            // Pixels are single precision, and neighbours 30 pixels away leave e-7 wings.
            assert!((fit.flux_jy - flux).abs() < 2e-6, "{pa}: {} {flux}", fit.flux_jy);
        }
    }
}

#[test]
fn elongated_beams_take_the_plain_path_and_agree() {
    let k = kernel(60.0, 2.0, 45.0);
    let mut image = Array2::zeros((256, 256));
    inject(image.view_mut(), &k, &[([120.3, 130.8], 2.0)], 3.0).unwrap();
    let fit = measure(plain(&image), Some(&k), &[[120.3, 130.8]], &ForcedParams::default(), &Control::new())
        .unwrap()[0];
    assert!((fit.flux_jy - 2.0).abs() < 1e-6);
}

#[test]
fn pulls_of_white_noise_are_those_of_the_matched_filter() {
    // White noise of 1 mJy a pixel: the scatter of the fit is rms / sqrt(sum K^2), the plain error is the rms per pixel.
    let k = kernel(6.0, 4.0, 20.0);
    let mut image = noise(640, 1e-3, 1);
    let positions = lattice(640, 31.0);
    let sources: Vec<_> = positions.iter().map(|p| (*p, 0.02)).collect();
    inject(image.view_mut(), &k, &sources, 6.0).unwrap();
    let params = ForcedParams { cluster_beams: None, ..ForcedParams::default() };
    let fits = measure(plain(&image), Some(&k), &positions, &params, &Control::new()).unwrap();
    let n = fits.len() as f64;
    let mean = fits.iter().map(|f| f.flux_jy - 0.02).sum::<f64>() / n;
    let scatter = (fits.iter().map(|f| (f.flux_jy - 0.02 - mean).powi(2)).sum::<f64>() / n).sqrt();
    let expected = 1e-3 / k.sum_of_squares().sqrt();
    // About 320 sources: the scatter is known to 1 / sqrt(2 n) = 4 %; allow three of them.
    assert!((scatter / expected - 1.0).abs() < 0.12, "{scatter} {expected}");
    assert!(mean.abs() < 4.0 * expected / n.sqrt());
    let rms = fits.iter().map(|f| f.flux_err_jy).sum::<f64>() / n;
    assert!((rms / 1e-3 - 1.0).abs() < 0.03);
    let chi2 = fits.iter().map(|f| f.chi2 / f.dof as f64).sum::<f64>() / n;
    // The clipped ring rms is low by about 1 %.
    assert!((chi2 - 1.0).abs() < 0.05, "{chi2}");
}

#[test]
fn blends_are_told_apart() {
    let k = kernel(6.0, 4.0, 0.0);
    let positions = [[60.0, 60.0], [60.0, 64.5], [66.0, 60.4], [110.0, 20.0]];
    let fluxes = [1.0, 0.2, -0.3, 0.5];
    let sources: Vec<_> = positions.iter().copied().zip(fluxes).collect();
    let mut image = Array2::zeros((128, 128));
    inject(image.view_mut(), &k, &sources, 20.0).unwrap();
    let alone = ForcedParams { cluster_beams: None, ..ForcedParams::default() };
    let fits = measure(plain(&image), Some(&k), &positions, &alone, &Control::new()).unwrap();
    assert!((fits[1].flux_jy - 0.2).abs() > 0.1, "a blend should not come out right alone");
    let fits =
        measure(plain(&image), Some(&k), &positions, &ForcedParams::default(), &Control::new()).unwrap();
    for (fit, flux) in fits.iter().zip(fluxes) {
        assert!((fit.flux_jy - flux).abs() < 1e-5, "{fit:?} {flux}");
    }
    assert_eq!(fits[0].cluster, fits[2].cluster);
    assert!(fits[0].flags & Measurement::BLEND != 0 && fits[3].cluster.is_none() && fits[3].flags == 0);
}

#[test]
fn coincident_positions_keep_their_single_fits() {
    let k = kernel(6.0, 4.0, 0.0);
    let mut image = Array2::zeros((64, 64));
    inject(image.view_mut(), &k, &[([30.0, 30.0], 1.0)], 20.0).unwrap();
    let fits =
        measure(plain(&image), Some(&k), &[[30.0, 30.0]; 2], &ForcedParams::default(), &Control::new())
            .unwrap();
    assert!(fits.iter().all(|f| (f.flux_jy - 1.0).abs() < 1e-6 && f.flags & Measurement::BLEND != 0));
}

#[test]
fn edges_blanks_and_the_outside() {
    let k = kernel(6.0, 4.0, 0.0);
    let mut image = Array2::zeros((64, 64));
    inject(image.view_mut(), &k, &[([2.0, 30.0], 1.0), ([40.0, 40.0], 1.0)], 20.0).unwrap();
    image.slice_mut(ndarray::s![38.., 40..]).fill(f32::NAN);
    let at = [[2.0, 30.0], [40.0, 40.0], [62.0, 62.0], [-3.0, 5.0], [f64::NAN, 1.0], [1e300, 0.0]];
    let fits = measure(plain(&image), Some(&k), &at, &ForcedParams::default(), &Control::new()).unwrap();
    for fit in &fits[..2] {
        assert!((fit.flux_jy - 1.0).abs() < 1e-6 && fit.flags == Measurement::EDGE, "{fit:?}");
    }
    for fit in &fits[2..] {
        assert!(
            fit.flux_jy.is_nan() && fit.flux_err_jy.is_nan() && fit.flags == Measurement::OUTSIDE,
            "{fit:?}"
        );
    }
}

#[test]
fn noise_and_background_maps_count() {
    let k = kernel(6.0, 4.0, 0.0);
    let mut image = Array2::from_elem((64, 64), 0.5f32);
    inject(image.view_mut(), &k, &[([30.2, 30.0], 1.0)], 20.0).unwrap();
    let mut rms = Array2::from_elem((64, 64), 0.01f32);
    rms[[30, 33]] = 0.0;
    image[[30, 33]] = 1e3;
    let background = Array2::from_elem((64, 64), 0.5f32);
    let maps = Maps {
        image_yx: image.view(),
        noise_yx: Some(rms.view()),
        background_yx: Some(background.view()),
        left_yx: None,
    };
    let fit = measure(maps, Some(&k), &[[30.2, 30.0]], &ForcedParams::default(), &Control::new()).unwrap()[0];
    assert!((fit.flux_jy - 1.0).abs() < 1e-5 && (fit.local_rms_jy - 0.01).abs() < 1e-8);
    assert_eq!(fit.dof, 19 * 19 - 2);
    let peak = measure(maps, None, &[[30.2, 30.0]], &ForcedParams::default(), &Control::new()).unwrap()[0];
    assert!(peak.flags & Measurement::PEAK_IN_BOX != 0 && peak.flux_jy > 0.98 && peak.flux_jy <= 1.0);
}

#[test]
fn bad_options_are_refused() {
    let image = Array2::<f32>::zeros((16, 16));
    let k = kernel(6.0, 4.0, 0.0);
    for params in [
        ForcedParams { nbeam: 0.0, ..ForcedParams::default() },
        ForcedParams { nbeam: 1e9, ..ForcedParams::default() },
        ForcedParams { annulus_px: [5.0, 5.0], ..ForcedParams::default() },
        ForcedParams { cluster_beams: Some(f64::NAN), ..ForcedParams::default() },
    ] {
        assert!(measure(plain(&image), Some(&k), &[[8.0, 8.0]], &params, &Control::new()).is_err());
    }
    let small = Array2::<f32>::zeros((8, 8));
    let maps =
        Maps { image_yx: image.view(), noise_yx: Some(small.view()), background_yx: None, left_yx: None };
    assert!(measure(maps, Some(&k), &[], &ForcedParams::default(), &Control::new()).is_err());
}

/// Noise as an image has it: white noise smoothed by a kernel, unit rms.
fn smooth_noise(n: usize, k: &PixelKernel, seed: u64) -> Array2<f32> {
    let white = noise(n, 1.0, seed);
    let reach = 12isize;
    let taps: Vec<(isize, isize, f64)> = (-reach..=reach)
        .flat_map(|dy| (-reach..=reach).map(move |dx| (dy, dx)))
        .map(|(dy, dx)| (dy, dx, k.at(dx as f64, dy as f64)))
        .filter(|t| t.2 > 1e-4)
        .collect();
    let norm = taps.iter().map(|t| t.2 * t.2).sum::<f64>().sqrt();
    let wrap = |i: usize, d: isize| (i as isize + d).rem_euclid(n as isize) as usize;
    Array2::from_shape_fn((n, n), |(y, x)| {
        (taps.iter().map(|t| t.2 * f64::from(white[[wrap(y, t.0), wrap(x, t.1)]])).sum::<f64>() / norm) as f32
    })
}

#[test]
fn blank_sky_makes_the_pulls_normal() {
    // Noise with the correlation of the beam: the scatter of the fit is sqrt(2) times the rms, to the truncation of the window.
    let k = kernel(6.0, 4.0, 20.0);
    let mut image = smooth_noise(384, &k, 3);
    let params = ForcedParams { cluster_beams: None, annulus_px: [14.0, 40.0], ..ForcedParams::default() };
    let positions = lattice(384, 37.0);
    let sources: Vec<_> = positions.iter().map(|p| (*p, 30.0)).collect();
    inject(image.view_mut(), &k, &sources, 6.0).unwrap();
    let sky = blank_sky(plain(&image), &k, &positions, 4000, &params, &Control::new()).unwrap().unwrap();
    // Some 400 independent beams fit between the sources: 5 %.
    assert!((sky.error_factor / 2f64.sqrt() - 1.0).abs() < 0.15, "{sky:?}");
    assert!(sky.effective_dof > 2.0 && sky.effective_dof < 120.0, "{sky:?}");
    let scaled = ForcedParams { error_factor: sky.error_factor, ..params };
    let fits = measure(plain(&image), Some(&k), &positions, &scaled, &Control::new()).unwrap();
    let pulls: Vec<f64> = fits.iter().map(|f| (f.flux_jy - 30.0) / f.flux_err_jy).collect();
    let spread = (pulls.iter().map(|p| p * p).sum::<f64>() / pulls.len() as f64).sqrt();
    // 64 sources: 9 %, two of them.
    assert!((spread - 1.0).abs() < 0.2, "{spread}");
}

/// On fine pixels a ring of 12 to 20 of them lies on the source itself.
#[test]
fn the_ring_stays_clear_of_a_wide_beam() {
    let k = kernel(24.0, 14.0, 80.0);
    let mut image = smooth_noise(256, &k, 5);
    let places = [[128.4, 127.7]];
    inject(image.view_mut(), &k, &[(places[0], 1000.0)], 6.0).unwrap();
    let fit =
        measure(plain(&image), Some(&k), &places, &ForcedParams::default(), &Control::new()).unwrap()[0];
    // Unit noise, of which the ring holds some ten beams, and 3 % of the source along the major axis, which is clipped.
    assert!((0.4..2.0).contains(&fit.flux_err_jy), "{}", fit.flux_err_jy);
}
