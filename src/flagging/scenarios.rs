//! Simulated planes with truth: what the RFI step finds and what it flags wrongly, scenario by scenario.
//!
//! `cargo test --release --lib flagging::scenarios -- --ignored --nocapture` prints a table;
//! `RFI_SEED=n` takes other random numbers, `RFI_ONLY=word` only the scenarios with that word.
//!
//! Counted are (sample, both products): *found* of those with interference above 3 sigma of a component in connected pieces of eight or
//! more on their baseline, *false* of those without any interference. Nothing beside interference is exempt.

use std::f32::consts::TAU;

use ndarray::Array3;
use num_complex::Complex32;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

use super::{run, Context, Step};
use crate::control::Control;
use crate::vis::{Channels, Product, Rows, VisBlock};

const C_M_S: f64 = 299_792_458.0;
/// Turn of the Earth in an integration \[rad\].
const DRIFT: f64 = 7.292_115e-5 * 12.885;

/// What is observed.
#[derive(Clone, Debug)]
struct Scenario {
    antennas: usize,
    times: usize,
    channels: usize,
    products: usize,
    /// Sources within 1.2 degrees of the phase centre (the first one at an offset too) \[sigma of a component\].
    sky: Vec<f32>,
    /// Noise of a component; 0 leaves the sources alone.
    noise: f32,
    /// Ripples of the antennas' bandpasses (complex, channel by channel), and spread of their gains.
    ripple: f32,
    spread: f32,
    events: usize,
    kinds: &'static [Kind],
    /// Amplitudes, log-uniform \[sigma of a component\].
    strength: (f32, f32),
    /// One baseline of so many sees an event.
    every: usize,
    /// Interference in the first product only.
    one_hand: bool,
    /// Flagged before.
    flagged: f32,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Line,
    Burst,
    Chirp,
    Patch,
    /// A line, a burst or a patch on baselines below 150 m.
    Leak,
}

const ALL: &[Kind] = &[Kind::Line, Kind::Burst, Kind::Chirp, Kind::Patch, Kind::Leak];

impl Default for Scenario {
    fn default() -> Self {
        Self {
            antennas: 14,
            times: 24,
            channels: 48,
            products: 2,
            sky: Vec::new(),
            noise: 1.0,
            ripple: 0.0,
            spread: 0.1,
            events: 6,
            kinds: ALL,
            strength: (3.05, 30.0),
            every: 1,
            one_hand: false,
            flagged: 0.0,
        }
    }
}

/// Counts: to be found, found, clean, flagged of the clean, all.
#[derive(Clone, Copy, Debug, Default)]
struct Score([f64; 5]);

impl Score {
    fn found(self) -> f64 {
        self.0[1] / self.0[0].max(1.0)
    }

    fn wrong(self) -> f64 {
        self.0[3] / self.0[2].max(1.0)
    }
}

/// One event: which (time, channel), its amplitude, which baselines, how its phase goes.
struct Event {
    inside: Vec<bool>,
    strength: f32,
    short: bool,
    only: usize,
    phase: u64,
}

fn event(s: &Scenario, rng: &mut ChaCha8Rng) -> Event {
    let (nt, nf) = (s.times, s.channels);
    let mut kind = s.kinds[rng.random_range(0..s.kinds.len())];
    let short = kind == Kind::Leak;
    if short {
        kind = [Kind::Line, Kind::Burst, Kind::Patch][rng.random_range(0..3)];
    }
    let span = |rng: &mut ChaCha8Rng, least: usize, most: usize, n: usize| {
        let (least, most) = (least.min(n).max(1), most.min(n).max(1));
        let length = rng.random_range(least..=most);
        let from = rng.random_range(0..=n - length);
        from..from + length
    };
    let mut inside = vec![false; nt * nf];
    let mut fill = |ts: std::ops::Range<usize>, fs: std::ops::Range<usize>| {
        for t in ts {
            inside[t * nf + fs.start..t * nf + fs.end].fill(true);
        }
    };
    match kind {
        Kind::Line => {
            let ts = if rng.random::<bool>() { 0..nt } else { span(rng, nt / 3, nt, nt) };
            fill(ts, span(rng, 1, 4, nf));
        }
        Kind::Burst => fill(span(rng, 1, 2, nt), span(rng, nf / 4, nf, nf)),
        Kind::Chirp => {
            let ts = span(rng, nt / 2, nt, nt);
            let wide = 3.min(nf);
            let (from, to) = (rng.random_range(0..=nf - wide), rng.random_range(0..=nf - wide));
            for (k, t) in ts.clone().enumerate() {
                let at = from as f32 + (to as f32 - from as f32) * k as f32 / ts.len() as f32;
                fill(t..t + 1, at as usize..at as usize + wide);
            }
        }
        Kind::Patch | Kind::Leak => fill(span(rng, 3, 10, nt), span(rng, 3, 10, nf)),
    }
    let (low, high) = s.strength;
    Event {
        inside,
        strength: low * (high / low).powf(rng.random::<f32>()),
        short,
        only: rng.random_range(0..s.every.max(1)),
        phase: rng.random_range(0..u64::MAX),
    }
}

