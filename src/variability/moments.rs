//! The sums that most closed-form statistics share, in three passes over a light curve.

use super::chi2::significance;

/// Lanes of every sum, so that one addition need not wait for the one before.
const LANES: usize = 4;

/// Statistics that are sums; NaN where they are undefined. The definitions, one a file, are the reference: a test holds these
/// to them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Moments {
    pub mean: f64,
    pub weighted_mean: f64,
    pub std: f64,
    pub min: f64,
    pub max: f64,
    pub eta: f64,
    pub v: f64,
    pub chi2_nu: f64,
    pub modulation_index: f64,
    pub von_neumann: f64,
    pub sigma_deviation: f64,
}

/// `sum` over `terms(i)` of several quantities at once.
#[inline]
fn sums<const K: usize>(n: usize, terms: impl Fn(usize) -> [f64; K]) -> [f64; K] {
    let mut part = [[0.0f64; LANES]; K];
    let whole = n - n % LANES;
    let mut i = 0;
    while i < whole {
        for lane in 0..LANES {
            let t = terms(i + lane);
            for k in 0..K {
                part[k][lane] += t[k];
            }
        }
        i += LANES;
    }
    for i in whole..n {
        let t = terms(i);
        for k in 0..K {
            part[k][0] += t[k];
        }
    }
    part.map(|p| (p[0] + p[1]) + (p[2] + p[3]))
}

impl Moments {
    /// Of points that are finite with positive errors. `weight` is scratch.
    pub fn of(flux: &[f64], err: &[f64], weight: &mut Vec<f64>) -> Self {
        let n = flux.len();
        weight.clear();
        weight.extend(err.iter().map(|e| 1.0 / (e * e)));
        let (flux, err, weight) = (&flux[..n], &err[..n], &weight[..n]);
        let [sum, weights, weighted] = sums(n, |i| [flux[i], weight[i], weight[i] * flux[i]]);
        let (mean, weighted_mean) = (sum / n as f64, weighted / weights);
        let [squares, pulls, about, errors] = sums(n, |i| {
            let (d, g) = (flux[i] - mean, flux[i] - weighted_mean);
            [d * d, weight[i] * d * d, weight[i] * g * g, err[i] * err[i]]
        });
        let [steps] = sums(n.saturating_sub(1), |i| [(flux[i + 1] - flux[i]) * (flux[i + 1] - flux[i])]);
        let (min, max) =
            flux.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), f| (a.min(*f), b.max(*f)));
        let when = |holds: bool, value: f64| if holds { value } else { f64::NAN };
        let dof = n as f64 - 1.0;
        let std = when(n > 1, (squares / dof).sqrt());
        let excess = (squares - errors) / n as f64;
        Self {
            mean,
            weighted_mean,
            std,
            min: when(n > 0, min),
            max: when(n > 0, max),
            eta: when(n > 1, about / dof),
            v: when(n > 1 && mean > 0.0, std / mean),
            chi2_nu: when(n > 1, pulls / dof),
            modulation_index: when(n > 1 && mean > 0.0, excess.abs().sqrt().copysign(excess) / mean),
            von_neumann: when(n > 2 && squares > 0.0, steps / squares),
            sigma_deviation: when(n > 1 && std > 0.0, (max - mean).max(mean - min) / std),
        }
    }

    /// Significance of eta, without the work of the tail when it is nothing.
    pub fn significance(&self, n: usize) -> f64 {
        if self.eta <= 1.0 - 2.0 / (9.0 * n as f64) {
            // Below the median of chi-square (Wilson & Hilferty 1931) a steady source is the likelier reading.
            return 0.0;
        }
        significance(self.eta, n).map_or(f64::NAN, |s| s.max(0.0))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{
        chi2_nu, eta, fractional, modulation_index, sigma_deviation, von_neumann, weighted_mean,
    };
    use super::*;

    #[test]
    fn the_sums_are_the_definitions() {
        for n in 0..23usize {
            let flux: Vec<f64> = (0..n).map(|i| 2.0 + ((i * 7919) % 13) as f64 / 6.0).collect();
            let err: Vec<f64> = (0..n).map(|i| 0.1 + 0.02 * (i % 5) as f64).collect();
            let m = Moments::of(&flux, &err, &mut Vec::new());
            let defined = [
                (m.eta, eta(&flux, &err).ok()),
                (m.v, fractional(&flux).ok()),
                (m.chi2_nu, chi2_nu(&flux, &err).ok()),
                (m.modulation_index, modulation_index(&flux, &err).ok()),
                (m.von_neumann, von_neumann(&flux).ok()),
                (m.sigma_deviation, sigma_deviation(&flux).ok()),
                (m.weighted_mean, weighted_mean(&flux, &err).ok().map(|w| w.value)),
            ];
            for (k, (ours, reference)) in defined.into_iter().enumerate() {
                // Sums in another order.
                let same = reference.map_or(ours.is_nan(), |r| (ours - r).abs() <= 1e-12 * r.abs().max(1.0));
                assert!(same, "{n} {k}: {ours} {reference:?}");
            }
        }
    }
}
