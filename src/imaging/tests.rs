//! Laws of the major cycle, with direct sums as the only transform.

use ndarray::Array2;

use super::*;
use crate::control::Control;
use crate::deconvolution::{peak_in, Outcome, Sign};
use crate::kind::{ErrorKind, Kind};

const N: usize = 64;

fn uniform(seed: &mut u64) -> f64 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*seed >> 11) as f64 / (1u64 << 53) as f64
}

/// Baselines \[cycles across the image\] of a T with few far stations.
fn t_array() -> Vec<[f64; 2]> {
    let mut a: Vec<[f64; 2]> = (0..8).map(|i| [f64::from(i) * 1.03 - 3.7, 0.1]).collect();
    a.extend((1..7).map(|i| [-1.3, -1.17 * f64::from(i)]));
    a.extend([[11.3, 6.1], [-9.9, 10.7], [6.8, -12.1]]);
    (0..a.len())
        .flat_map(|i| (i + 1..a.len()).map(move |j| (i, j)))
        .map(|(i, j)| [a[i][0] - a[j][0], a[i][1] - a[j][1]])
        .collect()
}

type Vis = Vec<(f64, f64)>;

fn turn([u, v]: [f64; 2], y: f64, x: f64) -> (f64, f64) {
    let half = (N / 2) as f64;
    (std::f64::consts::TAU / N as f64 * (u * (x - half) + v * (y - half))).sin_cos()
}

fn observe(uv: &[[f64; 2]], sources: impl Iterator<Item = (f64, f64, f64)> + Clone) -> Vis {
    let one = |b: &[f64; 2]| {
        sources.clone().fold((0.0, 0.0), |(re, im), (y, x, flux)| {
            let (s, c) = turn(*b, y, x);
            (re + flux * c, im + flux * s)
        })
    };
    uv.iter().map(one).collect()
}

fn image_of(uv: &[[f64; 2]], vis: &Vis) -> Array2<f32> {
    Array2::from_shape_fn((N, N), |(y, x)| {
        let sum: f64 = uv
            .iter()
            .zip(vis)
            .map(|(b, (re, im))| {
                let (s, c) = turn(*b, y as f64, x as f64);
                re * c + im * s
            })
            .sum();
        (sum / uv.len() as f64) as f32
    })
}

fn components(model: &Array2<f32>) -> Vec<(f64, f64, f64)> {
    model
        .indexed_iter()
        .filter(|(_, f)| **f != 0.0)
        .map(|((y, x), f)| (y as f64, x as f64, f64::from(*f)))
        .collect()
}

struct Sky {
    uv: Vec<[f64; 2]>,
    vis: Vis,
    dirty: Array2<f32>,
    psf: Array2<f32>,
}

fn sky(sources: &[(f64, f64, f64)]) -> Sky {
    let uv = t_array();
    let vis = observe(&uv, sources.iter().copied());
    let dirty = image_of(&uv, &vis);
    let psf = image_of(&uv, &vec![(1.0, 0.0); uv.len()]);
    Sky { uv, vis, dirty, psf }
}

impl Sky {
    fn residual(&self, model: &Array2<f32>) -> Array2<f32> {
        let predicted = observe(&self.uv, components(model).into_iter());
        let left = self.vis.iter().zip(&predicted).map(|(a, b)| (a.0 - b.0, a.1 - b.1)).collect();
        image_of(&self.uv, &left)
    }

    fn clean(&self, params: &CleanParams) -> Cleaned {
        let run =
            clean(self.dirty.clone(), &self.psf, None, params, |m| Ok(self.residual(m)), &Control::new());
        run.unwrap()
    }
}

fn some_sources() -> Vec<(f64, f64, f64)> {
    let mut seed = 5;
    (0..3)
        .map(|i| (18.4 + 13.3 * f64::from(i), 16.0 + 32.0 * uniform(&mut seed), 0.4 + uniform(&mut seed)))
        .collect()
}

