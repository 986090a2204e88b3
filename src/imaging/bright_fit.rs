//! One Gauss-Newton step for fluxes, slopes and positions of bright sources, on packed residual visibilities.

use num_complex::{Complex32, Complex64};
use rayon::prelude::*;

use super::bright::BrightSource;
use super::{Error, Grid, View, Visibilities};
use crate::constants::SPEED_OF_LIGHT_M_S;
use crate::coords::Lmn;
use crate::math::linear::Cholesky;

/// Unknowns of a source: flux, flux times index, flux times shifts along l and m.
const UNKNOWNS: usize = 4;
/// Multiply-adds spent on the normal matrix; a sample of the rows gives it to a per cent, which only costs convergence.
const MATRIX_WORK: f64 = 6e7;

/// Change of one source.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Step {
    pub flux_jy: f64,
    pub slope_jy: f64,
    pub l_jy: f64,
    pub m_jy: f64,
}

/// Beam times spectrum of a source of 1 Jy by integration: `c0 + c1 x + c2 x^2`, `x = ln(f / f0)`.
struct Response {
    lmn: Lmn,
    reference_hz: f64,
    by_time: Vec<[f64; 3]>,
}

impl Response {
    fn of(source: &BrightSource, view: View<'_>, freq_hz: &[f64]) -> Self {
        let (low, high) = freq_hz.iter().fold((f64::INFINITY, 0f64), |(a, b), f| (a.min(*f), b.max(*f)));
        let reference_hz = source.freq_hz;
        let half = (high / reference_hz).ln().max((reference_hz / low).ln()).max(1e-6);
        let by_time = view
            .pointings
            .iter()
            .map(|pointing| {
                let at = |x: f64| {
                    let f = reference_hz * x.exp();
                    (source.alpha * x).exp() * view.beam.power_towards(source.position, *pointing, f)
                };
                let (a, b, c) = (at(-half), at(0.0), at(half));
                [b, 0.5 * (c - a) / half, 0.5 * (a + c - 2.0 * b) / (half * half)]
            })
            .collect();
        Self { lmn: Lmn::of(source.position, view.centre), reference_hz, by_time }
    }

    /// Derivatives of the visibility by the four unknowns.
    #[inline]
    fn derivatives(&self, row: &Row<'_>, freq_hz: f64, x: f64) -> [Complex64; UNKNOWNS] {
        let turns = row.path(&self.lmn) * freq_hz;
        let (s, c) = (std::f64::consts::TAU * (turns - turns.round())).sin_cos();
        let [c0, c1, c2] = self.by_time[row.time];
        let unit = Complex64::new(c, s) * (c0 + x * (c1 + x * c2));
        let [kl, km] = row.wave(&self.lmn).map(|k| k * freq_hz);
        let turned = Complex64::new(-unit.im, unit.re);
        [unit, unit * x, turned * kl, turned * km]
    }
}

/// Baseline over the speed of light, and integration.
struct Row<'a> {
    uvw: [f64; 3],
    time: usize,
    freq_hz: &'a [f64],
    first: usize,
}

impl Row<'_> {
    fn path(&self, p: &Lmn) -> f64 {
        self.uvw[0] * p.l + self.uvw[1] * p.m + self.uvw[2] * p.n_minus_1
    }

    /// Change of phase by l and m \[rad a hertz\].
    fn wave(&self, p: &Lmn) -> [f64; 2] {
        let n = p.n();
        let turn = std::f64::consts::TAU;
        [turn * (self.uvw[0] - self.uvw[2] * p.l / n), turn * (self.uvw[1] - self.uvw[2] * p.m / n)]
    }
}

/// Packed visibilities that a fit is made on.
pub(super) struct Data<'a> {
    pub grid: &'a Grid,
    pub vis: &'a Visibilities,
    /// Weights at the nodes.
    pub unit: &'a [Complex32],
    /// Packed residuals.
    pub left: &'a [Complex32],
}

/// Steps of all `sources` from packed residuals. Of a source that is not subtracted yet the flux step is its flux.
pub(super) fn fit_step(
    view: View<'_>,
    data: &Data<'_>,
    sources: &[&BrightSource],
) -> Result<Vec<Step>, Error> {
    let vis = data.vis;
    if sources.is_empty() {
        return Ok(Vec::new());
    }
    let responses: Vec<Response> = sources.iter().map(|s| Response::of(s, view, &vis.freq_hz)).collect();
    let n = responses.len() * UNKNOWNS;
    let rows: Vec<Row<'_>> = data
        .grid
        .packed_rows()
        .enumerate()
        .map(|(r, p)| Row {
            uvw: vis.uvw_m[r].map(|b| b / SPEED_OF_LIGHT_M_S),
            time: vis.time_of_row[r] as usize,
            freq_hz: p.freq_hz,
            first: p.first,
        })
        .collect();
    let gradient = gradient(&rows, &responses, data.left);
    let matrix = normal_matrix(&rows, &responses, data.unit);
    let mut x = gradient;
    match Cholesky::new(&damped(&matrix, n), n) {
        Ok(factor) => factor.solve(&mut x),
        Err(_) => (0..n).for_each(|k| x[k] /= matrix[k * n + k].max(f64::MIN_POSITIVE)),
    }
    Ok(x.chunks_exact(UNKNOWNS)
        .map(|u| Step { flux_jy: u[0], slope_jy: u[1], l_jy: u[2], m_jy: u[3] })
        .collect())
}

