//! Order statistics of a few hundred numbers, without sorting.

/// So many need no allocation.
const FEW: usize = 512;

/// The value that `rank` of `values` are smaller than (NaN are the largest); `values` is not empty and `rank` below its length.
///
/// Bits of the answer are found from the highest down: each costs one count over all values, which takes eight or more at once and has no
/// branch that chance decides.
#[inline(always)]
pub(super) fn nth(values: &[f32], rank: usize) -> f32 {
    // As integers, numbers sort as their bits do, negative ones the other way round.
    let key = |v: f32| {
        let bits = v.to_bits() as i32;
        bits ^ (((bits >> 31) as u32) >> 1) as i32
    };
    let (mut few, mut many) = ([0i32; FEW], Vec::new());
    let keys = if values.len() <= FEW {
        for (k, v) in few.iter_mut().zip(values) {
            *k = key(*v);
        }
        &few[..values.len()]
    } else {
        many.extend(values.iter().map(|v| key(*v)));
        &many[..]
    };
    let rank = rank as i32;
    let below = |limit: i32| keys.iter().map(|k| i32::from(*k < limit)).sum::<i32>();
    // The sign first: all of these are often positive.
    let mut answer = if below(0) <= rank { 0 } else { i32::MIN };
    for bit in (0..31).rev() {
        let higher = answer | 1 << bit;
        if below(higher) <= rank {
            answer = higher;
        }
    }
    f32::from_bits((answer ^ (((answer >> 31) as u32) >> 1) as i32) as u32)
}

/// The middle one; of an even number the upper of both.
#[inline(always)]
pub(super) fn median(values: &[f32]) -> f32 {
    nth(values, values.len() / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_a_sort() {
        let mut state = 7u32;
        for n in 1..60 {
            let values: Vec<f32> = (0..n)
                .map(|k| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    match k % 9 {
                        0 => 0.0,
                        1 => -1.5,
                        2 => f32::INFINITY,
                        _ => (state >> 8) as f32 / 1e5 - 60.0,
                    }
                })
                .collect();
            let mut sorted = values.clone();
            sorted.sort_by(f32::total_cmp);
            for rank in 0..n {
                assert_eq!(nth(&values, rank).to_bits(), sorted[rank].to_bits(), "{rank} of {values:?}");
            }
        }
    }
}
