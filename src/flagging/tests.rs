#![allow(clippy::unwrap_used, clippy::expect_used)]
use ndarray::Array3;
use num_complex::Complex32;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

use super::rfi::RfiParams;
use super::*;
use crate::control::Control;
use crate::vis::{Channels, Product, Rows, UvRange, VisBlock};

/// Complex noise of unit sigma a component on every row, autocorrelations of 100.
fn block(na: u32, nt: usize, nf: usize, seed: u64) -> VisBlock {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut rows = Rows::default();
    for t in 0..nt {
        for i in 0..na {
            for j in i..na {
                rows.time_mjd_s.push(5e9 + 12.885 * t as f64);
                rows.interval_s.push(12.885);
                rows.antenna1.push(i);
                rows.antenna2.push(j);
                rows.field.push(t as u32);
                rows.uvw_m.push([30.0 * (f64::from(i) - f64::from(j)), 0.0, f64::from(i) - f64::from(j)]);
            }
        }
    }
    let shape = (rows.len(), nf, 2);
    let vis = Array3::from_shape_fn(shape, |(r, _, _)| {
        if rows.antenna1[r] == rows.antenna2[r] {
            Complex32::new(100.0, 0.0)
        } else {
            Complex32::new(rng.sample(StandardNormal), rng.sample(StandardNormal))
        }
    });
    VisBlock {
        rows,
        channels: Channels {
            spw: 3,
            freq_hz: (0..nf).map(|k| 1.4e9 + 244_140.625 * k as f64).collect(),
            width_hz: vec![244_140.625; nf],
        },
        products: vec![Product::XX, Product::YY],
        vis_rfp: vis,
        weight_rfp: Array3::ones(shape),
        flag_rfp: Array3::from_elem(shape, false),
        model_rfp: None,
    }
}

fn go(block: &mut VisBlock, steps: &[Step]) -> Vec<StepReport> {
    run(block, steps, Context::default(), &Control::new()).unwrap()
}

#[test]
fn zeros_and_what_is_not_a_number() {
    let mut b = block(3, 2, 4, 1);
    b.vis_rfp[[1, 2, 0]] = Complex32::new(0.0, 0.0);
    b.vis_rfp[[4, 1, 1]] = Complex32::new(f32::NAN, 1.0);
    let report = go(&mut b, &[Step::Zeros, Step::Zeros]);
    assert_eq!((report[0].added, report[1].added, report[1].before), (4, 0, 4));
    assert!(b.flag_rfp[[1, 2, 1]] && b.flag_rfp[[4, 1, 0]]);
}

#[test]
fn selections() {
    let per_row = 8;
    let count = |steps: &[Step]| go(&mut block(4, 3, 4, 2), steps).last().unwrap().added;
    assert_eq!(count(&[Step::Autos]), 3 * 4 * per_row);
    // Baselines of one unit of 30 m: three of six.
    assert_eq!(count(&[Step::UvRange(UvRange::parse("2~50m").unwrap())]), 3 * 3 * per_row);
    assert_eq!(count(&[Step::Manual(Manual { antennas: vec![1], ..Manual::default() })]), 3 * 4 * per_row);
    let narrow = Manual {
        baselines: vec![(2, 0)],
        channels: vec![Channel { spw: 3, first: 1, last: 2 }],
        fields: vec![1],
        ..Manual::default()
    };
    assert_eq!(count(&[Step::Manual(narrow.clone())]), 4);
    assert_eq!(
        count(&[Step::Manual(Manual { channels: vec![Channel { spw: 9, first: 0, last: 3 }], ..narrow })]),
        0
    );
    assert_eq!(count(&[Step::Quack { interval_s: 2.0, mode: QuackMode::Beg }]), 10 * per_row);
    assert_eq!(count(&[Step::Quack { interval_s: 2.0, mode: QuackMode::End }]), 20 * per_row);
    // No autocorrelation is clipped.
    assert_eq!(count(&[Step::Clip { min: 0.0, max: 50.0, outside: true }]), 0);
    assert_eq!(count(&[Step::Clip { min: 0.0, max: 0.0, outside: true }]), 3 * 6 * per_row);
    assert!(run(
        &mut block(2, 1, 1, 3),
        &[Step::Manual(Manual::default())],
        Context::default(),
        &Control::new()
    )
    .is_err());
    assert!(run(
        &mut block(2, 1, 1, 3),
        &[Step::Elevation { lower_deg: 10.0, upper_deg: 90.0 }],
        Context::default(),
        &Control::new()
    )
    .is_err());
}

