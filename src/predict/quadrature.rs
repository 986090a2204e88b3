//! Gauss-Legendre averages over an integration and over a channel.

/// `(position on [-1/2, 1/2], weight)`, weights of unit sum.
pub(super) type Rule = Vec<(f64, f64)>;

/// Nodes at most: enough for phase swings of 60 rad, far beyond what survives the average.
const LONGEST: usize = 40;

/// Error bound of the mean of `exp(i x)` over [-h, h] with `n` nodes: `(n!)^4 (2h)^(2n) / ((2n + 1) ((2n)!)^3)`
/// (the classical remainder of the rule), never more than 2.
fn bound(n: usize, half_swing_rad: f64) -> f64 {
    let h2 = 4.0 * half_swing_rad * half_swing_rad;
    // (n!)^4 / ((2n)!)^3 (2h)^(2n) = prod_k h2 k^4 / ((2k - 1)(2k))^3
    let product: f64 =
        (1..=n).map(|k| k as f64).map(|k| h2 * k.powi(4) / ((2.0 * k - 1.0) * 2.0 * k).powi(3)).product();
    (product / (2 * n + 1) as f64).min(2.0)
}

/// The shortest rule whose error is below `tolerance` when the phase swings by `2 half_swing_rad` over the interval.
pub(super) fn rule(half_swing_rad: f64, tolerance: f64) -> Rule {
    gauss_legendre((1..LONGEST).find(|n| bound(*n, half_swing_rad) <= tolerance).unwrap_or(LONGEST))
}

/// Sampling at the centre: no average at all.
pub(super) fn centre() -> Rule {
    vec![(0.0, 1.0)]
}

/// The rule of `n` nodes, by Newton's iteration on the Legendre polynomial.
fn gauss_legendre(n: usize) -> Rule {
    (0..n)
        .map(|i| {
            let mut x = (std::f64::consts::PI * (i as f64 + 0.75) / (n as f64 + 0.5)).cos();
            let mut slope = 1.0;
            for _ in 0..20 {
                let (mut p, mut before) = (x, 1.0);
                for k in 2..=n {
                    let k = k as f64;
                    (p, before) = (((2.0 * k - 1.0) * x * p - (k - 1.0) * before) / k, p);
                }
                slope = n as f64 * (before - x * p) / (1.0 - x * x);
                let step = p / slope;
                x -= step;
                if step.abs() < 1e-16 {
                    break;
                }
            }
            (0.5 * x, 1.0 / ((1.0 - x * x) * slope * slope))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_keeps_its_bound() {
        for n in 1..=10 {
            let nodes = gauss_legendre(n);
            assert!((nodes.iter().map(|x| x.1).sum::<f64>() - 1.0).abs() < 1e-14, "{nodes:?}");
            for h in [0.1, 0.5, 1.0, 2.0] {
                let mean: f64 = nodes.iter().map(|(x, w)| w * (2.0 * h * x).cos()).sum();
                let error = (mean - f64::sin(h) / h).abs();
                assert!(error <= bound(n, h) * 1.001 + 1e-14, "{n} nodes, h {h}: {error} > {}", bound(n, h));
            }
        }
        // Bounds that are far too wide would waste nodes.
        assert!((bound(1, 0.3) - 0.3f64.powi(2) / 6.0).abs() < 1e-15);
        assert!((bound(2, 0.3) - 0.3f64.powi(4) / 270.0).abs() < 1e-15);
    }

    #[test]
    fn rules_grow_with_the_swing() {
        assert_eq!(rule(1e-4, 1e-4), centre());
        assert_eq!(rule(0.2, 1e-4).len(), 2);
        assert!(rule(1.0, 1e-4).len() == 3 && rule(1.0, 2.0).len() == 1);
        assert!(rule(f64::NAN, 1e-4).len() == LONGEST && rule(1e9, 1e-4).len() == LONGEST);
    }
}
