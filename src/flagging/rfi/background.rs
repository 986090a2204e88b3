//! The smooth part of the amplitudes, and their noise.

use super::Plane;

/// Channels binned before smoothing.
const BIN: usize = 4;
/// Sigma of the smoothing in frequency \[bins\] and in time \[samples\].
const SIGMA: (f32, f32) = (1.5, 2.5);

/// Amplitudes less a background: the median of good samples in the first round, later a masked Gaussian mean over time and
/// frequency. Samples without any good neighbour get the median.
pub(super) fn subtract(plane: &Plane, smooth: bool, out: &mut Vec<f32>, scratch: &mut Vec<f32>) -> bool {
    scratch.clear();
    // A quarter of the samples knows the median well enough (7 % of sigma for 24 x 48 samples).
    scratch.extend(plane.amp.iter().zip(&plane.mask).step_by(3).filter(|(_, m)| !**m).map(|(a, _)| *a));
    if scratch.is_empty() {
        return false;
    }
    let middle = scratch.len() / 2;
    let median = *scratch.select_nth_unstable_by(middle, f32::total_cmp).1;
    out.clear();
    if !smooth {
        out.extend(plane.amp.iter().map(|a| a - median));
        return true;
    }
    let bins = plane.nf.div_ceil(BIN);
    let grid = smoothed(plane, bins, median);
    for t in 0..plane.nt {
        let line = &grid[t * bins..(t + 1) * bins];
        for f in 0..plane.nf {
            // Linear between bin centres.
            let x = ((f as f32 + 0.5) / BIN as f32 - 0.5).clamp(0.0, (bins - 1) as f32);
            let k = (x as usize).min(bins.saturating_sub(2));
            let rest = x - k as f32;
            let next = line[(k + 1).min(bins - 1)];
            out.push(plane.amp[t * plane.nf + f] - (line[k] + rest * (next - line[k])));
        }
    }
    true
}

fn smoothed(plane: &Plane, bins: usize, median: f32) -> Vec<f32> {
    let (nt, nf) = (plane.nt, plane.nf);
    let (mut sum, mut weight) = (vec![0.0f32; nt * bins], vec![0.0f32; nt * bins]);
    for t in 0..nt {
        for f in 0..nf {
            let k = t * nf + f;
            let keep = f32::from(u8::from(!plane.mask[k]));
            sum[t * bins + f / BIN] += keep * plane.amp[k];
            weight[t * bins + f / BIN] += keep;
        }
    }
    for grid in [&mut sum, &mut weight] {
        convolve(grid, (nt, bins), 1, SIGMA.0);
        convolve(grid, (nt, bins), bins, SIGMA.1);
    }
    sum.iter().zip(&weight).map(|(s, w)| if *w > 1e-3 { s / w } else { median }).collect()
}

/// Gaussian along the axis with this stride (1: frequency, bins: time), cut at 3 sigma and at the edges.
fn convolve(grid: &mut [f32], (nt, bins): (usize, usize), stride: usize, sigma: f32) {
    let reach = (3.0 * sigma).ceil() as usize;
    let kernel: Vec<f32> = (0..=reach).map(|k| (-0.5 * (k as f32 / sigma).powi(2)).exp()).collect();
    let (lines, length, step) = if stride == 1 { (nt, bins, bins) } else { (bins, nt, 1) };
    let mut line = vec![0.0f32; length];
    for l in 0..lines {
        let start = l * step;
        for (k, x) in line.iter_mut().enumerate() {
            *x = grid[start + k * stride];
        }
        for k in 0..length {
            let low = k.saturating_sub(reach);
            let high = (k + reach).min(length - 1);
            grid[start + k * stride] = (low..=high).map(|j| kernel[k.abs_diff(j)] * line[j]).sum();
        }
    }
}

/// Robust sigma of the excess of good samples: 1.4826 times the median of its modulus.
pub(super) fn noise(excess: &[f32], mask: &[bool], scratch: &mut Vec<f32>) -> f32 {
    scratch.clear();
    scratch.extend(excess.iter().zip(mask).step_by(3).filter(|(_, m)| !**m).map(|(x, _)| x.abs()));
    if scratch.is_empty() {
        return 0.0;
    }
    let middle = scratch.len() / 2;
    1.4826 * *scratch.select_nth_unstable_by(middle, f32::total_cmp).1
}