#[test]
fn dead_antennas_and_channels() {
    let mut b = block(5, 2, 10, 4);
    for k in 0..b.rows.len() {
        if b.rows.antenna1[k] == 2 || b.rows.antenna2[k] == 2 {
            b.flag_rfp.slice_mut(ndarray::s![k, 1.., ..]).fill(true);
        }
        b.flag_rfp[[k, 5, 0]] = true;
    }
    go(&mut b, &[Step::DeadAntennas { fraction: 0.8 }, Step::BadChannels { fraction: 0.5 }]);
    for k in 0..b.rows.len() {
        let dead = b.rows.antenna1[k] == 2 || b.rows.antenna2[k] == 2;
        assert_eq!(b.flag_rfp[[k, 0, 0]], dead);
        assert_eq!(b.flag_rfp[[k, 5, 1]], dead);
        assert!(b.flag_rfp[[k, 5, 0]]);
    }
}

#[test]
fn the_antenna_behind_is_shadowed() {
    let mut b = block(3, 1, 1, 5);
    for k in 0..b.rows.len() {
        if (b.rows.antenna1[k], b.rows.antenna2[k]) == (0, 1) {
            b.rows.uvw_m[k] = [3.0, 1.0, -20.0];
        }
    }
    go(&mut b, &[Step::Shadow { tolerance_m: 0.0, diameter_m: 4.65 }]);
    for k in 0..b.rows.len() {
        // w < 0: antenna 0 is farther from the source.
        let has_0 = b.rows.antenna1[k] == 0;
        let crosses = b.rows.antenna1[k] != b.rows.antenna2[k];
        assert!(b.flag_rfp[[k, 0, 0]] == has_0 || !crosses);
    }
}

#[test]
fn flags_extend() {
    let mut b = block(2, 4, 4, 6);
    b.flag_rfp[[1, 0, 0]] = true;
    b.flag_rfp[[4, 0, 0]] = true;
    b.flag_rfp[[7, 0, 0]] = true;
    let report = go(&mut b, &[Step::Extend { grow_time: 0.5, grow_freq: 0.0, products: true }]);
    assert_eq!(report[0].added, 3 + 2);
    let mut b = block(2, 1, 4, 6);
    b.flag_rfp.slice_mut(ndarray::s![1, ..3, 0]).fill(true);
    assert_eq!(go(&mut b, &[Step::Extend { grow_time: 0.0, grow_freq: 0.5, products: false }])[0].added, 1);
}

/// Where interference is: time, channel, number of the baseline in its time.
type Shape = fn(usize, usize, usize) -> bool;

const SHAPES: [(&str, Shape); 9] = [
    ("line", |_, f, _| f == 17),
    ("wide line", |t, f, _| (8..20).contains(&t) && (30..33).contains(&f)),
    ("burst", |t, _, _| t == 11),
    ("short burst", |t, f, _| t == 5 && (10..34).contains(&f)),
    ("eight channels", |t, f, _| t == 7 && (20..28).contains(&f)),
    ("wide patch", |t, f, _| (6..18).contains(&t) && (10..22).contains(&f)),
    ("chirp", |t, f, _| (2 * t..2 * t + 3).contains(&f)),
    ("edge line", |_, f, _| f == 47),
    ("few baselines", |t, f, b| b % 5 == 0 && (4..20).contains(&t) && (30..32).contains(&f)),
];

