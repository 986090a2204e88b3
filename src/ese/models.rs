//! What else than a lens makes a light curve: nothing, a gain error, a flare, a drift, scintillation.
//!
//! Every model has one free level `c` with a flat prior, so that constants cancel between them. `ln Z` is the logarithm of
//! the likelihood averaged over a grid of each model's other parameters, in units of the likelihood's own normalisation.

use super::series::{log_mean_exp, Series};
use crate::math::linear::Cholesky;

/// Logarithms of the evidences of the alternatives.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Alternatives {
    /// Nothing happens.
    pub constant: f64,
    /// The gain is off for a while, or from some time on: a flat step or box, equal in all bands.
    pub gain: f64,
    /// A rise with an exponential rise and fall.
    pub flare: f64,
    /// A slow polynomial drift.
    pub drift: f64,
    /// A random process with a time scale: refractive scintillation or the source's own flicker.
    pub scintillation: f64,
}

impl Alternatives {
    /// The most likely one and its evidence.
    pub fn best(&self) -> (&'static str, f64) {
        [
            ("a constant source", self.constant),
            ("a gain step", self.gain),
            ("a flare", self.flare),
            ("a slow drift", self.drift),
            ("scintillation", self.scintillation),
        ]
        .into_iter()
        .fold(("", f64::NEG_INFINITY), |a, b| if b.1 > a.1 { b } else { a })
    }
}

/// Evidences of all alternatives.
pub(super) fn alternatives(series: &Series) -> Alternatives {
    Alternatives {
        constant: constant(series),
        gain: gain(series),
        flare: flare(series),
        drift: drift(series),
        scintillation: scintillation(series),
    }
}

/// `ln L` of `y = c M`, `c` integrated out: `-chi^2/2 - ln(sum w M^2)/2` from `sum w y^2`, `sum w y M`, `sum w M^2`.
pub(super) fn log_likelihood(wyy: f64, wym: f64, wmm: f64) -> f64 {
    // A level that is not positive is no source.
    let explained = if wym > 0.0 { wym * wym / wmm } else { 0.0 };
    -0.5 * (wyy - explained) - 0.5 * wmm.ln()
}

fn totals(s: &Series) -> (f64, f64, f64) {
    s.y.iter().zip(&s.w).fold((0.0, 0.0, 0.0), |t, (y, w)| (t.0 + w * y * y, t.1 + w * y, t.2 + w))
}

fn constant(s: &Series) -> f64 {
    let (wyy, wy, w) = totals(s);
    log_likelihood(wyy, wy, w)
}

/// `ln Z` of `y = c + A F`, `c` flat and `A` normal about 0 with scatter `prior`, both integrated out.
fn log_linear(wyy: f64, (wy, w): (f64, f64), (wyf, wf, wff): (f64, f64, f64), prior: f64) -> f64 {
    let d = wff + 1.0 / (prior * prior);
    let determinant = w * d - wf * wf;
    let explained = (wy * wy * d - 2.0 * wy * wyf * wf + wyf * wyf * w) / determinant;
    -0.5 * (wyy - explained) - 0.5 * determinant.ln() - prior.ln()
}

/// Boxes `[i, j)` by prefix sums; a box that reaches the end is a step.
fn gain(s: &Series) -> f64 {
    const PRIOR: f64 = 0.2;
    const MOST_EDGES: usize = 400;
    let n = s.len();
    let (wyy, wy, w) = totals(s);
    let mut prefix = vec![(0.0, 0.0)];
    for (y, w) in s.y.iter().zip(&s.w) {
        let last = prefix[prefix.len() - 1];
        prefix.push((last.0 + w * y, last.1 + w));
    }
    let stride = n.div_ceil(MOST_EDGES).max(1);
    let edges: Vec<usize> = (0..n).step_by(stride).chain([n]).collect();
    let mut values = Vec::with_capacity(edges.len() * edges.len() / 2);
    for (k, &i) in edges.iter().enumerate() {
        // A box over the whole curve is the level itself.
        for &j in edges[k + 1..].iter().filter(|j| i > 0 || **j < n) {
            let (by, bw) = (prefix[j].0 - prefix[i].0, prefix[j].1 - prefix[i].1);
            values.push(log_linear(wyy, (wy, w), (by, bw, bw), PRIOR));
        }
    }
    log_mean_exp(&values)
}

