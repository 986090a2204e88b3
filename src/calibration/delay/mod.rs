//! Term K: one delay an antenna, receptor and interval; `g(f) = exp(2 pi i f tau)`.
//!
//! A start from the peak of the Fourier transform of each baseline to a hub, then least squares over all baselines and
//! channels: with the current delays removed the phase of baseline ij is `theta_ij + 2 pi (f - f0) (x_i - x_j)`, linear in
//! what is left.

mod laplacian;
mod spectrum;

use std::collections::BTreeSet;

use num_complex::Complex64;
use rayon::prelude::*;

use super::report::Tally;
use super::solve::{empty_window, working_antennas, CellSolution, Outcome, WindowSums};
use super::{Error, Intervals, SolveParams};
use crate::control::Control;
use crate::gains::{Term, WindowGains};
use laplacian::Laplacian;
use spectrum::{peak_delay_s, Line};

/// Delays of every window, or one common delay when windows are combined.
pub(super) fn solve(
    windows: &[WindowSums<'_>],
    intervals: &Intervals,
    params: &SolveParams,
    tally: &mut Tally,
    control: &Control,
) -> Result<Vec<WindowGains>, Error> {
    let groups: Vec<&[WindowSums<'_>]> =
        if params.combine.spw { vec![windows] } else { windows.chunks(1).collect() };
    let mut out = Vec::new();
    for group in groups {
        let Some(first) = group.first() else { continue };
        let mut solved: Vec<WindowGains> =
            group.iter().map(|w| empty_window(Term::K, w.spw, one_channel(w), w.sums, intervals)).collect();
        let cells: Vec<(usize, usize)> =
            (0..first.sums.intervals).flat_map(|t| (0..first.sums.receptors).map(move |r| (t, r))).collect();
        control.expect(cells.len() as u64);
        let solutions: Result<Vec<(CellSolution, Vec<f64>)>, Error> = cells
            .par_iter()
            .map(|(t, r)| {
                control.check()?;
                let solution = solve_interval(group, *t, *r, params);
                control.advance(1);
                Ok(solution)
            })
            .collect();
        for ((t, r), (cell, snr)) in cells.into_iter().zip(solutions?) {
            tally.add(&cell);
            for window in &mut solved {
                store(window, &cell, &snr, (t, r), params.minsnr);
            }
            tally.low_snr += (0..snr.len()).filter(|a| !cell.flag[*a] && snr[*a] < params.minsnr).count();
        }
        out.append(&mut solved);
    }
    Ok(out)
}

fn store(window: &mut WindowGains, cell: &CellSolution, snr: &[f64], tr: (usize, usize), minsnr: f64) {
    for a in 0..snr.len() {
        let at = [tr.0, a, 0, tr.1];
        window.snr_tafr[at] = snr[a].min(1e8) as f32;
        window.error_tafr[at] = cell.error[a] as f32;
        if !cell.flag[a] && snr[a] >= minsnr {
            window.value_tafr[at] = cell.gain[a];
            window.flag_tafr[at] = false;
        }
    }
}

/// Middle and width of the window: a delay has one solution channel.
fn one_channel(window: &WindowSums<'_>) -> (Vec<f64>, Vec<f64>) {
    let n = window.freq_hz.len().max(1) as f64;
    (vec![window.freq_hz.iter().sum::<f64>() / n], vec![window.width_hz.iter().sum::<f64>()])
}

/// Spectra of all baselines of the working antennas, window after window.
fn lines(group: &[WindowSums<'_>], working: &[usize], t: usize, r: usize) -> Vec<(usize, usize, Line)> {
    let mut lines = Vec::new();
    for (p, i) in working.iter().enumerate() {
        for (q, j) in working.iter().enumerate().skip(p + 1) {
            let mut line = Line::default();
            for window in group {
                for (f, freq) in window.freq_hz.iter().enumerate() {
                    let cell = window.sums.cell((*i, *j), t, f, r);
                    if cell.den > 0.0 {
                        line.push(*freq, cell.num, cell.den);
                    }
                }
            }
            if line.len() > 1 {
                lines.push((p, q, line));
            }
        }
    }
    lines
}

/// Most Gauss-Newton steps.
const ITERATIONS: usize = 60;

/// Delays \[ns\] of one interval and receptor, and the SNR of each antenna's coherent sum.
fn solve_interval(
    group: &[WindowSums<'_>],
    t: usize,
    r: usize,
    params: &SolveParams,
) -> (CellSolution, Vec<f64>) {
    let na = group[0].sums.antennas;
    let mut out = CellSolution {
        gain: vec![Complex64::new(0.0, 0.0); na],
        flag: vec![true; na],
        error: vec![0.0; na],
        outcome: Outcome::NoData,
        iterations: 0,
        chi2_reduced: f64::NAN,
    };
    let mut snr = vec![0.0; na];
    let channels = |i, j| {
        let of = |w: &WindowSums<'_>| {
            (0..w.sums.channels).filter(|f| w.sums.cell((i, j), t, *f, r).den > 0.0).count()
        };
        group.iter().map(of).sum::<usize>()
    };
    let baselines: Vec<(usize, usize)> = group
        .iter()
        .flat_map(|w| w.sums.pairs())
        .map(|(i, j)| (*i as usize, *j as usize))
        .collect::<BTreeSet<_>>()
        .into_iter()
        .filter(|(i, j)| channels(*i, *j) > 1)
        .collect();
    let mut noise = vec![false; na];
    for _ in 0..MOST_DROPS {
        let kept = baselines.iter().copied().filter(|(i, j)| !noise[*i] && !noise[*j]);
        let working = working_antennas(na, params.minblperant, kept);
        if working.is_empty() {
            out.outcome = Outcome::NoData;
            return (out, snr);
        }
        let lines = lines(group, &working, t, r);
        let Some((tau, fit)) = descend(working.len(), &lines, &mut out) else { return (out, snr) };
        let dropped: Vec<usize> =
            working.iter().enumerate().filter(|(p, _)| fit.is_noise(*p)).map(|(_, a)| *a).collect();
        // Antennas of noise would pull the others about: they go, and the rest is fitted again.
        if !dropped.is_empty() && dropped.len() < working.len() {
            dropped.into_iter().for_each(|a| noise[a] = true);
            continue;
        }
        out.chi2_reduced = fit.scale;
        if out.outcome == Outcome::Failed {
            return (out, snr);
        }
        let variance = fit.system.inverse_diagonal();
        for (p, a) in working.iter().enumerate() {
            out.gain[*a] = Complex64::new(tau[p] * 1e9, 0.0);
            out.error[*a] = (fit.scale * variance[p]).sqrt() * 1e9;
            snr[*a] = fit.excess(p).max(0.0).sqrt();
            out.flag[*a] = false;
        }
        break;
    }
    (out, snr)
}

/// Most rounds of leaving out antennas of noise.
const MOST_DROPS: usize = 4;

/// Gauss-Newton steps from the first delays; `None` when the antennas do not hang together.
fn descend(n: usize, lines: &[(usize, usize, Line)], out: &mut CellSolution) -> Option<(Vec<f64>, Fit)> {
    let mut tau = start(n, lines);
    let mut fit = Fit::default();
    for iteration in 1..=ITERATIONS {
        out.iterations = iteration;
        fit = Fit::new(n, lines, &tau);
        let step = fit.system.solve(&fit.rhs)?;
        // Baselines of noise alone can make full steps swing: half ones settle.
        let damping = if iteration > 5 { 0.5 } else { 1.0 };
        for (x, s) in tau.iter_mut().zip(&step) {
            *x += damping * s;
        }
        let variance = fit.system.inverse_diagonal();
        // Far below the statistical error, or 1e-5 rad over 200 MHz when there is no noise.
        let limit = |k: usize, part: f64| (part * (fit.scale * variance[k]).sqrt()).max(1e-14);
        let within = |part: f64| step.iter().enumerate().all(|(k, s)| s.abs() < limit(k, part));
        if within(1e-3) {
            out.outcome = Outcome::Converged;
            break;
        }
        out.outcome = if within(0.1) { Outcome::Accepted } else { Outcome::Failed };
    }
    Some((tau, fit))
}

/// First delays \[s\]: breadth first from the antenna with most baselines, each by the peak of its spectrum to its parent.
fn start(n: usize, lines: &[(usize, usize, Line)]) -> Vec<f64> {
    let mut weight = vec![0.0; n];
    for (p, q, line) in lines {
        weight[*p] += line.total();
        weight[*q] += line.total();
    }
    let hub = (0..n).max_by(|a, b| weight[*a].total_cmp(&weight[*b])).unwrap_or(0);
    let mut tau: Vec<Option<f64>> = vec![None; n];
    tau[hub] = Some(0.0);
    let mut frontier = vec![hub];
    while !frontier.is_empty() {
        let mut next = Vec::new();
        for parent in frontier {
            for (p, q, line) in lines {
                let (child, sign) = match (*p == parent, *q == parent) {
                    (true, _) => (*q, -1.0),
                    (_, true) => (*p, 1.0),
                    _ => continue,
                };
                if tau[child].is_none() {
                    tau[child] = tau[parent].map(|t| t + sign * peak_delay_s(line));
                    next.push(child);
                }
            }
        }
        frontier = next;
    }
    tau.into_iter().map(|t| t.unwrap_or(0.0)).collect()
}

/// Linearised least squares about the current delays.
#[derive(Default)]
struct Fit {
    system: Laplacian,
    rhs: Vec<f64>,
    scale: f64,
    coherent: Vec<f64>,
    baselines: Vec<f64>,
}

impl Fit {
    fn new(n: usize, lines: &[(usize, usize, Line)], tau: &[f64]) -> Self {
        let mut this = Self {
            system: Laplacian::new(n),
            rhs: vec![0.0; n],
            scale: 1.0,
            coherent: vec![0.0; n],
            baselines: vec![0.0; n],
        };
        let (mut chi2, mut freedom, mut power) = (0.0, 1.0 - n as f64, 0.0);
        for (p, q, line) in lines {
            let slope = line.slope(tau[*p] - tau[*q]);
            this.system.add(*p, *q, slope.information);
            this.rhs[*p] += slope.information * slope.delay_s;
            this.rhs[*q] -= slope.information * slope.delay_s;
            this.coherent[*p] += slope.coherent;
            this.coherent[*q] += slope.coherent;
            this.baselines[*p] += 1.0;
            this.baselines[*q] += 1.0;
            chi2 += slope.chi2;
            power += slope.coherent;
            // Amplitude and phase of the baseline are free.
            freedom += 2.0 * line.len() as f64 - 2.0;
        }
        if freedom > 0.0 {
            this.scale = (chi2 / freedom).max(1e-16 * power / freedom);
        }
        this
    }

    /// Coherent power of an antenna above what noise alone has: two real components a baseline.
    fn excess(&self, p: usize) -> f64 {
        self.coherent[p] / self.scale.max(1e-300) - 2.0 * self.baselines[p]
    }

    /// Within five standard deviations of nothing (the power of a baseline of noise scatters by 2).
    fn is_noise(&self, p: usize) -> bool {
        self.excess(p) < 5.0 * 2.0 * self.baselines[p].sqrt()
    }
}