/// What is beside noise and interference.
#[derive(Clone, Copy, PartialEq)]
enum Sky {
    None,
    /// A source at the centre.
    Centre(f32),
    /// Two sources with delays and rates that grow with the baseline, on a sloping bandpass with edges and ripples.
    Fringes(f32, f32),
}

const ANTENNAS: u32 = 10;

fn put_sky(b: &mut VisBlock, sky: Sky, noise: f32) {
    let nf = b.channels.freq_hz.len();
    let mut rng = ChaCha8Rng::seed_from_u64(77);
    let ripple: Vec<f32> =
        (0..ANTENNAS as usize * nf).map(|_| 1.0 + 0.05 * rng.sample::<f32, _>(StandardNormal)).collect();
    for k in 0..b.rows.len() {
        let (i, j) = (b.rows.antenna1[k] as usize, b.rows.antenna2[k] as usize);
        if i == j {
            continue;
        }
        let (length, t) = ((j - i) as f32, b.rows.field[k] as f32);
        for f in 0..nf {
            let x = f as f32;
            let (s, band) = match sky {
                Sky::None => (Complex32::new(0.0, 0.0), 1.0),
                Sky::Centre(flux) => (Complex32::new(flux, 0.0), 1.0),
                Sky::Fringes(one, two) => {
                    let edge = if f < 2 || f + 1 == nf { 0.5 } else { 1.0 };
                    let band = (0.8 + 0.01 * x) * edge * ripple[i * nf + f] * ripple[j * nf + f];
                    let first = Complex32::from_polar(one, 0.02 * length * x + 0.5 * length * t);
                    let second = Complex32::from_polar(two, -0.045 * length * x + 0.3 * length * t + 1.0);
                    (first + second, band)
                }
            };
            for p in 0..2 {
                b.vis_rfp[[k, f, p]] = (b.vis_rfp[[k, f, p]] * noise + s) * band;
            }
        }
    }
}

/// Simulated block with its truth.
fn made(shape: Shape, strength: f32, sky: Sky, seed: u64) -> (VisBlock, Array3<bool>) {
    let (nt, nf) = (24, 48);
    let mut b = block(ANTENNAS, nt, nf, seed);
    put_sky(&mut b, sky, 1.0);
    let mut rng = ChaCha8Rng::seed_from_u64(seed + 1);
    let per_time = (ANTENNAS * (ANTENNAS + 1) / 2) as usize;
    let mut truth = Array3::from_elem(b.vis_rfp.dim(), false);
    for k in 0..b.rows.len() {
        if b.rows.antenna1[k] == b.rows.antenna2[k] {
            continue;
        }
        let (i, j) = (b.rows.antenna1[k] as f32, b.rows.antenna2[k] as f32);
        for f in 0..nf {
            if shape(k / per_time, f, k % per_time) {
                for p in 0..2 {
                    // One phase a baseline, or one a sample.
                    let turn = if seed % 2 == 0 { 2.4 * (i - j) } else { 6.28 * rng.random::<f32>() };
                    b.vis_rfp[[k, f, p]] += Complex32::from_polar(strength, turn);
                    truth[[k, f, p]] = true;
                }
            }
        }
    }
    (b, truth)
}

/// (found of the interference, flagged of the rest), cross-correlations.
fn rates(b: &VisBlock, truth: &Array3<bool>) -> (f64, f64) {
    let mut counts = [0.0f64; 4];
    for ((k, f, p), bad) in truth.indexed_iter() {
        if b.rows.antenna1[k] != b.rows.antenna2[k] {
            let at = if *bad { 0 } else { 2 };
            counts[at] += f64::from(u8::from(b.flag_rfp[[k, f, p]]));
            counts[at + 1] += 1.0;
        }
    }
    (counts[0] / counts[1].max(1.0), counts[2] / counts[3])
}