fn flare(s: &Series) -> f64 {
    const RISES: [f64; 5] = [0.5, 2.0, 6.0, 15.0, 40.0];
    const FALLS: [f64; 6] = [3.0, 7.0, 15.0, 30.0, 60.0, 120.0];
    const PRIOR: f64 = 1.0;
    const MOST_STARTS: usize = 150;
    let (wyy, wy, w) = totals(s);
    let nothing = log_likelihood(wyy, wy, w);
    let stride = s.len().div_ceil(MOST_STARTS).max(1);
    let mut values = Vec::new();
    for peak in s.mjd.iter().step_by(stride) {
        for rise in RISES {
            for fall in FALLS {
                let (mut wyf, mut wf, mut wff) = (0.0, 0.0, 0.0);
                for ((t, y), w) in s.mjd.iter().zip(&s.y).zip(&s.w) {
                    let d = t - peak;
                    let x = if d < 0.0 { d / rise } else { -d / fall };
                    if x > -8.0 {
                        let f = x.exp();
                        wyf += w * y * f;
                        wf += w * f;
                        wff += w * f * f;
                    }
                }
                // A flare rises: where the best amplitude is negative the best flare is none.
                let rises = wyf * w > wy * wf;
                values.push(if rises { log_linear(wyy, (wy, w), (wyf, wf, wff), PRIOR) } else { nothing });
            }
        }
    }
    log_mean_exp(&values)
}

/// Legendre polynomials of degree 1 to 3 over the span, coefficients with Gaussian priors of 0.3; the evidence in closed form.
fn drift(s: &Series) -> f64 {
    const PRIOR: f64 = 0.3;
    let (first, last) = (s.mjd[0], s.mjd[s.len() - 1]);
    let half = (0.5 * (last - first)).max(1e-9);
    let (mut normal, mut right, mut wyy) = ([0.0; 16], [0.0; 4], 0.0);
    for ((t, y), w) in s.mjd.iter().zip(&s.y).zip(&s.w) {
        let x = (t - first) / half - 1.0;
        let p = [1.0, x, 1.5 * x * x - 0.5, 2.5 * x * x * x - 1.5 * x];
        wyy += w * y * y;
        for i in 0..4 {
            right[i] += w * y * p[i];
            for j in 0..4 {
                normal[4 * i + j] += w * p[i] * p[j];
            }
        }
    }
    for i in 1..4 {
        normal[5 * i] += 1.0 / (PRIOR * PRIOR);
    }
    let Ok(factor) = Cholesky::new(&normal, 4) else { return f64::NEG_INFINITY };
    let mut solution = right.to_vec();
    factor.solve(&mut solution);
    let explained: f64 = solution.iter().zip(&right).map(|(a, b)| a * b).sum();
    -0.5 * (wyy - explained) - 0.5 * factor.log_determinant() - 3.0 * PRIOR.ln()
}

/// Gaussian processes of relative amplitude `m` and time scale `tau`: damped random walk and Matern 3/2, by a Kalman filter
/// (Kelly et al. 2009, doi:10.1088/0004-637X/698/1/895), the level integrated out.
fn scintillation(s: &Series) -> f64 {
    const AMPLITUDES: [f64; 7] = [0.01, 0.02, 0.04, 0.07, 0.12, 0.2, 0.35];
    const TIMES: [f64; 6] = [1.0, 3.0, 10.0, 30.0, 100.0, 300.0];
    let mut values = Vec::with_capacity(2 * AMPLITUDES.len() * TIMES.len());
    for m in AMPLITUDES {
        for tau in TIMES {
            values.push(process(s, m, |dt| walk(m, tau, dt)));
            values.push(process(s, m, |dt| matern(m, tau, dt)));
        }
    }
    log_mean_exp(&values)
}

/// Transition `[a b; c d]` and added covariance `[q11, q12, q22]` over `dt`, and the stationary covariance of the second state.
type Transition = ([f64; 4], [f64; 3], f64);

fn walk(m: f64, tau: f64, dt: f64) -> Transition {
    let decay = (-dt / tau).exp();
    ([decay, 0.0, 0.0, 0.0], [m * m * (1.0 - decay * decay), 0.0, 0.0], 0.0)
}

/// State (value, slope) of covariance `m^2 (1 + r) exp(-r)`, `r = dt / tau`.
fn matern(m: f64, tau: f64, dt: f64) -> Transition {
    let r = dt / tau;
    let e = (-r).exp();
    let f = [e * (1.0 + r), e * dt, -e * r / tau, e * (1.0 - r)];
    let (p, q) = (m * m, m * m / (tau * tau));
    // Q = P - F P F^T with stationary P = diag(p, q).
    let noise = [
        p - (f[0] * f[0] * p + f[1] * f[1] * q),
        -(f[0] * f[2] * p + f[1] * f[3] * q),
        q - (f[2] * f[2] * p + f[3] * f[3] * q),
    ];
    (f, noise, q)
}