fn normal(rng: &mut ChaCha8Rng) -> f32 {
    rng.sample(StandardNormal)
}

/// The block and, by (row, channel), the interference's amplitude; below 0 where there is none.
fn make(s: &Scenario, seed: u64) -> (VisBlock, Array3<f32>) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let (na, nt, nf, np) = (s.antennas, s.times, s.channels, s.products);
    let place: Vec<[f64; 3]> = (0..na)
        .map(|_| {
            [350.0, 200.0, 20.0].map(|size: f64| {
                let x: f64 = rng.sample(StandardNormal);
                size * x
            })
        })
        .collect();
    let sources: Vec<(f64, f64)> = s
        .sky
        .iter()
        .map(|_| (0.021 * (2.0 * rng.random::<f64>() - 1.0), 0.021 * (2.0 * rng.random::<f64>() - 1.0)))
        .collect();
    let gain: Vec<Complex32> = (0..na * np * nf)
        .map(|_| Complex32::new(1.0 + s.ripple * normal(&mut rng), s.ripple * normal(&mut rng)))
        .collect();
    let level: Vec<Complex32> = (0..na * np)
        .map(|_| Complex32::from_polar(1.0 + s.spread * normal(&mut rng), TAU * rng.random::<f32>()))
        .collect();
    let events: Vec<Event> = (0..s.events).map(|_| event(s, &mut rng)).collect();
    let mut rows = Rows::default();
    for t in 0..nt {
        for i in 0..na {
            for j in i + 1..na {
                rows.time_mjd_s.push(5e9 + 12.885 * t as f64);
                rows.interval_s.push(12.885);
                rows.antenna1.push(i as u32);
                rows.antenna2.push(j as u32);
                rows.field.push(t as u32);
                rows.uvw_m.push(std::array::from_fn(|k| place[i][k] - place[j][k]));
            }
        }
    }
    let freq_hz: Vec<f64> = (0..nf).map(|k| 1.4e9 + 244_140.625 * k as f64).collect();
    let shape = (rows.len(), nf, np);
    let mut vis = Array3::<Complex32>::zeros(shape);
    let mut truth = Array3::from_elem((rows.len(), nf, 1), -1.0f32);
    for r in 0..rows.len() {
        let (i, j) = (rows.antenna1[r] as usize, rows.antenna2[r] as usize);
        let (t, [u, v, w]) = (rows.field[r] as usize, rows.uvw_m[r]);
        let pair = (i * na + j) as u64;
        let length = (u * u + v * v + w * w).sqrt();
        for (f, hz) in freq_hz.iter().enumerate() {
            let turns = hz / C_M_S;
            let mut sky = Complex32::new(0.0, 0.0);
            for (flux, (l, m)) in s.sky.iter().zip(&sources) {
                let l = l + DRIFT * 0.84 * (t as f64 - 0.5 * nt as f64);
                let n = (1.0 - l * l - m * m).sqrt() - 1.0;
                let phase = std::f64::consts::TAU * turns * (u * l + v * m + w * n);
                let smear = std::f64::consts::PI * turns * u * DRIFT * 0.84;
                let loss = if smear.abs() < 1e-9 { 1.0 } else { smear.sin() / smear };
                sky += Complex32::from_polar(flux * loss as f32, (phase % std::f64::consts::TAU) as f32);
            }
            let mut rfi = Complex32::new(0.0, 0.0);
            let mut touched = false;
            for e in &events {
                let here = e.inside[t * nf + f]
                    && (!e.short || length < 150.0)
                    && pair as usize % s.every.max(1) == e.only;
                if here {
                    touched = true;
                    // One phase a baseline with a drift of its own, or one a sample.
                    let mut turn = (pair.wrapping_mul(e.phase | 1) >> 40) as f32 / 16_777_216.0;
                    if e.phase % 2 == 0 {
                        turn += t as f32
                            * ((pair.wrapping_mul(e.phase ^ 0x5555) >> 44) as f32 / 1_048_576.0 - 0.5);
                    } else {
                        turn = rng.random();
                    }
                    rfi += Complex32::from_polar(e.strength, TAU * turn);
                }
            }
            if touched {
                truth[[r, f, 0]] = rfi.norm();
            }
            for p in 0..np {
                let gain = gain[(i * np + p) * nf + f]
                    * gain[(j * np + p) * nf + f].conj()
                    * level[i * np + p]
                    * level[j * np + p].conj();
                let noise = Complex32::new(normal(&mut rng), normal(&mut rng)) * s.noise;
                let rfi = if s.one_hand && p > 0 { Complex32::new(0.0, 0.0) } else { rfi };
                vis[[r, f, p]] = (sky + noise + rfi) * gain;
            }
        }
    }
    let flag = Array3::from_shape_fn((rows.len(), nf, 1), |_| rng.random::<f32>() < s.flagged);
    let block = VisBlock {
        channels: Channels { spw: 0, width_hz: vec![244_140.625; nf], freq_hz },
        products: [Product::XX, Product::YY][..np].to_vec(),
        weight_rfp: Array3::ones(shape),
        flag_rfp: Array3::from_shape_fn(shape, |(r, f, _)| flag[[r, f, 0]]),
        vis_rfp: vis,
        model_rfp: None,
        rows,
    };
    (block, truth)
}

