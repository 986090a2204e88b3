#![allow(clippy::unwrap_used, clippy::expect_used)]
//! Recovery of injected gains from synthetic blocks.

use ndarray::{Array3, Array4};
use num_complex::{Complex32, Complex64};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

use super::*;
use crate::control::Control;
use crate::gains::{evaluate, Antenna, Applied, GainTable, Observation, Term};
use crate::kind::{ErrorKind, Kind};
use crate::vis::{Channels, Product, Rows, UvRange, VisBlock};

const TIMES: usize = 4;

fn rng(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

fn normal(rng: &mut ChaCha8Rng) -> f64 {
    rng.sample(StandardNormal)
}

fn shell(na: usize) -> GainTable {
    let antennas = (0..na).map(|k| Antenna { name: format!("{}", k + 1), ..Antenna::default() }).collect();
    GainTable {
        term: Term::G,
        name: "test.ms".into(),
        antennas,
        fields: Vec::new(),
        observation: Observation::default(),
        windows: Vec::new(),
        history: Vec::new(),
    }
}

/// Unit gains, random model of modulus near 2, unit weights; autos among the rows.
fn block(na: usize, nf: usize, seed: u64) -> VisBlock {
    let mut rng = rng(seed);
    let mut rows = Rows::default();
    for t in 0..TIMES {
        for i in 0..na {
            for j in i..na {
                rows.time_mjd_s.push(5e9 + 12.885 * t as f64);
                rows.interval_s.push(12.885);
                rows.antenna1.push(i as u32);
                rows.antenna2.push(j as u32);
                rows.field.push(t as u32);
                rows.uvw_m.push([100.0 * (i as f64 - j as f64), 0.0, 0.0]);
            }
        }
    }
    let shape = (rows.len(), nf, 2);
    let model = Array3::from_shape_fn(shape, |_| {
        Complex32::from_polar(1.5 + rng.random::<f32>(), 6.0 * rng.random::<f32>())
    });
    let freq_hz: Vec<f64> = (0..nf).map(|k| 1.311e9 + 244_140.625 * k as f64).collect();
    VisBlock {
        rows,
        channels: Channels { spw: 0, width_hz: vec![244_140.625; nf], freq_hz },
        products: vec![Product::XX, Product::YY],
        vis_rfp: model.clone(),
        weight_rfp: Array3::ones(shape),
        flag_rfp: Array3::from_elem(shape, false),
        model_rfp: Some(model),
    }
}

/// V = g_i M conj(g_j) + noise of `sigma` a component; gains (t, a, f, r).
fn corrupt(block: &mut VisBlock, gain: &Array4<Complex64>, sigma: f64, seed: u64) {
    let mut rng = rng(seed);
    let na = gain.dim().1;
    let per_time = na * (na + 1) / 2;
    for row in 0..block.rows.len() {
        let (i, j, t) =
            (block.rows.antenna1[row] as usize, block.rows.antenna2[row] as usize, row / per_time);
        for f in 0..gain.dim().2 {
            for p in 0..2 {
                let m = block.model_rfp.as_ref().unwrap()[[row, f, p]];
                let v = Complex64::new(f64::from(m.re), f64::from(m.im))
                    * gain[[t, i, f, p]]
                    * gain[[t, j, f, p]].conj();
                let noise = Complex64::new(normal(&mut rng), normal(&mut rng)) * sigma;
                block.vis_rfp[[row, f, p]] = Complex32::new((v + noise).re as f32, (v + noise).im as f32);
            }
        }
    }
}

/// Constant in time.
fn random_gains(na: usize, nf: usize, seed: u64) -> Array4<Complex64> {
    let mut rng = rng(seed);
    let one = Array3::from_shape_fn((na, nf, 2), |_| {
        Complex64::from_polar(0.5 + rng.random::<f64>(), 6.3 * rng.random::<f64>())
    });
    Array4::from_shape_fn((TIMES, na, nf, 2), |(_, a, f, r)| one[[a, f, r]])
}

fn run(block: &VisBlock, na: usize, params: &SolveParams) -> Result<(GainTable, SolveReport), Error> {
    let keys: Vec<RowKey> = (0..block.rows.len())
        .map(|k| RowKey {
            time_mjd_s: block.rows.time_mjd_s[k],
            interval_s: 12.885,
            field: block.rows.field[k] as i32,
            scan: 1,
        })
        .collect();
    let intervals = Intervals::new(keys.iter().copied(), params.solint, params.combine)?;
    let of_row: Vec<_> = keys.iter().map(|k| intervals.of(k)).collect();
    let nf = if params.term == Term::G { 1 } else { block.channels.freq_hz.len() };
    let control = Control::new();
    let mut sums = Sums::new(na, intervals.len(), nf, 2)?;
    sums.add(block, &of_row, UvRange::default(), None, &control)?;
    let mean = block.channels.freq_hz.iter().sum::<f64>() / block.channels.freq_hz.len() as f64;
    let freq_hz = if nf == 1 { vec![mean] } else { block.channels.freq_hz.clone() };
    let window = WindowSums { spw: 0, width_hz: vec![244_140.625; nf], freq_hz, sums: &sums };
    solve(shell(na), &[window], &intervals, params, &control)
}

fn params(term: Term) -> SolveParams {
    SolveParams {
        combine: Combine { field: true, scan: true, spw: false },
        refant: vec![0],
        ..SolveParams::new(term)
    }
}

#[test]
fn data_four_times_the_model_give_gains_of_two() {
    let mut b = block(7, 3, 1);
    b.vis_rfp.mapv_inplace(|v| v * 4.0);
    for term in [Term::B, Term::G] {
        let (table, report) = run(&b, 7, &params(term)).unwrap();
        assert!(table.windows[0].flag_tafr.iter().all(|f| !f));
        assert!(table.windows[0].value_tafr.iter().all(|g| (g - Complex64::new(2.0, 0.0)).norm() < 1e-6));
        assert_eq!((report.working_receptors, report.flagged_fraction, report.failed), (14, 0.0, 0));
    }
}

#[test]
fn null_case_gives_unit_gains() {
    let (table, _) = run(&block(6, 2, 2), 6, &params(Term::B)).unwrap();
    assert!(table.windows[0].value_tafr.iter().all(|g| (g - Complex64::new(1.0, 0.0)).norm() < 1e-7));
}

#[test]
fn injected_bandpass_is_recovered() {
    let (na, nf) = (9, 5);
    let truth = random_gains(na, nf, 3);
    let mut b = block(na, nf, 4);
    corrupt(&mut b, &truth, 0.0, 5);
    let (table, report) = run(&b, na, &params(Term::B)).unwrap();
    assert_eq!(report.refant, "1");
    for ((_, a, f, r), g) in table.windows[0].value_tafr.indexed_iter() {
        let reference = truth[[0, 0, f, r]];
        let expected = truth[[0, a, f, r]] * reference.conj() / reference.norm();
        // Data are in single precision (6e-8).
        assert!((g - expected).norm() < 1e-6, "{a} {f} {r}: {g} {expected}");
    }
}

#[test]
fn order_of_antennas_does_not_matter() {
    let (na, nf) = (6, 1);
    let truth = random_gains(na, nf, 6);
    let mut b = block(na, nf, 7);
    corrupt(&mut b, &truth, 0.3, 8);
    let (table, _) = run(&b, na, &params(Term::G)).unwrap();
    // Rename antenna a to na - 1 - a: (i, j) swap ends, so data and model are conjugated.
    let mut mirrored = b.clone();
    for row in 0..b.rows.len() {
        mirrored.rows.antenna1[row] = (na - 1) as u32 - b.rows.antenna2[row];
        mirrored.rows.antenna2[row] = (na - 1) as u32 - b.rows.antenna1[row];
    }
    mirrored.vis_rfp.mapv_inplace(|v| v.conj());
    if let Some(m) = &mut mirrored.model_rfp {
        m.mapv_inplace(|v| v.conj());
    }
    let (other, _) = run(&mirrored, na, &SolveParams { refant: vec![na - 1], ..params(Term::G) }).unwrap();
    for a in 0..na {
        for r in 0..2 {
            assert!(
                (table.windows[0].value_tafr[[0, a, 0, r]]
                    - other.windows[0].value_tafr[[0, na - 1 - a, 0, r]])
                .norm()
                    < 1e-6
            );
        }
    }
}

#[test]
fn phase_and_amplitude_modes() {
    let na = 8;
    let truth = random_gains(na, 1, 9);
    let mut b = block(na, 1, 10);
    corrupt(&mut b, &truth, 0.0, 11);
    let (phases, _) = run(&b, na, &SolveParams { mode: Mode::Phase, ..params(Term::G) }).unwrap();
    let (amps, _) = run(&b, na, &SolveParams { mode: Mode::Amp, ..params(Term::G) }).unwrap();
    for ((_, a, _, r), g) in phases.windows[0].value_tafr.indexed_iter() {
        let expected = truth[[0, a, 0, r]] * truth[[0, 0, 0, r]].conj();
        assert!((g - expected / expected.norm()).norm() < 1e-5 && (g.norm() - 1.0).abs() < 1e-12);
        let amp = amps.windows[0].value_tafr[[0, a, 0, r]];
        assert!((amp - Complex64::new(truth[[0, a, 0, r]].norm(), 0.0)).norm() < 1e-6);
    }
}

#[test]
fn quoted_errors_match_the_scatter() {
    let (na, nf) = (20, 400);
    let truth = random_gains(na, 1, 12);
    let truth = Array4::from_shape_fn((TIMES, na, nf, 2), |(t, a, _, r)| truth[[t, a, 0, r]]);
    let mut b = block(na, nf, 13);
    corrupt(&mut b, &truth, 0.5, 14);
    let (table, report) = run(&b, na, &params(Term::B)).unwrap();
    let w = &table.windows[0];
    let (mut pull, mut n) = (0.0, 0.0);
    for ((t, a, f, r), g) in w.value_tafr.indexed_iter() {
        let error = f64::from(w.error_tafr[[t, a, f, r]]);
        pull += ((g.norm() - truth[[0, a, f, r]].norm()) / error).powi(2);
        n += 1.0;
    }
    let ratio = f64::sqrt(pull / n);
    // 16,000 amplitudes: the ratio itself is known to 0.6 %; 1 / (2 n) = 2.5 % is what the conditional error leaves out.
    assert!((ratio - 1.0).abs() < 0.05, "scatter / quoted error = {ratio}");
    // Unit weights, sigma 0.5 a component.
    assert!((report.chi2_reduced - 0.25).abs() < 0.01, "{}", report.chi2_reduced);
}

#[test]
fn flags_reach_the_solutions() {
    let (na, nf) = (7, 4);
    let mut b = block(na, nf, 15);
    for row in 0..b.rows.len() {
        let dead = b.rows.antenna1[row] == 3 || b.rows.antenna2[row] == 3;
        for f in 0..nf {
            for p in 0..2 {
                // Antenna 3 flagged; channel 2 flagged for all; antenna 5 NaN in receptor 1.
                b.flag_rfp[[row, f, p]] = dead || f == 2;
                if p == 1 && (b.rows.antenna1[row] == 5 || b.rows.antenna2[row] == 5) {
                    b.vis_rfp[[row, f, p]] = Complex32::new(f32::NAN, 0.0);
                }
            }
        }
    }
    let (table, report) = run(&b, na, &params(Term::B)).unwrap();
    let w = &table.windows[0];
    for ((_, a, f, r), flag) in w.flag_tafr.indexed_iter() {
        assert_eq!(*flag, a == 3 || f == 2 || (a == 5 && r == 1), "{a} {f} {r}");
        assert!(w.value_tafr[[0, a, f, r]].norm().is_finite());
        if *flag {
            assert_eq!(w.value_tafr[[0, a, f, r]], Complex64::new(1.0, 0.0));
        }
    }
    assert_eq!(report.dead, ["4"]);
    assert_eq!(report.working_receptors, 11);
}

#[test]
fn nothing_to_solve_says_why() {
    let mut b = block(5, 2, 16);
    b.flag_rfp.fill(true);
    let error = run(&b, 5, &params(Term::B)).unwrap_err();
    assert!(error.to_string().contains("100.0 % are flagged"), "{error}");
    assert_eq!(error.kind(), ErrorKind::Data);
    let mut b = block(5, 2, 16);
    b.model_rfp = Some(Array3::zeros(b.vis_rfp.dim()));
    let text = run(&b, 5, &params(Term::B)).unwrap_err().to_string();
    assert!(text.contains("MODEL_DATA") && text.contains("contimg model"), "{text}");
    let error = run(&block(4, 2, 16), 4, &params(Term::B)).unwrap_err();
    assert!(error.to_string().contains("fewer than 5 antennas"), "{error}");
    assert_eq!(error.kind(), ErrorKind::Unconverged);
    assert!(run(&block(1, 1, 16), 1, &params(Term::G)).is_err());
    assert!(run(&block(5, 2, 16), 5, &SolveParams { refant: vec![9], ..params(Term::B) }).is_err());
}

#[test]
fn delays_are_recovered() {
    let (na, nf) = (6, 48);
    let delay_ns = [0.0, 12.5, -8.25, 140.0, -3.0, 1.0];
    let gain = Array4::from_shape_fn((TIMES, na, nf, 2), |(_, a, f, r)| {
        let freq = 1.311e9 + 244_140.625 * f as f64;
        Complex64::cis(
            std::f64::consts::TAU * freq * 1e-9 * delay_ns[a] * (1.0 - 0.5 * r as f64) + 0.4 * a as f64,
        )
    });
    let mut b = block(na, nf, 17);
    corrupt(&mut b, &gain, 0.05, 18);
    let (table, _) = run(&b, na, &SolveParams { minsnr: 5.0, ..params(Term::K) }).unwrap();
    let w = &table.windows[0];
    assert_eq!(w.freq_hz.len(), 1);
    for ((t, a, f, r), value) in w.value_tafr.indexed_iter() {
        let error = f64::from(w.error_tafr[[t, a, f, r]]);
        let off = value.re - delay_ns[a] * (1.0 - 0.5 * r as f64);
        // sigma = 0.05 / 2 over 20 samples and 48 channels of 11.7 MHz: 0.04 ns.
        assert!(
            !w.flag_tafr[[t, a, f, r]] && off.abs() < 6.0 * error && error < 0.1,
            "{a} {r}: {off} {error}"
        );
    }
}

#[test]
fn an_outlying_baseline_is_held_down() {
    let na = 10;
    let truth = random_gains(na, 1, 19);
    let mut b = block(na, 1, 20);
    corrupt(&mut b, &truth, 0.02, 21);
    for row in 0..b.rows.len() {
        if (b.rows.antenna1[row], b.rows.antenna2[row]) == (2, 7) {
            b.vis_rfp.index_axis_mut(ndarray::Axis(0), row).mapv_inplace(|v| v * 8.0);
        }
    }
    let off = |robust| {
        let (table, _) = run(&b, na, &SolveParams { robust, ..params(Term::G) }).unwrap();
        (table.windows[0].value_tafr[[0, 2, 0, 0]].norm() - truth[[0, 2, 0, 0]].norm()).abs()
    };
    let (plain, huber, student) = (off(Robust::Off), off(Robust::Huber(1.345)), off(Robust::StudentT(4.0)));
    // Huber's weights bound an outlier's pull but never end it; Student's end it.
    assert!(plain > 0.1 && huber < 0.2 * plain && student < 0.02, "{plain} {huber} {student}");
}

#[test]
fn solving_then_applying_returns_the_model() {
    let (na, nf) = (8, 6);
    let truth = random_gains(na, nf, 22);
    let mut b = block(na, nf, 23);
    corrupt(&mut b, &truth, 0.0, 24);
    let (bandpass, _) = run(&b, na, &SolveParams { solnorm: true, ..params(Term::B) }).unwrap();
    let times: Vec<f64> = (0..TIMES).map(|t| 5e9 + 12.885 * t as f64).collect();
    let per_time = b.rows.len() / TIMES;
    let time_of_row: Vec<usize> = (0..b.rows.len()).map(|r| r / per_time).collect();
    let grid = evaluate(&[Applied::new(&bandpass)], 0, &b.channels.freq_hz, &times, na, 2).unwrap();
    // The gain on top of the normalised bandpass.
    let keys: Vec<RowKey> =
        (0..b.rows.len()).map(|k| RowKey { time_mjd_s: b.rows.time_mjd_s[k], ..RowKey::default() }).collect();
    let intervals = Intervals::new(keys.iter().copied(), Solint::Integration, Combine::default()).unwrap();
    let of_row: Vec<_> = keys.iter().map(|k| intervals.of(k)).collect();
    let control = Control::new();
    let mut sums = Sums::new(na, intervals.len(), 1, 2).unwrap();
    sums.add(
        &b,
        &of_row,
        UvRange::default(),
        Some(Corruption { grid: &grid, time_of_row: &time_of_row }),
        &control,
    )
    .unwrap();
    let window = WindowSums { spw: 0, freq_hz: vec![1.3116e9], width_hz: vec![1.5e6], sums: &sums };
    let (gain, _) = solve(shell(na), &[window], &intervals, &params(Term::G), &control).unwrap();
    assert_eq!(gain.windows[0].slots.len(), TIMES);
    let both =
        evaluate(&[Applied::new(&bandpass), Applied::new(&gain)], 0, &b.channels.freq_hz, &times, na, 2)
            .unwrap();
    let mut corrected = b.clone();
    let stats = apply(
        &mut corrected,
        Corruption { grid: &both, time_of_row: &time_of_row },
        ApplyOptions::default(),
        &control,
    )
    .unwrap();
    assert_eq!(stats.without_solution, 0);
    for ((at, v), m) in corrected.vis_rfp.indexed_iter().zip(b.model_rfp.as_ref().unwrap()) {
        let auto = b.rows.antenna1[at.0] == b.rows.antenna2[at.0];
        assert!(auto || (v - m).norm() < 1e-5, "{at:?} {v} {m}");
    }
    let g = both.gain_tafr[[0, 0, 0, 0]].norm_sqr() * both.gain_tafr[[0, 1, 0, 0]].norm_sqr();
    assert!((f64::from(corrected.weight_rfp[[1, 0, 0]]) / g - 1.0).abs() < 1e-5);
}

#[test]
fn gaps_are_bridged_and_slopes_survive_smoothing() {
    use crate::gains::{Slot, WindowGains};
    let nf = 9;
    let mut w = WindowGains::flagged(Term::B, 0, vec![1e9; nf], vec![1.0; nf], vec![Slot::default()], 1, 1);
    for f in 0..nf {
        w.value_tafr[[0, 0, f, 0]] = Complex64::from_polar(1.0 + 0.1 * f as f64, 0.3 * f as f64);
        w.flag_tafr[[0, 0, f, 0]] = (2..=4).contains(&f) || f == 8;
    }
    let truth = w.value_tafr.clone();
    w.value_tafr[[0, 0, 3, 0]] = Complex64::new(99.0, 0.0);
    bandpass::fill_gaps(&mut w, 2);
    assert!(w.flag_tafr[[0, 0, 3, 0]]);
    bandpass::fill_gaps(&mut w, 3);
    assert!(!w.flag_tafr[[0, 0, 3, 0]] && w.flag_tafr[[0, 0, 8, 0]]);
    for s in
        [bandpass::Smoothing::Hanning, bandpass::Smoothing::Boxcar(5), bandpass::Smoothing::Gaussian(2.0)]
    {
        let mut smoothed = w.clone();
        bandpass::smooth(&mut smoothed, s);
        for f in 0..8 {
            assert!((smoothed.value_tafr[[0, 0, f, 0]] - truth[[0, 0, f, 0]]).norm() < 1e-12, "{s:?} {f}");
        }
    }
}

/// A smooth bandpass with a delay under noise: the polynomial keeps the shape, and its quoted error is its scatter.
#[test]
fn a_polynomial_takes_the_noise_down_as_it_says() {
    use crate::gains::{Slot, WindowGains};
    let (nf, trials, sigma) = (48, 400, 0.02);
    let mut random = rng(11);
    let truth = |f: usize| {
        let x = 2.0 * f as f64 / (nf - 1) as f64 - 1.0;
        Complex64::from_polar(1.0 + 0.2 * x - 0.1 * x * x, 1.2 * f as f64)
    };
    let mut w =
        WindowGains::flagged(Term::B, 0, vec![1e9; nf], vec![1.0; nf], vec![Slot::default()], trials, 1);
    w.error_tafr.fill(sigma as f32);
    for a in 0..trials {
        for f in (0..nf).filter(|f| *f != 7) {
            let noise = Complex64::new(normal(&mut random), normal(&mut random)) * sigma;
            w.value_tafr[[0, a, f, 0]] = truth(f) + noise;
            w.flag_tafr[[0, a, f, 0]] = false;
        }
    }
    bandpass::smooth(&mut w, bandpass::Smoothing::Polynomial(3));
    let (mut sum, mut n) = (0.0, 0.0);
    for a in 0..trials {
        assert!(w.flag_tafr[[0, a, 7, 0]]);
        for f in (0..nf).filter(|f| *f != 7) {
            let at = [0, a, f, 0];
            let error = f64::from(w.error_tafr[at]);
            assert!(error < 0.6 * sigma, "{f} {error}");
            sum += (w.value_tafr[at] - truth(f)).norm_sqr() / (2.0 * error * error);
            n += 1.0;
        }
    }
    // 400 x 4 complex coefficients: the mean of chi-square is known to 1 / sqrt(2 * 1600 / 2) = 2.5 %; 10 % is four sigma.
    assert!((sum / n - 1.0).abs() < 0.1, "{}", sum / n);
    assert_eq!(bandpass::Smoothing::parse("polynomial", Some(2.0)), Some(bandpass::Smoothing::Polynomial(2)));
    assert!(bandpass::Smoothing::parse("polynomial", Some(2.5)).is_none());
}

/// No unbiased estimate scatters less than the Cramer-Rao bound, and least squares reaches it.
///
/// For `V_ij = g_i M conj(g_j)` with noise sigma a component and `g = exp(a + i phi)`, the information of a baseline is
/// `q_ij = sum |g_i g_j M|^2 / sigma^2` on `a_i + a_j` and on `phi_i - phi_j`. With the reference's phase known, the bounds are the
/// diagonals of the inverses of the two matrices.
#[test]
fn the_scatter_is_the_cramer_rao_bound() {
    let (na, nf, sigma) = (12, 600, 0.3);
    let gains = random_gains(na, 1, 40);
    let truth = Array4::from_shape_fn((TIMES, na, nf, 2), |(t, a, _, _)| gains[[t, a, 0, 0]]);
    let mut b = block(na, nf, 41);
    // One model for all channels: each is then a trial of its own.
    let model = b.model_rfp.clone().unwrap();
    let model = Array3::from_shape_fn(model.dim(), |(row, _, _)| model[[row, 0, 0]]);
    b.model_rfp = Some(model.clone());
    corrupt(&mut b, &truth, sigma, 42);
    let (table, _) = run(&b, na, &SolveParams { minsnr: 0.0, ..params(Term::B) }).unwrap();
    let (mut sum, mut difference) = (vec![0.0; na * na], vec![0.0; (na - 1) * (na - 1)]);
    for row in 0..b.rows.len() {
        let (i, j) = (b.rows.antenna1[row] as usize, b.rows.antenna2[row] as usize);
        if i == j {
            continue;
        }
        let v =
            gains[[0, i, 0, 0]].norm() * gains[[0, j, 0, 0]].norm() * f64::from(model[[row, 0, 0]].norm());
        let q = (v / sigma).powi(2);
        for (a, b) in [(i, i), (j, j), (i, j), (j, i)] {
            sum[a * na + b] += q;
            // Antenna 0 is the reference.
            if a > 0 && b > 0 {
                difference[(a - 1) * (na - 1) + b - 1] += if a == b { q } else { -q };
            }
        }
    }
    let bound_amp = crate::math::linear::Cholesky::new(&sum, na).unwrap().inverse();
    let bound_phase = crate::math::linear::Cholesky::new(&difference, na - 1).unwrap().inverse();
    let (mut amp, mut phase, mut n) = (0.0, 0.0, 0.0);
    for ((_, a, _, _), g) in table.windows[0].value_tafr.indexed_iter().filter(|((_, a, ..), _)| *a > 0) {
        let want = gains[[0, a, 0, 0]] * gains[[0, 0, 0, 0]].conj() / gains[[0, 0, 0, 0]].norm();
        amp += (g.norm() / want.norm()).ln().powi(2) / bound_amp[a * na + a];
        phase += (g * want.conj()).arg().powi(2) / bound_phase[(a - 1) * (na - 1) + a - 1];
        n += 1.0;
    }
    let (amp, phase): (f64, f64) = (f64::sqrt(amp / n), f64::sqrt(phase / n));
    // 1200 trials of 11 antennas; phases share the reference's error: 1 / sqrt(2 * 1200 * 2) = 1.4 %. The bound is for small noise: SNR
    // 30 and more leave 1e-3.
    assert!((amp - 1.0).abs() < 0.05 && (phase - 1.0).abs() < 0.05, "{amp} {phase}");
}

/// Noise-free data give the gains to the last digits of single precision.
#[test]
fn noise_free_gains_are_exact_to_a_hundred_thousandth() {
    let (na, nf) = (24, 16);
    for term in [Term::B, Term::G] {
        let gains = random_gains(na, nf, 50);
        let truth = Array4::from_shape_fn(gains.dim(), |(t, a, f, r)| {
            gains[[t, a, if term == Term::G { 0 } else { f }, r]]
        });
        let mut b = block(na, nf, 51);
        corrupt(&mut b, &truth, 0.0, 52);
        let (table, report) = run(&b, na, &params(term)).unwrap();
        assert_eq!((report.failed, report.accepted, report.below_minsnr), (0, 0, 0));
        for ((_, a, f, r), g) in table.windows[0].value_tafr.indexed_iter() {
            let reference = truth[[0, 0, f, r]];
            let want = truth[[0, a, f, r]] * reference.conj() / reference.norm();
            assert!((g - want).norm() < 1e-5 * want.norm(), "{term:?} {a} {f} {r}: {g} {want}");
        }
    }
}

/// Wide sums and careful ones are the same sums, whatever is flagged, without weight or without a model.
#[test]
fn wide_sums_are_the_careful_sums() {
    use super::accumulate::{Accumulator, Corrupting, RowSamples, CELL};
    use super::lanes::{Lanes, Row, LANES};
    let (n, rows, hands) = (24, 7, 2);
    if !Lanes::fit(n, hands) {
        return;
    }
    let mut random = rng(60);
    let mut complex = || Complex32::new(normal(&mut random) as f32, normal(&mut random) as f32);
    let vis: Vec<Complex32> = (0..n * rows).map(|_| complex()).collect();
    let mut model: Vec<Complex32> = (0..n * rows).map(|_| complex()).collect();
    let mut gains: Vec<Corrupting> = Vec::new();
    for _ in 0..2 {
        let narrow: Vec<Complex32> =
            (0..n).map(|k| if k == 9 { Complex32::default() } else { complex() }).collect();
        let (re, im) = narrow.iter().map(|z| (f64::from(z.re), f64::from(z.im))).unzip();
        gains.push(Corrupting { re, im, narrow });
    }
    let mut weight: Vec<f32> = (0..n * rows).map(|k| 0.5 + (k % 5) as f32).collect();
    let mut flag: Vec<bool> = (0..n * rows).map(|k| k % 11 == 3 || (n..2 * n).contains(&k)).collect();
    (model[5], model[60], weight[40], weight[77]) =
        (Complex32::default(), Complex32::default(), 0.0, f32::NAN);
    flag[100] = true;
    let samples = |row: usize| RowSamples {
        vis: &vis[row * n..(row + 1) * n],
        model: &model[row * n..(row + 1) * n],
        weight: &weight[row * n..(row + 1) * n],
        flag: &flag[row * n..(row + 1) * n],
    };
    for corrupted in [false, true] {
        for whole in [false, true] {
            let with = corrupted.then_some((&gains[0], &gains[1]));
            let mut lanes = Lanes::default();
            let wide: Vec<Row<'_>> = (0..rows)
                .map(|r| Row {
                    samples: samples(r),
                    gains: with.map(|(a, b)| (&a.narrow[..], &b.narrow[..])),
                })
                .collect();
            assert!(lanes.add(&wide, n, whole));
            let mut acc = Accumulator::new(n);
            let mut used = Vec::new();
            for r in 0..rows {
                acc.load(samples(r), hands, None);
                used.push(acc.add(with) as u32);
            }
            assert_eq!(lanes.used, used);
            let (bin, cells) = if whole { (n / hands, hands) } else { (1, n) };
            let mut want = vec![0.0; cells * CELL];
            acc.flush(&mut want, &[0, 1], bin, hands);
            let mut found = vec![0.0; cells * CELL];
            for (k, sums) in lanes.sums.chunks_exact(CELL).enumerate() {
                let cell = if whole { k % LANES % hands } else { k };
                found[cell * CELL..(cell + 1) * CELL].iter_mut().zip(sums).for_each(|(a, b)| *a += b);
            }
            for (a, b) in found.iter().zip(&want) {
                // The corrupted model is formed in single precision.
                assert!((a - b).abs() < 1e-5 * b.abs().max(1.0), "{corrupted} {whole}: {a} {b}");
            }
        }
    }
    // A sample that is no number is left to the careful way.
    let broken = vec![Complex32::new(f32::NAN, 0.0); n];
    let row = Row { samples: RowSamples { vis: &broken, ..samples(0) }, gains: None };
    assert!(!Lanes::default().add(&[row], n, false));
}
