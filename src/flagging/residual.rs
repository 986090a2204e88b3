//! The clip after RFI: amplitudes far above the rest, product by product.

use ndarray::{Axis, Zip};

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
        let square = limit * limit;
        let rows = &block.rows;
        Zip::indexed(block.flag_rfp.outer_iter_mut()).and(block.vis_rfp.outer_iter()).par_for_each(
            |row, mut flag, vis| {
                if rows.antenna1[row] != rows.antenna2[row] {
                    let vis = vis.index_axis(Axis(1), p);
                    for (f, v) in flag.index_axis_mut(Axis(1), p).iter_mut().zip(vis) {
                        *f |= v.norm_sqr() > square;
                    }
                }
            },
        );
    }
}

fn median(values: &mut [f32]) -> f32 {
    let middle = values.len() / 2;
    *values.select_nth_unstable_by(middle, f32::total_cmp).1
}