#[test]
fn sources_are_recovered_with_their_flux_and_the_residual_is_that_of_the_model() {
    let sources = some_sources();
    let sky = sky(&sources);
    // Noiseless: a fixed threshold; the growing mask needs no hand.
    let params = CleanParams { threshold_jy: 2e-3, nsigma: 0.0, ..CleanParams::default() };
    let cleaned = sky.clean(&params);
    assert_eq!(cleaned.report.outcome, Outcome::Threshold, "{:?}", cleaned.report);
    assert!(cleaned.report.cycles.len() > 1);
    for (y, x, flux) in &sources {
        let (y, x) = (y.round() as usize, x.round() as usize);
        let near: f32 = cleaned.model_yx.slice(ndarray::s![y - 5..=y + 5, x - 5..=x + 5]).sum();
        // The threshold of 2e-3 on each of the few pixels of a source, and the spread beyond the box.
        assert!((f64::from(near) - flux).abs() < 0.02 * flux + 0.01, "{near} for {flux}");
    }
    let again = sky.residual(&cleaned.model_yx);
    assert!(again.iter().zip(&cleaned.residual_yx).all(|(a, b)| (a - b).abs() < 1e-6));
    let beam = fit_beam(&sky.psf, [-1e-5, 1e-5]).unwrap();
    let restored =
        restore(&cleaned.residual_yx, &cleaned.model_yx, &beam, [-1e-5, 1e-5], &Control::new()).unwrap();
    for (y, x, flux) in &sources {
        let area =
            restored.slice(ndarray::s![*y as usize - 1..*y as usize + 3, *x as usize - 1..*x as usize + 3]);
        let peak = area.iter().copied().fold(0.0, f32::max);
        // Off-pixel by up to half a cell of a beam a few cells wide.
        assert!((f64::from(peak) / flux - 1.0).abs() < 0.1, "{peak} for {flux}");
    }
}

#[test]
fn it_never_diverges_when_the_data_do_not_fit_the_psf() {
    // A visibility error of 30 % on a third of the baselines, as uncalibrated gains give: no model fits.
    let mut hard = sky(&some_sources());
    let mut seed = 23;
    for v in hard.vis.iter_mut().step_by(3) {
        let (a, b) = (uniform(&mut seed) * 0.6 - 0.3, uniform(&mut seed) * 0.6 - 0.3);
        *v = (v.0 * (1.0 + a) - v.1 * b, v.1 * (1.0 + a) + v.0 * b);
    }
    hard.dirty = image_of(&hard.uv, &hard.vis);
    let start = peak_in(&hard.dirty, None, Sign::Both).unwrap().value;
    for auto_mask in [None, Some(3.0)] {
        for gain in [0.1, 0.5] {
            let params = CleanParams {
                threshold_jy: 1e-5,
                nsigma: 0.0,
                auto_mask,
                gain,
                niter: 20_000,
                ..CleanParams::default()
            };
            let cleaned = hard.clean(&params);
            let left = peak_in(&cleaned.residual_yx, None, Sign::Both).unwrap().value;
            assert!(left.abs() < start, "{left} {:?}", cleaned.report);
            let flux: f32 = cleaned.model_yx.iter().map(|f| f.abs()).sum();
            assert!(flux < 30.0 * start, "{flux} {start}");
        }
    }
}

#[test]
fn a_residual_that_grows_ends_the_run_with_the_best_model() {
    let sky = sky(&some_sources());
    let calls = std::cell::Cell::new(0);
    let params = CleanParams { threshold_jy: 1e-3, nsigma: 0.0, ..CleanParams::default() };
    let kept = std::cell::RefCell::new(Array2::zeros((N, N)));
    // From the third residual on the transform is broken.
    let broken = |m: &Array2<f32>| {
        calls.set(calls.get() + 1);
        if calls.get() == 2 {
            kept.replace(m.clone());
        }
        let residual = sky.residual(m);
        Ok(if calls.get() > 2 { residual.mapv(|v| v * 40.0 + 3.0) } else { residual })
    };
    let cleaned = clean(sky.dirty.clone(), &sky.psf, None, &params, broken, &Control::new()).unwrap();
    assert_eq!(cleaned.report.outcome, Outcome::Diverged);
    assert_eq!(cleaned.model_yx, kept.into_inner());
}

