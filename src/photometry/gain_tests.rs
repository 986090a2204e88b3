//! Gains that were put in come out.

use ndarray::{Array2, Array3};
use rand::{Rng, RngExt, SeedableRng};
use rand_distr::{Distribution, StandardNormal};

use super::gain_field::{gain_field, Campaign, GainField, GainFieldParams};
use crate::control::Control;

struct Made {
    flux: Array3<f64>,
    err: Array3<f64>,
    x: Array2<f64>,
    y: Array2<f64>,
    freq: Vec<f64>,
    truth: Array2<f64>,
}

/// `ns` steady sources in `ne` epochs with a common gain of 10 %, a field of 3 % and 2 % a frequency.
fn made(ns: usize, ne: usize, nf: usize, noise: f64, seed: u64) -> Made {
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
    let normal = |rng: &mut dyn Rng| -> f64 { StandardNormal.sample(rng) };
    let truth = Array2::from_shape_fn((ns, nf), |_| 0.1 * (0.5 * normal(&mut rng)).exp());
    let place: Vec<[f64; 2]> =
        (0..ns).map(|_| [rng.random_range(-1.2..1.2), rng.random_range(-1.2..1.2)]).collect();
    let x = Array2::from_shape_fn((ns, ne), |(s, e)| place[s][0] + 0.1 * ((e % 3) as f64 - 1.0));
    let y = Array2::from_shape_fn((ns, ne), |(s, _)| place[s][1]);
    let freq: Vec<f64> = (0..nf).map(|f| 1.31e9 + 1.2e7 * f as f64).collect();
    let (mut flux, mut err) = (Array3::zeros((ns, ne, nf)), Array3::zeros((ns, ne, nf)));
    for e in 0..ne {
        let common = 0.1 * normal(&mut rng);
        let field: Vec<f64> = (0..5).map(|_| 0.03 * normal(&mut rng)).collect();
        let band: Vec<f64> = (0..nf).map(|_| 0.02 * normal(&mut rng)).collect();
        for s in 0..ns {
            let (u, v) = (x[[s, e]] / 1.5, y[[s, e]] / 1.5);
            let spatial =
                field[0] * u + field[1] * v + field[2] * u * u + field[3] * u * v + field[4] * v * v;
            for f in 0..nf {
                let gain = (common + spatial + band[f]).exp();
                flux[[s, e, f]] = truth[[s, f]] * gain + noise * normal(&mut rng);
                err[[s, e, f]] = noise;
            }
        }
    }
    Made { flux, err, x, y, freq, truth }
}

fn fit(m: &Made, reference: &[bool]) -> GainField {
    let campaign = Campaign {
        flux_sef: m.flux.view(),
        err_sef: m.err.view(),
        x_se: m.x.view(),
        y_se: m.y.view(),
        freq_hz: &m.freq,
        reference,
    };
    gain_field(campaign, &GainFieldParams::default(), &Control::new()).unwrap()
}

fn scatter(field: &GainField, s: usize, f: usize) -> f64 {
    let lane = field.norm_sef.slice(ndarray::s![s, .., f]);
    let values: Vec<f64> = lane.iter().copied().filter(|v| v.is_finite()).collect();
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (values.len() - 1) as f64).sqrt() / mean
}

#[test]
fn steady_sources_become_steady_to_one_percent() {
    // Noise of 0.3 % of the typical source in each of 4 frequencies; every second source is a reference.
    let m = made(60, 60, 4, 3e-4, 1);
    let reference: Vec<bool> = (0..60).map(|s| s % 2 == 0).collect();
    let field = fit(&m, &reference);
    let mut all: Vec<f64> = Vec::new();
    for s in 0..60 {
        for f in 0..4 {
            let noise = 3e-4 / m.truth[[s, f]];
            // The issue's own limit on top of what the source's noise leaves.
            assert!(scatter(&field, s, f) < 0.01f64.hypot(1.3 * noise), "{s} {f}: {}", scatter(&field, s, f));
            all.push(scatter(&field, s, f));
        }
    }
    assert!(crate::math::robust::median(&mut all) < 0.006);
}

#[test]
fn errors_are_those_of_the_scatter() {
    let m = made(60, 60, 1, 5e-4, 2);
    let reference: Vec<bool> = (0..60).map(|s| s % 2 == 0).collect();
    let field = fit(&m, &reference);
    let mut pulls = Vec::new();
    for s in 0..60 {
        let lane = field.norm_sef.slice(ndarray::s![s, .., 0]);
        let mean = lane.mean().unwrap();
        for e in 0..60 {
            pulls.push((field.norm_sef[[s, e, 0]] - mean) / field.norm_err_sef[[s, e, 0]]);
        }
    }
    let spread = (pulls.iter().map(|p| p * p).sum::<f64>() / pulls.len() as f64).sqrt();
    // The 0.5 % floor given to references makes errors a little large.
    assert!(spread > 0.75 && spread < 1.1, "{spread}");
}

#[test]
fn a_variable_reference_is_dropped_and_does_not_hide_itself() {
    let mut m = made(20, 40, 1, 3e-4, 3);
    for e in 15..25 {
        m.flux[[4, e, 0]] *= 0.6;
    }
    let field = fit(&m, &[true; 20]);
    assert!(!field.reference[4] && field.reference.iter().filter(|r| **r).count() >= 17);
    let dip = field.norm_sef[[4, 20, 0]] / field.norm_sef[[4, 5, 0]];
    assert!((dip - 0.6).abs() < 0.02, "{dip}");
}

#[test]
fn far_from_references_the_error_says_so() {
    let mut m = made(20, 20, 1, 3e-4, 4);
    for e in 0..20 {
        for s in 0..19 {
            m.x[[s, e]] = -1.0 + 0.01 * s as f64;
        }
        m.x[[19, e]] = 1.4;
    }
    let mut reference = [true; 20];
    reference[19] = false;
    let field = fit(&m, &reference);
    assert!(field.gain_err_sef[[19, 5, 0]] > 5.0 * field.gain_err_sef[[3, 5, 0]]);
    assert!(field.reference_sep_se[[19, 5]] > 2.0 && field.reference_sep_se[[3, 5]] < 1.5);
}

#[test]
fn an_epoch_without_references_is_not_normalised_and_empty_input_is_fine() {
    let mut m = made(6, 12, 1, 3e-4, 5);
    for s in 0..6 {
        m.flux[[s, 7, 0]] = f64::NAN;
    }
    let field = fit(&m, &[true; 6]);
    assert!(field.norm_sef[[0, 7, 0]].is_nan() && field.epochs[7].n_references == 0);
    assert!(field.norm_sef[[0, 6, 0]].is_finite() && field.epochs[6].floor.is_some());
    let none = made(3, 2, 1, 1e-3, 6);
    assert!(fit(&none, &[false; 3]).norm_sef.iter().all(|v| v.is_nan()));
}