/// A touch on the diagonal: a slope that the band does not tell stays where it is.
fn damped(matrix: &[f64], n: usize) -> Vec<f64> {
    let mut out = matrix.to_vec();
    (0..n).for_each(|k| out[k * n + k] *= 1.0 + 1e-4);
    out
}

fn gradient(rows: &[Row<'_>], responses: &[Response], left: &[Complex32]) -> Vec<f64> {
    let n = responses.len() * UNKNOWNS;
    let add = |mut a: Vec<f64>, b: Vec<f64>| {
        a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
        a
    };
    rows.par_chunks(256)
        .map(|chunk| {
            let mut sum = vec![0.0; n];
            for row in chunk {
                for (response, sum) in responses.iter().zip(sum.chunks_exact_mut(UNKNOWNS)) {
                    own_gradient(row, response, left, sum);
                }
            }
            sum
        })
        .reduce(|| vec![0.0; n], add)
}

/// As [`Response::derivatives`] against the residual, with the sums over frequency kept short.
fn own_gradient(row: &Row<'_>, response: &Response, left: &[Complex32], sum: &mut [f64]) {
    let path = row.path(&response.lmn);
    let [c0, c1, c2] = response.by_time[row.time];
    let per_hz = 1.0 / response.reference_hz;
    let (mut flux, mut slope, mut quadrature) = (0f32, 0f32, 0f32);
    for (f, r) in row.freq_hz.iter().zip(&left[row.first..]) {
        let turns = path * f;
        let (s, c) = ((std::f64::consts::TAU * (turns - turns.round())) as f32).sin_cos();
        // ln(1 + d) to third order: 1e-5 over this band.
        let d = f * per_hz - 1.0;
        let x = d * (1.0 - d * (0.5 - d / 3.0));
        let a = (c0 + x * (c1 + x * c2)) as f32;
        let in_phase = a * (c * r.re + s * r.im);
        flux += in_phase;
        slope += in_phase * x as f32;
        quadrature += a * (c * r.im - s * r.re) * (*f * per_hz) as f32;
    }
    let [kl, km] = row.wave(&response.lmn).map(|k| k * response.reference_hz);
    sum[0] += f64::from(flux);
    sum[1] += f64::from(slope);
    sum[2] += kl * f64::from(quadrature);
    sum[3] += km * f64::from(quadrature);
}

/// `sum w Re conj(D_k) D_l` from a sample of the rows, scaled to all of them.
fn normal_matrix(rows: &[Row<'_>], responses: &[Response], weights: &[Complex32]) -> Vec<f64> {
    let n = responses.len() * UNKNOWNS;
    let samples = weights.len().max(1) as f64;
    let wanted = (MATRIX_WORK / (n * n) as f64).clamp(5e3, 1e5);
    let mut step = ((samples / wanted) as usize).max(1);
    // Not a divisor of the number of baselines: every integration then gives other ones.
    while step > 1 && [2, 3, 5, 19].iter().any(|p| step.is_multiple_of(*p)) {
        step += 1;
    }
    let picked: Vec<&Row<'_>> = rows.iter().step_by(step).collect();
    let total: f64 = weights.iter().map(|w| f64::from(w.re)).sum();
    let parts: Vec<(Vec<f64>, f64)> = picked
        .par_chunks(picked.len().div_ceil(8).max(1))
        .map(|chunk| {
            let (mut sum, mut seen) = (vec![0.0; n * n], 0.0);
            let mut d = vec![Complex64::default(); n];
            for row in chunk {
                for (k, f) in row.freq_hz.iter().enumerate() {
                    let w = f64::from(weights[row.first + k].re);
                    seen += w;
                    for (r, d) in responses.iter().zip(d.chunks_exact_mut(UNKNOWNS)) {
                        d.copy_from_slice(&r.derivatives(row, *f, (f / r.reference_hz).ln()));
                    }
                    for i in 0..n {
                        let a = d[i] * w;
                        for j in 0..=i {
                            sum[i * n + j] += a.re * d[j].re + a.im * d[j].im;
                        }
                    }
                }
            }
            (sum, seen)
        })
        .collect();
    let seen: f64 = parts.iter().map(|p| p.1).sum();
    let scale = if seen > 0.0 { total / seen } else { 1.0 };
    let mut out = vec![0.0; n * n];
    for (sum, _) in parts {
        out.iter_mut().zip(sum).for_each(|(o, s)| *o += s * scale);
    }
    out
}
