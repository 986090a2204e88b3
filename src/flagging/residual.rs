//! The clip after RFI: amplitudes far above the rest, product by product.

use crate::vis::VisBlock;

/// Most samples a median is taken of; 10^6 know it to 0.1 %.
const SAMPLE: usize = 1_000_000;

/// Flag cross-correlation amplitudes above `median + sigma * 1.4826 * MAD`.
pub(super) fn clip(block: &mut VisBlock, sigma: f64) {
    let (nr, nf, np) = block.vis_rfp.dim();
    let cross: Vec<usize> = (0..nr).filter(|k| block.rows.antenna1[*k] != block.rows.antenna2[*k]).collect();
    let stride = (cross.len() * nf / SAMPLE).max(1);
    for p in 0..np {
        let good = |i: usize| {
            let (row, f) = (cross[i / nf], i % nf);
            (!block.flag_rfp[[row, f, p]])
                .then(|| block.vis_rfp[[row, f, p]].norm())
                .filter(|a| a.is_finite())
        };
        // A stride that shares a factor with the channels would see only some of them.
        let stride = if nf % stride == 0 && stride > 1 { stride + 1 } else { stride };
        let mut amps: Vec<f32> = (0..cross.len() * nf).step_by(stride).filter_map(good).collect();
        if amps.is_empty() {
            continue;
        }
        let centre = median(&mut amps);
        let mut off: Vec<f32> = amps.iter().map(|a| (a - centre).abs()).collect();
        let limit = centre + sigma as f32 * 1.4826 * median(&mut off);
        for row in &cross {
            for f in 0..nf {
                if block.vis_rfp[[*row, f, p]].norm() > limit {
                    block.flag_rfp[[*row, f, p]] = true;
                }
            }
        }
    }
}

fn median(values: &mut [f32]) -> f32 {
    let middle = values.len() / 2;
    *values.select_nth_unstable_by(middle, f32::total_cmp).1
}
