//! Transposes of small planes.

/// `from`, of rows by columns, as columns by rows.
#[inline(always)]
pub(super) fn transpose(from: &[f32], (rows, columns): (usize, usize), to: &mut Vec<f32>) {
    to.resize(rows * columns, 0.0);
    let (whole_rows, whole_columns) = squares(from, (rows, columns), to);
    for r in 0..rows {
        for c in if r < whole_rows { whole_columns } else { 0 }..columns {
            to[c * rows + r] = from[r * columns + c];
        }
    }
}

/// Transpose the squares of 8 by 8 in registers, where the machine can; returns the rows and columns that are done.
fn squares(from: &[f32], (rows, columns): (usize, usize), to: &mut [f32]) -> (usize, usize) {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx") {
        let whole = (rows / 8 * 8, columns / 8 * 8);
        assert!(from.len() >= rows * columns && to.len() >= rows * columns);
        for r in (0..whole.0).step_by(8) {
            for c in (0..whole.1).step_by(8) {
                // SAFETY: the machine has the instructions; both squares lie in their arrays.
                unsafe {
                    square(
                        from.as_ptr().add(r * columns + c),
                        columns,
                        to.as_mut_ptr().add(c * rows + r),
                        rows,
                    );
                }
            }
        }
        return whole;
    }
    (0, 0)
}

/// Transpose 8 by 8 numbers, whose rows are `step` apart, into rows that are `apart`.
///
/// # Safety
/// AVX; 8 rows of 8 numbers behind each pointer.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx")]
unsafe fn square(from: *const f32, step: usize, to: *mut f32, apart: usize) {
    use std::arch::x86_64::*;
    unsafe {
        // Halves of 4 by 4 side by side: rows k and k + 4 of the left columns, then of the right ones.
        let mut halves = [_mm256_setzero_ps(); 8];
        for k in 0..4 {
            for side in 0..2 {
                let low = _mm_loadu_ps(from.add(k * step + 4 * side));
                let high = _mm_loadu_ps(from.add((k + 4) * step + 4 * side));
                halves[4 * side + k] = _mm256_insertf128_ps::<1>(_mm256_castps128_ps256(low), high);
            }
        }
        for side in 0..2 {
            let [a, b, c, d] = [0, 1, 2, 3].map(|k| halves[4 * side + k]);
            let (ab, cd) = (_mm256_unpacklo_ps(a, b), _mm256_unpacklo_ps(c, d));
            let (ab_high, cd_high) = (_mm256_unpackhi_ps(a, b), _mm256_unpackhi_ps(c, d));
            let turned = [
                _mm256_shuffle_ps::<0x44>(ab, cd),
                _mm256_shuffle_ps::<0xee>(ab, cd),
                _mm256_shuffle_ps::<0x44>(ab_high, cd_high),
                _mm256_shuffle_ps::<0xee>(ab_high, cd_high),
            ];
            for (k, row) in turned.into_iter().enumerate() {
                _mm256_storeu_ps(to.add((4 * side + k) * apart), row);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transpose_equals_its_definition() {
        for (rows, columns) in [(24, 48), (8, 8), (3, 20), (17, 9), (1, 1)] {
            let from: Vec<f32> = (0..rows * columns).map(|k| k as f32).collect();
            let mut to = Vec::new();
            transpose(&from, (rows, columns), &mut to);
            for (k, value) in to.iter().enumerate() {
                assert_eq!(*value, from[k % rows * columns + k / rows], "{rows} {columns} {k}");
            }
        }
    }
}
