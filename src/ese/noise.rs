//! One receiver's series under every noise that is allowed: measurement errors alone, or with scintillation or flicker.
//!
//! Each model of a light curve is a sum of columns times coefficients: a level `c` with a flat prior, and others with normal
//! priors about 0. The coefficients are integrated out in closed form, the noise on a grid. `ln Z` is in units of the
//! likelihood's own normalisation, the same for every model.

use super::series::Series;
use crate::math::linear::Cholesky;
use crate::variability::{Memory, Process, Whitener};

/// Relative amplitudes and times \[days\] of the processes.
const AMPLITUDES: [f64; 7] = [0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32];
const TIMES: [f64; 5] = [3.0, 9.0, 27.0, 81.0, 243.0];

/// Typical relative amplitude of scintillation and flicker on these times, and the scatter of its logarithm: few compact sources vary by
/// more than 10 % within months at 1.4 GHz (Hancock et al. 2019, doi:10.1093/mnras/stz2808).
const TYPICAL: f64 = 0.03;
const LN_SCATTER: f64 = 0.8;

/// One kind of noise: its whitener and the whitened series.
pub(super) struct Noise {
    /// ln of its prior probability among all.
    pub ln_prior: f64,
    pub whitener: Whitener,
    /// Whitened relative fluxes.
    pub y: Vec<f64>,
    /// Their sum of squares.
    yy: f64,
}

/// A series and all its noises; the first is measurement errors alone, of prior probability 1/2.
pub(super) struct Bank {
    pub series: Series,
    pub noises: Vec<Noise>,
}

/// A column of a model and the scatter of its coefficient's normal prior; infinite for the level.
pub(super) struct Column {
    pub values: Vec<f64>,
    pub prior: f64,
}

impl Bank {
    pub fn new(series: Series) -> Self {
        let span = series.mjd.last().zip(series.mjd.first()).map_or(0.0, |(b, a)| b - a);
        let mut processes = vec![Process::NONE];
        for tau_days in TIMES.into_iter().filter(|t| *t <= span.max(TIMES[0])) {
            for amplitude in AMPLITUDES {
                processes.push(Process { memory: Memory::Walk, amplitude, tau_days });
                processes.push(Process { memory: Memory::Smooth, amplitude, tau_days });
            }
        }
        let ln_chance = |p: &Process| -0.5 * ((p.amplitude.max(1e-9) / TYPICAL).ln() / LN_SCATTER).powi(2);
        let others = log_sum_exp(&processes[1..].iter().map(ln_chance).collect::<Vec<f64>>());
        let noises = processes
            .iter()
            .enumerate()
            .map(|(k, process)| {
                let whitener = Whitener::new(&series.mjd, &series.w, process);
                let mut y = Vec::with_capacity(series.len());
                whitener.whiten(series.y.iter().copied(), &mut y);
                let yy = y.iter().map(|v| v * v).sum();
                Noise {
                    ln_prior: 0.5f64.ln() + if k == 0 { 0.0 } else { ln_chance(process) - others },
                    whitener,
                    y,
                    yy,
                }
            })
            .collect();
        Self { series, noises }
    }

    /// `ln Z` of a model under one noise.
    pub fn log_evidence(&self, noise: usize, columns: &[Column]) -> f64 {
        self.noises[noise].log_evidence(columns)
    }

    /// `ln Z` of a model with the noise marginalised, and the noise that serves it best.
    pub fn marginal(&self, columns: &[Column]) -> (f64, usize) {
        let values: Vec<f64> = self.noises.iter().map(|n| n.ln_prior + n.log_evidence(columns)).collect();
        let best = (0..values.len()).fold(0, |a, b| if values[b] > values[a] { b } else { a });
        (log_sum_exp(&values), best)
    }
}

impl Noise {
    fn log_evidence(&self, columns: &[Column]) -> f64 {
        let k = columns.len();
        let white: Vec<Vec<f64>> = columns
            .iter()
            .map(|c| {
                let mut out = Vec::with_capacity(self.y.len());
                self.whitener.whiten(c.values.iter().copied(), &mut out);
                out
            })
            .collect();
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let right: Vec<f64> = white.iter().map(|c| dot(c, &self.y)).collect();
        let mut normal = vec![0.0; k * k];
        for i in 0..k {
            for j in 0..=i {
                normal[i * k + j] = dot(&white[i], &white[j]);
                normal[j * k + i] = normal[i * k + j];
            }
            normal[i * k + i] += 1.0 / (columns[i].prior * columns[i].prior);
        }
        let Ok(factor) = Cholesky::new(&normal, k) else { return f64::NEG_INFINITY };
        let mut solution = right.clone();
        factor.solve(&mut solution);
        let explained = dot(&solution, &right);
        let priors: f64 = columns.iter().filter(|c| c.prior.is_finite()).map(|c| c.prior.ln()).sum();
        -0.5 * (self.yy - explained + factor.log_determinant() + self.whitener.log_det) - priors
    }
}

/// `ln sum exp` of values; minus infinity without any.
pub(super) fn log_sum_exp(values: &[f64]) -> f64 {
    let top = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if !top.is_finite() {
        return top;
    }
    top + values.iter().map(|v| (v - top).exp()).sum::<f64>().ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_and_a_column_are_integrated_out() {
        let series = Series { mjd: vec![0.0, 1.0, 2.0], y: vec![1.0, 1.3, 0.9], w: vec![4.0, 9.0, 16.0] };
        let bank = Bank::new(series);
        let columns = [
            Column { values: vec![1.0; 3], prior: f64::INFINITY },
            Column { values: vec![0.0, 1.0, 0.0], prior: 0.5 },
        ];
        // The same integral by sums over a fine grid of both coefficients.
        let (mut sum, h) = (0.0, 0.004);
        for i in -1000..1500 {
            for j in -1000..1000 {
                let (c, a) = (f64::from(i) * h, f64::from(j) * h);
                let chi2 = 4.0 * (1.0 - c).powi(2) + 9.0 * (1.3 - c - a).powi(2) + 16.0 * (0.9 - c).powi(2);
                sum += (-0.5 * chi2 - 0.5 * (a / 0.5).powi(2)).exp();
            }
        }
        // Constants: one factor sqrt(2 pi) of the level is left out of ln Z.
        let exact = (sum * h * h / (std::f64::consts::TAU * 0.5)).ln();
        assert!((bank.log_evidence(0, &columns) - exact).abs() < 1e-6);
    }
}
