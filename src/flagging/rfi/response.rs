//! Shape of the bandpass that all baselines share.

use super::order::median;
use crate::vis::VisBlock;

/// Samples that the median of a channel is taken of.
const SAMPLE: usize = 4000;
/// A channel that stands above the smooth bandpass by more than this is interference, not bandpass.
const BUMP: f32 = 1.1;
/// Too few samples to know a channel by: it is taken as its neighbours are.
const FEWEST: usize = 200;

/// Amplitude of noise and sources against channel, one for each product and channel, 1 on average: medians over baselines and
/// times. Slopes, edges and dips are kept; what stands above a straight line through the window is not.
///
/// `rows` are the rows of cross-correlations; `masks`, where there are any, tell for each of them the channels to leave out.
pub(super) fn response(block: &VisBlock, rows: &[usize], masks: &[&[bool]]) -> Vec<Vec<f32>> {
    let mut out = Vec::new();
    medians(block, rows, masks, &mut out);
    out.iter().map(|level| shape(level)).collect()
}

super::vectorized! {
    fn medians = medians_body;
    (block: &VisBlock, rows: &[usize], masks: &[&[bool]], out: &mut Vec<Vec<f32>>)
}

/// Median amplitude of each product and channel; none where there are too few samples to know it by.
#[inline(always)]
fn medians_body(block: &VisBlock, rows: &[usize], masks: &[&[bool]], out: &mut Vec<Vec<f32>>) {
    let (_, nf, np) = block.vis_rfp.dim();
    let stride = (rows.len() / SAMPLE).max(1);
    let most = rows.len().div_ceil(stride);
    // A row is read once: they are far apart in memory. Those that take no part are written and overwritten.
    let mut values = vec![0.0f32; nf * np * most];
    let mut counts = vec![0usize; nf * np];
    for (n, row) in rows.iter().enumerate().step_by(stride) {
        let vis = block.vis_rfp.index_axis(ndarray::Axis(0), *row);
        let flag = block.flag_rfp.index_axis(ndarray::Axis(0), *row);
        let mask = masks.get(n);
        for (k, (v, flagged)) in vis.iter().zip(flag.iter()).enumerate() {
            let amp = v.norm_sqr().sqrt();
            values[k * most + counts[k]] = amp;
            let left_out = mask.is_some_and(|mask| mask[k / np]);
            counts[k] += usize::from(!left_out & !*flagged & amp.is_finite());
        }
    }
    *out = (0..np)
        .map(|p| {
            (0..nf)
                .map(|f| {
                    let k = f * np + p;
                    if counts[k] < FEWEST {
                        f32::NAN
                    } else {
                        median(&values[k * most..][..counts[k]])
                    }
                })
                .collect()
        })
        .collect();
}

fn shape(level: &[f32]) -> Vec<f32> {
    let known: Vec<(f32, f32)> =
        level.iter().enumerate().filter(|(_, y)| **y > 0.0).map(|(k, y)| (k as f32, *y)).collect();
    if known.len() < 4 {
        return vec![1.0; level.len()];
    }
    let line = line(&known);
    let mean = line(0.5 * (level.len() - 1) as f32);
    if !(mean > 0.0) {
        return vec![1.0; level.len()];
    }
    level
        .iter()
        .enumerate()
        .map(|(k, y)| {
            let fit = line(k as f32).max(0.05 * mean);
            // Below a twentieth there is no signal to be judged.
            (if *y > 0.0 && *y < BUMP * fit { *y } else { fit } / mean).max(0.05)
        })
        .collect()
}

/// Straight line through points by medians: slope of Theil and Sen, then the median of what is left. A quarter of the points may
/// be anything.
fn line(points: &[(f32, f32)]) -> impl Fn(f32) -> f32 {
    let mut slopes = Vec::with_capacity(points.len() * points.len() / 2);
    for (k, a) in points.iter().enumerate() {
        slopes.extend(points[k + 1..].iter().map(|b| (b.1 - a.1) / (b.0 - a.0)));
    }
    let slope = median(&slopes);
    let rest: Vec<f32> = points.iter().map(|(x, y)| y - slope * x).collect();
    let base = median(&rest);
    move |x| slope.mul_add(x, base)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slopes_and_edges_are_bandpass_and_bumps_are_not() {
        let truth: Vec<f32> =
            (0..48).map(|k| (1.0 + 0.004 * k as f32) * if k == 47 { 0.4 } else { 1.0 }).collect();
        let mut level = truth.clone();
        for y in &mut level[10..20] {
            *y *= 2.0;
        }
        level[30] = f32::NAN;
        let found = shape(&level);
        let scale = truth[0] / found[0];
        // The line leans by a little where a fifth of the channels stand above it.
        assert!(found.iter().zip(&truth).all(|(a, b)| (a * scale / b - 1.0).abs() < 0.1), "{found:?}");
        assert_eq!(shape(&[0.0; 3]), [1.0; 3]);
    }
}
