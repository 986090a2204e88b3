#![allow(clippy::unwrap_used, clippy::expect_used)]
use num_complex::Complex64;

use super::*;

fn table(
    term: Term,
    times: &[f64],
    freq_hz: &[f64],
    na: usize,
    value: impl Fn(usize, usize, usize, usize) -> Complex64,
) -> GainTable {
    let slots = times.iter().map(|t| Slot { time_mjd_s: *t, ..Slot::default() }).collect();
    let mut window = WindowGains::flagged(term, 0, freq_hz.to_vec(), vec![2e8; freq_hz.len()], slots, na, 2);
    for ((t, a, f, r), v) in window.value_tafr.indexed_iter_mut() {
        *v = value(t, a, f, r);
    }
    window.flag_tafr.fill(false);
    GainTable {
        term,
        name: "test".into(),
        antennas: vec![Antenna::default(); na],
        fields: Vec::new(),
        observation: Observation::default(),
        windows: vec![window],
        history: Vec::new(),
    }
}

fn cis(x: f64) -> Complex64 {
    Complex64::cis(x)
}

#[test]
fn referencing_keeps_what_data_see() {
    let mut t = table(Term::G, &[0.0, 10.0], &[1.4e9], 4, |t, a, _, r| {
        cis((t + 3 * a) as f64 + 0.3 * r as f64) * (1.0 + a as f64)
    });
    let before = t.windows[0].value_tafr.clone();
    reference(&mut t, &[2], RefAntMode::Strict).unwrap();
    let after = &t.windows[0].value_tafr;
    for s in 0..2 {
        for r in 0..2 {
            assert!(after[[s, 2, 0, r]].arg().abs() < 1e-15);
            for (i, j) in [(0, 1), (1, 3), (0, 2)] {
                let product = |g: &ndarray::Array4<Complex64>| g[[s, i, 0, r]] * g[[s, j, 0, r]].conj();
                assert!((product(after) - product(&before)).norm() < 1e-13);
            }
        }
    }
    assert!(t.windows[0].slots.iter().all(|s| s.refant == 2));
}

#[test]
fn a_missing_reference_is_flagged_or_replaced_without_a_seam() {
    let make = || {
        let mut t = table(Term::B, &[0.0], &[1.0e9, 1.1e9, 1.2e9, 1.3e9], 3, |_, a, f, _| {
            cis(0.4 * a as f64 + 2.0 * f as f64)
        });
        t.windows[0].flag_tafr[[0, 0, 3, 0]] = true;
        t
    };
    let mut strict = make();
    reference(&mut strict, &[0], RefAntMode::Strict).unwrap();
    assert!(strict.windows[0].flag_tafr[[0, 1, 3, 0]] && !strict.windows[0].flag_tafr[[0, 1, 3, 1]]);
    let mut flex = make();
    reference(&mut flex, &[0, 1], RefAntMode::Flex).unwrap();
    let g = &flex.windows[0].value_tafr;
    for f in 0..4 {
        // The common phase 2 f is gone and antenna differences stay, whoever was the reference.
        assert!((g[[0, 1, f, 0]] - cis(0.4)).norm() < 1e-14, "{f}");
        assert!((g[[0, 2, f, 0]] - cis(0.8)).norm() < 1e-14, "{f}");
    }
    assert!(reference(&mut flex, &[7], RefAntMode::Flex).is_err());
    assert!(reference(&mut flex, &[], RefAntMode::Flex).is_err());
}

#[test]
fn one_antenna_is_the_reference_of_both_receptors() {
    let mut t = table(Term::G, &[0.0, 10.0], &[1.4e9], 3, |t, a, _, r| cis((t + 2 * a + 3 * r) as f64));
    // The preferred antenna has lost a receptor: the next one serves both, as in CASA.
    t.windows[0].flag_tafr.slice_mut(ndarray::s![.., 0, .., 1]).fill(true);
    reference(&mut t, &[0, 1], RefAntMode::Flex).unwrap();
    let w = &t.windows[0];
    assert!((0..2).all(|s| (0..2).all(|r| w.value_tafr[[s, 1, 0, r]].arg().abs() < 1e-15)));
    assert!(w.slots.iter().all(|s| s.refant == 1));
    // Where no antenna has both, each receptor has its own.
    t.windows[0].flag_tafr.slice_mut(ndarray::s![.., 1.., .., 0]).fill(true);
    t.windows[0].flag_tafr.slice_mut(ndarray::s![.., 0, .., 0]).fill(false);
    reference(&mut t, &[0, 1], RefAntMode::Flex).unwrap();
    let w = &t.windows[0];
    assert!(w.value_tafr[[0, 0, 0, 0]].arg().abs() < 1e-15 && w.value_tafr[[0, 1, 0, 1]].arg().abs() < 1e-15);
    assert!(!w.flag_tafr[[0, 0, 0, 0]] && !w.flag_tafr[[0, 2, 0, 1]]);
}