fn trial(shape: Shape, strength: f32, sky: Sky, seed: u64, params: RfiParams) -> (f64, f64) {
    let (mut b, truth) = made(shape, strength, sky, seed);
    go(&mut b, &[Step::Rfi(params)]);
    rates(&b, &truth)
}

#[test]
fn rfi_is_found_and_noise_left_alone() {
    let mut wrong = Vec::new();
    for (seed, (name, shape)) in SHAPES.iter().enumerate() {
        for sky in
            [Sky::None, Sky::Centre(1.0), Sky::Fringes(1.0, 0.5), Sky::Centre(6.0), Sky::Fringes(6.0, 1.0)]
        {
            for strength in [3.0, 5.0, 10.0, 30.0] {
                for kind in 0..2 {
                    let stack = 64;
                    let params = RfiParams { stack, ..RfiParams::default() };
                    let (found, false_alarm) =
                        trial(*shape, strength, sky, 100 + 2 * seed as u64 + kind, params);
                    if found < 0.95 || false_alarm > 0.01 {
                        let sky = match sky {
                            Sky::None => "none".into(),
                            Sky::Centre(a) => format!("c{a}"),
                            Sky::Fringes(a, b) => format!("f{a},{b}"),
                        };
                        wrong.push(format!(
                            "{name} {sky} at {strength} sigma kind {kind}: {found:.3} {false_alarm:.4}"
                        ));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn quiet_data_stay_quiet() {
    let never: Shape = |_, _, _| false;
    let mut wrong = Vec::new();
    for sky in [
        Sky::None,
        Sky::Centre(1.0),
        Sky::Centre(8.0),
        Sky::Fringes(1.0, 0.5),
        Sky::Fringes(3.0, 2.0),
        Sky::Fringes(8.0, 0.8),
        Sky::Fringes(8.0, 3.0),
        Sky::Fringes(80.0, 10.0),
    ] {
        for noise in [1.0, 1e-3] {
            let mut b = block(ANTENNAS, 24, 48, 9);
            put_sky(&mut b, sky, noise);
            let truth = Array3::from_elem(b.vis_rfp.dim(), false);
            go(&mut b, &[Step::Rfi(RfiParams::default())]);
            let (_, false_alarm) = rates(&b, &truth);
            let sky = match sky {
                Sky::None => "none".into(),
                Sky::Centre(a) => format!("c{a}"),
                Sky::Fringes(a, b) => format!("f{a},{b}"),
            };
            if false_alarm > 2e-4 {
                wrong.push(format!("{sky} noise {noise}: {false_alarm:.5}"));
            }
        }
    }
    let _ = never;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn debug_noise_free() {
    let mut b = block(ANTENNAS, 24, 48, 9);
    put_sky(&mut b, Sky::Fringes(3.0, 2.0), 1e-3);
    go(&mut b, &[Step::Rfi(RfiParams::default())]);
    let mut by = std::collections::BTreeMap::new();
    for ((k, f, p), v) in b.flag_rfp.indexed_iter() {
        if *v && p == 0 {
            let l = b.rows.antenna2[k] - b.rows.antenna1[k];
            *by.entry(("length", l)).or_insert(0) += 1;
            *by.entry(("time", b.rows.field[k])).or_insert(0) += 1;
            *by.entry(("chan", f as u32)).or_insert(0) += 1;
        }
    }
    for (k, v) in by {
        eprintln!("{k:?} {v}");
    }
}

#[test]
fn residual_clip_takes_outliers_only() {
    let mut b = block(6, 24, 48, 11);
    b.vis_rfp[[1, 3, 0]] = Complex32::new(40.0, 0.0);
    let report = go(&mut b, &[Step::Residual { sigma: 7.0 }]);
    assert_eq!(report[0].added, 1);
    assert!(b.flag_rfp[[1, 3, 0]]);
}
