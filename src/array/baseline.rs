//! Baselines: pairs of antennas.

/// Whether each antenna is also paired with itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Autos {
    /// Autocorrelations included.
    With,
    /// Cross-correlations only.
    Without,
}

/// Pairs `(i, j)` of `n` antennas with `i <= j` (`i < j` without autos), `i` major.
pub fn baselines(n: usize, autos: Autos) -> Vec<(u32, u32)> {
    let skip = usize::from(autos == Autos::Without);
    (0..n).flat_map(|i| (i + skip..n).map(move |j| (i as u32, j as u32))).collect()
}

/// Length of the longest baseline \[m\]; 0 with fewer than two antennas.
pub fn longest_baseline_m(itrf_m: &[[f64; 3]]) -> f64 {
    let length2 = |a: &[f64; 3], b: &[f64; 3]| a.iter().zip(b).map(|(x, y)| (x - y) * (x - y)).sum::<f64>();
    itrf_m
        .iter()
        .enumerate()
        .flat_map(|(i, a)| itrf_m[i..].iter().map(move |b| length2(a, b)))
        .fold(0.0, f64::max)
        .sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_ordered_and_complete() {
        assert_eq!(baselines(3, Autos::With), [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)]);
        assert_eq!(baselines(3, Autos::Without), [(0, 1), (0, 2), (1, 2)]);
        assert_eq!(baselines(96, Autos::With).len(), 4656);
        assert!(baselines(1, Autos::Without).is_empty() && baselines(0, Autos::With).is_empty());
    }

    #[test]
    fn longest_is_the_diagonal() {
        assert_eq!(longest_baseline_m(&[[0.0; 3], [3.0, 0.0, 0.0], [0.0, 4.0, 0.0]]), 5.0);
        assert_eq!(longest_baseline_m(&[[1.0; 3]]), 0.0);
        assert_eq!(longest_baseline_m(&[]), 0.0);
    }
}
