//! One Gauss-Newton step for fluxes, slopes and positions of bright sources, on packed residual visibilities.

use num_complex::Complex32;
use rayon::prelude::*;

use super::bright::BrightSource;
use super::bright_model::{Model, UNKNOWNS};
use super::{Grid, View, Visibilities};
use crate::math::linear::Cholesky;

/// Multiply-adds spent on the normal matrix; a sample of the rows gives it to a per cent, which only costs convergence.
const MATRIX_WORK: f64 = 3e8;

/// Change of one source.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Step {
    pub flux_jy: f64,
    pub slope_jy: f64,
    pub l_jy: f64,
    pub m_jy: f64,
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
pub(super) fn fit_step(view: View<'_>, data: &Data<'_>, sources: &[&BrightSource]) -> Vec<Step> {
    if sources.is_empty() {
        return Vec::new();
    }
    let model = Model::new(view, data.vis, data.grid, sources);
    let n = sources.len() * UNKNOWNS;
    let mut x = model.gradient(data.left);
    let matrix = normal_matrix(&model, data);
    match Cholesky::new(&damped(&matrix, n), n) {
        Ok(factor) => factor.solve(&mut x),
        Err(_) => (0..n).for_each(|k| x[k] /= matrix[k * n + k].max(f64::MIN_POSITIVE)),
    }
    x.chunks_exact(UNKNOWNS).map(|u| Step { flux_jy: u[0], slope_jy: u[1], l_jy: u[2], m_jy: u[3] }).collect()
}

/// A touch on the diagonal: a slope that the band does not tell stays where it is.
fn damped(matrix: &[f64], n: usize) -> Vec<f64> {
    let mut out = matrix.to_vec();
    (0..n).for_each(|k| out[k * n + k] *= 1.0 + 1e-4);
    out
}

/// `sum w Re conj(D_k) D_l` from a sample of the rows, scaled to all of them.
fn normal_matrix(model: &Model<'_>, data: &Data<'_>) -> Vec<f64> {
    let n = model.len() * UNKNOWNS;
    let weights = data.unit;
    let wanted = (MATRIX_WORK / (n * n) as f64).clamp(2e4, 2e5);
    let mut step = ((weights.len().max(1) as f64 / wanted) as usize).max(1);
    // Not a divisor of the number of baselines: every integration then gives other ones.
    while step > 1 && [2, 3, 5, 19].iter().any(|p| step.is_multiple_of(*p)) {
        step += 1;
    }
    let picked: Vec<usize> = (0..data.vis.pairs.len()).step_by(step).collect();
    let total: f64 = weights.iter().map(|w| f64::from(w.re)).sum();
    let parts: Vec<(Vec<f64>, f64)> = picked
        .par_chunks(picked.len().div_ceil(8).max(1))
        .map(|chunk| {
            let (mut sum, mut seen) = (vec![0.0; n * n], 0.0);
            let mut d = vec![[0f64; 2]; n];
            for row in chunk {
                let mut node = 0;
                while let Some(sample) = model.derivatives(*row, node, &mut d) {
                    let w = f64::from(weights[sample].re);
                    seen += w;
                    for i in 0..n {
                        let a = d[i].map(|x| x * w);
                        for j in 0..=i {
                            sum[i * n + j] += a[0] * d[j][0] + a[1] * d[j][1];
                        }
                    }
                    node += 1;
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
