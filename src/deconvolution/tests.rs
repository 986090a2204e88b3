//! Laws of the minor cycle on small skies: psfs from direct sums, so nothing else of the crate takes part.

use ndarray::Array2;

use super::*;
use crate::control::Control;
use crate::kind::{ErrorKind, Kind};

const N: usize = 96;

/// Deterministic numbers in [0, 1).
fn uniform(seed: &mut u64) -> f64 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*seed >> 11) as f64 / (1u64 << 53) as f64
}

/// Baselines of a T: two dense short arms and a few far stations, so that sidelobes are high as in the real array.
fn t_array() -> Vec<[f64; 2]> {
    let mut antennas: Vec<[f64; 2]> = (0..9).map(|i| [f64::from(i) * 1.13 - 4.7, 0.1]).collect();
    antennas.extend((1..8).map(|i| [-2.3, -1.37 * f64::from(i)]));
    antennas.extend([[17.3, 7.1], [-13.9, 15.7], [8.8, -18.1]]);
    let mut uv = Vec::new();
    for i in 0..antennas.len() {
        for j in i + 1..antennas.len() {
            uv.push([antennas[i][0] - antennas[j][0], antennas[i][1] - antennas[j][1]]);
        }
    }
    uv
}

/// Direct sum: the image at `(y, x)` of point sources at fractional pixels; a psf is one source at the centre.
fn dirty_of(uv: &[[f64; 2]], sources: &[(f64, f64, f64)]) -> Array2<f32> {
    let turn = std::f64::consts::TAU / N as f64;
    let mut image = Array2::<f64>::zeros((N, N));
    for [u, v] in uv {
        let (mut re, mut im) = (0.0, 0.0);
        for (y, x, flux) in sources {
            let (s, c) = (turn * (u * x + v * y)).sin_cos();
            re += flux * c;
            im += flux * s;
        }
        for ((y, x), value) in image.indexed_iter_mut() {
            let (s, c) = (turn * (u * x as f64 + v * y as f64)).sin_cos();
            *value += re * c + im * s;
        }
    }
    image.mapv(|v| (v / uv.len() as f64) as f32)
}

fn psf_of(uv: &[[f64; 2]]) -> Array2<f32> {
    dirty_of(uv, &[((N / 2) as f64, (N / 2) as f64, 1.0)])
}

/// The middle half: from there the psf's half width reaches all of itself.
fn middle() -> Array2<bool> {
    Array2::from_shape_fn((N, N), |(y, x)| (N / 4..3 * N / 4).contains(&y) && (N / 4..3 * N / 4).contains(&x))
}

/// Brightest magnitude in the middle.
fn left(residual: &Array2<f32>) -> f32 {
    peak_in(residual, Some(&middle()), Sign::Both).unwrap().value.abs()
}

#[test]
fn one_point_on_a_pixel_is_found_exactly() {
    let uv = t_array();
    let psf = psf_of(&uv);
    let mut residual = dirty_of(&uv, &[(40.0, 57.0, 2.0)]);
    let mut model = Array2::zeros((N, N));
    let params = MinorParams { stop_jy: 2e-4, ..MinorParams::default() };
    let report =
        minor_cycle(&mut residual, &mut model, &psf, Some(&middle()), &params, &Control::new()).unwrap();
    assert_eq!(report.stop, MinorStop::Reached);
    assert!((model[[40, 57]] - 2.0).abs() < 2e-3, "{}", model[[40, 57]]);
    assert!((model.sum() - 2.0).abs() < 2e-3);
    assert!(left(&residual) <= 2e-4);
}

#[test]
fn components_come_out_of_a_mask_as_out_of_the_whole_image() {
    let psf = psf_of(&t_array());
    let dirty = dirty_of(&t_array(), &[(30.0, 40.0, 1.0)]);
    let mask = Array2::from_shape_fn((N, N), |(y, x)| (y * 7 + x * 3) % 11 == 0);
    // Corners are beyond the psf's reach of one another.
    let components = [(0, 0, 0.3), (N - 1, 2, -0.5), (40, 33, 1.0), (N - 1, N - 1, 0.2)];
    let convolver = Convolver::new(&psf).unwrap();
    let (mut whole, mut within) = (dirty.clone(), dirty.clone());
    convolver.subtract(&mut whole, &components, &Control::new()).unwrap();
    convolver.subtract_within(&mut within, &components, &mask, &Control::new()).unwrap();
    for ((at, inside), before) in mask.indexed_iter().zip(&dirty) {
        let expected = if *inside { whole[at] } else { *before };
        // The same sums in the same order.
        assert_eq!(within[at], expected, "{at:?}");
    }
}

