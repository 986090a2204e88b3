//! From a template of the bank to the best lens nearby, and how well that is known.

use super::noise::{log_sum_exp, Bank};
use super::template::{Form, Table};
use crate::math::linear::Cholesky;

/// ln strength, ln source size, ln crossing time \[days\], centre \[MJD\], fraction of the flux that is lensed, impact parameter (round
/// lenses only).
pub(super) type Params = [f64; 6];

/// Ends of the uniform priors of ln strength, ln source size, ln crossing time, and of the impact parameter; the centre's are the
/// light curve's with a crossing time more on each side.
const LOW: [f64; 3] = [-3.5, -3.2, 0.4];
const HIGH: [f64; 3] = [3.0, 1.0, 5.6];
const WIDEST_IMPACT: f64 = 2.5;
/// Least fraction of the flux in the part of the source that is lensed; what is larger than the lens is not.
pub(super) const LEAST_FRACTION: f64 = 0.1;
/// Steps of the derivatives: about half a row of the table.
const STEPS: [f64; 3] = [0.06, 0.12, 0.03];

/// What is fitted: receivers, each with the strength of the lens there over that at the reference, under one noise each.
pub(super) struct Problem<'a> {
    pub table: &'a Table,
    pub banks: &'a [Bank],
    pub scale: &'a [f64],
    pub form: Form,
    /// All of the flux is lensed: the fraction stays what it is.
    pub whole: bool,
    pub first_mjd: f64,
    pub last_mjd: f64,
}

/// The best lens from one start.
#[derive(Clone, Copy, Debug)]
pub(super) struct Refined {
    pub form: Form,
    pub at: Params,
    /// Standard deviations of the first four, from the curvature and the prior.
    pub err: [f64; 4],
    pub log_likelihood: f64,
    /// ln of the posterior's volume over the prior's (Laplace's approximation).
    pub log_occam: f64,
}

