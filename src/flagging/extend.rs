//! Extension of flags in time, frequency and polarisation product.

use std::collections::BTreeMap;

use crate::vis::VisBlock;

/// Grow flags: `(in time, in frequency)` fractions, 0 is off; `products` flags all products where one is flagged.
pub(super) fn extend(block: &mut VisBlock, (time, freq): (f64, f64), products: bool) {
    if products {
        let np = block.products.len().max(1);
        if let Some(flags) = block.flag_rfp.as_slice_mut() {
            for sample in flags.chunks_exact_mut(np) {
                let any = sample.iter().fold(false, |any, f| any | *f);
                sample.fill(any);
            }
        }
    }
    let (_, nf, np) = block.flag_rfp.dim();
    if freq > 0.0 {
        for mut row in block.flag_rfp.outer_iter_mut() {
            for p in 0..np {
                let mut line = row.index_axis_mut(ndarray::Axis(1), p);
                let flagged = line.iter().filter(|f| **f).count();
                if flagged as f64 > freq * nf as f64 {
                    line.fill(true);
                }
            }
        }
    }
    if time > 0.0 {
        let mut of: BTreeMap<(u32, u32), Vec<usize>> = BTreeMap::new();
        for k in 0..block.rows.len() {
            of.entry((block.rows.antenna1[k], block.rows.antenna2[k])).or_default().push(k);
        }
        for rows in of.values() {
            for f in 0..nf {
                for p in 0..np {
                    let flagged = rows.iter().filter(|k| block.flag_rfp[[**k, f, p]]).count();
                    if flagged as f64 > time * rows.len() as f64 {
                        for k in rows {
                            block.flag_rfp[[*k, f, p]] = true;
                        }
                    }
                }
            }
        }
    }
}