/// Run the step and count.
fn score(s: &Scenario, seed: u64) -> Score {
    let (mut block, truth) = make(s, seed);
    let before = block.flag_rfp.clone();
    let step = [Step::Rfi(super::rfi::RfiParams::default())];
    run(&mut block, &step, Context::default(), &Control::new()).unwrap();
    let (nt, nf) = (s.times, s.channels);
    let baselines = s.antennas * (s.antennas - 1) / 2;
    let mut out = Score::default();
    for b in 0..baselines {
        let row = |t: usize| t * baselines + b;
        let bad: Vec<bool> = (0..nt * nf).map(|k| truth[[row(k / nf), k % nf, 0]] >= 3.0).collect();
        let large = pieces(&bad, (nt, nf));
        for k in 0..nt * nf {
            let at = [row(k / nf), k % nf, 0];
            if before[at] {
                continue;
            }
            let flagged = f64::from(u8::from(block.flag_rfp[at]));
            out.0[4] += 1.0;
            if large[k] {
                out.0[0] += 1.0;
                out.0[1] += flagged;
            } else if truth[at] < 0.0 {
                out.0[2] += 1.0;
                out.0[3] += flagged;
            }
        }
    }
    out
}

/// Samples in connected pieces of eight or more.
fn pieces(bad: &[bool], (nt, nf): (usize, usize)) -> Vec<bool> {
    let mut seen = vec![false; bad.len()];
    let mut large = vec![false; bad.len()];
    for start in 0..bad.len() {
        if !bad[start] || seen[start] {
            continue;
        }
        seen[start] = true;
        let mut piece = vec![start];
        let mut at = 0;
        while at < piece.len() {
            let (t, f) = (piece[at] / nf, piece[at] % nf);
            let near = [
                (t > 0).then(|| piece[at] - nf),
                (t + 1 < nt).then(|| piece[at] + nf),
                (f > 0).then(|| piece[at] - 1),
                (f + 1 < nf).then(|| piece[at] + 1),
            ];
            for k in near.into_iter().flatten() {
                if bad[k] && !seen[k] {
                    seen[k] = true;
                    piece.push(k);
                }
            }
            at += 1;
        }
        if piece.len() >= 8 {
            piece.into_iter().for_each(|k| large[k] = true);
        }
    }
    large
}

fn total(s: &Scenario, seeds: std::ops::Range<u64>) -> Score {
    let mut sum = Score::default();
    for seed in seeds {
        let one = score(s, seed);
        for (a, b) in sum.0.iter_mut().zip(one.0) {
            *a += b;
        }
    }
    sum
}