impl Problem<'_> {
    /// Which parameters are free.
    fn free(&self) -> &'static [usize] {
        match (self.form, self.whole) {
            (Form::Round, false) => &[0, 1, 2, 3, 4, 5],
            (Form::Round, true) => &[0, 1, 2, 3, 5],
            (_, false) => &[0, 1, 2, 3, 4],
            (_, true) => &[0, 1, 2, 3],
        }
    }

    /// Widths of the priors.
    fn range(&self, at: &Params) -> Params {
        let centre = self.last_mjd - self.first_mjd + 2.0 * at[2].exp();
        [HIGH[0] - LOW[0], HIGH[1] - LOW[1], HIGH[2] - LOW[2], centre, 1.0 - LEAST_FRACTION, WIDEST_IMPACT]
    }

    fn clamped(&self, mut p: Params) -> Params {
        for k in 0..3 {
            p[k] = p[k].clamp(LOW[k], HIGH[k]);
        }
        let margin = p[2].exp();
        p[3] = p[3].clamp(self.first_mjd - margin, self.last_mjd + margin);
        p[4] = p[4].clamp(LEAST_FRACTION, 1.0);
        // A lens passed on the other side is the same.
        p[5] = p[5].abs().min(WIDEST_IMPACT);
        p
    }

    fn model(&self, p: &Params, group: usize, out: &mut Vec<f64>) {
        let lens = self.table.lens(self.form, p[0].exp() * self.scale[group], p[1].exp(), p[5]);
        let rate = (-p[2]).exp();
        out.clear();
        out.extend(
            self.banks[group].series.mjd.iter().map(|t| 1.0 + p[4] * (lens.at((t - p[3]) * rate) - 1.0)),
        );
    }

    /// Whitened residuals of all receivers, each with its best level, and ln L with the levels integrated out.
    fn residuals(&self, noise: &[usize], p: &Params, out: &mut Vec<f64>) -> f64 {
        let (mut model, mut white) = (Vec::new(), Vec::new());
        let mut log_likelihood = 0.0;
        out.clear();
        for (g, bank) in self.banks.iter().enumerate() {
            self.model(p, g, &mut model);
            let noise = &bank.noises[noise[g]];
            noise.whitener.whiten(model.iter().copied(), &mut white);
            let (mut ym, mut mm) = (0.0, 0.0);
            for (y, m) in noise.y.iter().zip(&white) {
                ym += y * m;
                mm += m * m;
            }
            // A level that is not positive is no source.
            let level = (ym / mm).max(0.0);
            let mut chi2 = 0.0;
            out.extend(noise.y.iter().zip(&white).map(|(y, m)| {
                let r = y - level * m;
                chi2 += r * r;
                r
            }));
            log_likelihood += -0.5 * (chi2 + mm.ln() + noise.whitener.log_det);
        }
        log_likelihood
    }

    /// ln likelihood with the noise of every receiver marginalised, and the noises that serve best.
    pub fn marginal(&self, p: &Params) -> (f64, Vec<usize>) {
        let (mut model, mut white) = (Vec::new(), Vec::new());
        let mut total = 0.0;
        let mut chosen = Vec::with_capacity(self.banks.len());
        for (g, bank) in self.banks.iter().enumerate() {
            self.model(p, g, &mut model);
            let values: Vec<f64> = bank
                .noises
                .iter()
                .map(|noise| {
                    noise.whitener.whiten(model.iter().copied(), &mut white);
                    let (mut yy, mut ym, mut mm) = (0.0, 0.0, 0.0);
                    for (y, m) in noise.y.iter().zip(&white) {
                        yy += y * y;
                        ym += y * m;
                        mm += m * m;
                    }
                    let explained = if ym > 0.0 { ym * ym / mm } else { 0.0 };
                    noise.ln_prior - 0.5 * (yy - explained + mm.ln() + noise.whitener.log_det)
                })
                .collect();
            chosen.push((0..values.len()).fold(0, |a, b| if values[b] > values[a] { b } else { a }));
            total += log_sum_exp(&values);
        }
        (total, chosen)
    }

    /// Climb from `start` under the given noises by damped Gauss-Newton steps (Marquardt 1963, doi:10.1137/0111030).
    pub fn refine(&self, noise: &[usize], start: Params, most: usize) -> Refined {
        let free = self.free();
        let n = free.len();
        let (mut here, mut there) = (Vec::new(), Vec::new());
        let mut at = self.clamped(start);
        let mut best = self.residuals(noise, &at, &mut here);
        let mut damping = 0.01;
        let mut curvature = self.curvature(noise, &at, &here);
        for _ in 0..most {
            let mut damped = curvature.0.clone();
            for k in 0..n {
                damped[k * n + k] *= 1.0 + damping;
            }
            let Some(step) = self.step(damped, curvature.1.clone(), &at) else {
                damping *= 10.0;
                continue;
            };
            let mut next = at;
            for (&k, step) in free.iter().zip(step) {
                // No further at once than a lens stays recognisable.
                let most = [0.7, 0.9, 0.4, 0.7 * at[2].exp(), 0.3, 0.7][k];
                next[k] -= step.clamp(-most, most);
            }
            let next = self.clamped(next);
            let value = self.residuals(noise, &next, &mut there);
            if value > best {
                let gained = value - best;
                (at, best) = (next, value);
                std::mem::swap(&mut here, &mut there);
                curvature = self.curvature(noise, &at, &here);
                damping = (0.2 * damping).max(1e-6);
                if gained < 0.003 {
                    break;
                }
            } else {
                damping *= 6.0;
                if damping > 1e4 {
                    break;
                }
            }
        }
        self.described(at, best, &curvature.0)
    }

    /// The step that solves `matrix step = slope`; parameters that it would push over the end they are at stay there, and the others
    /// step as if those were known.
    fn step(&self, mut matrix: Vec<f64>, mut slope: Vec<f64>, at: &Params) -> Option<Vec<f64>> {
        let (free, n) = (self.free(), slope.len());
        for _ in 0..=n {
            let mut step = slope.clone();
            Cholesky::new(&matrix, n).ok()?.solve(&mut step);
            let stuck = (0..n).find(|&i| {
                let (k, by) = (free[i], -step[i]);
                let (low, high) = match k {
                    0..=2 => (LOW[k], HIGH[k]),
                    4 => (LEAST_FRACTION, 1.0),
                    _ => (f64::NEG_INFINITY, f64::INFINITY),
                };
                (at[k] <= low && by < 0.0) || (at[k] >= high && by > 0.0)
            });
            let Some(i) = stuck else { return Some(step) };
            for j in 0..n {
                matrix[i * n + j] = 0.0;
                matrix[j * n + i] = 0.0;
            }
            matrix[i * n + i] = 1.0;
            slope[i] = 0.0;
        }
        None
    }

    /// `J^T J` with the prior's curvature, and `J^T r`, of the whitened residuals with the level projected out.
    fn curvature(&self, noise: &[usize], at: &Params, here: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let free = self.free();
        let n = free.len();
        let range = self.range(at);
        let steps = [STEPS[0], STEPS[1], STEPS[2], 0.03 * at[2].exp(), -0.04, 0.05];
        let columns: Vec<Vec<f64>> = free
            .iter()
            .map(|&k| {
                let mut p = *at;
                // Away from an end of the range.
                let h = if k < 3 && p[k] + steps[k] > HIGH[k] { -steps[k] } else { steps[k] };
                p[k] += h;
                let mut out = Vec::with_capacity(here.len());
                self.residuals(noise, &p, &mut out);
                out.iter_mut().zip(here).for_each(|(o, r)| *o = (*o - r) / h);
                out
            })
            .collect();
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let mut matrix = vec![0.0; n * n];
        for i in 0..n {
            for j in 0..=i {
                matrix[i * n + j] = dot(&columns[i], &columns[j]);
                matrix[j * n + i] = matrix[i * n + j];
            }
            // The prior keeps the width of what is not measured.
            matrix[i * n + i] += 12.0 / (range[free[i]] * range[free[i]]);
        }
        (matrix, columns.iter().map(|c| dot(c, here)).collect())
    }

    fn described(&self, at: Params, log_likelihood: f64, curvature: &[f64]) -> Refined {
        let free = self.free();
        let n = free.len();
        let range = self.range(&at);
        let (log_det, err) = match Cholesky::new(curvature, n) {
            Ok(factor) => {
                let covariance = factor.inverse();
                (factor.log_determinant(), [0, 1, 2, 3].map(|i| covariance[(n + 1) * i].sqrt()))
            }
            // Directions that cannot be told apart: leave out the mixed terms.
            Err(_) => {
                let diagonal: Vec<f64> = (0..n).map(|i| curvature[(n + 1) * i]).collect();
                (diagonal.iter().map(|d| d.ln()).sum(), [0, 1, 2, 3].map(|i| 1.0 / diagonal[i].sqrt()))
            }
        };
        let volume: f64 = free.iter().map(|&k| range[k].ln()).sum();
        let log_occam = 0.5 * (n as f64 * std::f64::consts::TAU.ln() - log_det) - volume;
        Refined { form: self.form, at, err, log_likelihood, log_occam: log_occam.min(0.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::series::Series;
    use super::*;

    #[test]
    fn a_sharp_lens_is_found_from_a_coarse_start() {
        let table = Table::get();
        let truth = table.lens(Form::Sheet, 0.5, 0.2, 0.0);
        let mjd: Vec<f64> = (0..150).map(f64::from).collect();
        let y: Vec<f64> = mjd.iter().map(|t| truth.at((t - 73.3) / 14.0)).collect();
        let banks = [Bank::new(Series { mjd, y, w: vec![1e4; 150] })];
        let problem = Problem {
            table,
            banks: &banks,
            scale: &[1.0],
            form: Form::Sheet,
            whole: false,
            first_mjd: 0.0,
            last_mjd: 149.0,
        };
        let r = problem.refine(&[0], [0.4f64.ln(), 0.3f64.ln(), 17f64.ln(), 75.0, 1.0, 0.0], 25);
        // Noise-free: strength, time and centre come back; size trades against them a little.
        assert!((r.at[0] - 0.5f64.ln()).abs() < 0.1 && (r.at[2] - 14f64.ln()).abs() < 0.06, "{:?}", r.at);
        assert!((r.at[3] - 73.3).abs() < 0.1 && r.log_occam < -5.0, "{r:?}");
        assert!(r.err.iter().all(|e| *e > 0.0 && e.is_finite()), "{:?}", r.err);
    }

    #[test]
    fn the_fraction_of_the_flux_is_found_and_kept_where_it_is_known() {
        let table = Table::get();
        let truth = table.lens(Form::Sheet, 3.0, 0.6, 0.0);
        let mjd: Vec<f64> = (0..200).map(f64::from).collect();
        let found = |fraction: f64, whole: bool| {
            let y = mjd.iter().map(|t| 1.0 + fraction * (truth.at((t - 100.0) / 15.0) - 1.0)).collect();
            let banks = [Bank::new(Series { mjd: mjd.clone(), y, w: vec![1e4; 200] })];
            let form = Form::Sheet;
            let problem =
                Problem { table, banks: &banks, scale: &[1.0], form, whole, first_mjd: 0.0, last_mjd: 199.0 };
            let start = if whole { 1.0 } else { 0.75 };
            problem.refine(&[0], [3.4f64.ln(), 0.63f64.ln(), 14.2f64.ln(), 100.0, start, 0.0], 40)
        };
        let whole = found(1.0, true);
        assert!((whole.at[0].exp() / 3.0 - 1.0).abs() < 0.1 && whole.at[4] == 1.0, "{:?}", whole.at);
        assert!((whole.at[2].exp() / 15.0 - 1.0).abs() < 0.05, "{:?}", whole.at);
        let part = found(0.6, false);
        assert!((part.at[4] - 0.6).abs() < 0.1, "{:?}", part.at);
    }
}
