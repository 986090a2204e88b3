//! Order statistics of a few hundred numbers, without sorting.

/// So many need no allocation.
const FEW: usize = 512;
/// Counted at once.
const LANES: usize = 16;

/// The value that `rank` of `values` are smaller than (NaN are the largest); `values` is not empty and `rank` below its length.
///
/// Bits of the answer are found from the highest down: each costs one count over all values, which takes eight or more at once and has no
/// branch that chance decides.
#[inline(always)]
pub(super) fn nth(values: &[f32], rank: usize) -> f32 {
    bits::<0>(values, rank)
}

/// The same to half a percent, for what only starts an iteration.
#[inline(always)]
pub(super) fn nth_roughly(values: &[f32], rank: usize) -> f32 {
    // Eight bits of the mantissa, of which the last is lost to rounding.
    bits::<15>(values, rank)
}

#[inline(always)]
fn bits<const LOWEST: u32>(values: &[f32], rank: usize) -> f32 {
    // As integers, numbers sort as their bits do, negative ones the other way round.
    let key = |v: f32| {
        let bits = v.to_bits() as i32;
        bits ^ (((bits >> 31) as u32) >> 1) as i32
    };
    // Filled up with what is below nothing.
    let (mut few, mut many) = ([i32::MAX; FEW], Vec::new());
    let blocks = values.len().div_ceil(LANES);
    let keys = if values.len() <= FEW {
        for (k, v) in few.iter_mut().zip(values) {
            *k = key(*v);
        }
        &few[..blocks * LANES]
    } else {
        many.extend(values.iter().map(|v| key(*v)));
        many.resize(blocks * LANES, i32::MAX);
        &many[..]
    };
    let keys = keys.as_chunks::<LANES>().0;
    let rank = rank as i32;
    let below = |limit: i32| {
        let mut counts = [0i32; LANES];
        for block in keys {
            for k in 0..LANES {
                counts[k] += i32::from(block[k] < limit);
            }
        }
        counts.iter().sum::<i32>()
    };
    // The sign first: all of these are often positive.
    let mut answer = if below(0) <= rank { 0 } else { i32::MIN };
    for bit in (LOWEST..31).rev() {
        let higher = answer | 1 << bit;
        if below(higher) <= rank {
            answer = higher;
        }
    }
    // The middle of what is left open; a zero stays one.
    if answer != 0 {
        answer |= (1 << LOWEST) >> 1;
    }
    f32::from_bits((answer ^ (((answer >> 31) as u32) >> 1) as i32) as u32)
}

/// The middle one; of an even number the upper of both.
#[inline(always)]
pub(super) fn median(values: &[f32]) -> f32 {
    nth(values, values.len() / 2)
}

/// The same to half a percent.
#[inline(always)]
pub(super) fn median_roughly(values: &[f32]) -> f32 {
    nth_roughly(values, values.len() / 2)
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
                let (rough, value) = (nth_roughly(&values, rank), sorted[rank]);
                let near = !value.is_finite() || (rough - value).abs() <= 0.005 * value.abs();
                assert!(near, "{rough} for {value}");
            }
        }
    }
}