/// The scenarios of the documentation's table, by name.
fn scenarios() -> Vec<(String, Scenario)> {
    let base = Scenario::default;
    let kinds: Vec<(&str, Scenario)> = vec![
        ("2 events", Scenario { events: 2, ..base() }),
        ("a fifth", base()),
        ("two fifths", Scenario { events: 14, ..base() }),
        ("faint, 3.05 to 4 sigma", Scenario { strength: (3.05, 4.0), ..base() }),
        ("short baselines", Scenario { kinds: &[Kind::Leak], ..base() }),
        ("chirps", Scenario { kinds: &[Kind::Chirp], events: 2, ..base() }),
        ("one baseline of 11", Scenario { every: 11, ..base() }),
        ("4 antennas", Scenario { antennas: 4, ..base() }),
        ("40 antennas", Scenario { antennas: 40, ..base() }),
        ("a fourth flagged", Scenario { flagged: 0.25, ..base() }),
        ("ripples", Scenario { ripple: 0.05, ..base() }),
        ("one product", Scenario { products: 1, ..base() }),
        ("one of two products", Scenario { one_hand: true, ..base() }),
        ("8 channels", Scenario { channels: 8, events: 1, kinds: &[Kind::Line, Kind::Leak], ..base() }),
        ("2 times", Scenario { times: 2, events: 1, antennas: 20, ..base() }),
        ("quiet", Scenario { events: 0, ..base() }),
        ("quiet, ripples", Scenario { events: 0, ripple: 0.05, ..base() }),
        ("quiet, no noise", Scenario { events: 0, noise: 1e-4, ..base() }),
    ];
    let single: [&[f32]; 4] = [&[], &[0.4], &[4.0], &[20.0]];
    let several: [&[f32]; 5] =
        [&[4.0, 2.0], &[20.0, 8.0], &[50.0, 20.0], &[80.0, 10.0], &[20.0, 10.0, 6.0, 4.0, 2.0, 1.0]];
    let mut out = Vec::new();
    for (name, scenario) in kinds {
        let quiet = scenario.events == 0;
        let skies =
            single.iter().chain(several.iter().filter(|_| quiet || name == "a fifth" || name == "ripples"));
        for sky in skies.filter(|sky| scenario.noise > 0.1 || !sky.is_empty()) {
            out.push((name.to_owned(), Scenario { sky: sky.to_vec(), ..scenario.clone() }));
        }
    }
    out
}

#[test]
#[ignore = "prints the table of the documentation: half a minute of CPU"]
fn table() {
    let seed: u64 = std::env::var("RFI_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(1);
    let only = std::env::var("RFI_ONLY").unwrap_or_default();
    for (name, scenario) in scenarios().into_iter().filter(|(name, _)| name.contains(&only)) {
        let (first, count) = (1000 * seed, if scenario.antennas > 20 { 1 } else { 6 });
        let s = total(&scenario, first..first + count);
        let miss =
            (s.0[0] > 0.0 && s.found() < 0.95) || s.wrong() > if scenario.events > 0 { 0.01 } else { 0.002 };
        println!(
            "{name:24} {:28} covered {:4.1} % found {:7.3} % false {:7.3} %{}",
            format!("{:?}", scenario.sky),
            100.0 * (1.0 - s.0[2] / s.0[4]),
            if s.0[0] > 0.0 { 100.0 * s.found() } else { f64::NAN },
            100.0 * s.wrong(),
            if miss { "  MISS" } else { "" }
        );
    }
}

// What is asked, where two fifths of the plane are interference and most channels of the bandpass with it: 95 % found at 1 % false. Four
// arrays; where the bandpass was taken once and changes cost what they do in quiet data it was 2.8 %.
#[test]
fn crowded_planes() {
    for sky in [vec![], vec![0.4]] {
        let s = total(&Scenario { events: 14, sky, ..Scenario::default() }, 2000..2004);
        assert!(s.found() > 0.95 && s.wrong() < 0.01, "{} {}", s.found(), s.wrong());
    }
}

// Arrays of more than 512 baselines search each from what neighbours in length flag: also beside bright sources, and where most baselines
// do not see what their neighbours do.
#[test]
fn expected_interference() {
    let base = || Scenario { antennas: 34, sky: vec![0.4], ..Scenario::default() };
    for scenario in [base(), Scenario { sky: vec![4.0], ..base() }, Scenario { every: 3, ..base() }] {
        let s = total(&scenario, 3000..3001);
        assert!(s.found() > 0.95 && s.wrong() < 0.005, "{scenario:?}: {} {}", s.found(), s.wrong());
    }
}