#[test]
fn list_and_patch_are_hogbom_on_the_whole_image() {
    // Residual after the cycle = dirty - model * psf, for any path the search took: the law that lets majors be rare.
    let uv = t_array();
    let psf = psf_of(&uv);
    let mut seed = 7;
    let sources: Vec<_> = (0..12)
        .map(|_| (8.0 + 80.0 * uniform(&mut seed), 8.0 + 80.0 * uniform(&mut seed), uniform(&mut seed)))
        .collect();
    let dirty = dirty_of(&uv, &sources);
    for max_candidates in [50, 1 << 15] {
        let (mut residual, mut model) = (dirty.clone(), Array2::zeros((N, N)));
        let params = MinorParams { stop_jy: 0.02, max_candidates, ..MinorParams::default() };
        minor_cycle(&mut residual, &mut model, &psf, None, &params, &Control::new()).unwrap();
        let mut expected = dirty.clone();
        for ((y, x), flux) in model.indexed_iter().filter(|(_, f)| **f != 0.0) {
            Convolver::new(&psf).unwrap().subtract(&mut expected, &[(y, x, *flux)], &Control::new()).unwrap();
        }
        // Single-precision FFT of fluxes that sum to a few Jy: 1e-6 a Jy; lists of both lengths agree with the sum.
        let worst = residual.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst < 2e-5, "{worst}");
        assert!(model.iter().filter(|f| **f != 0.0).count() > 20);
    }
}

#[test]
fn many_points_off_the_pixels_keep_their_flux() {
    let uv = t_array();
    let psf = psf_of(&uv);
    let mut seed = 3;
    let sources: Vec<_> = (0..4)
        .map(|i| (28.3 + 12.7 * f64::from(i), 28.0 + 40.0 * uniform(&mut seed), 0.3 + uniform(&mut seed)))
        .collect();
    let mut residual = dirty_of(&uv, &sources);
    let mut model = Array2::zeros((N, N));
    let params = MinorParams { stop_jy: 3e-4, max_iterations: 200_000, ..MinorParams::default() };
    minor_cycle(&mut residual, &mut model, &psf, Some(&middle()), &params, &Control::new()).unwrap();
    for (y, x, flux) in &sources {
        let (y, x) = (y.round() as usize, x.round() as usize);
        let near: f32 = model.slice(ndarray::s![y - 5..=y + 5, x - 5..=x + 5]).sum();
        // Cleaned to 0.03 % of a Jy; components of neighbours and of the cell's rim take another per cent.
        assert!((f64::from(near) - flux).abs() < 0.02 * flux + 0.004, "{near} for {flux}");
    }
    assert!(left(&residual) <= 3.01e-4);
}

#[test]
fn the_psf_of_this_array_type_is_hard_and_its_depth_follows() {
    let facts = PsfFacts::of(&psf_of(&t_array())).unwrap();
    assert_eq!((facts.x, facts.y), (N / 2, N / 2));
    assert!(facts.max_sidelobe > 0.15 && facts.max_sidelobe < 0.9, "{facts:?}");
    assert!(facts.main_lobe_px >= 1.0 && facts.main_lobe_px < 12.0, "{facts:?}");
    assert!(facts.depth(10.0, 1.0, 0.8) >= 10.0 * facts.max_sidelobe.min(0.8) - 1e-6);
    let flat = Array2::from_elem((8, 8), 0.5f32);
    assert_eq!(PsfFacts::of(&flat).unwrap_err().kind(), ErrorKind::Data);
}

#[test]
fn a_psf_that_does_not_fit_ends_in_divergence_not_in_nonsense() {
    // Everything but the peak thrice too high, no longer a positive definite psf.
    let uv = t_array();
    let truth = psf_of(&uv);
    let mut wrong = truth.mapv(|v| 3.0 * v);
    wrong[[N / 2, N / 2]] = 1.0;
    let mut residual = dirty_of(&uv, &[(30.0, 30.0, 1.0), (60.0, 50.0, 0.8)]);
    let start = peak_in(&residual, None, Sign::Both).unwrap().value;
    let mut model = Array2::zeros((N, N));
    let params = MinorParams { stop_jy: 1e-3, max_iterations: 20_000, ..MinorParams::default() };
    let report = minor_cycle(&mut residual, &mut model, &wrong, None, &params, &Control::new()).unwrap();
    assert_eq!(report.stop, MinorStop::Diverged);
    assert!(report.peak_after_jy <= 1.5 * start);
    assert!(peak_in(&residual, None, Sign::Both).unwrap().value.abs() <= 1.51 * start);
    // So wrong that a list alone would grow beyond all numbers before the image is looked at.
    let far = truth.mapv(|v| 300.0 * v);
    let far = Array2::from_shape_fn((N, N), |at| if at == (N / 2, N / 2) { 1.0 } else { far[at] });
    let (mut residual, mut model) = (dirty_of(&uv, &[(30.0, 30.0, 1.0)]), Array2::zeros((N, N)));
    let params = MinorParams { stop_jy: 1e-3, max_candidates: 64, ..MinorParams::default() };
    let report = minor_cycle(&mut residual, &mut model, &far, None, &params, &Control::new()).unwrap();
    assert_eq!(report.stop, MinorStop::Diverged);
    assert!(residual.iter().chain(&model).all(|v: &f32| v.is_finite()));
}

