//! What is expected of a baseline: what scouts of about its length, which are searched first, flag.

/// Scouts on either side, by length, that tell what is expected of a baseline.
const ABREAST: usize = 4;

/// What neighbours in length flag: left out of the first estimates of noise and sources, which then are as good as a second search's.
#[derive(Default)]
pub(super) struct Expected {
    /// By scout; empty where there is nothing.
    masks: Vec<Vec<bool>>,
    /// Baselines to a scout.
    stride: usize,
}

impl Expected {
    /// What more than half of the masks of some scouts of about one length flag; `scouts` are every `stride`-th of the baselines by length.
    pub(super) fn new(scouts: &[&[bool]], stride: usize) -> Self {
        let masks = (0..scouts.len())
            .map(|k| {
                let size = scouts[k].len();
                let from = k.saturating_sub(ABREAST);
                let near: Vec<&[bool]> = scouts[from..(k + ABREAST + 1).min(scouts.len())]
                    .iter()
                    .copied()
                    .filter(|mask| mask.len() == size)
                    .collect();
                let mut count = vec![0u8; size];
                for mask in &near {
                    for (n, m) in count.iter_mut().zip(*mask) {
                        *n += u8::from(*m);
                    }
                }
                count.iter().map(|n| 2 * usize::from(*n) > near.len()).collect()
            })
            .collect();
        Self { masks, stride }
    }

    /// For the `k`-th baseline by length, of so many samples.
    pub(super) fn of(&self, k: usize, size: usize) -> Option<&[bool]> {
        self.masks.get(k / self.stride.max(1)).map(|mask| &mask[..]).filter(|mask| mask.len() == size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expected_is_what_most_scouts_of_about_one_length_flag() {
        // All flag the first sample, a third of them the second, the long ones the third.
        let masks: Vec<[bool; 3]> = (0..20).map(|k| [true, k % 3 == 1, k >= 10]).collect();
        let scouts: Vec<&[bool]> = masks.iter().map(|mask| &mask[..]).collect();
        let expected = Expected::new(&scouts, 3);
        assert_eq!(expected.of(0, 3), Some(&[true, false, false][..]));
        assert_eq!(expected.of(59, 3), Some(&[true, false, true][..]));
        // 4 of the 9 about the scout 10 are shorter, 5 of those about the scout 9.
        assert_eq!(expected.of(30, 3), Some(&[true, false, true][..]));
        assert_eq!(expected.of(29, 3).map(|mask| mask[2]), Some(false));
        // Planes of another shape, and baselines beyond the scouts, have none.
        assert_eq!(expected.of(0, 4), None);
        assert_eq!(expected.of(60, 3), None);
        assert_eq!(Expected::default().of(0, 3), None);
    }
}
