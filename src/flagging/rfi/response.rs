//! Shape of the bandpass that all baselines share.

use super::order::median;
use crate::vis::VisBlock;

/// Samples that the median of a channel is taken of.
const SAMPLE: usize = 4000;
/// A channel that stands above the smooth bandpass by more than this is interference, not bandpass.
const BUMP: f32 = 1.1;

/// Amplitude of noise and sources against channel, one for each product and channel, 1 on average: medians over baselines and
/// times. Slopes, edges and dips are kept; what stands above a straight line through the window is not.
///
/// `rows` are the rows of cross-correlations; `masks`, where there are any, tell for each of them the channels to leave out.
pub(super) fn response(block: &VisBlock, rows: &[usize], masks: &[&[bool]]) -> Vec<Vec<f32>> {
    let (_, nf, np) = block.vis_rfp.dim();
    let stride = (rows.len() / SAMPLE).max(1);
    let mut values = Vec::new();
    (0..np)
        .map(|p| {
            let level: Vec<f32> = (0..nf)
                .map(|f| {
                    values.clear();
                    values.extend(rows.iter().enumerate().step_by(stride).filter_map(|(n, row)| {
                        if masks.get(n).is_some_and(|mask| mask[f]) {
                            return None;
                        }
                        let k = [*row, f, p];
                        let amp = block.vis_rfp[k].norm_sqr().sqrt();
                        (!block.flag_rfp[k] && amp.is_finite()).then_some(amp)
                    }));
                    // Too few to know a channel by: it is taken as its neighbours are.
                    if values.len() < 200 {
                        f32::NAN
                    } else {
                        median(&values)
                    }
                })
                .collect();
            shape(&level)
        })
        .collect()
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
