//! Steps that look at one sample at a time.

use ndarray::Zip;

use crate::vis::VisBlock;

/// Exact zeros and what is not finite. A zero in one product flags all products of the sample: the correlator writes
/// both or none.
pub(super) fn zeros(block: &mut VisBlock) {
    let np = block.products.len();
    if np == 0 {
        return;
    }
    Zip::from(block.flag_rfp.rows_mut()).and(block.vis_rfp.rows()).par_for_each(|mut flag, vis| {
        if vis.iter().any(|v| !(v.re.is_finite() && v.im.is_finite()) || (v.re == 0.0 && v.im == 0.0)) {
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