/// ln evidence of `y = c + x(t) + noise` with the level `c` integrated out: the filter is run on `y` and on ones.
fn process(s: &Series, m: f64, transition: impl Fn(f64) -> Transition) -> f64 {
    let (_, _, slope) = transition(0.0);
    let mut p = [m * m, 0.0, slope];
    let (mut a, mut b) = ([0.0; 2], [0.0; 2]);
    let (mut yy, mut y1, mut one, mut log_s) = (0.0, 0.0, 0.0, 0.0);
    for i in 0..s.len() {
        if i > 0 {
            let (f, q, _) = transition(s.mjd[i] - s.mjd[i - 1]);
            a = [f[0] * a[0] + f[1] * a[1], f[2] * a[0] + f[3] * a[1]];
            b = [f[0] * b[0] + f[1] * b[1], f[2] * b[0] + f[3] * b[1]];
            let (u, v) = (f[0] * p[0] + f[1] * p[1], f[0] * p[1] + f[1] * p[2]);
            let (c, d) = (f[2] * p[0] + f[3] * p[1], f[2] * p[1] + f[3] * p[2]);
            p = [u * f[0] + v * f[1] + q[0], u * f[2] + v * f[3] + q[1], c * f[2] + d * f[3] + q[2]];
        }
        let variance = p[0] + 1.0 / s.w[i];
        let (e, g) = (s.y[i] - a[0], 1.0 - b[0]);
        yy += e * e / variance;
        y1 += e * g / variance;
        one += g * g / variance;
        log_s += (variance * s.w[i]).ln();
        let gain = [p[0] / variance, p[1] / variance];
        a = [a[0] + gain[0] * e, a[1] + gain[1] * e];
        b = [b[0] + gain[0] * g, b[1] + gain[1] * g];
        p = [p[0] - gain[0] * p[0], p[1] - gain[0] * p[1], p[2] - gain[1] * p[1]];
    }
    -0.5 * (yy - y1 * y1 / one) - 0.5 * log_s - 0.5 * one.ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(f: impl Fn(f64) -> f64) -> Series {
        let mjd: Vec<f64> = (0..120).map(f64::from).collect();
        // A fixed ripple of 2 % rms without trend.
        let y = mjd
            .iter()
            .enumerate()
            .map(|(i, t)| f(*t) + 0.02 * (((i * 7919) % 13) as f64 - 6.0) / 3.742)
            .collect();
        Series { mjd, y, w: vec![2500.0; 120] }
    }

    #[test]
    fn each_alternative_wins_its_own_case() {
        let best = |s: &Series| alternatives(s).best().0;
        assert_eq!(best(&series(|_| 1.0)), "a constant source");
        assert_eq!(best(&series(|t| if (40.0..70.0).contains(&t) { 0.8 } else { 1.0 })), "a gain step");
        assert_eq!(
            best(&series(|t| 1.0 + if t > 50.0 { (-(t - 50.0) / 15.0).exp() } else { 0.0 })),
            "a flare"
        );
        // A slow random walk explains a ramp about as well; constant and step do not.
        let ramp = alternatives(&series(|t| 0.9 + 0.2 * t / 120.0));
        assert!(
            ramp.drift > ramp.constant + 20.0 && ramp.drift > ramp.gain && ramp.drift > ramp.flare,
            "{ramp:?}"
        );
        let wiggle =
            |t: f64| 1.0 + 0.08 * (t / 5.3).sin() + 0.07 * (t / 8.1 + 1.0).cos() + 0.05 * (t / 3.1).sin();
        assert_eq!(best(&series(wiggle)), "scintillation");
    }

    #[test]
    fn the_filter_agrees_with_the_covariance_matrix() {
        let s = Series {
            mjd: vec![0.0, 1.0, 3.5, 4.0],
            y: vec![1.0, 1.2, 0.9, 1.1],
            w: vec![100.0, 50.0, 80.0, 100.0],
        };
        let (m, tau) = (0.2, 3.0);
        for smooth in [false, true] {
            let mut covariance = vec![0.0; 16];
            for i in 0..4 {
                for j in 0..4 {
                    let r = (s.mjd[i] - s.mjd[j]).abs() / tau;
                    covariance[4 * i + j] = m * m * (-r).exp() * if smooth { 1.0 + r } else { 1.0 };
                }
                covariance[5 * i] += 1.0 / s.w[i];
            }
            let factor = Cholesky::new(&covariance, 4).unwrap();
            let (mut ky, mut k1) = (s.y.clone(), vec![1.0; 4]);
            factor.solve(&mut ky);
            factor.solve(&mut k1);
            let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
            let (yy, y1, one) = (dot(&s.y, &ky), dot(&s.y, &k1), dot(&[1.0; 4], &k1));
            let log_w: f64 = s.w.iter().map(|w| w.ln()).sum();
            let exact =
                -0.5 * (yy - y1 * y1 / one) - 0.5 * (factor.log_determinant() + log_w) - 0.5 * one.ln();
            let ours = process(&s, m, |dt| if smooth { matern(m, tau, dt) } else { walk(m, tau, dt) });
            assert!((ours - exact).abs() < 1e-9, "{ours} {exact}");
        }
    }
}