#[test]
fn dirty_empty_and_wrong_arguments() {
    let sky = sky(&some_sources());
    let dirty = sky.clean(&CleanParams { niter: 0, ..CleanParams::default() });
    assert_eq!((dirty.report.outcome, dirty.report.iterations), (Outcome::Dirty, 0));
    assert_eq!(dirty.residual_yx, sky.dirty);
    let nothing = Array2::from_elem((N, N), false);
    let masked = sky.clean(&CleanParams { mask_yx: Some(nothing), ..CleanParams::default() });
    assert_eq!((masked.report.outcome, masked.report.iterations), (Outcome::Threshold, 0));
    let few = sky.clean(&CleanParams { niter: 12, nsigma: 0.0, auto_mask: None, ..CleanParams::default() });
    assert_eq!((few.report.outcome, few.report.iterations), (Outcome::Iterations, 12));
    let fails = |params: CleanParams| {
        clean(sky.dirty.clone(), &sky.psf, None, &params, |m| Ok(sky.residual(m)), &Control::new())
            .unwrap_err()
            .kind()
    };
    let other = Some(Array2::from_elem((N, N + 2), true));
    assert_eq!(fails(CleanParams { mask_yx: other, ..CleanParams::default() }), ErrorKind::Argument);
    assert_eq!(fails(CleanParams { gain: f32::NAN, ..CleanParams::default() }), ErrorKind::Argument);
    assert_eq!(fails(CleanParams { nsigma: -1.0, ..CleanParams::default() }), ErrorKind::Argument);
}

#[test]
fn a_cancelled_run_keeps_the_model_of_the_last_whole_cycle() {
    let sky = sky(&some_sources());
    let control = Control::new();
    let kept = std::cell::RefCell::new(Array2::zeros((N, N)));
    let calls = std::cell::Cell::new(0);
    let params = CleanParams { threshold_jy: 1e-3, nsigma: 0.0, ..CleanParams::default() };
    let cut = |m: &Array2<f32>| {
        calls.set(calls.get() + 1);
        if calls.get() == 1 {
            kept.replace(m.clone());
        } else {
            control.cancel();
        }
        control.check()?;
        Ok(sky.residual(m))
    };
    let cleaned = clean(sky.dirty.clone(), &sky.psf, None, &params, cut, &control).unwrap();
    assert_eq!(cleaned.report.outcome, Outcome::Interrupted);
    assert_eq!(cleaned.report.cycles.len(), 1);
    assert_eq!(cleaned.model_yx, kept.into_inner());
    // And the residual is that model's.
    let again = sky.residual(&cleaned.model_yx);
    assert!(again.iter().zip(&cleaned.residual_yx).all(|(a, b)| (a - b).abs() < 1e-6));
}

#[test]
fn the_thermal_stop_counts_from_the_noise_that_was_expected() {
    let sky = sky(&some_sources());
    let stop = |nthermal: f32, threshold_jy: f32| {
        let auto_mask = None;
        let params = CleanParams {
            nthermal,
            threshold_jy,
            nsigma: 0.0,
            thermal_jy: Some(2e-3),
            mgain: 0.8,
            auto_mask,
            ..CleanParams::default()
        };
        sky.clean(&params).report.iterations
    };
    assert_eq!(stop(10.0, 0.0), stop(0.0, 2e-2));
    assert!(stop(5.0, 0.0) > stop(10.0, 0.0));
}
