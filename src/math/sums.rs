//! Sums with four independent partial sums, so that one addition need not wait for the one before.

/// `sum_i term(i)` for `i` in `0..n`.
#[inline]
pub fn sum_by(n: usize, term: impl Fn(usize) -> f64) -> f64 {
    let mut part = [0.0f64; 4];
    let whole = n & !3;
    let mut i = 0;
    while i < whole {
        part[0] += term(i);
        part[1] += term(i + 1);
        part[2] += term(i + 2);
        part[3] += term(i + 3);
        i += 4;
    }
    let mut rest = 0.0;
    while i < n {
        rest += term(i);
        i += 1;
    }
    (part[0] + part[1]) + (part[2] + part[3]) + rest
}

/// Arithmetic mean; NaN when there are no values.
#[inline]
pub fn mean(values: &[f64]) -> f64 {
    sum_by(values.len(), |i| values[i]) / values.len() as f64
}

/// `sum (v - centre)^2`.
#[inline]
pub fn squares_about(values: &[f64], centre: f64) -> f64 {
    sum_by(values.len(), |i| (values[i] - centre) * (values[i] - centre))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_is_summed_whole() {
        for n in 0..12 {
            assert_eq!(sum_by(n, |i| i as f64), (0..n).map(|i| i as f64).sum::<f64>());
        }
        assert_eq!(squares_about(&[1.0, 3.0], mean(&[1.0, 3.0])), 2.0);
    }
}
