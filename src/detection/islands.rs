//! Islands of bright pixels and their peaks.

use ndarray::{Array2, ArrayView2};

use crate::control::{Cancelled, Control};

/// Connected pixels above the island limit that hold a seed.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Island {
    /// Box, inclusive: `[x0, x1, y0, y1]`.
    pub bounds: [usize; 4],
    /// Local maxima at or above the seed limit, brightest first, `[x, y]`.
    pub peaks: Vec<[usize; 2]>,
    pub n_pixels: usize,
}

/// Label (1, 2, ...) of each pixel of an island, 0 elsewhere, and the islands. `snr_yx` is NaN where there is no pixel; connected by sides
/// and corners.
pub(super) fn islands(
    snr_yx: ArrayView2<'_, f32>,
    island_sigma: f32,
    seed_sigma: f32,
    control: &Control,
) -> Result<(Array2<u32>, Vec<Island>), Cancelled> {
    let (ny, nx) = snr_yx.dim();
    let mut label_yx = Array2::<u32>::zeros((ny, nx));
    let mut found = Vec::new();
    let mut stack = Vec::new();
    let mut members = Vec::new();
    for y in 0..ny {
        if y % 64 == 0 {
            control.check()?;
        }
        for x in 0..nx {
            // Grow from seeds alone: an island without one is never visited.
            if !(snr_yx[[y, x]] >= seed_sigma) || label_yx[[y, x]] != 0 {
                continue;
            }
            let label = found.len() as u32 + 1;
            label_yx[[y, x]] = label;
            stack.push((y, x));
            members.clear();
            while let Some((y, x)) = stack.pop() {
                members.push((y, x));
                for yy in y.saturating_sub(1)..=(y + 1).min(ny - 1) {
                    for xx in x.saturating_sub(1)..=(x + 1).min(nx - 1) {
                        if label_yx[[yy, xx]] == 0 && snr_yx[[yy, xx]] >= island_sigma {
                            label_yx[[yy, xx]] = label;
                            stack.push((yy, xx));
                        }
                    }
                }
            }
            found.push(describe(snr_yx, &members, seed_sigma));
        }
    }
    Ok((label_yx, found))
}

fn describe(snr_yx: ArrayView2<'_, f32>, members: &[(usize, usize)], seed_sigma: f32) -> Island {
    let (ny, nx) = snr_yx.dim();
    let mut bounds = [usize::MAX, 0, usize::MAX, 0];
    let mut peaks = Vec::new();
    for &(y, x) in members {
        bounds = [bounds[0].min(x), bounds[1].max(x), bounds[2].min(y), bounds[3].max(y)];
        let value = snr_yx[[y, x]];
        if value < seed_sigma {
            continue;
        }
        let around = (y.saturating_sub(1)..=(y + 1).min(ny - 1))
            .flat_map(|yy| (x.saturating_sub(1)..=(x + 1).min(nx - 1)).map(move |xx| (yy, xx)));
        // Of equal neighbours the first in reading order is the peak.
        let highest = around.filter(|p| *p != (y, x)).all(|(yy, xx)| {
            let other = snr_yx[[yy, xx]];
            other.is_nan() || other < value || (other == value && (yy, xx) > (y, x))
        });
        if highest {
            peaks.push([x, y]);
        }
    }
    peaks.sort_by(|a, b| snr_yx[[b[1], b[0]]].total_cmp(&snr_yx[[a[1], a[0]]]).then(a.cmp(b)));
    Island { bounds, peaks, n_pixels: members.len() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_islands_one_with_two_peaks_and_a_faint_one_left_out() {
        let mut snr = Array2::<f32>::zeros((20, 20));
        for (y, x, v) in
            [(3, 3, 9.0), (3, 4, 4.0), (3, 5, 7.0), (4, 4, 3.5), (10, 10, 4.5), (15, 19, 6.0), (16, 18, 3.2)]
        {
            snr[[y, x]] = v;
        }
        snr[[15, 18]] = f32::NAN;
        let (labels, found) = islands(snr.view(), 3.0, 5.0, &Control::new()).unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].peaks, [[3, 3], [5, 3]]);
        assert_eq!((found[0].bounds, found[0].n_pixels), ([3, 5, 3, 4], 4));
        assert_eq!((found[1].peaks.len(), found[1].n_pixels, labels[[10, 10]]), (1, 2, 0));
    }
}
