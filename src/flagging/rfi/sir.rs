//! The scale-invariant rank operator.

/// Flag every sample of a subsequence in which at least `1 - eta` of the samples are flagged; linear in the length.
///
/// With weights `eta` for flagged and `eta - 1` for unflagged samples, a sample is flagged when some run through it has
/// a sum of at least zero.
pub fn rank(mask: &mut [bool], eta: f32) {
    let n = mask.len();
    if n == 0 || eta <= 0.0 || !mask.iter().any(|m| *m) {
        return;
    }
    // cumulative[k]: sum over samples before k of eta for flagged, eta - 1 for unflagged ones.
    let mut cumulative = vec![0.0f32; n + 1];
    for (k, flagged) in mask.iter().enumerate() {
        cumulative[k + 1] = cumulative[k] + if *flagged { eta } else { eta - 1.0 };
    }
    // Greatest cumulative sum at or after each end, least at or before each start.
    let mut greatest = cumulative.clone();
    for k in (0..n).rev() {
        greatest[k] = greatest[k].max(greatest[k + 1]);
    }
    let mut least = f32::INFINITY;
    // A run that meets the fraction exactly must not fail by rounding.
    for k in 0..n {
        least = least.min(cumulative[k]);
        mask[k] = mask[k] || greatest[k + 1] - least >= -1e-4;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All runs, by the definition.
    fn slow(mask: &[bool], eta: f32) -> Vec<bool> {
        let n = mask.len();
        let mut out = mask.to_vec();
        for start in 0..n {
            for end in start + 1..=n {
                let flagged = mask[start..end].iter().filter(|m| **m).count() as f32;
                if flagged >= (1.0 - eta) * (end - start) as f32 - 1e-4 {
                    out[start..end].fill(true);
                }
            }
        }
        out
    }

    #[test]
    fn equals_the_definition() {
        let mut state = 12345u32;
        for case in 0..200 {
            let mask: Vec<bool> = (0..24)
                .map(|_| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    state >> 30 == 0 || (case % 3 == 0 && state >> 31 == 0)
                })
                .collect();
            for eta in [0.1, 0.2, 0.5] {
                let mut fast = mask.clone();
                rank(&mut fast, eta);
                assert_eq!(fast, slow(&mask, eta), "{mask:?} {eta}");
            }
        }
        let mut none = vec![false; 10];
        rank(&mut none, 0.2);
        assert!(none.iter().all(|m| !m));
    }
}
