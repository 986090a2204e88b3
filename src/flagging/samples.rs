//! Steps that look at one sample at a time.

use ndarray::Zip;
use num_complex::Complex32;
use rayon::prelude::*;

use crate::vis::VisBlock;

/// Samples that a thread takes at once.
const PART: usize = 1 << 12;

/// Exact zeros and what is not finite. A zero in one product flags all products of the sample: the correlator writes
/// both or none.
pub(super) fn zeros(block: &mut VisBlock) {
    let np = block.products.len();
    if np == 0 {
        return;
    }
    let bad = |v: &Complex32| !(v.re.is_finite() & v.im.is_finite()) | ((v.re == 0.0) & (v.im == 0.0));
    if let (Some(flags), Some(vis)) = (block.flag_rfp.as_slice_mut(), block.vis_rfp.as_slice()) {
        flags.par_chunks_mut(np * PART).zip(vis.par_chunks(np * PART)).for_each(|(flags, vis)| {
            // Bad ones are rare: a first look at all of them has no branch.
            if !vis.iter().fold(false, |any, v| any | bad(v)) {
                return;
            }
            for (flag, vis) in flags.chunks_exact_mut(np).zip(vis.chunks_exact(np)) {
                if vis.iter().any(bad) {
                    flag.fill(true);
                }
            }
        });
        return;
    }
    Zip::from(block.flag_rfp.rows_mut()).and(block.vis_rfp.rows()).par_for_each(|mut flag, vis| {
        if vis.iter().any(bad) {
            flag.fill(true);
        }
    });
}

/// Amplitudes outside (inside) a range, cross-correlations only.
pub(super) fn clip(block: &mut VisBlock, min: f32, max: f32, outside: bool) {
    let rows = &block.rows;
    for row in 0..rows.len() {
        if rows.antenna1[row] == rows.antenna2[row] {
            continue;
        }
        let vis = block.vis_rfp.index_axis(ndarray::Axis(0), row);
        let mut flag = block.flag_rfp.index_axis_mut(ndarray::Axis(0), row);
        Zip::from(&mut flag).and(&vis).for_each(|f, v| {
            let amp = v.norm();
            *f |= (amp >= min && amp <= max) != outside;
        });
    }
}
