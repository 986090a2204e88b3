//! Least squares for differences: `sum_j w_ij (x_i - x_j) = b_i` with the mean of x held at zero.

/// A weighted graph Laplacian, made positive definite by the constraint `sum x = 0`.
#[derive(Clone, Debug, Default)]
pub(super) struct Laplacian {
    n: usize,
    matrix: Vec<f64>,
}

impl Laplacian {
    pub fn new(n: usize) -> Self {
        Self { n, matrix: vec![0.0; n * n] }
    }

    /// Add weight `w` between i and j.
    pub fn add(&mut self, i: usize, j: usize, w: f64) {
        let n = self.n;
        self.matrix[i * n + i] += w;
        self.matrix[j * n + j] += w;
        self.matrix[i * n + j] -= w;
        self.matrix[j * n + i] -= w;
    }

    /// Lower Cholesky factor of the matrix plus `mean * 1 1^T / n`, which only touches the null space.
    fn factor(&self) -> Option<Vec<f64>> {
        let n = self.n;
        let mean = (0..n).map(|i| self.matrix[i * n + i]).sum::<f64>() / n as f64;
        let mut l: Vec<f64> = self.matrix.iter().map(|x| x + mean / n as f64).collect();
        for j in 0..n {
            for k in 0..j {
                let ljk = l[j * n + k];
                for i in j..n {
                    l[i * n + j] -= l[i * n + k] * ljk;
                }
            }
            let pivot = l[j * n + j];
            if !(pivot > 1e-12 * mean) {
                return None;
            }
            let root = pivot.sqrt();
            for i in j..n {
                l[i * n + j] /= root;
            }
        }
        Some(l)
    }

    /// The solution of zero mean; `None` when the graph is not connected.
    pub fn solve(&self, rhs: &[f64]) -> Option<Vec<f64>> {
        let l = self.factor()?;
        Some(back(&l, forward(&l, rhs.to_vec())))
    }

    /// Diagonal of the inverse (the variance of each x about the mean); zeros when not connected.
    pub fn inverse_diagonal(&self) -> Vec<f64> {
        let n = self.n;
        let Some(l) = self.factor() else { return vec![0.0; n] };
        (0..n)
            .map(|i| {
                let mut unit = vec![0.0; n];
                unit[i] = 1.0;
                forward(&l, unit).iter().map(|y| y * y).sum::<f64>()
            })
            .collect()
    }
}

fn forward(l: &[f64], mut b: Vec<f64>) -> Vec<f64> {
    let n = b.len();
    for i in 0..n {
        let done: f64 = (0..i).map(|k| l[i * n + k] * b[k]).sum();
        b[i] = (b[i] - done) / l[i * n + i];
    }
    b
}

fn back(l: &[f64], mut b: Vec<f64>) -> Vec<f64> {
    let n = b.len();
    for i in (0..n).rev() {
        let done: f64 = (i + 1..n).map(|k| l[k * n + i] * b[k]).sum();
        b[i] = (b[i] - done) / l[i * n + i];
    }
    b
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_recovered() {
        let x = [1.0, -2.0, 4.0, 0.5];
        let mut system = Laplacian::new(4);
        let mut rhs = vec![0.0; 4];
        for (i, j, w) in [(0, 1, 2.0), (1, 2, 1.0), (2, 3, 3.0), (0, 3, 0.5)] {
            system.add(i, j, w);
            rhs[i] += w * (x[i] - x[j]);
            rhs[j] -= w * (x[i] - x[j]);
        }
        let found = system.solve(&rhs).unwrap();
        for k in 1..4 {
            assert!((found[k] - found[0] - (x[k] - x[0])).abs() < 1e-12);
        }
        let mut apart = Laplacian::new(4);
        apart.add(0, 1, 1.0);
        apart.add(2, 3, 1.0);
        assert!(apart.solve(&rhs).is_none());
    }
}
