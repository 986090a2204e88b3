//! Steps that judge antennas and channels as a whole.

use std::collections::{BTreeSet, HashSet};

use super::{selection, Layout};
use crate::vis::VisBlock;

/// Flag antennas of which more than `fraction` of the cross-correlation samples are flagged.
///
/// A dead antenna flags part of every other one's samples (1 in N - 1), which is far below any sensible fraction.
pub(super) fn dead(block: &mut VisBlock, fraction: f64) {
    let n =
        block.rows.antenna1.iter().chain(&block.rows.antenna2).map(|a| *a as usize + 1).max().unwrap_or(0);
    let mut counts = vec![(0u64, 0u64); n];
    for row in 0..block.rows.len() {
        let (i, j) = (block.rows.antenna1[row] as usize, block.rows.antenna2[row] as usize);
        if i == j {
            continue;
        }
        let flags = block.flag_rfp.index_axis(ndarray::Axis(0), row);
        let flagged = flags.iter().map(|f| u64::from(*f)).sum::<u64>();
        for a in [i, j] {
            counts[a].0 += flagged;
            counts[a].1 += flags.len() as u64;
        }
    }
    let bad: Vec<bool> =
        counts.iter().map(|(flagged, all)| *all > 0 && *flagged as f64 > fraction * *all as f64).collect();
    selection::rows(block, |rows, k| bad[rows.antenna1[k] as usize] || bad[rows.antenna2[k] as usize]);
}

/// Flag channels (product by product) of which more than `fraction` is flagged on antennas that are not dead altogether.
pub(super) fn channels(block: &mut VisBlock, fraction: f64) {
    let (nr, nf, np) = block.flag_rfp.dim();
    let rows: Vec<usize> = (0..nr)
        .filter(|k| block.rows.antenna1[*k] != block.rows.antenna2[*k])
        .filter(|k| block.flag_rfp.index_axis(ndarray::Axis(0), *k).iter().any(|f| !f))
        .collect();
    if rows.is_empty() {
        return;
    }
    for f in 0..nf {
        for p in 0..np {
            let flagged = rows.iter().filter(|k| block.flag_rfp[[**k, f, p]]).count();
            if flagged as f64 > fraction * rows.len() as f64 {
                block.flag_rfp.slice_mut(ndarray::s![.., f, p]).fill(true);
            }
        }
    }
}

/// Flag antennas behind another dish: projected separation below the sum of the radii less the tolerance; the one with the smaller
/// w is farther from the source. With a `layout`, antennas without data cast shadows as well, as in CASA's flagdata; without
/// one, baselines of the block are looked at, with one diameter for all.
pub(super) fn shadow(block: &mut VisBlock, tolerance_m: f64, diameter_m: f64, layout: Option<&Layout>) {
    let mut hidden: HashSet<(u64, u32)> = HashSet::new();
    if let Some(layout) = layout {
        let seen: BTreeSet<(u64, u32)> =
            block.rows.time_mjd_s.iter().map(|t| t.to_bits()).zip(block.rows.field.iter().copied()).collect();
        for (time, field) in seen {
            let Some(uvw_m) = layout.uvw_m.get(&(time, field)) else { continue };
            hidden.extend(behind(uvw_m, &layout.diameter_m, tolerance_m).map(|antenna| (time, antenna)));
        }
    } else {
        for k in 0..block.rows.len() {
            let rows = &block.rows;
            let [u, v, w] = rows.uvw_m[k];
            if rows.antenna1[k] != rows.antenna2[k] && u.hypot(v) < diameter_m - tolerance_m {
                // uvw = position(antenna1) - position(antenna2).
                let behind = if w < 0.0 { rows.antenna1[k] } else { rows.antenna2[k] };
                hidden.insert((rows.time_mjd_s[k].to_bits(), behind));
            }
        }
    }
    if hidden.is_empty() {
        return;
    }
    selection::rows(block, |rows, k| {
        let time = rows.time_mjd_s[k].to_bits();
        hidden.contains(&(time, rows.antenna1[k])) || hidden.contains(&(time, rows.antenna2[k]))
    });
}

/// Antennas behind others.
fn behind<'a>(
    uvw_m: &'a [[f64; 3]],
    diameter_m: &'a [f64],
    tolerance_m: f64,
) -> impl Iterator<Item = u32> + 'a {
    (0..uvw_m.len()).flat_map(move |i| {
        (i + 1..uvw_m.len()).filter_map(move |j| {
            let [u, v, w] = [0, 1, 2].map(|k| uvw_m[i][k] - uvw_m[j][k]);
            let radii = 0.5 * (diameter_m.get(i)? + diameter_m.get(j)?);
            (u.hypot(v) < radii - tolerance_m).then_some(if w < 0.0 { i } else { j } as u32)
        })
    })
}
