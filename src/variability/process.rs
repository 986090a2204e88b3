//! Gaussian processes in time: what scintillation and flicker look like, and points freed of their correlation.

/// How a process forgets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Memory {
    /// Covariance `m^2 exp(-r)`, `r = |dt| / tau`: a damped random walk, whose structure function rises as the lag.
    Walk,
    /// Covariance `m^2 (1 + r) exp(-r)` (Matern 3/2): one derivative smoother, structure function as the lag squared.
    /// The two bracket the power 5/3 of refractive scintillation in Kolmogorov turbulence.
    Smooth,
}

/// A stationary process of zero mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Process {
    /// Its memory.
    pub memory: Memory,
    /// Standard deviation, in the unit of the points; 0 is no process at all.
    pub amplitude: f64,
    /// Time scale \[days\].
    pub tau_days: f64,
}

/// Transition `[a b; c d]` over a step, covariance `[q11, q12, q22]` added meanwhile.
type Transition = ([f64; 4], [f64; 3]);

impl Process {
    /// No correlation: measurement errors only.
    pub const NONE: Self = Self { memory: Memory::Walk, amplitude: 0.0, tau_days: 1.0 };

    /// Stationary variances of the value and of its slope.
    fn stationary(&self) -> (f64, f64) {
        let p = self.amplitude * self.amplitude;
        match self.memory {
            Memory::Walk => (p, 0.0),
            Memory::Smooth => (p, p / (self.tau_days * self.tau_days)),
        }
    }

    fn transition(&self, dt: f64) -> Transition {
        let r = dt / self.tau_days;
        let e = (-r).exp();
        let (p, q) = self.stationary();
        match self.memory {
            Memory::Walk => ([e, 0.0, 0.0, 0.0], [p * (1.0 - e * e), 0.0, 0.0]),
            Memory::Smooth => {
                let f = [e * (1.0 + r), e * dt, -e * r / self.tau_days, e * (1.0 - r)];
                // Q = P - F P F^T with stationary P = diag(p, q).
                let noise = [
                    p - (f[0] * f[0] * p + f[1] * f[1] * q),
                    -(f[0] * f[2] * p + f[1] * f[3] * q),
                    q - (f[2] * f[2] * p + f[3] * f[3] * q),
                ];
                (f, noise)
            }
        }
    }
}

/// Turns points with a process and measurement errors into independent points of unit variance, by a Kalman filter whose gains
/// are worked out once (Kelly et al. 2009, doi:10.1088/0004-637X/698/1/895; Foreman-Mackey et al. 2017,
/// doi:10.3847/1538-3881/aa9332): `O(n)` for every column of numbers that is whitened afterwards.
#[derive(Clone, Debug)]
pub struct Whitener {
    /// For each point transition into it, gain of it, and one over the standard deviation of its innovation.
    steps: Vec<([f64; 4], [f64; 2], f64)>,
    correlated: bool,
    /// ln of the determinant of the covariance, less that of the measurement errors alone.
    pub log_det: f64,
}

impl Whitener {
    /// For points at `mjd` \[days, in order\] with weights `1 / sigma^2`.
    pub fn new(mjd: &[f64], weight: &[f64], process: &Process) -> Self {
        let correlated = process.amplitude > 0.0;
        let (value, slope) = process.stationary();
        let mut p = [value, 0.0, slope];
        let mut log_det = 0.0;
        let mut steps = Vec::with_capacity(mjd.len());
        let mut before: Option<(f64, Transition)> = None;
        for i in 0..mjd.len() {
            let mut f = [0.0; 4];
            if i > 0 && correlated {
                let dt = mjd[i] - mjd[i - 1];
                // Regular cadences repeat their step: its exponentials are kept.
                let (t, q) = match before {
                    Some((d, kept)) if (d - dt).abs() < 1e-9 => kept,
                    _ => process.transition(dt),
                };
                before = Some((dt, (t, q)));
                f = t;
                let (u, v) = (f[0] * p[0] + f[1] * p[1], f[0] * p[1] + f[1] * p[2]);
                let (c, d) = (f[2] * p[0] + f[3] * p[1], f[2] * p[1] + f[3] * p[2]);
                p = [u * f[0] + v * f[1] + q[0], u * f[2] + v * f[3] + q[1], c * f[2] + d * f[3] + q[2]];
            }
            let variance = p[0] + 1.0 / weight[i];
            let gain = [p[0] / variance, p[1] / variance];
            p = [p[0] - gain[0] * p[0], p[1] - gain[0] * p[1], p[2] - gain[1] * p[1]];
            log_det += (variance * weight[i]).ln();
            steps.push((f, gain, 1.0 / variance.sqrt()));
        }
        Self { steps, correlated, log_det }
    }

    /// Whiten one column, as many values as points, into `out`.
    pub fn whiten(&self, values: impl Iterator<Item = f64>, out: &mut Vec<f64>) {
        out.clear();
        if !self.correlated {
            out.extend(self.steps.iter().zip(values).map(|(s, v)| v * s.2));
            return;
        }
        let mut a = [0.0f64; 2];
        out.extend(self.steps.iter().zip(values).map(|((f, gain, scale), value)| {
            a = [f[0] * a[0] + f[1] * a[1], f[2] * a[0] + f[3] * a[1]];
            let innovation = value - a[0];
            a = [a[0] + gain[0] * innovation, a[1] + gain[1] * innovation];
            innovation * scale
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::linear::Cholesky;

    #[test]
    fn agrees_with_the_covariance_matrix() {
        let mjd = [0.0f64, 1.0, 3.5, 4.0];
        let (y, w) = ([0.1, 0.3, -0.2, 0.05], [100.0, 50.0, 80.0, 100.0]);
        for memory in [Memory::Walk, Memory::Smooth] {
            let process = Process { memory, amplitude: 0.2, tau_days: 3.0 };
            let mut covariance = vec![0.0; 16];
            for i in 0..4 {
                for j in 0..4 {
                    let r = (mjd[i] - mjd[j]).abs() / 3.0;
                    covariance[4 * i + j] =
                        0.04 * (-r).exp() * if memory == Memory::Smooth { 1.0 + r } else { 1.0 };
                }
                covariance[5 * i] += 1.0 / w[i];
            }
            let factor = Cholesky::new(&covariance, 4).unwrap();
            let mut solved = y.to_vec();
            factor.solve(&mut solved);
            let exact: f64 = y.iter().zip(&solved).map(|(a, b)| a * b).sum();
            let whitener = Whitener::new(&mjd, &w, &process);
            let mut white = Vec::new();
            whitener.whiten(y.iter().copied(), &mut white);
            let ours: f64 = white.iter().map(|v| v * v).sum();
            let log_w: f64 = w.iter().map(|w| w.ln()).sum();
            // Both are exact: rounding only.
            assert!((ours / exact - 1.0).abs() < 1e-10, "{ours} {exact}");
            assert!((whitener.log_det - factor.log_determinant() - log_w).abs() < 1e-10);
        }
    }

    #[test]
    fn no_process_divides_by_the_errors() {
        let whitener = Whitener::new(&[0.0, 1.0], &[4.0, 25.0], &Process::NONE);
        let mut white = Vec::new();
        whitener.whiten([1.0, 1.0].into_iter(), &mut white);
        assert_eq!((white, whitener.log_det), (vec![2.0, 5.0], 0.0));
    }
}
