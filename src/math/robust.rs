//! Statistics that a few wild values do not move: median, median absolute deviation, sigma clipping.

/// Ratio of a Gaussian's standard deviation to its median absolute deviation, `1 / Phi^-1(3/4)`.
pub const SIGMA_PER_MAD: f64 = 1.482_602_218_505_602;

/// Median of `values`, which are reordered; NaN when there are none. Values must not be NaN (they would sort to the ends).
pub fn median(values: &mut [f64]) -> f64 {
    let n = values.len();
    if n == 0 {
        return f64::NAN;
    }
    let (low, &mut middle, _) = values.select_nth_unstable_by(n / 2, f64::total_cmp);
    if n % 2 == 1 {
        return middle;
    }
    let below = low.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    0.5 * (below + middle)
}

/// Median of pixels, which are reordered; NaN when there are none. Values must not be NaN.
pub fn median_f32(values: &mut [f32]) -> f32 {
    let n = values.len();
    if n == 0 {
        return f32::NAN;
    }
    let (low, &mut middle, _) = values.select_nth_unstable_by(n / 2, f32::total_cmp);
    if n % 2 == 1 {
        return middle;
    }
    let below = low.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    0.5 * (below + middle)
}

/// Centre and spread of a sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MedianMad {
    /// Median.
    pub median: f64,
    /// [`SIGMA_PER_MAD`] times the median absolute deviation: the standard deviation of a Gaussian sample.
    pub sigma: f64,
}

/// Median and scaled MAD of the finite values among `values`; NaN when there are none (Rousseeuw & Croux 1993,
/// doi:10.1080/01621459.1993.10476408).
pub fn median_mad(values: &[f64]) -> MedianMad {
    let mut work: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
    let centre = median(&mut work);
    for v in &mut work {
        *v = (*v - centre).abs();
    }
    MedianMad { median: centre, sigma: SIGMA_PER_MAD * median(&mut work) }
}

/// What sigma clipping left.
#[derive(Clone, Debug, PartialEq)]
pub struct Clipped {
    /// Which of the values were kept.
    pub kept: Vec<bool>,
    /// Median and spread of the kept values.
    pub stats: MedianMad,
    /// Number kept.
    pub n: usize,
}

/// Reject `|v - median| >= n_sigma * sigma` (scaled MAD) up to `passes` times; values that are not finite are rejected first.
///
/// A sample whose MAD is zero (more than half equal) is not clipped.
pub fn clip(values: &[f64], n_sigma: f64, passes: usize) -> Clipped {
    let mut kept: Vec<bool> = values.iter().map(|v| v.is_finite()).collect();
    let mut work: Vec<f64> = Vec::with_capacity(values.len());
    let select = |kept: &[bool], work: &mut Vec<f64>| {
        work.clear();
        work.extend(values.iter().zip(kept).filter(|(_, k)| **k).map(|(v, _)| *v));
        median_mad(work)
    };
    let mut stats = select(&kept, &mut work);
    for _ in 0..passes {
        let limit = n_sigma * stats.sigma;
        if limit.is_nan() || limit <= 0.0 {
            break;
        }
        let before = work.len();
        for (k, v) in kept.iter_mut().zip(values) {
            *k = *k && (v - stats.median).abs() < limit;
        }
        stats = select(&kept, &mut work);
        if work.len() == before {
            break;
        }
    }
    Clipped { kept, stats, n: work.len() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_of_odd_even_and_none() {
        assert_eq!(median(&mut [3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&mut [4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median(&mut []).is_nan());
        assert_eq!(median_f32(&mut [4.0, 1.0, 2.0, 3.0]), 2.5);
    }

    #[test]
    fn mad_ignores_wild_and_nan() {
        let s = median_mad(&[1.0, 2.0, 3.0, 4.0, 1e9, f64::NAN]);
        assert_eq!(s.median, 3.0);
        assert!((s.sigma - SIGMA_PER_MAD).abs() < 1e-15);
    }

    #[test]
    fn clip_drops_the_outlier_only() {
        let values = [1.0, 1.1, 0.9, 1.05, 0.95, 7.0, f64::INFINITY];
        let c = clip(&values, 3.0, 1);
        assert_eq!(c.kept, [true, true, true, true, true, false, false]);
        assert_eq!((c.n, c.stats.median), (5, 1.0));
        assert_eq!(clip(&[2.0, 2.0, 2.0, 5.0], 3.0, 5).n, 4);
    }
}
