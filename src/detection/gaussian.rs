//! Elliptical Gaussians fitted to the pixels of an island (Levenberg-Marquardt).

use crate::math::linear::Cholesky;

/// `A exp(-(a dx^2 + b dx dy + c dy^2))` about `(x, y)`: `[A, x, y, a, b, c]`, pixels.
pub(super) type Component = [f64; 6];

/// Pixels to fit: `(x, y, value)`, background taken off.
pub(super) type Pixels = Vec<(f64, f64, f64)>;

/// Value of a component and its derivatives by its six numbers.
fn value_and_gradient(p: &Component, x: f64, y: f64) -> (f64, [f64; 6]) {
    let (dx, dy) = (x - p[1], y - p[2]);
    let k = (-(p[3] * dx * dx + p[4] * dx * dy + p[5] * dy * dy)).exp();
    let v = p[0] * k;
    let gradient = [
        k,
        v * (2.0 * p[3] * dx + p[4] * dy),
        v * (p[4] * dx + 2.0 * p[5] * dy),
        -v * dx * dx,
        -v * dx * dy,
        -v * dy * dy,
    ];
    (v, gradient)
}

fn chi2(components: &[Component], pixels: &Pixels) -> f64 {
    pixels
        .iter()
        .map(|&(x, y, d)| {
            let model: f64 = components.iter().map(|p| value_and_gradient(p, x, y).0).sum();
            (d - model).powi(2)
        })
        .sum()
}

/// Least squares from `start`; the first `free` numbers of each component are fitted (6: shape too, 3: peak and place). `None` when it
/// does not settle in something that is an ellipse.
pub(super) fn fit(start: &[Component], pixels: &Pixels, free: usize) -> Option<Vec<Component>> {
    let n = start.len() * free;
    if pixels.len() < n {
        return None;
    }
    let mut best = start.to_vec();
    let mut best_chi2 = chi2(&best, pixels);
    let mut damping = 1e-3;
    for _ in 0..100 {
        let (normal, right) = system(&best, pixels, free);
        let mut damped = normal.clone();
        for i in 0..n {
            damped[i * n + i] *= 1.0 + damping;
        }
        let Ok(factor) = Cholesky::new(&damped, n) else {
            damping *= 10.0;
            if damping > 1e10 {
                return None;
            }
            continue;
        };
        let mut step = right;
        factor.solve(&mut step);
        let mut next = best.clone();
        for (k, component) in next.iter_mut().enumerate() {
            for i in 0..free {
                component[i] += step[k * free + i];
            }
        }
        let next_chi2 = if next.iter().all(is_ellipse) { chi2(&next, pixels) } else { f64::INFINITY };
        if next_chi2 <= best_chi2 {
            let settled = best_chi2 - next_chi2 <= 1e-9 * best_chi2;
            (best, best_chi2) = (next, next_chi2);
            damping = (damping * 0.2).max(1e-9);
            if settled {
                return Some(best);
            }
        } else {
            damping *= 5.0;
            if damping > 1e10 {
                return Some(best);
            }
        }
    }
    Some(best)
}

fn is_ellipse(p: &Component) -> bool {
    p.iter().all(|v| v.is_finite()) && p[3] > 0.0 && p[5] > 0.0 && 4.0 * p[3] * p[5] > p[4] * p[4]
}

fn system(components: &[Component], pixels: &Pixels, free: usize) -> (Vec<f64>, Vec<f64>) {
    let n = components.len() * free;
    let (mut normal, mut right, mut row) = (vec![0.0; n * n], vec![0.0; n], vec![0.0; n]);
    for &(x, y, d) in pixels {
        let mut rest = d;
        for (k, p) in components.iter().enumerate() {
            let (v, gradient) = value_and_gradient(p, x, y);
            rest -= v;
            row[k * free..(k + 1) * free].copy_from_slice(&gradient[..free]);
        }
        for i in 0..n {
            right[i] += row[i] * rest;
            for j in 0..=i {
                normal[i * n + j] += row[i] * row[j];
            }
        }
    }
    (normal, right)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_blended_ellipses_come_back() {
        let truth: [Component; 2] =
            [[1.0, 10.3, 9.8, 0.08, 0.02, 0.05], [0.4, 15.1, 12.2, 0.05, -0.01, 0.07]];
        let pixels: Pixels = (0..25)
            .flat_map(|y| (0..28).map(move |x| (f64::from(x), f64::from(y))))
            .map(|(x, y)| (x, y, truth.iter().map(|p| value_and_gradient(p, x, y).0).sum()))
            .collect();
        let start = [[0.9, 10.0, 10.0, 0.06, 0.0, 0.06], [0.5, 15.0, 12.0, 0.06, 0.0, 0.06]];
        let found = fit(&start, &pixels, 6).unwrap();
        for (f, t) in found.iter().flatten().zip(truth.iter().flatten()) {
            assert!((f - t).abs() < 1e-5, "{f} {t}");
        }
        assert!(fit(&start, &pixels[..8].to_vec(), 6).is_none());
    }
}
