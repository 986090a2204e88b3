//! From a template of the bank to the best lens nearby, and how well that is known.

use super::models::log_likelihood;
use super::series::Series;
use super::template::Table;
use crate::math::linear::Cholesky;

/// Ranges of the prior: ln strength, ln source size, ln crossing time; the centre's is the light curve's length.
const RANGES: [f64; 3] = [5.8, 3.3, 3.7];
const LOW: [f64; 3] = [-3.5, -2.31, 0.4];
const HIGH: [f64; 3] = [2.79, 1.0, 5.6];

/// The best lens: ln strength, ln source size, ln crossing time \[days\], centre \[MJD\].
pub(super) struct Refined {
    pub at: [f64; 4],
    pub err: [f64; 4],
    pub log_likelihood: f64,
    /// By Laplace's approximation.
    pub log_evidence: f64,
}

/// Climb from `start` (Nelder & Mead 1965, doi:10.1093/comjnl/7.4.308).
pub(super) fn refine(series: &Series, table: &Table, start: [f64; 4], span_days: f64) -> Refined {
    let value = |p: [f64; 4]| likelihood(series, table, p);
    let crossing = start[2].exp();
    let steps = [0.25, 0.4, 0.15, 0.15 * crossing];
    let (at, best) = climb(value, start, steps);
    // Second differences over steps on which a well-measured lens changes by a few units.
    let range = [RANGES[0], RANGES[1], RANGES[2], span_days + 2.0 * crossing];
    let h = [0.04, 0.15, 0.03, 0.03 * at[2].exp()];
    let moved = |i: usize, a: f64, j: usize, b: f64| {
        let mut p = at;
        p[i] += a * h[i];
        p[j] += b * h[j];
        value(p)
    };
    let mut curvature = [0.0; 16];
    for i in 0..4 {
        for j in 0..=i {
            let second = if i == j {
                (2.0 * best - moved(i, 1.0, i, 0.0) - moved(i, -1.0, i, 0.0)).max(0.0) / (h[i] * h[i])
            } else {
                let mixed = moved(i, 1.0, j, 1.0) + moved(i, -1.0, j, -1.0)
                    - moved(i, 1.0, j, -1.0)
                    - moved(i, -1.0, j, 1.0);
                -mixed / (4.0 * h[i] * h[j])
            };
            curvature[4 * i + j] = second;
            curvature[4 * j + i] = second;
        }
        // The prior keeps the width of what is not measured.
        curvature[5 * i] += 12.0 / (range[i] * range[i]);
    }
    let (log_det, err) = match Cholesky::new(&curvature, 4) {
        Ok(factor) => {
            let covariance = factor.inverse();
            (factor.log_determinant(), [0, 1, 2, 3].map(|i| covariance[5 * i].sqrt()))
        }
        // Differences of a surface with kinks need not be a positive matrix: leave out the mixed terms.
        Err(_) => {
            let diagonal = [0, 1, 2, 3].map(|i| curvature[5 * i]);
            (diagonal.iter().map(|d| d.ln()).sum(), diagonal.map(|d| 1.0 / d.sqrt()))
        }
    };
    let volume: f64 = range.iter().map(|r| r.ln()).sum();
    let log_evidence = best + 2.0 * std::f64::consts::TAU.ln() - 0.5 * log_det - volume;
    Refined { at, err, log_likelihood: best, log_evidence: log_evidence.min(best) }
}

fn likelihood(s: &Series, table: &Table, p: [f64; 4]) -> f64 {
    if (0..3).any(|k| p[k] < LOW[k] || p[k] > HIGH[k]) {
        return f64::NEG_INFINITY;
    }
    let lens = table.lens(p[0].exp(), p[1].exp());
    let rate = (-p[2]).exp();
    let (mut wyy, mut wym, mut wmm) = (0.0, 0.0, 0.0);
    for ((t, y), w) in s.mjd.iter().zip(&s.y).zip(&s.w) {
        let m = lens.at((t - p[3]) * rate);
        wyy += w * y * y;
        wym += w * y * m;
        wmm += w * m * m;
    }
    log_likelihood(wyy, wym, wmm)
}

/// Nelder and Mead's simplex, uphill.
fn climb(value: impl Fn([f64; 4]) -> f64, start: [f64; 4], steps: [f64; 4]) -> ([f64; 4], f64) {
    let mut simplex: Vec<([f64; 4], f64)> = (0..5)
        .map(|k| {
            let mut p = start;
            if k > 0 {
                p[k - 1] += steps[k - 1];
            }
            (p, value(p))
        })
        .collect();
    let along = |from: [f64; 4], to: [f64; 4], t: f64| [0, 1, 2, 3].map(|i| from[i] + t * (to[i] - from[i]));
    for _ in 0..160 {
        simplex.sort_by(|a, b| b.1.total_cmp(&a.1));
        if simplex[0].1 - simplex[4].1 < 1e-3 {
            break;
        }
        let centre = [0, 1, 2, 3].map(|i| simplex[..4].iter().map(|s| s.0[i]).sum::<f64>() / 4.0);
        let worst = simplex[4];
        let at = |t: f64| {
            let p = along(worst.0, centre, t);
            (p, value(p))
        };
        let reflected = at(2.0);
        simplex[4] = if reflected.1 > simplex[0].1 {
            let further = at(3.0);
            if further.1 > reflected.1 {
                further
            } else {
                reflected
            }
        } else if reflected.1 > simplex[3].1 {
            reflected
        } else {
            let inner = if reflected.1 > worst.1 { at(1.5) } else { at(0.5) };
            if inner.1 <= worst.1.max(reflected.1) {
                let best = simplex[0].0;
                for s in &mut simplex[1..] {
                    s.0 = along(best, s.0, 0.5);
                    s.1 = value(s.0);
                }
                continue;
            }
            inner
        };
    }
    simplex.sort_by(|a, b| b.1.total_cmp(&a.1));
    simplex[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sharp_lens_is_found_from_a_coarse_start() {
        let table = Table::get();
        let truth = table.lens(0.5, 0.2);
        let mjd: Vec<f64> = (0..150).map(f64::from).collect();
        let y: Vec<f64> = mjd.iter().map(|t| truth.at((t - 73.3) / 14.0)).collect();
        let s = Series { mjd, y, w: vec![1e4; 150] };
        let r = refine(&s, table, [0.4f64.ln(), 0.3f64.ln(), 17f64.ln(), 75.0], 150.0);
        // Noise-free: strength, time and centre come back; size trades against them a little.
        assert!((r.at[0] - 0.5f64.ln()).abs() < 0.1 && (r.at[2] - 14f64.ln()).abs() < 0.06, "{:?}", r.at);
        assert!((r.at[3] - 73.3).abs() < 0.2 && r.log_evidence < r.log_likelihood);
        assert!(r.err.iter().all(|e| *e > 0.0 && e.is_finite()), "{:?}", r.err);
    }
}