#[test]
fn mask_sign_and_iterations_are_kept() {
    let uv = t_array();
    let psf = psf_of(&uv);
    let dirty = dirty_of(&uv, &[(30.0, 30.0, 1.0), (70.0, 66.0, -0.7)]);
    let run = |mask: Option<&Array2<bool>>, params: MinorParams| {
        let (mut r, mut m) = (dirty.clone(), Array2::zeros((N, N)));
        let report = minor_cycle(&mut r, &mut m, &psf, mask, &params, &Control::new()).unwrap();
        (m, report)
    };
    let shallow = MinorParams { stop_jy: 0.1, ..MinorParams::default() };
    let mut mask = Array2::from_elem((N, N), false);
    assert_eq!(run(Some(&mask), shallow).1.stop, MinorStop::Empty);
    mask[[70, 66]] = true;
    let (model, _) = run(Some(&mask), shallow);
    assert!(model.indexed_iter().all(|((y, x), f)| *f == 0.0 || (y, x) == (70, 66)));
    assert!(model[[70, 66]] < -0.3);
    let (model, _) = run(None, MinorParams { non_negative: true, ..shallow });
    assert!(model.iter().all(|f| *f >= 0.0) && model[[30, 30]] > 0.5);
    let (_, report) = run(None, MinorParams { max_iterations: 7, ..shallow });
    assert_eq!((report.iterations, report.stop), (7, MinorStop::Iterations));
    let (_, report) = run(None, MinorParams { stop_jy: 5.0, ..shallow });
    assert_eq!((report.iterations, report.stop), (0, MinorStop::Reached));
}

#[test]
fn bad_arguments_and_blank_images() {
    let psf = psf_of(&t_array());
    let mut model = Array2::zeros((N, N));
    let mut blank = Array2::from_elem((N, N), f32::NAN);
    let p = MinorParams::default();
    let control = Control::new();
    assert_eq!(minor_cycle(&mut blank, &mut model, &psf, None, &p, &control).unwrap().stop, MinorStop::Empty);
    let mut small = Array2::zeros((N, N - 2));
    assert_eq!(
        minor_cycle(&mut small, &mut model, &psf, None, &p, &control).unwrap_err().kind(),
        ErrorKind::Argument
    );
    let p = MinorParams { gain: 0.0, ..p };
    assert_eq!(
        minor_cycle(&mut blank, &mut model, &psf, None, &p, &control).unwrap_err().kind(),
        ErrorKind::Argument
    );
    control.cancel();
    let mut dirty = psf.clone();
    let p = MinorParams::default();
    assert_eq!(
        minor_cycle(&mut dirty, &mut model, &psf, None, &p, &control).unwrap_err().kind(),
        ErrorKind::Cancelled
    );
}

#[test]
fn noise_is_measured_where_it_is() {
    let mut seed = 11;
    let mut image = Array2::from_shape_fn((256, 256), |(_, x)| {
        let normal: f64 = (0..12).map(|_| uniform(&mut seed)).sum::<f64>() - 6.0;
        (normal * if x < 128 { 1.0 } else { 4.0 }) as f32
    });
    image[[10, 10]] = 1e6;
    let noise = LocalRms::of(&image, 64);
    // 64 x 64 pixels: 1.17 / sqrt(2 * 4096) = 1.3 % scatter; five of them.
    assert!((noise.at(128, 40) - 1.0).abs() < 0.07, "{}", noise.at(128, 40));
    assert!((noise.at(128, 210) / 4.0 - 1.0).abs() < 0.07);
    let mut mask = Array2::from_elem((256, 256), false);
    let params = MaskParams { seed_sigma: 6.0, sidelobe_fraction: 0.0, radius_px: 1.5, positive_only: true };
    grow_mask(&mut mask, &image, None, &noise, &params);
    // The one true source and its eight neighbours; 65536 sums of twelve do not reach 6 sigma in a flat field, but
    // the boxes that straddle the step see a mixture.
    let far = mask.indexed_iter().filter(|((_, x), m)| **m && !(96..192).contains(x));
    assert_eq!(far.count(), 9);
    assert!(mask[[10, 10]] && mask[[11, 11]] && !mask[[12, 10]]);
    let none = Array2::from_elem((256, 256), false);
    let mut bounded = none.clone();
    grow_mask(&mut bounded, &image, Some(&none), &noise, &params);
    assert_eq!(bounded, none);
}

#[test]
fn watch_tells_progress_from_stall_from_divergence() {
    let mut watch = Watch::new(10.0, 1.0);
    assert_eq!(watch.see(4.0, 0.5), Seen::Best);
    assert_eq!(watch.see(2.0, 0.3), Seen::Best);
    assert_eq!(watch.see(2.1, 0.3), Seen::Idle);
    assert_eq!(watch.see(1.99, 0.3), Seen::Best);
    assert_eq!(watch.see(1.985, 0.3), Seen::Stalled);
    assert_eq!(watch.see(3.2, 0.3), Seen::Diverged);
    assert_eq!(Watch::new(1.0, 1.0).see(f32::NAN, 1.0), Seen::Diverged);
}
