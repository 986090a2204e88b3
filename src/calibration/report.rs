//! What a solve says about itself.

use super::solve::{CellSolution, Outcome};
use super::{Excluded, SolveParams};
use crate::gains::GainTable;

/// Counts gathered while solving.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    pub converged: usize,
    pub accepted: usize,
    pub failed: usize,
    pub no_data: usize,
    pub low_snr: usize,
    pub iterations: Vec<usize>,
    pub chi2: Vec<f64>,
}

impl Tally {
    pub fn add(&mut self, cell: &CellSolution) {
        match cell.outcome {
            Outcome::Converged => self.converged += 1,
            Outcome::Accepted => self.accepted += 1,
            Outcome::Failed => self.failed += 1,
            Outcome::NoData => self.no_data += 1,
        }
        if cell.outcome != Outcome::NoData {
            self.iterations.push(cell.iterations);
        }
        if cell.chi2_reduced.is_finite() {
            self.chi2.push(cell.chi2_reduced);
        }
    }

    pub fn reason(&self, params: &SolveParams) -> String {
        format!(
            "{} solves had fewer than {} antennas with {} baselines each, {} did not converge in {} iterations, {} gains were below SNR {}",
            self.no_data,
            params.minblperant + 1,
            params.minblperant,
            self.failed,
            params.max_iterations,
            self.low_snr,
            params.minsnr
        )
    }
}

/// One antenna in a report.
#[derive(Clone, Debug, serde::Serialize)]
pub struct AntennaReport {
    /// Name.
    pub name: String,
    /// Median SNR of its unflagged solutions.
    pub snr: f64,
    /// Median amplitude (delay in ns for K).
    pub amplitude: f64,
    /// Flagged fraction of its solutions; 1 for an antenna without data.
    pub flagged_fraction: f64,
    /// Its amplitude stands more than 5 robust sigma off the other antennas'.
    pub outlier: bool,
}

/// Report of one solve.
#[derive(Clone, Debug, serde::Serialize)]
pub struct SolveReport {
    /// `K`, `B` or `G`.
    pub term: String,
    /// Solution intervals.
    pub intervals: usize,
    /// Spectral windows.
    pub windows: usize,
    /// Solutions: antennas x intervals x channels x receptors.
    pub solutions: usize,
    /// Flagged fraction of all.
    pub flagged_fraction: f64,
    /// Flagged fraction over working receptors.
    pub flagged_fraction_working: f64,
    /// Receptors with a solution.
    pub working_receptors: usize,
    /// Median SNR of unflagged solutions.
    pub median_snr: f64,
    /// Median amplitude of unflagged solutions (ns for K).
    pub median_amplitude: f64,
    /// Scatter (standard deviation) of phases of unflagged solutions about each antenna's mean \[deg\].
    pub phase_scatter_deg: f64,
    /// Solves that reached the tolerance.
    pub converged: usize,
    /// Solves accepted at the looser threshold.
    pub accepted: usize,
    /// Solves that did not converge (their solutions are flagged).
    pub failed: usize,
    /// Solves without enough data.
    pub without_data: usize,
    /// Solutions flagged by `minsnr`.
    pub below_minsnr: usize,
    /// Median and greatest number of iterations.
    pub iterations: [usize; 2],
    /// Median reduced chi-square (variance of a real component at unit weight).
    pub chi2_reduced: f64,
    /// Samples used, and the fraction of those seen that were flagged.
    pub samples_used: u64,
    /// Flagged fraction of the samples seen.
    pub samples_flagged_fraction: f64,
    /// Name of the reference antenna.
    pub refant: String,
    /// Antennas with data.
    pub antennas: Vec<AntennaReport>,
    /// Names of antennas without any solution.
    pub dead: Vec<String>,
    /// Names of outliers.
    pub outliers: Vec<String>,
}

