//! Amplitude and time scale of the process that best describes a light curve.

use super::error::{check_errors, check_times, Undefined};
use super::process::{Memory, Process, Whitener};
use crate::math::sums::mean;

const NAME: &str = "Gaussian process";
/// Steps of the first grid in amplitude and time.
const STEPS: usize = 12;

/// A damped random walk about a constant level: the most likely amplitude and time scale.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GaussianProcess {
    /// Standard deviation of the process, in the unit of the fluxes; 0 when the errors explain everything.
    pub amplitude: f64,
    /// Time after which it has forgotten to `1/e` \[days\]; at an end of the range searched it is a limit.
    pub tau_days: f64,
    /// ln likelihood over that of a constant source.
    pub log_ratio: f64,
}

/// Maximise the likelihood of `f = c + x(t) + noise`, `<x x'> = a^2 exp(-|t - t'| / tau)`, the level `c` integrated out with a
/// flat prior (Kelly, Bechtold & Siemiginowska 2009, doi:10.1088/0004-637X/698/1/895), for `tau` between half the shortest
/// and three times the whole of the light curve.
///
/// # Errors
/// Fewer than five points; a flux, error or time that is not finite; an error that is not positive; times out of order
/// or all equal.
pub fn gaussian_process(mjd: &[f64], flux: &[f64], err: &[f64]) -> Result<GaussianProcess, Undefined> {
    check_times(NAME, 5, mjd, flux)?;
    check_errors(NAME, 5, flux, err)?;
    let centre = mean(flux);
    // Unit: the typical error, so that sums stay of order one whatever the fluxes' unit.
    let unit = mean(err);
    let y: Vec<f64> = flux.iter().map(|f| (f - centre) / unit).collect();
    let weight: Vec<f64> = err.iter().map(|e| (unit / e).powi(2)).collect();
    let spread = y.iter().map(|v| v * v).sum::<f64>() / y.len() as f64;
    let shortest = mjd.windows(2).map(|t| t[1] - t[0]).filter(|d| *d > 0.0).fold(f64::INFINITY, f64::min);
    let span = mjd[mjd.len() - 1] - mjd[0];
    let (low, high) =
        ([1e-2f64.ln(), (0.5 * shortest).ln()], [(10.0 * spread.sqrt() + 1.0).ln(), (3.0 * span).ln()]);
    let value = |p: [f64; 2]| log_likelihood(mjd, &y, &weight, p[0].exp(), p[1].exp());
    let nothing = log_likelihood(mjd, &y, &weight, 0.0, 1.0);
    let step = [0, 1].map(|k| (high[k] - low[k]) / STEPS as f64);
    let at = |i: usize, j: usize| [low[0] + step[0] * i as f64, low[1] + step[1] * j as f64];
    let mut best = (nothing, [f64::NEG_INFINITY, low[1]]);
    for (i, j) in (0..=STEPS).flat_map(|i| (0..=STEPS).map(move |j| (i, j))) {
        let found = value(at(i, j));
        if found > best.0 {
            best = (found, at(i, j));
        }
    }
    // Halve the steps about the best until they are a hundredth.
    let mut size = step;
    while best.0 > nothing && size[1].max(size[0]) > 0.005 {
        let around = [
            (1.0, 0.0),
            (-1.0, 0.0),
            (0.0, 1.0),
            (0.0, -1.0),
            (1.0, 1.0),
            (-1.0, -1.0),
            (1.0, -1.0),
            (-1.0, 1.0),
        ];
        let moved = around
            .map(|(a, b)| [best.1[0] + a * size[0], (best.1[1] + b * size[1]).clamp(low[1], high[1])])
            .map(|p| (value(p), p));
        let top = moved.into_iter().fold(best, |a, b| if b.0 > a.0 { b } else { a });
        if top.0 <= best.0 {
            size = size.map(|s| 0.5 * s);
        }
        best = top;
    }
    Ok(GaussianProcess {
        amplitude: best.1[0].exp() * unit,
        tau_days: best.1[1].exp(),
        log_ratio: (best.0 - nothing).max(0.0),
    })
}

/// ln likelihood with the level integrated out, in units of that of the errors alone.
fn log_likelihood(mjd: &[f64], y: &[f64], weight: &[f64], amplitude: f64, tau_days: f64) -> f64 {
    let whitener = Whitener::new(mjd, weight, &Process { memory: Memory::Walk, amplitude, tau_days });
    let (mut a, mut b) = (Vec::with_capacity(y.len()), Vec::with_capacity(y.len()));
    whitener.whiten(y.iter().copied(), &mut a);
    whitener.whiten(y.iter().map(|_| 1.0), &mut b);
    let (mut yy, mut y1, mut one) = (0.0, 0.0, 0.0);
    for (a, b) in a.iter().zip(&b) {
        yy += a * a;
        y1 += a * b;
        one += b * b;
    }
    -0.5 * (yy - y1 * y1 / one) - 0.5 * one.ln() - 0.5 * whitener.log_det
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Normal numbers of a fixed sequence (Box & Muller over a Weyl sequence mixed by multiplication).
    fn normals(n: usize) -> Vec<f64> {
        let mut state = 88_172_645_463_325_252u64;
        let mut uniform = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 11) as f64 / (1u64 << 53) as f64 + 1e-17
        };
        (0..n).map(|_| (-2.0 * uniform().ln()).sqrt() * (std::f64::consts::TAU * uniform()).cos()).collect()
    }

    #[test]
    fn a_walk_comes_back_with_its_amplitude_and_time() {
        let (n, tau, amplitude) = (3000, 12.0, 0.2);
        let draws = normals(2 * n);
        let decay = (-1.0f64 / tau).exp();
        let mut x = 0.0;
        let flux: Vec<f64> = (0..n)
            .map(|i| {
                x = decay * x + amplitude * (1.0 - decay * decay).sqrt() * draws[i];
                2.0 + x + 0.05 * draws[n + i]
            })
            .collect();
        let mjd: Vec<f64> = (0..n).map(|i| i as f64).collect();
        let g = gaussian_process(&mjd, &flux, &vec![0.05; n]).unwrap();
        // 3000 / 12 = 250 independent stretches: amplitude to 1 / sqrt(2 * 125), time to twice that; three of these.
        assert!((g.amplitude / amplitude - 1.0).abs() < 0.2 && (g.tau_days / tau - 1.0).abs() < 0.4, "{g:?}");
        assert!(g.log_ratio > 100.0);
        // The unit of the fluxes is no matter.
        let milli: Vec<f64> = flux.iter().map(|f| 1e3 * f).collect();
        let m = gaussian_process(&mjd, &milli, &vec![50.0; n]).unwrap();
        assert!((m.amplitude / g.amplitude / 1e3 - 1.0).abs() < 1e-6);
    }

    #[test]
    fn noise_has_no_process() {
        let flux: Vec<f64> = normals(300).iter().map(|d| 1.0 + 0.1 * d).collect();
        let mjd: Vec<f64> = (0..300).map(f64::from).collect();
        let g = gaussian_process(&mjd, &flux, &[0.1; 300]).unwrap();
        // By chance two free parameters gain a few units at most.
        assert!(g.log_ratio < 4.0 && g.amplitude < 0.06, "{g:?}");
        assert!(gaussian_process(&mjd[..4], &flux[..4], &[0.1; 4]).is_err());
        assert!(matches!(
            gaussian_process(&[1.0; 9], &flux[..9], &[0.1; 9]),
            Err(Undefined::EqualTimes { .. })
        ));
    }
}