#[test]
fn a_delay_is_a_phase_slope() {
    let t = table(Term::K, &[0.0], &[1.4e9], 2, |_, a, _, _| Complex64::new(5.0 * a as f64, 0.0));
    let grid = evaluate(&[Applied::new(&t)], 0, &[1.35e9, 1.45e9], &[3.0], 2, 2).unwrap();
    let turn = grid.gain_tafr[[0, 1, 1, 0]] * grid.gain_tafr[[0, 1, 0, 0]].conj();
    // 5 ns over 100 MHz is half a turn.
    assert!((turn - Complex64::new(-1.0, 0.0)).norm() < 1e-9);
    assert_eq!(grid.gain_tafr[[0, 0, 1, 0]], Complex64::new(1.0, 0.0));
}

#[test]
fn time_interpolation_takes_the_shorter_arc_and_flags_what_it_would_touch() {
    let mut t = table(Term::G, &[0.0, 10.0, 20.0], &[1.4e9], 1, |t, _, _, _| {
        cis(3.0 + 0.2 * t as f64) * (1.0 + t as f64)
    });
    let at = |t: &GainTable, s: f64, how: &str| {
        evaluate(&[Applied::new(t).with_interp(how).unwrap()], 0, &[1.4e9], &[s], 1, 2).unwrap().gain_tafr
            [[0, 0, 0, 0]]
    };
    assert!((at(&t, 5.0, "linear") - cis(3.1) * 1.5).norm() < 1e-12);
    assert!((at(&t, 4.0, "nearest") - cis(3.0)).norm() < 1e-12);
    assert!((at(&t, -50.0, "linear") - cis(3.0)).norm() < 1e-12);
    t.windows[0].flag_tafr[[1, 0, 0, 0]] = true;
    // As CASA: the slot itself, the nearest slot, or either neighbour.
    let flagged = |s: f64, how: &str| {
        evaluate(&[Applied::new(&t).with_interp(how).unwrap()], 0, &[1.4e9], &[s], 1, 2).unwrap().flag_tafr
            [[0, 0, 0, 0]]
    };
    assert!(flagged(10.0, "linear") && flagged(4.0, "linear") && flagged(6.0, "nearest"));
    assert!(!flagged(4.0, "nearest") && !flagged(0.0, "linear") && !flagged(25.0, "linear"));
    assert!(Applied::new(&t).with_interp("cubic").is_err());
}

#[test]
fn flags_and_windows_are_honoured() {
    let mut t = table(Term::B, &[0.0], &[1.3e9, 1.5e9], 2, |_, _, f, _| Complex64::new(1.0 + f as f64, 0.0));
    t.windows[0].flag_tafr[[0, 1, 1, 0]] = true;
    let data = [1.3e9, 1.38e9, 1.42e9];
    let grid = evaluate(&[Applied::new(&t), Applied::new(&t)], 5, &data, &[0.0], 2, 2).unwrap();
    assert!((grid.gain_tafr[[0, 0, 1, 0]].re - 1.4f64.powi(2)).abs() < 1e-12);
    assert!(!grid.flag_tafr[[0, 1, 1, 0]] && grid.flag_tafr[[0, 1, 2, 0]] && !grid.flag_tafr[[0, 1, 2, 1]]);
    assert_eq!(grid.gain_tafr[[0, 1, 2, 0]], Complex64::new(1.0, 0.0));
    // CASA's words without 'flag' bridge flagged channels from the good ones.
    let bridging = Applied::new(&t).with_interp("linear,linear").unwrap();
    let bridged = evaluate(&[bridging], 5, &data, &[0.0], 2, 2).unwrap();
    assert!(!bridged.flag_tafr[[0, 1, 2, 0]] && (bridged.gain_tafr[[0, 1, 2, 0]].re - 1.0).abs() < 1e-12);
    let other_band = evaluate(&[Applied::new(&t)], 0, &[3.0e9], &[0.0], 2, 2).unwrap_err().to_string();
    assert!(other_band.contains("3000.000 MHz") && other_band.contains("test"), "{other_band}");
    let mut mapped = Applied::new(&t);
    mapped.spwmap = vec![0; 6];
    assert!(evaluate(&[mapped], 5, &[3.0e9], &[0.0], 2, 2).is_ok());
    assert!(evaluate(&[Applied::new(&t)], 0, &data, &[0.0], 3, 2).is_err());
}

#[test]
fn dead_receptors_do_not_count() {
    let mut t = table(Term::B, &[0.0], &[1.3e9, 1.5e9], 3, |_, _, _, _| Complex64::new(1.0, 0.0));
    t.windows[0].flag_tafr.slice_mut(ndarray::s![.., 2, .., ..]).fill(true);
    t.windows[0].flag_tafr[[0, 0, 0, 1]] = true;
    assert_eq!(t.working_flagged_fraction(), (1.0 / 8.0, 4));
}