impl SolveReport {
    pub(super) fn new(table: &GainTable, tally: &Tally, excluded: Excluded) -> Self {
        let is_delay = table.term == crate::gains::Term::K;
        let mut antennas: Vec<AntennaReport> =
            (0..table.antennas.len()).map(|a| antenna(table, a, is_delay)).collect();
        let alive: Vec<f64> =
            antennas.iter().filter(|a| a.flagged_fraction < 1.0).map(|a| a.amplitude).collect();
        let centre = median(&alive);
        let spread = 1.4826 * median(&alive.iter().map(|x| (x - centre).abs()).collect::<Vec<_>>());
        for a in &mut antennas {
            // Without noise the spread is nothing: gains within a fifth of the median are no outliers (delays: 1 ns).
            let least = if is_delay { 1.0 } else { 0.2 * centre };
            a.outlier = a.flagged_fraction < 1.0 && (a.amplitude - centre).abs() > (5.0 * spread).max(least);
        }
        let names = |keep: &dyn Fn(&AntennaReport) -> bool| {
            antennas.iter().filter(|a| keep(a)).map(|a| a.name.clone()).collect::<Vec<_>>()
        };
        let (dead, outliers) = (names(&|a| a.flagged_fraction >= 1.0), names(&|a| a.outlier));
        let (mut snr, mut amp, mut flagged, mut total) = (Vec::new(), Vec::new(), 0usize, 0usize);
        for w in &table.windows {
            for ((at, s), g) in w.snr_tafr.indexed_iter().zip(&w.value_tafr) {
                total += 1;
                if w.flag_tafr[at] {
                    flagged += 1;
                } else {
                    snr.push(f64::from(*s));
                    amp.push(if is_delay { g.re } else { g.norm() });
                }
            }
        }
        let (working_fraction, working) = table.working_flagged_fraction();
        let refant = table.windows.iter().flat_map(|w| &w.slots).map(|s| s.refant).find(|r| *r >= 0);
        let mut iterations = tally.iterations.clone();
        iterations.sort_unstable();
        Self {
            term: format!("{:?}", table.term),
            intervals: table.windows.iter().map(|w| w.slots.len()).max().unwrap_or(0),
            windows: table.windows.len(),
            solutions: total,
            flagged_fraction: flagged as f64 / total.max(1) as f64,
            flagged_fraction_working: working_fraction,
            working_receptors: working,
            median_snr: median(&snr),
            median_amplitude: median(&amp),
            phase_scatter_deg: phase_scatter_deg(table),
            converged: tally.converged,
            accepted: tally.accepted,
            failed: tally.failed,
            without_data: tally.no_data,
            below_minsnr: tally.low_snr,
            iterations: [
                iterations.get(iterations.len() / 2).copied().unwrap_or(0),
                iterations.last().copied().unwrap_or(0),
            ],
            chi2_reduced: median(&tally.chi2),
            samples_used: excluded.used,
            samples_flagged_fraction: excluded.flagged as f64 / excluded.seen.max(1) as f64,
            refant: refant
                .and_then(|r| table.antennas.get(r as usize))
                .map_or_else(String::new, |a| a.name.clone()),
            antennas: antennas.into_iter().filter(|a| a.flagged_fraction < 1.0).collect(),
            dead,
            outliers,
        }
    }
}

fn antenna(table: &GainTable, a: usize, is_delay: bool) -> AntennaReport {
    let (mut snr, mut amp, mut total) = (Vec::new(), Vec::new(), 0usize);
    for w in &table.windows {
        let axis = ndarray::Axis(1);
        let (flag, value, s) = (
            w.flag_tafr.index_axis(axis, a),
            w.value_tafr.index_axis(axis, a),
            w.snr_tafr.index_axis(axis, a),
        );
        total += flag.len();
        for ((bad, g), s) in flag.iter().zip(&value).zip(&s) {
            if !bad {
                snr.push(f64::from(*s));
                amp.push(if is_delay { g.re } else { g.norm() });
            }
        }
    }
    AntennaReport {
        name: table.antennas[a].name.clone(),
        snr: median(&snr),
        amplitude: median(&amp),
        flagged_fraction: 1.0 - snr.len() as f64 / total.max(1) as f64,
        outlier: false,
    }
}

/// Rms of phases about each (window, antenna, receptor)'s mean direction, wrapped \[deg\].
fn phase_scatter_deg(table: &GainTable) -> f64 {
    if table.term == crate::gains::Term::K {
        return 0.0;
    }
    let (mut sum, mut n) = (0.0, 0.0);
    for w in &table.windows {
        let (nt, na, nf, nr) = w.value_tafr.dim();
        for a in 0..na {
            for r in 0..nr {
                let good: Vec<_> = (0..nt)
                    .flat_map(|t| (0..nf).map(move |f| [t, a, f, r]))
                    .filter(|at| !w.flag_tafr[*at])
                    .map(|at| w.value_tafr[at])
                    .collect();
                let mean: num_complex::Complex64 = good.iter().map(|g| g / g.norm().max(1e-300)).sum();
                for g in good {
                    sum += (g * mean.conj()).arg().to_degrees().powi(2);
                    n += 1.0;
                }
            }
        }
    }
    if n > 0.0 {
        f64::sqrt(sum / n)
    } else {
        0.0
    }
}

/// Median; 0 of nothing.
fn median(values: &[f64]) -> f64 {
    if values.is_empty() {
        return 0.0;
    }
    let mut sorted = values.to_vec();
    let middle = sorted.len() / 2;
    *sorted.select_nth_unstable_by(middle, f64::total_cmp).1
}
