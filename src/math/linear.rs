//! Small dense linear algebra: symmetric positive-definite systems and weighted linear least squares.

use super::Error;
use crate::kind::BadArgument;

/// Lower Cholesky factor of a symmetric positive-definite matrix.
#[derive(Clone, Debug)]
pub struct Cholesky {
    n: usize,
    /// Row-major lower triangle, `n * n`.
    lower: Vec<f64>,
    /// Square roots of the diagonal that scaled the matrix to unit diagonal.
    scale: Vec<f64>,
}

impl Cholesky {
    /// Factor `matrix` (row-major, `n * n`; the lower triangle is read). It is scaled to unit diagonal first, and counts as
    /// singular when a pivot falls below `1e-13` of that.
    ///
    /// # Errors
    /// [`Error::Singular`] names the column that depends on the ones before it.
    pub fn new(matrix: &[f64], n: usize) -> Result<Self, Error> {
        if matrix.len() != n * n {
            return Err(BadArgument::new("matrix", format!("{n} x {n} values"), matrix.len()).into());
        }
        let mut scale = vec![0.0; n];
        for i in 0..n {
            let d = matrix[i * n + i];
            if !(d > 0.0 && d.is_finite()) {
                return Err(Error::Singular { column: i, n });
            }
            scale[i] = d.sqrt();
        }
        let mut lower = vec![0.0; n * n];
        for i in 0..n {
            for j in 0..=i {
                let mut sum = matrix[i * n + j] / (scale[i] * scale[j]);
                for k in 0..j {
                    sum -= lower[i * n + k] * lower[j * n + k];
                }
                if i != j {
                    lower[i * n + j] = sum / lower[j * n + j];
                } else if sum > 1e-13 {
                    lower[i * n + i] = sum.sqrt();
                } else {
                    return Err(Error::Singular { column: i, n });
                }
            }
        }
        Ok(Self { n, lower, scale })
    }

    /// Solve `matrix * x = b`, in place.
    pub fn solve(&self, b: &mut [f64]) {
        let n = self.n;
        for i in 0..n {
            let mut sum = b[i] / self.scale[i];
            for k in 0..i {
                sum -= self.lower[i * n + k] * b[k];
            }
            b[i] = sum / self.lower[i * n + i];
        }
        for i in (0..n).rev() {
            let mut sum = b[i];
            for k in i + 1..n {
                sum -= self.lower[k * n + i] * b[k];
            }
            b[i] = sum / self.lower[i * n + i];
        }
        for i in 0..n {
            b[i] /= self.scale[i];
        }
    }

    /// The inverse matrix, row-major.
    pub fn inverse(&self) -> Vec<f64> {
        let n = self.n;
        let mut inverse = vec![0.0; n * n];
        let mut column = vec![0.0; n];
        for j in 0..n {
            column.fill(0.0);
            column[j] = 1.0;
            self.solve(&mut column);
            for i in 0..n {
                inverse[i * n + j] = column[i];
            }
        }
        inverse
    }

    /// Natural logarithm of the determinant.
    pub fn log_determinant(&self) -> f64 {
        (0..self.n).map(|i| 2.0 * (self.lower[i * self.n + i] * self.scale[i]).ln()).sum()
    }
}

/// A weighted linear least-squares solution.
#[derive(Clone, Debug)]
pub struct LeastSquares {
    /// Parameters.
    pub params: Vec<f64>,
    /// Covariance of the parameters for weights `1 / sigma^2`, row-major.
    pub covariance: Vec<f64>,
    /// `sum w (y - A p)^2`.
    pub chi2: f64,
    /// ln det of the normal matrix `A^T W A`.
    pub log_det_normal: f64,
}

/// Minimise `sum_r w_r (y_r - sum_p A_rp x_p)^2`. `design_rp` is row-major, rows with weight 0 are ignored.
///
/// # Errors
/// Lengths that disagree; a singular normal matrix.
pub fn least_squares(
    design_rp: &[f64],
    y: &[f64],
    weight: &[f64],
    n_params: usize,
) -> Result<LeastSquares, Error> {
    let rows = y.len();
    if design_rp.len() != rows * n_params || weight.len() != rows {
        let found = format!("{} and {} values", design_rp.len(), weight.len());
        return Err(BadArgument::new(
            "design, weight",
            format!("{rows} rows of {n_params}, {rows} weights"),
            found,
        )
        .into());
    }
    let mut normal = vec![0.0; n_params * n_params];
    let mut params = vec![0.0; n_params];
    for ((row, &value), &w) in design_rp.chunks_exact(n_params).zip(y).zip(weight) {
        if w == 0.0 {
            continue;
        }
        for i in 0..n_params {
            let wa = w * row[i];
            params[i] += wa * value;
            for j in 0..=i {
                normal[i * n_params + j] += wa * row[j];
            }
        }
    }
    let factor = Cholesky::new(&normal, n_params)?;
    factor.solve(&mut params);
    let mut chi2 = 0.0;
    for ((row, &value), &w) in design_rp.chunks_exact(n_params).zip(y).zip(weight) {
        if w != 0.0 {
            let model: f64 = row.iter().zip(&params).map(|(a, p)| a * p).sum();
            chi2 += w * (value - model).powi(2);
        }
    }
    Ok(LeastSquares { params, covariance: factor.inverse(), chi2, log_det_normal: factor.log_determinant() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_through_three_points() {
        // y = 1 + 2 x exactly; the third point is given no weight and is wrong.
        let design = [1.0, 0.0, 1.0, 1.0, 1.0, 2.0, 1.0, 3.0];
        let fit = least_squares(&design, &[1.0, 3.0, 99.0, 7.0], &[1.0, 1.0, 0.0, 4.0], 2).unwrap();
        assert!((fit.params[0] - 1.0).abs() < 1e-12 && (fit.params[1] - 2.0).abs() < 1e-12);
        assert!(fit.chi2 < 1e-20);
    }

    #[test]
    fn covariance_of_a_mean_is_one_over_the_weights() {
        let fit = least_squares(&[1.0; 4], &[1.0, 2.0, 3.0, 4.0], &[0.25; 4], 1).unwrap();
        assert_eq!(fit.params, [2.5]);
        assert!((fit.covariance[0] - 1.0).abs() < 1e-15 && fit.log_det_normal.abs() < 1e-15);
        assert!((fit.chi2 - 1.25).abs() < 1e-14);
    }

    #[test]
    fn dependent_columns_are_refused_with_their_number() {
        let design = [1.0, 2.0, 1.0, 2.0, 1.0, 2.0];
        assert!(matches!(
            least_squares(&design, &[1.0; 3], &[1.0; 3], 2),
            Err(Error::Singular { column: 1, n: 2 })
        ));
    }

    #[test]
    fn inverse_times_matrix_is_one() {
        let m = [4.0, 2.0, 0.5, 2.0, 5.0, 1.0, 0.5, 1.0, 3e6];
        let inverse = Cholesky::new(&m, 3).unwrap().inverse();
        for i in 0..3 {
            for j in 0..3 {
                let p: f64 = (0..3).map(|k| inverse[i * 3 + k] * m[k * 3 + j]).sum();
                // Scaled conditioning is mild; the third row spans six decades.
                assert!((p - f64::from(i == j)).abs() < 1e-9, "{i} {j} {p}");
            }
        }
    }
}
